//! Patterns of module aliases, as fnmatch(3) without flags reads them, with dashes and underscores
//! the same outside of sets.

use crate::name::plain_byte;

/// Whether a text matches a pattern: `*` is any text, `?` any character, `[…]` one of a set, which
/// `!` or `^` turns around. A backslash takes the next character as it is. A set without an end is
/// a bracket like any other character.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star does not fit: the star and its end so far.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
            continue;
        }
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(_), Some(&byte)) => one(pattern, p, byte),
            _ => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                t += 1;
            }
            (None, Some((at, end))) if end < text.len() => {
                star = Some((at, end + 1));
                p = at + 1;
                t = end + 1;
            }
            (None, _) => return false,
        }
    }
}

/// Whether the part of the pattern at `p` fits one byte, and how long that part is.
fn one(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    let first = *pattern.get(p)?;
    match first {
        b'?' => Some(1),
        b'[' => match set(pattern.get(p + 1..)?, byte) {
            Some((fits, length)) => fits.then_some(length + 1),
            None => (byte == b'[').then_some(1),
        },
        b'\\' => match pattern.get(p + 1) {
            Some(&next) => (next == byte).then_some(2),
            None => (byte == b'\\').then_some(1),
        },
        _ => (plain_byte(first) == plain_byte(byte)).then_some(1),
    }
}

/// The text with which everything begins that a pattern fits, written plainly.
pub(super) fn head(pattern: &str) -> Vec<u8> {
    let end = pattern.find(['*', '?', '[', '\\']).unwrap_or(pattern.len());
    pattern.bytes().take(end).map(plain_byte).collect()
}

/// Whether a byte is in the set that begins after a bracket, and the set's length with its end.
fn set(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let inverted = matches!(pattern.first(), Some(b'!' | b'^'));
    let mut at = usize::from(inverted);
    let begin = at;
    let mut found = false;
    loop {
        let mut low = *pattern.get(at)?;
        if low == b']' && at > begin {
            return Some((found != inverted, at + 1));
        }
        if low == b'\\' {
            at += 1;
            low = *pattern.get(at)?;
        }
        let high = match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some(b'-'), Some(&high)) if high != b']' => {
                at += 2;
                high
            }
            _ => low,
        };
        found |= (low..=high).contains(&byte);
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_of_devices() {
        let table = [
            (
                "pci:v00008086d000025ABsv*sd*bc*sc*i*",
                "pci:v00008086d000025ABsv00000000sd00000000bc08sc80i00",
                true,
            ),
            (
                "pci:v00008086d000025ABsv*sd*bc*sc*i*",
                "pci:v00008086d000025ACsv00000000sd00000000bc08sc80i00",
                false,
            ),
            ("virtio:d00000001v*", "virtio:d00000001v00001AF4", true),
            (
                "usb:v0421p*d*dc*dsc*dp*ic02isc[0-9a-c]ip*in*",
                "usb:v0421p1d1dc1dsc1dp1ic02iscbip0in1",
                true,
            ),
            (
                "usb:v0421p*d*dc*dsc*dp*ic02isc[!0-9]ip*in*",
                "usb:v0421p1d1dc1dsc1dp1ic02isc7ip0in1",
                false,
            ),
            ("net-pf-16-proto-12", "net_pf_16_proto_12", true),
            ("acpi*:PNP0A03:*", "acpi:PNP0A03:PNP0A08:", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a?", "a", false),
            ("[", "[", true),
            ("[]a]", "]", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        assert!(!matches(&"*a".repeat(40), &"a".repeat(39)));
    }

    proptest! {
        /// The reference is the C library's own function; dashes are left out, on which it differs.
        #[test]
        fn agrees_with_the_c_library(pattern in "[ab*?\\[\\]!]{0,10}", text in "[ab\\]!]{0,8}") {
            // The C library gives up on sets that have no end or hold nothing but a bracket.
            let closed = !pattern.contains('[');
            prop_assume!(closed || pattern.matches('[').count() == 1 && {
                let rest = pattern.split_once('[').unwrap().1;
                rest.trim_start_matches('!').chars().skip(1).any(|c| c == ']')
                    && !rest.starts_with("!!")
            });
            prop_assert_eq!(matches(&pattern, &text), reference(&pattern, &text));
        }
    }

    proptest! {
        #[test]
        fn what_fits_begins_with_the_head(begin in "[ab_\\-]{0,3}", rest in "[ab_*?\\[\\]-]{0,4}", text in "[ab_\\-]{0,3}") {
            let fits = format!("{}{text}", begin.replace('_', "-"));
            let pattern = format!("{begin}{rest}");
            prop_assert!(!matches(&pattern, &fits) || crate::name::plain(&fits).starts_with(&head(&pattern)));
        }
    }

    /// Asks the shell, whose `case` follows the same rules.
    fn reference(pattern: &str, text: &str) -> bool {
        let (pattern, text) = (CString::new(pattern).unwrap(), CString::new(text).unwrap());
        let output = std::process::Command::new("sh")
            .args(["-c", "case \"$2\" in $1) exit 0;; *) exit 1;; esac", "sh"])
            .arg(pattern.to_str().unwrap())
            .arg(text.to_str().unwrap())
            .status()
            .unwrap();
        output.success()
    }
}
