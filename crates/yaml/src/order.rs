//! The order in which the keys of a free mapping are written.

use std::cmp::Ordering;

/// Compares two keys the way the contract sorts mappings: runs of digits by their number, letters
/// after other characters (but before them directly after a digit), the rest by code point.
#[must_use]
pub fn natural(left: &str, right: &str) -> Ordering {
    let same = left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count();
    // The difference begins with a whole character.
    let at = (0..=same).rev().find(|at| left.is_char_boundary(*at)).unwrap_or(0);
    let before = left.get(..at).unwrap_or_default();
    let (l, r) = (left.get(at..).unwrap_or_default(), right.get(at..).unwrap_or_default());
    let (Some(a), Some(b)) = (l.chars().next(), r.chars().next()) else {
        return l.len().cmp(&r.len());
    };
    let after_digit = before.ends_with(|c: char| c.is_ascii_digit());
    match (a.is_alphabetic(), b.is_alphabetic()) {
        (true, true) => return a.cmp(&b),
        // Directly after a digit a letter goes first, everywhere else it goes last.
        (true, false) => return if after_digit { Ordering::Less } else { Ordering::Greater },
        (false, true) => return if after_digit { Ordering::Greater } else { Ordering::Less },
        (false, false) => {}
    }
    // A zero at the difference belongs to the number already begun when that number is not zero so
    // far: 10 against 1 must see "0" as a digit that lengthens it.
    let begun = (a == '0' || b == '0')
        && before.bytes().rev().take_while(u8::is_ascii_digit).any(|digit| digit != b'0');
    let (a_value, a_digits) = number(l, begun);
    let (b_value, b_digits) = number(r, begun);
    a_value.cmp(&b_value).then(a_digits.cmp(&b_digits)).then(a.cmp(&b))
}

/// The number made of the digits at the beginning of a text, and how many they are.
fn number(text: &str, begun: bool) -> (i64, usize) {
    let (mut value, mut count) = (i64::from(begun), 0);
    for digit in text.chars().map_while(|c| c.to_digit(10)) {
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        count += 1;
    }
    (value, count)
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[track_caller]
    fn sorted(keys: &[&str]) {
        let mut shuffled: Vec<&str> = keys.iter().rev().copied().collect();
        shuffled.sort_by(|a, b| natural(a, b));
        assert_eq!(shuffled, keys);
    }

    #[test]
    fn digits_compare_as_numbers() {
        sorted(&["a1", "a2", "a10", "a20", "b"]);
        sorted(&["a", "a0", "a00", "a1"]);
    }

    #[test]
    fn punctuation_sorts_before_letters() {
        sorted(&[
            "node-role.kubernetes.io/control-plane",
            "node.kubernetes.io/exclude-from-external-load-balancers",
        ]);
        sorted(&["a.b", "aa", "ab"]);
    }

    #[test]
    fn a_letter_goes_first_after_a_digit() {
        sorted(&["v1a", "v1-b"]);
    }
}
