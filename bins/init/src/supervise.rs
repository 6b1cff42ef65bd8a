//! Keeping machined running, and everything a kernel expects of PID 1.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use sys::Signal;
use sys::process::{self, Child, Exit, ProcessError, Spawn, Stdio};
use sys::signal::{SignalFd, wait_readable};
use sys::system::Ending;
use thiserror::Error;

use crate::console::Console;
use crate::platform::Platform;

const MACHINED: &str = "/usr/bin/machined";
const PATH: &str = "/usr/bin:/usr/sbin:/bin:/sbin";

/// A machined that ran this long was well: the next start after it is immediate.
const STEADY: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How far apart the reads are that bring machined into memory: no block of a squashfs image here is smaller.
const APART: u64 = 64 << 10;

/// Receives the signals that are for this process, from now on in no other way.
pub(crate) fn signals() -> Result<SignalFd, SuperviseError> {
    SignalFd::new(&[Signal::CHILD, Signal::TERM, Signal::INT]).map_err(SuperviseError::Signals)
}

/// Brings machined from the image into memory, on the side: to unpack it takes as long as all that is prepared before it
/// starts. With one processor nothing would be won. The signals are received already, so that the other thread takes none.
pub(crate) fn read_ahead(_received: &SignalFd) {
    if std::thread::available_parallelism().is_ok_and(|processors| processors.get() > 1) {
        let read = || {
            let program = File::open(MACHINED)?;
            // From its end, where the data is that its start writes to first of all.
            for block in (0..program.metadata()?.len().div_ceil(APART)).rev() {
                program.read_at(&mut [0], block * APART)?;
            }
            io::Result::Ok(())
        };
        // Whether it can be read shows when it is started; until then this is only about time.
        let _ = std::thread::Builder::new().spawn(read);
    }
}

/// Why supervision ended without an ending.
#[derive(Debug, Error)]
pub(crate) enum SuperviseError {
    #[error("cannot receive signals")]
    Signals(#[source] io::Error),
    #[error("cannot look for ended processes")]
    Reap(#[source] io::Error),
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// What to do about machined's exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    End(Ending),
    Start { after: Duration },
}

/// The exit codes by which machined ends the machine; any other end is a crash. `ran` is how long
/// it ran and `pause` how long the pause before it was.
fn next(exit: Exit, ran: Duration, pause: Duration) -> Next {
    match exit {
        Exit::Code(100) => Next::End(Ending::Restart),
        Exit::Code(101) => Next::End(Ending::PowerOff),
        Exit::Code(102) => Next::End(Ending::Halt),
        Exit::Code(103) => Next::End(Ending::Kexec),
        _ if ran >= STEADY => Next::Start { after: Duration::ZERO },
        _ => Next::Start { after: (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE) },
    }
}

enum Machined {
    Running { child: Child, since: Instant },
    Pausing { until: Instant },
}

/// Runs machined until it says how the machine shall end.
pub(crate) fn run(
    platform: Platform,
    console: &mut Console,
    signals: &SignalFd,
) -> Result<Ending, SuperviseError> {
    let mut pause = Duration::ZERO;
    let mut machined = start(platform, console, pause);
    loop {
        let limit = match &machined {
            Machined::Running { .. } => None,
            Machined::Pausing { until } => Some(until.saturating_duration_since(Instant::now())),
        };
        wait_readable(signals, limit).map_err(SuperviseError::Signals)?;
        while let Some((signal, _)) = signals.next().map_err(SuperviseError::Signals)? {
            if signal == Signal::CHILD {
                continue;
            }
            match &machined {
                Machined::Running { child, .. } => child.signal(signal)?,
                // Nobody is there to stop anything in order.
                Machined::Pausing { .. } if signal == Signal::INT => return Ok(Ending::Restart),
                Machined::Pausing { .. } => return Ok(Ending::PowerOff),
            }
        }
        if let Some((exit, ran)) = reap(&machined)? {
            match next(exit, ran, pause) {
                Next::End(ending) => {
                    console.say(&format!("machined ends the machine: {ending:?}"));
                    return Ok(ending);
                }
                Next::Start { after } => {
                    console.say(&format!("machined ended ({exit}), next start in {after:?}"));
                    pause = after;
                    machined = Machined::Pausing { until: Instant::now() + after };
                }
            }
        }
        if matches!(machined, Machined::Pausing { until } if until <= Instant::now()) {
            machined = start(platform, console, pause);
        }
    }
}

/// Reaps whoever has ended; machined's exit, and how long it ran, if it is among them.
fn reap(machined: &Machined) -> Result<Option<(Exit, Duration)>, SuperviseError> {
    let mut ended = None;
    while let Some(orphan) = process::next_exited().map_err(SuperviseError::Reap)? {
        match machined {
            Machined::Running { child, since } if child.id() == orphan.pid => {
                ended = child.try_wait()?.map(|exit| (exit, since.elapsed()));
            }
            _ => process::reap(orphan.pid).map_err(SuperviseError::Reap)?,
        }
    }
    Ok(ended)
}

/// Where what machined writes besides its log goes on a machine: the last words of a crash.
const LAST_WORDS: &str = "/dev/kmsg";

fn start(platform: Platform, console: &mut Console, pause: Duration) -> Machined {
    let spawn = Spawn::new(MACHINED).arg0("machined").stdin(Stdio::Null).inherit_env();
    let spawn = match platform {
        Platform::Machine => spawn.log_to(LAST_WORDS),
        Platform::Container => spawn,
    };
    let spawn = if std::env::var_os("PATH").is_none() { spawn.env("PATH", PATH) } else { spawn };
    match spawn.directory(Path::new("/")).spawn() {
        Ok(child) => Machined::Running { child, since: Instant::now() },
        Err(error) => {
            console.error("machined cannot be started", &error);
            let after = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            Machined::Pausing { until: Instant::now() + after }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_end_the_machine_and_crashes_start_again_ever_later() {
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(11));
        let after = |exit, ran, pause| match next(exit, ran, pause) {
            Next::Start { after } => after.as_millis(),
            Next::End(ending) => panic!("{ending:?}"),
        };
        assert_eq!(next(Exit::Code(100), short, short), Next::End(Ending::Restart));
        assert_eq!(next(Exit::Code(101), long, short), Next::End(Ending::PowerOff));
        assert_eq!(next(Exit::Code(102), long, short), Next::End(Ending::Halt));
        assert_eq!(next(Exit::Code(103), long, short), Next::End(Ending::Kexec));
        assert_eq!(after(Exit::Signal(9), long, short), 0);
        assert_eq!(after(Exit::Code(0), short, Duration::ZERO), 100);
        assert_eq!(after(Exit::Code(1), short, Duration::from_millis(100)), 200);
        assert_eq!(after(Exit::Signal(6), short, Duration::from_secs(9)), 10_000);
    }
}
