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

#[cfg(test)]
mod tests {
    use super::*;

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
