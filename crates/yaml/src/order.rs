//! The order in which the keys of a free mapping are written.

use std::cmp::Ordering;

/// Compares two keys the way the contract sorts mappings: runs of digits by their number, letters
/// after other characters (but before them directly after a digit), the rest by code point.
#[must_use]
pub fn natural(left: &str, right: &str) -> Ordering {
    // Plain ASCII keys without digits are the common case and need no look-back.
    let (l, r): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let Some(at) = l.iter().zip(&r).position(|(a, b)| a != b) else {
        return l.len().cmp(&r.len());
    };
    let (a, b) = (l.get(at).copied().unwrap_or('\0'), r.get(at).copied().unwrap_or('\0'));
    let after_digit = at > 0 && l.get(at - 1).is_some_and(char::is_ascii_digit);
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
        && l.iter().take(at).rev().take_while(|c| c.is_ascii_digit()).any(|c| *c != '0');
    let (a_value, a_end) = number(&l, at, begun);
    let (b_value, b_end) = number(&r, at, begun);
    a_value.cmp(&b_value).then(a_end.cmp(&b_end)).then(a.cmp(&b))
}

/// The number made of the digits from `at` on, and where they end.
fn number(text: &[char], at: usize, begun: bool) -> (i64, usize) {
    let digits = text.iter().skip(at).map_while(|c| c.to_digit(10));
    let (mut value, mut end) = (i64::from(begun), at);
    for digit in digits {
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        end += 1;
    }
    (value, end)
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
