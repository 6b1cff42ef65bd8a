//! Names of directory entries: the short one that each file has, and the long one in entries
//! before it.

use std::collections::BTreeSet;

use crate::bytes::put;

/// A short name: 8 letters and 3 of the extension, padded with spaces.
pub(super) type Short = [u8; 11];

/// Characters of a long name in one entry.
const UNITS: usize = 13;

/// The name as a short name without loss, if it is one.
fn exact(name: &str) -> Option<Short> {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let fits = |part: &str, most: usize| {
        part.len() <= most && part.bytes().all(|byte| plain(byte) && !byte.is_ascii_lowercase())
    };
    let dot_without_extension = name.contains('.') && extension.is_empty();
    if base.is_empty() || dot_without_extension || !fits(base, 8) || !fits(extension, 3) {
        return None;
    }
    Some(padded(base.as_bytes(), extension.as_bytes()))
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"$%'-_@~`!(){}^#&".contains(&byte)
}

fn padded(base: &[u8], extension: &[u8]) -> Short {
    let mut short = [b' '; 11];
    for (place, byte) in short.iter_mut().zip(base.iter().take(8)) {
        *place = *byte;
    }
    for (place, byte) in short.iter_mut().skip(8).zip(extension.iter().take(3)) {
        *place = *byte;
    }
    short
}

/// A short name for `name` that is not in `taken`, and whether the long name must be stored too.
pub(super) fn short(name: &str, taken: &BTreeSet<Short>) -> Option<(Short, bool)> {
    if let Some(short) = exact(name).filter(|short| !taken.contains(short)) {
        return Some((short, false));
    }
    let folded = |part: &str, most: usize| -> Vec<u8> {
        let letters = part.chars().filter(|letter| !matches!(letter, ' ' | '.'));
        let bytes = letters
            .map(|letter| u8::try_from(letter).ok().filter(|byte| plain(*byte)).unwrap_or(b'_'));
        bytes.map(|byte| byte.to_ascii_uppercase()).take(most).collect()
    };
    let (base, extension) =
        name.rsplit_once('.').filter(|(base, _)| !base.is_empty()).unwrap_or((name, ""));
    let (base, extension) = (folded(base, 8), folded(extension, 3));
    (1..1_000_000_u32).find_map(|number| {
        let tail = format!("~{number}");
        let kept = base.len().min(8 - tail.len());
        let base = [base.get(..kept).unwrap_or_default(), tail.as_bytes()].concat();
        let short = padded(&base, &extension);
        (!taken.contains(&short)).then_some((short, true))
    })
}

/// The entries that hold a long name, in the order of the disk: the last part comes first.
pub(super) fn long_entries(name: &str, short: &Short) -> Vec<[u8; 32]> {
    let mut units: Vec<u16> = name.encode_utf16().collect();
    if units.len() % UNITS != 0 {
        units.push(0);
        units.resize(units.len().next_multiple_of(UNITS), 0xffff);
    }
    let sum = checksum(short);
    let mut entries: Vec<[u8; 32]> = (1..)
        .zip(units.chunks(UNITS))
        .map(|(number, units)| {
            let mut entry = [0; 32];
            put(&mut entry, 0, &[number]);
            put(&mut entry, 11, &[0x0f, 0, sum]);
            // Five characters, six and two, around the fields that old systems look at.
            let places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
            for (at, unit) in places.into_iter().zip(units) {
                put(&mut entry, at, &unit.to_le_bytes());
            }
            entry
        })
        .collect();
    if let Some(last) = entries.last_mut() {
        last[0] |= 0x40;
    }
    entries.reverse();
    entries
}

/// Ties long entries to their short name.
fn checksum(short: &Short) -> u8 {
    short.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names() {
        let mut taken = BTreeSet::new();
        let cases: [(&str, &[u8; 11], bool); 9] = [
            ("BOOTX64.EFI", b"BOOTX64 EFI", false),
            ("EFI", b"EFI        ", false),
            ("loader.conf", b"LOADER~1CON", true),
            ("loader.config", b"LOADER~2CON", true),
            ("Ichor-1.2.3+3.efi", b"ICHOR-~1EFI", true),
            ("Linux", b"LINUX~1    ", true),
            (".hidden", b"HIDDEN~1   ", true),
            ("größe.txt", b"GR__E~1 TXT", true),
            ("A.B.C", b"AB~1    C  ", true),
        ];
        for (name, wanted, long) in cases {
            let (short, stored) = short(name, &taken).unwrap();
            assert_eq!(
                (short.escape_ascii().to_string(), stored),
                (wanted.escape_ascii().to_string(), long),
                "{name}"
            );
            assert!(taken.insert(short));
        }
    }
}
