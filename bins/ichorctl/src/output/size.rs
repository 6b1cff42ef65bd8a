//! Amounts of bytes as people read them.

/// In decimal units, such as `1.5 GB`.
pub(crate) fn decimal(bytes: u64) -> String {
    scaled(bytes, 1000, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

fn scaled(bytes: u64, step: u64, units: &[&str]) -> String {
    let (mut divisor, mut index) = (1_u64, 0);
    while index + 1 < units.len() && bytes / divisor >= step {
        divisor *= step;
        index += 1;
    }
    let unit = units.get(index).copied().unwrap_or_default();
    if index == 0 {
        return format!("{bytes} {unit}");
    }
    let tenths = u128::from(bytes) * 10 / u128::from(divisor);
    if tenths < 100 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", tenths / 10)
    }
}

/// Reads an amount such as `2GiB`, `2.0GB`, `512MiB`, or plain mebibytes as in `2048`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not an amount such as 2GiB or 512MiB");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "m" | "mib" => 1_048_576.0,
        "b" => 1.0,
        "k" | "kib" => 1024.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "g" | "gib" => 1_073_741_824.0,
        "gb" => 1e9,
        "t" | "tib" => 1_099_511_627_776.0,
        "tb" => 1e12,
        _ => return Err(wrong()),
    };
    let amount = number.parse::<f64>().map_err(|_| wrong())? * factor;
    if !(1.0..=1e15).contains(&amount) {
        return Err(wrong());
    }
    // The range above fits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok(amount.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read() {
        for (text, bytes) in
            [("2.0GiB", 2 << 30), ("2048", 2 << 30), ("512MiB", 512 << 20), ("1gb", 1_000_000_000)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "-1", "2XB", "0", "1e99GiB"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn small_amounts_have_a_decimal() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1550, "1.5 kB"),
            (12_345_678, "12 MB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(decimal(bytes), text);
        }
    }
}
