//! Durations and points in time: the protobuf well-known forms, and the texts people see.

use std::fmt;

use yaml::Value;

use crate::{DecodeError, Element, Message, Timestamp, Wire, element_field};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A signed span of time in nanoseconds, written like `1m0s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    /// The whole span in nanoseconds.
    pub nanos: i64,
}

impl Duration {
    /// A span of whole seconds; saturates.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        Self { nanos: seconds.saturating_mul(NANOS_PER_SECOND) }
    }

    /// The span as a standard duration; negative spans become zero.
    #[must_use]
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.nanos).unwrap_or(0))
    }
}

impl From<std::time::Duration> for Duration {
    fn from(duration: std::time::Duration) -> Self {
        Self { nanos: i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX) }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.nanos.unsigned_abs();
        if nanos == 0 {
            return f.write_str("0s");
        }
        if self.nanos < 0 {
            f.write_str("-")?;
        }
        for (unit, size) in [("ns", 1_u64), ("µs", 1_000), ("ms", 1_000_000)] {
            if nanos < size * 1000 {
                return write!(
                    f,
                    "{}{unit}",
                    Decimal { whole: nanos / size, rest: nanos % size, size }
                );
            }
        }
        let second = NANOS_PER_SECOND.unsigned_abs();
        let (hours, minutes) = (nanos / (3600 * second), nanos / (60 * second) % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        let rest = nanos % (60 * second);
        write!(f, "{}s", Decimal { whole: rest / second, rest: rest % second, size: second })
    }
}

/// A number with as many decimals as it needs.
struct Decimal {
    whole: u64,
    rest: u64,
    size: u64,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.whole)?;
        if self.rest == 0 {
            return Ok(());
        }
        let width = usize::try_from(self.size.ilog10()).unwrap_or(0);
        let digits = format!("{:0width$}", self.rest);
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

#[derive(Clone, Debug, Default, PartialEq, resource_derive::Message)]
struct SecondsNanos {
    #[field(1)]
    seconds: i64,
    #[field(2)]
    nanos: i32,
}

impl Element for Duration {
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        let seconds = self.nanos / NANOS_PER_SECOND;
        let nanos = i32::try_from(self.nanos % NANOS_PER_SECOND).unwrap_or(0);
        SecondsNanos { seconds, nanos }.encode_element(number, out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        let parts = SecondsNanos::decode(wire.bytes()?)?;
        let nanos = parts
            .seconds
            .checked_mul(NANOS_PER_SECOND)
            .and_then(|seconds| seconds.checked_add(i64::from(parts.nanos)))
            .ok_or(DecodeError::Value("a duration of at most 292 years"))?;
        *self = Self { nanos };
        Ok(())
    }
    fn element_yaml(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl Element for Timestamp {
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        let nanos = i32::try_from(self.nanos).unwrap_or(i32::MAX);
        SecondsNanos { seconds: self.seconds, nanos }.encode_element(number, out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        let parts = SecondsNanos::decode(wire.bytes()?)?;
        let nanos = u32::try_from(parts.nanos).ok().filter(|n| *n < 1_000_000_000);
        let nanos = nanos.ok_or(DecodeError::Value("nanoseconds below one second"))?;
        *self = Self { seconds: parts.seconds, nanos };
        Ok(())
    }
    fn element_yaml(&self) -> Value {
        Value::Plain(self.to_string())
    }
}

element_field!(Duration, Timestamp);

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many decimals as there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.seconds.div_euclid(86_400);
        let second = self.seconds.rem_euclid(86_400);
        let (year, month, day) = civil(days);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{}",
            second / 3600,
            second / 60 % 60,
            format_args!("{:02}", second % 60),
        )?;
        if self.nanos != 0 {
            write!(f, ".{}", format!("{:09}", self.nanos).trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// The proleptic Gregorian date of a day counted from 1970, by eras of 400 years that start on
/// the first of March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_the_contracts() {
        let cases = [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (60_000_000_000, "1m0s"),
            (604_800_000_000_000, "168h0m0s"),
            (-1_500_000_000, "-1.5s"),
            (3_723_000_000_000, "1h2m3s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(Duration { nanos }.to_string(), text);
        }
    }

    #[test]
    fn timestamps_read_as_rfc_3339() {
        let cases = [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (1_700_000_000, 120_000_000, "2023-11-14T22:13:20.12Z"),
            (-1, 0, "1969-12-31T23:59:59Z"),
        ];
        for (seconds, nanos, text) in cases {
            assert_eq!(Timestamp { seconds, nanos }.to_string(), text);
        }
    }
}
