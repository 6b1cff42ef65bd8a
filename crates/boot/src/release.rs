//! The file os-release(5): what the system is called.

use std::collections::BTreeMap;
use std::fmt;

/// What the system is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The version.
    pub version: String,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.version;
        writeln!(f, "NAME=\"Ichor\"")?;
        writeln!(f, "ID=ichor")?;
        writeln!(f, "VERSION_ID={version}")?;
        writeln!(f, "PRETTY_NAME=\"Ichor ({version})\"")?;
        writeln!(f, "CPE_NAME=\"cpe:/o:ichor:ichor:{version}\"")
    }
}

/// The values of an os-release by their names, without quotes. Lines that are none are left out.
pub fn fields(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), unquoted(value))).collect()
}

/// A value as a shell would take it: in quotes, a backslash keeps the next character as it is.
fn unquoted(value: &str) -> String {
    let single = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
    if let Some(value) = single {
        return value.to_owned();
    }
    let double = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let mut text = String::new();
    let mut characters = double.unwrap_or(value).chars();
    while let Some(character) = characters.next() {
        text.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let fields = fields(&Release { version: "1.2.3".to_owned() }.to_string());
        assert_eq!(fields["ID"], "ichor");
        assert_eq!(fields["VERSION_ID"], "1.2.3");
        assert_eq!(fields["PRETTY_NAME"], "Ichor (1.2.3)");
    }

    #[test]
    fn quotes_of_the_shell() {
        let read = fields("# A=1\nA='b \\c'\nB=\"a \\\"b\\\"\"\nC=plain\nnothing\nD=\"\n");
        let expected = [("A", "b \\c"), ("B", "a \"b\""), ("C", "plain"), ("D", "\"")];
        let expected: Vec<_> = expected.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
        assert_eq!(read.into_iter().collect::<Vec<_>>(), expected);
    }
}
