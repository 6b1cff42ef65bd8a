//! Identities of disks, partitions and file systems.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A GUID, kept in the byte order of its text (RFC 9562), the most significant byte first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid([u8; 16]);

/// The text is not a GUID.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a GUID like c12a7328-f81f-11d2-ba4b-00a0c93ec93b")]
pub struct GuidError(String);

impl Guid {
    /// All zero: GPT's mark of an unused partition entry.
    pub const ZERO: Self = Self([0; 16]);

    /// The GUID with this value, whose text has the bytes' order.
    #[must_use]
    pub const fn from_u128(value: u128) -> Self {
        Self(value.to_be_bytes())
    }

    /// Made of 16 bytes, in the order of the text, as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes in the order of the text. ext4 stores these.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// A version 4 GUID made of 16 random bytes.
    ///
    /// ```
    /// let guid = storage::Guid::random([0xff; 16]);
    /// assert_eq!(guid.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    /// ```
    #[must_use]
    pub const fn random(bytes: [u8; 16]) -> Self {
        Self::with_version(bytes, 4)
    }

    /// A GUID that depends on nothing but `labels`, so that an image built twice is the same:
    /// version 8 (RFC 9562, chapter 5.8) of SHA-256 over the labels, each ended by a zero byte.
    ///
    /// ```
    /// use storage::Guid;
    /// assert_eq!(Guid::derived(&["disk", "EFI"]), Guid::derived(&["disk", "EFI"]));
    /// assert_ne!(Guid::derived(&["disk", "EFI"]), Guid::derived(&["disk", "META"]));
    /// ```
    #[must_use]
    pub fn derived(labels: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for label in labels {
            hash.update(label.as_bytes());
            hash.update([0]);
        }
        let hash: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Self::with_version(bytes, 8)
    }

    const fn with_version(mut bytes: [u8; 16], version: u8) -> Self {
        bytes[6] = bytes[6] & 0x0f | version << 4;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// As it is stored in a partition table: the first three fields are little-endian
    /// (UEFI 2.10, appendix A).
    #[must_use]
    pub const fn to_disk(self) -> [u8; 16] {
        let mut bytes = self.0;
        let [a, b, c, d, e, f, g, h, ..] = bytes;
        [bytes[0], bytes[1], bytes[2], bytes[3]] = [d, c, b, a];
        [bytes[4], bytes[5], bytes[6], bytes[7]] = [f, e, h, g];
        bytes
    }

    /// The inverse of [`Guid::to_disk`].
    #[must_use]
    pub const fn from_disk(bytes: [u8; 16]) -> Self {
        Self(Self(bytes).to_disk())
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&at) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Guid {
    type Err = GuidError;

    /// Reads the 36 characters of the usual form, in either case.
    fn from_str(text: &str) -> Result<Self, GuidError> {
        let wrong = || GuidError(text.to_owned());
        let dashes = text.char_indices().filter(|(_, letter)| *letter == '-');
        if text.len() != 36 || !dashes.map(|(at, _)| at).eq([8, 13, 18, 23]) {
            return Err(wrong());
        }
        let digits = text.replace('-', "");
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        u128::from_str_radix(&digits, 16).map(Self::from_u128).map_err(|_| wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_disk_form() {
        let text = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
        let guid: Guid = text.to_uppercase().parse().unwrap();
        assert_eq!(guid.to_string(), text);
        // The first bytes of an EFI system partition's entry on any disk.
        assert_eq!(guid.to_disk()[..8], [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11]);
        assert_eq!(Guid::from_disk(guid.to_disk()), guid);
        for wrong in ["", "c12a7328f81f11d2ba4b00a0c93ec93b", &text.replace('c', "g"), "é-é"] {
            assert!(wrong.parse::<Guid>().is_err(), "{wrong}");
        }
    }
}
