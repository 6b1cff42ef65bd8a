//! Durations as Go writes them: `1h30m`, `168h0m0s`, `500ms`.

use std::fmt;
use std::str::FromStr;

use super::text::text_field;

/// A signed length of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(i64);

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not of the form number-unit.
    #[error("time: invalid duration {0:?}")]
    Form(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit that does not exist.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The whole text.
        text: String,
    },
}

const SECOND: i64 = 1_000_000_000;

impl Duration {
    /// A duration of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// A duration of nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whether the duration is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The standard library's duration; negative ones become zero.
    #[must_use]
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let form = || DurationError::Form(text.to_owned());
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..).unwrap_or_default()),
            Some(b'+') => (false, text.get(1..).unwrap_or_default()),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(form());
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let number_end =
                rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, tail) = rest.split_at(number_end);
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
                return Err(form());
            }
            let unit_end =
                tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let scale: i128 = match unit {
                "" => return Err(DurationError::MissingUnit(text.to_owned())),
                "ns" => 1,
                "us" | "µs" | "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => SECOND.into(),
                "m" => 60 * i128::from(SECOND),
                "h" => 3600 * i128::from(SECOND),
                _ => {
                    let (unit, text) = (unit.to_owned(), text.to_owned());
                    return Err(DurationError::UnknownUnit { unit, text });
                }
            };
            let whole: i128 =
                if whole.is_empty() { 0 } else { whole.parse::<i64>().map_err(|_| form())?.into() };
            total += whole * scale;
            // Digits beyond nanoseconds of an hour cannot change the result.
            let digits = fraction.get(..fraction.len().min(15)).unwrap_or_default();
            if !digits.is_empty() {
                let value: i128 = digits.parse::<i64>().map_err(|_| form())?.into();
                let power = 10_i128.pow(u32::try_from(digits.len()).unwrap_or(0));
                total += value * scale / power;
            }
            rest = tail;
        }
        let total = if negative { -total } else { total };
        i64::try_from(total).map(Self).map_err(|_| form())
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if nanos == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let second = SECOND.unsigned_abs();
        if nanos < second {
            let (unit, scale) = match nanos {
                0..1_000 => ("ns", 1),
                1_000..1_000_000 => ("µs", 1_000),
                _ => ("ms", 1_000_000),
            };
            return write!(f, "{}{unit}", decimal(nanos / scale, nanos % scale, scale));
        }
        let (minutes, rest) = (nanos / (60 * second), nanos % (60 * second));
        let (hours, minutes) = (minutes / 60, minutes % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}s", decimal(rest / second, rest % second, second))
    }
}

/// A number with the fraction `part / scale`, trailing zeros dropped.
fn decimal(whole: u64, part: u64, scale: u64) -> String {
    if part == 0 {
        return whole.to_string();
    }
    let width = scale.to_string().len() - 1;
    let digits = format!("{part:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

text_field!(Duration, "duration");

#[cfg(test)]
mod tests {
    use super::Duration;

    #[test]
    fn prints_what_it_reads() {
        for (text, want) in [
            ("1h30m", "1h30m0s"),
            ("168h", "168h0m0s"),
            ("0", "0s"),
            ("1.5s", "1.5s"),
            ("500ms", "500ms"),
            ("90s", "1m30s"),
            ("-1m", "-1m0s"),
            ("1us", "1µs"),
            ("1h0.5s", "1h0m0.5s"),
            (".5h", "30m0s"),
        ] {
            assert_eq!(
                text.parse::<Duration>().map(|d| d.to_string()).as_deref(),
                Ok(want),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses() {
        for text in ["", "1", "h", "1d", "1.2.3s", "1 s", "--1s", "9999999999999h"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
        assert_eq!(
            "10".parse::<Duration>().map_err(|e| e.to_string()),
            Err("time: missing unit in duration \"10\"".to_owned())
        );
    }
}
