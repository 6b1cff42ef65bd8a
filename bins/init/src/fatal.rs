//! The end that nobody asked for: said where it is found later, then a new start after a while.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use boot::command_line::CommandLine;
use sys::system::Ending;

use crate::console::Console;
use crate::platform::Platform;

/// How long the message stays on the screen, unless the argument `panic` says otherwise.
const DELAY: Duration = Duration::from_secs(10);
/// A disk that takes longer to take its data never will.
const SYNC_LIMIT: Duration = Duration::from_secs(30);

/// What a user program leaves for the next boot: memory that outlasts the start, where the machine has such.
const LEFT_FOR_NEXT_BOOT: &str = "/dev/pmsg0";
/// Whether the kernel keeps its log in pstore at every end and not only when it fails itself. The firmware's variables,
/// which most machines have for it, take nothing else (Documentation/admin-guide/kernel-parameters.txt, printk).
const KEEP_LOG: &str = "/sys/module/printk/parameters/always_kmsg_dump";

/// How long to wait before the new start; `None` is for ever. The last `panic=` argument counts:
/// seconds, 0 for never, and less for at once, as the kernel takes it itself.
fn delay(command_line: &str) -> Option<Duration> {
    let line = CommandLine::from(command_line);
    match line.last("panic").and_then(|text| text.parse::<i64>().ok()) {
        None => Some(DELAY),
        Some(0) => None,
        Some(seconds) => Some(Duration::from_secs(u64::try_from(seconds).unwrap_or_default())),
    }
}

/// An error with all its causes on one line.
pub(crate) fn chain(what: &str, error: &dyn Error) -> String {
    let mut text = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

/// Says what is wrong. A container's PID 1 then ends, which its starter sees; a machine starts again
/// after its delay.
pub(crate) fn end(
    platform: Platform,
    console: &mut Console,
    what: &str,
    error: &dyn Error,
) -> ExitCode {
    if platform == Platform::Container {
        console.error(what, error);
        return ExitCode::FAILURE;
    }
    restart(console, &chain(what, error))
}

/// A defect of this program ends the machine as any other fatal error does.
pub(crate) fn catch_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let mut console = Console::open(Platform::Machine);
        restart(&mut console, &format!("PID 1 has a defect: {panic}"));
    }));
}

fn restart(console: &mut Console, text: &str) -> ExitCode {
    console.emergency(text);
    let leave = |text: &str| {
        OpenOptions::new().write(true).open(LEFT_FOR_NEXT_BOOT)?.write_all(text.as_bytes())
    };
    // Most machines have no such memory, and before the early mounts none has.
    let _ = leave(&format!("init: {text}\n"));
    let _ = std::fs::write(KEEP_LOG, "Y");
    let command_line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let delay = delay(&command_line);
    match delay {
        Some(delay) => {
            console.emergency(&format!("the machine starts again in {} s", delay.as_secs()));
        }
        None => console.emergency("the machine stays as it is, because of the argument panic=0"),
    }
    write_everything();
    match delay {
        Some(delay) => std::thread::sleep(delay),
        None => loop {
            std::thread::sleep(Duration::from_secs(3600));
        },
    }
    if let Err(error) = sys::system::end(Ending::Restart) {
        console.error("the machine cannot be ended", &error);
    }
    // When PID 1 ends, the kernel panics, which is the last way to a new start.
    ExitCode::FAILURE
}

/// Writes all data to the disks, and gives up when that takes too long.
pub(crate) fn write_everything() {
    let (done, written) = mpsc::channel();
    std::thread::spawn(move || {
        sys::system::sync();
        let _ = done.send(());
    });
    let _ = written.recv_timeout(SYNC_LIMIT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_panic_says_how_long_the_message_stays() {
        let seconds = |text| delay(text).map(|delay| delay.as_secs());
        assert_eq!(seconds("console=ttyS0 quiet"), Some(10));
        assert_eq!(seconds("panic=0"), None);
        assert_eq!(seconds("panic=30 panic=5\n"), Some(5));
        assert_eq!(seconds("panic=-1"), Some(0));
        assert_eq!(seconds("panic=soon"), Some(10));
        assert_eq!(seconds("xpanic=0"), Some(10));
    }
}
