//! Sizes in bytes, percentages, and the size condition of the legacy disk selector. The text that
//! was read is the text that is written.

use std::fmt;
use std::str::FromStr;

use yaml::{Node, Value};

use super::text::text_field;
use crate::decode::Decoder;
use crate::field::{Field, Shape};
use crate::merge::MergeError;

/// Why a text is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not a number with an optional unit.
    #[error("{0:?} is not a size: want a number with an optional unit such as 100MB or 2.5GiB")]
    Form(String),
    /// A unit that does not exist.
    #[error(
        "{text:?} is not a size: unknown unit {unit:?}, want B, kB, MB, GB, TB, PB, EB, KiB, MiB, GiB, TiB, PiB or EiB"
    )]
    Unit {
        /// The whole text.
        text: String,
        /// The unit.
        unit: String,
    },
    /// Too many bytes for 64 bits.
    #[error("{0:?} is too large")]
    Overflow(String),
    /// Not a percentage from 0 to 100.
    #[error("{0:?} is not a percentage from 0% to 100%")]
    Percent(String),
}

/// Parses a number with an optional unit.
fn bytes(text: &str) -> Result<u64, SizeError> {
    let end =
        text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number.replace(',', "");
    let value: f64 = number.parse().map_err(|_| SizeError::Form(text.to_owned()))?;
    let scale: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "p" | "pb" => 1e15,
        "e" | "eb" => 1e18,
        "ki" | "kib" => 1024.0,
        "mi" | "mib" => 1_048_576.0,
        "gi" | "gib" => 1_073_741_824.0,
        "ti" | "tib" => 1_099_511_627_776.0,
        "pi" | "pib" => 1_125_899_906_842_624.0,
        "ei" | "eib" => 1_152_921_504_606_846_976.0,
        other => return Err(SizeError::Unit { text: text.to_owned(), unit: other.to_owned() }),
    };
    let total = value * scale;
    if total >= 18_446_744_073_709_551_616.0 {
        return Err(SizeError::Overflow(text.to_owned()));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked")]
    Ok(total as u64)
}

/// A size in bytes; a leading `-` counts from the other end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByteSize {
    text: String,
    bytes: u64,
    negative: bool,
}

impl ByteSize {
    /// The bytes, without the sign.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the size is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether no size was given.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        self.text.is_empty()
    }
}

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let (negative, number) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        Ok(Self { text: text.to_owned(), bytes: bytes(number)?, negative })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Field for ByteSize {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        decode_text(self, node, cx);
        None
    }

    fn encode(&self) -> Value {
        Value::String(self.text.clone())
    }

    fn is_empty(&self) -> bool {
        self.is_unset()
    }

    // The contract takes the patch's size even when the patch has none.
    fn merge(&mut self, right: &Self) -> Result<(), MergeError> {
        self.clone_from(right);
        Ok(())
    }

    fn shape() -> Shape {
        Shape::Format("byte size")
    }
}

fn decode_text<T: FromStr<Err: fmt::Display>>(out: &mut T, node: &Node, cx: &mut Decoder) {
    match node.scalar() {
        Some(scalar) if scalar.resolved() == yaml::Resolved::Null => {}
        Some(scalar) => match scalar.text.parse() {
            Ok(value) => *out = value,
            Err(error) => cx.refused(node, error),
        },
        None => cx.mismatch(node, "a size"),
    }
}

/// A percentage with the text it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Percent {
    text: String,
    value: u64,
    negative: bool,
}

/// A size in bytes or in percent. Both parts are kept apart because the contract merges them apart:
/// a patch from one to the other leaves both set, and then the absolute text is written while the
/// value still counts as relative.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size {
    absolute: ByteSize,
    percent: Option<Percent>,
}

impl Size {
    /// The absolute size, when the value is not relative.
    #[must_use]
    pub fn absolute(&self) -> Option<&ByteSize> {
        (self.percent.is_none() && !self.absolute.is_unset()).then_some(&self.absolute)
    }

    /// The percentage without its sign, when the value is relative.
    #[must_use]
    pub fn percent(&self) -> Option<u64> {
        self.percent.as_ref().map(|percent| percent.value)
    }

    /// Whether the value is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.percent.as_ref().map_or(self.absolute.negative, |percent| percent.negative)
    }

    /// Whether nothing was given.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        self.absolute.is_unset() && self.percent.is_none()
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        if !text.contains('%') {
            return Ok(Self { absolute: text.parse()?, percent: None });
        }
        let error = || SizeError::Percent(text.to_owned());
        let number = text.strip_suffix('%').ok_or_else(error)?;
        let (negative, number) =
            number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(error());
        }
        let value: u64 = whole.parse().map_err(|_| error())?;
        let more = fraction.bytes().any(|b| b != b'0');
        if value > 100 || (value == 100 && more) {
            return Err(error());
        }
        let percent = Some(Percent { text: text.to_owned(), value, negative });
        Ok(Self { absolute: ByteSize::default(), percent })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.percent {
            Some(percent) if self.absolute.is_unset() => f.write_str(&percent.text),
            _ => f.write_str(&self.absolute.text),
        }
    }
}

