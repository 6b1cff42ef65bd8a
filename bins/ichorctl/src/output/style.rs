//! Colours, on a terminal only, and never when `NO_COLOR` is set.

use std::io::IsTerminal;

fn paint(code: &str, text: &str, terminal: bool) -> String {
    if terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// A heading of an error, on standard error.
pub(crate) fn error(text: &str) -> String {
    paint("1;31", text, std::io::stderr().is_terminal())
}

/// A heading of a warning, on standard error.
pub(crate) fn warning(text: &str) -> String {
    paint("1;33", text, std::io::stderr().is_terminal())
}
