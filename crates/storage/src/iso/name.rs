//! Identifiers of directory records (ECMA-119, 7.5 and 7.6): capital letters, digits and `_`.
//! Readers with Rock Ridge show the real name instead.

use std::collections::BTreeSet;

/// An identifier for `name` that is not in `taken`: 8 characters with 3 of the extension, and a
/// version for files.
pub(super) fn identifier(name: &str, file: bool, taken: &BTreeSet<String>) -> Option<String> {
    let letters = |part: &str, most: usize| -> String {
        let fits = |letter: char| match letter.to_ascii_uppercase() {
            upper if upper.is_ascii_alphanumeric() => upper,
            _ => '_',
        };
        part.chars().map(fits).take(most).collect()
    };
    let (base, extension) = match name.rsplit_once('.') {
        Some((base, extension)) if file && !base.is_empty() => (base, extension),
        _ => (name, ""),
    };
    let end = if file { format!(".{};1", letters(extension, 3)) } else { String::new() };
    let first = format!("{}{end}", letters(base, 8));
    if !taken.contains(&first) {
        return Some(first);
    }
    (1..1_000_000_u32).find_map(|number| {
        let tail = number.to_string();
        let numbered = format!("{}{tail}{end}", letters(base, 8 - tail.len()));
        (!taken.contains(&numbered)).then_some(numbered)
    })
}