impl Field for Size {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        decode_text(self, node, cx);
        None
    }

    fn encode(&self) -> Value {
        Value::String(self.to_string())
    }

    fn is_empty(&self) -> bool {
        self.is_unset()
    }

    fn merge(&mut self, right: &Self) -> Result<(), MergeError> {
        if !right.absolute.is_unset() {
            self.absolute.clone_from(&right.absolute);
        }
        if right.percent.is_some() {
            self.percent.clone_from(&right.percent);
        }
        Ok(())
    }

    fn overlay(&mut self, right: &Self) -> Result<(), MergeError> {
        self.merge(right)
    }

    fn shape() -> Shape {
        Shape::Format("byte size or percentage")
    }
}

/// The size of a legacy user partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskSize {
    text: String,
    bytes: u64,
}

impl DiskSize {
    /// The bytes; zero means the rest of the disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl FromStr for DiskSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        Ok(Self { text: text.to_owned(), bytes: bytes(text)? })
    }
}

impl fmt::Display for DiskSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Field for DiskSize {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        decode_text(self, node, cx);
        None
    }

    // A size given as a plain number of bytes stays a number.
    fn encode(&self) -> Value {
        match self.text.parse::<u64>() {
            Ok(number) => number.into(),
            Err(_) => Value::String(self.text.clone()),
        }
    }

    fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    fn shape() -> Shape {
        Shape::NumberOrFormat("byte size")
    }
}

/// How the size of a disk is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Comparison {
    #[default]
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A condition on the size of a disk, such as `>= 1TB`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskSizeMatch {
    text: String,
    bytes: u64,
    comparison: Comparison,
}

impl DiskSizeMatch {
    /// Whether a disk of that many bytes fulfils the condition.
    #[must_use]
    pub fn matches(&self, size: u64) -> bool {
        match self.comparison {
            Comparison::Equal => size == self.bytes,
            Comparison::Less => size < self.bytes,
            Comparison::LessOrEqual => size <= self.bytes,
            Comparison::Greater => size > self.bytes,
            Comparison::GreaterOrEqual => size >= self.bytes,
        }
    }
}

impl FromStr for DiskSizeMatch {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let trimmed = text.trim();
        let operators = [
            (">=", Comparison::GreaterOrEqual),
            ("<=", Comparison::LessOrEqual),
            ("==", Comparison::Equal),
            (">", Comparison::Greater),
            ("<", Comparison::Less),
        ];
        let (size, comparison) = operators
            .iter()
            .find_map(|(sign, comparison)| Some((trimmed.strip_prefix(sign)?, *comparison)))
            .unwrap_or((trimmed, Comparison::Equal));
        Ok(Self { text: text.to_owned(), bytes: bytes(size.trim())?, comparison })
    }
}

impl fmt::Display for DiskSizeMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

text_field!(DiskSizeMatch, "disk size condition");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (text, want) in [
            ("100", 100),
            ("2.5GiB", 2_684_354_560),
            ("1k", 1000),
            ("1Ki", 1024),
            ("1,000 MB", 1_000_000_000),
            ("1.9b", 1),
            ("5tib", 5 << 40),
            ("1EIB", 1 << 60),
        ] {
            assert_eq!(text.parse::<ByteSize>().map(|s| s.bytes()), Ok(want), "{text}");
        }
        for text in ["x", "1xb", "GB", "1..2", "99999EiB", "%"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        let negative: ByteSize = "-10GiB".parse().expect("size");
        assert!(negative.is_negative());
        assert_eq!(negative.to_string(), "-10GiB");
    }

    #[test]
    fn percentages() {
        let size: Size = "33.4%".parse().expect("size");
        assert_eq!((size.percent(), size.to_string().as_str()), (Some(33), "33.4%"));
        for text in ["101%", "%", "a%", "1%2", "100.1%", "5%%"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert!("-5%".parse::<Size>().is_ok_and(|s| s.is_negative()));
    }

    #[test]
    fn a_patch_from_absolute_to_percent_keeps_both() {
        let mut size: Size = "10GiB".parse().expect("size");
        size.merge(&"50%".parse().expect("size")).expect("merges");
        assert_eq!((size.to_string().as_str(), size.percent()), ("10GiB", Some(50)));
    }

    #[test]
    fn disk_conditions() {
        let at_least: DiskSizeMatch = " >=  1 GB".parse().expect("condition");
        assert!(at_least.matches(1_000_000_000) && !at_least.matches(999_999_999));
        assert!("4GB".parse::<DiskSizeMatch>().is_ok_and(|m| m.matches(4_000_000_000)));
        assert!("=4GB".parse::<DiskSizeMatch>().is_err());
    }
}
