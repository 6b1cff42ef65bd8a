//! What an unquoted scalar means: null, bool, number, time stamp or text.

use crate::number;

/// The meaning of a plain scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved {
    /// Empty, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits 64 signed bits.
    Int(i64),
    /// An integer above the signed range.
    Uint(u64),
    /// A floating point number.
    Float(f64),
    /// A date or a time, kept as text.
    Timestamp,
    /// The merge key `<<`.
    Merge,
    /// Anything else.
    String,
}

impl Resolved {
    /// The YAML tag of the meaning, in its short form.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Merge => "!!merge",
            Self::String => "!!str",
        }
    }
}

/// Resolves an unquoted scalar.
#[must_use]
pub fn resolve(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "true" | "True" | "TRUE" => return Resolved::Bool(true),
        "false" | "False" | "FALSE" => return Resolved::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Resolved::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        "<<" => return Resolved::Merge,
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'.') => number::float(text).map_or(Resolved::String, Resolved::Float),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            if is_timestamp(text) {
                return Resolved::Timestamp;
            }
            let plain;
            let digits = if text.contains('_') {
                plain = text.replace('_', "");
                &plain
            } else {
                text
            };
            match number::integer(digits) {
                Some(number::Integer::Signed(value)) => Resolved::Int(value),
                Some(number::Integer::Unsigned(value)) => Resolved::Uint(value),
                None => number::float(digits).map_or(Resolved::String, Resolved::Float),
            }
        }
        _ => Resolved::String,
    }
}

/// Whether text must be quoted so that every reader takes it for text.
pub(crate) fn needs_quotes(text: &str) -> bool {
    resolve(text) != Resolved::String || is_old_bool(text) || is_base_60(text)
}

/// The words that YAML 1.1 reads as bools.
fn is_old_bool(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
    )
}

/// Sexagesimal numbers such as `1:30`, which YAML 1.1 reads as numbers.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let Some(first) = parts.next() else { return false };
    if !first.starts_with(|c: char| c.is_ascii_digit())
        || !first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
    {
        return false;
    }
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else { return false };
    let last = match last.split_once('.') {
        Some((whole, fraction)) => {
            if !fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
                return false;
            }
            whole
        }
        None => last,
    };
    middle.iter().copied().chain([last]).all(|part| match part.as_bytes() {
        [unit] => unit.is_ascii_digit(),
        [tens, unit] => (b'0'..=b'5').contains(tens) && unit.is_ascii_digit(),
        _ => false,
    })
}

/// Dates (`2006-1-2`) and times on a date, the forms a plain scalar may take.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    let year = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    if year != 4 || bytes.get(4) != Some(&b'-') {
        return false;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at), text.get(at..)),
        None => (Some(text), None),
    };
    let mut parts = date.unwrap_or_default().split('-').skip(1);
    let (Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let within = |text: &str, low: u8, high: u8| {
        (1..=2).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit())
            && text.parse::<u8>().is_ok_and(|value| (low..=high).contains(&value))
    };
    if !within(month, 1, 12) || !within(day, 1, 31) {
        return false;
    }
    let Some(time) = time else { return true };
    let zoned = !time.starts_with(' ');
    let clock = time.get(1..).unwrap_or_default();
    let clock = if zoned {
        let Some(at) = clock.find(['Z', '+', '-']) else { return false };
        let zone = clock.get(at..).unwrap_or_default();
        let offset = zone.strip_prefix(['+', '-']);
        let good = zone == "Z"
            || offset.and_then(|o| o.split_once(':')).is_some_and(|(h, m)| {
                h.len() == 2 && m.len() == 2 && within(h, 0, 24) && within(m, 0, 60)
            });
        if !good {
            return false;
        }
        clock.get(..at).unwrap_or_default()
    } else {
        clock
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let (Some(hour), Some(minute), Some(second), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    within(hour, 0, 23)
        && within(minute, 0, 59)
        && within(second, 0, 59)
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Resolved, needs_quotes, resolve};

    #[test]
    fn numbers_in_every_base() {
        for (text, want) in [
            ("12", 12),
            ("-12", -12),
            ("+12", 12),
            ("1_000", 1000),
            ("0x1F", 31),
            ("0o644", 420),
            ("0644", 420),
            ("0b101", 5),
            ("-0b101", -5),
        ] {
            assert_eq!(resolve(text), Resolved::Int(want), "{text}");
        }
        assert_eq!(resolve("18446744073709551615"), Resolved::Uint(u64::MAX));
        assert_eq!(resolve("1.5"), Resolved::Float(1.5));
        assert_eq!(resolve("1e3"), Resolved::Float(1000.0));
        assert_eq!(resolve(".5"), Resolved::Float(0.5));
        assert_eq!(resolve("0800"), Resolved::Float(800.0));
    }

    #[test]
    fn text_that_looks_like_something_else_is_quoted() {
        for text in [
            "",
            "true",
            "null",
            "~",
            "1",
            "0x1",
            "1.0",
            "y",
            "No",
            "off",
            "1:30",
            "190:20:30",
            "2024-01-02",
            "2024-01-02T10:00:00Z",
            "2024-01-02 10:00:00",
            ".inf",
            "<<",
            "1_000",
            "0o644",
        ] {
            assert!(needs_quotes(text), "{text}");
        }
        for text in [
            "a",
            "1a",
            "v1.2.3",
            "10.0.0.1",
            "10.0.0.0/8",
            "::1",
            "1h30m",
            "-",
            "--a",
            "yes!",
            "aa:bb:cc",
            "1:99",
            "2024-13-02",
            "2024-01-02T10:00",
            "0x",
            "1.2.3",
            "truE",
            "+",
            "100MiB",
        ] {
            assert!(!needs_quotes(text), "{text}");
        }
    }
}
