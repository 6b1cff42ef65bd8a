//! What checks of the whole system answer, and the few things that all of them do.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What every check answers: nothing, or why it failed.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// Fails with the message unless the condition holds.
pub(crate) fn ensure(condition: bool, message: impl FnOnce() -> String) -> Outcome {
    if condition { Ok(()) } else { Err(message()) }
}

/// Runs a command and returns what it prints; a failure shows everything it printed.
pub(crate) fn run(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output();
    printed(command, output)
}

/// The same for a command that reads something.
pub(crate) fn run_with(command: &mut Command, input: &str) -> Outcome<String> {
    let feed = |command: &mut Command| {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    };
    let output = feed(command);
    printed(command, output)
}

fn printed(command: &Command, output: std::io::Result<Output>) -> Outcome<String> {
    let output = output.map_err(|error| format!("starting {command:?}: {error}"))?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(answer);
    }
    let program =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{program} {}` ended with {}\n{answer}{errors}", words.join(" "), output.status))
}

/// Tries until it works. For what has no event that a test outside the node could wait for.
pub(crate) fn eventually<T>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Outcome<T>,
) -> Outcome<T> {
    let begun = Instant::now();
    loop {
        let error = match attempt() {
            Ok(value) => {
                println!("  {what} after {:.1} s", begun.elapsed().as_secs_f64());
                return Ok(value);
            }
            Err(error) => error,
        };
        if begun.elapsed() > limit {
            return Err(format!("not within {} s: {what}\n{error}", limit.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
