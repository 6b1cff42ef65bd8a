//! Spans of time and moments as people read them.

use std::time::Duration;

/// A span in the short form with units, such as `1h2m3s`; whole seconds.
pub(crate) fn span(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// How long ago a moment was.
pub(crate) fn ago(moment: Option<&prost_types::Timestamp>, now: i64) -> String {
    match moment {
        None => String::new(),
        Some(moment) => {
            format!("{} ago", span(u64::try_from(now - moment.seconds).unwrap_or(0)))
        }
    }
}

/// A moment in RFC 3339 with whole seconds.
pub(crate) fn rfc3339(moment: Option<&prost_types::Timestamp>) -> String {
    moment
        .and_then(|moment| jiff::Timestamp::from_second(moment.seconds).ok())
        .map(|moment| moment.to_string())
        .unwrap_or_default()
}

/// A moment in RFC 3339 with all its digits.
pub(crate) fn rfc3339_exact(moment: Option<&prost_types::Timestamp>) -> String {
    moment
        .and_then(|moment| jiff::Timestamp::new(moment.seconds, moment.nanos).ok())
        .map(|moment| moment.to_string())
        .unwrap_or_default()
}

/// Reads a span such as `90s`, `5m`, `1h30m`, `1.5h` or `500ms`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a span of time such as 30s, 5m or 1h30m");
    let mut rest = text;
    let mut total = 0.0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let units = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(units);
        let factor = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        total += number.parse::<f64>().map_err(|_| wrong())? * factor;
        rest = tail;
    }
    Duration::try_from_secs_f64(total).map_err(|_| wrong())
}

/// The span as the wire has it.
pub(crate) fn to_wire(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_both_ways() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (62, "1m2s"), (3600, "1h0m0s"), (90_061, "25h1m1s")]
        {
            assert_eq!(span(seconds), text);
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        for text in ["", "5", "m", "5x", "-1s", "1..2s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
