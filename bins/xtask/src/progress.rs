//! Shows what a build does: a line for each part, with the time it took.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use image::component::Event;

/// Prints the event: a passing line on a terminal while the part is built, a lasting one after.
pub(crate) fn show(event: Event<'_>) {
    let terminal = std::io::stderr().is_terminal();
    match event {
        Event::Begun { part } if terminal => {
            eprint!("\r\x1b[2K  … {part}");
            // What cannot be shown is not worth failing for.
            let _ = std::io::stderr().flush();
        }
        Event::Begun { .. } => {}
        Event::Done { part, built: Some(time) } => {
            let clear = if terminal { "\r\x1b[2K" } else { "" };
            eprintln!("{clear}  built {part} in {}", seconds(time));
        }
        Event::Done { .. } if terminal => eprint!("\r\x1b[2K"),
        Event::Done { .. } => {}
    }
}

/// A duration for people.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
