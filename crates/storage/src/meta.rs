//! The META partition: a few values, by number, that outlive everything else on a machine.
//!
//! The format (contract, `machine.md` 2.4) is two equal copies, each with a checksum, at the start
//! of the partition. Reading takes the first sound copy; writing replaces one after the other, so
//! that a power cut leaves one.
//!
//! ```
//! use storage::meta::{Meta, tag};
//!
//! let mut partition = vec![0; 1 << 20];
//! let mut meta = Meta::default();
//! meta.set(tag::USER_1, b"rack 7".to_vec())?;
//! for piece in meta.encode() {
//!     let at = usize::try_from(piece.offset)?;
//!     partition[at..at + piece.bytes.len()].copy_from_slice(&piece.bytes);
//! }
//! assert_eq!(Meta::parse(&partition)?.get(tag::USER_1), Some(&b"rack 7"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::Piece;
use crate::bytes::{array, narrow, put, wide};

/// Bytes of the partition.
pub const PARTITION: u64 = 1 << 20;
/// Bytes at the start of the partition that hold both copies.
pub const LENGTH: usize = 2 * COPY;

const COPY: usize = 256 << 10;
const HEAD: u32 = 0x5a4b_3c2d;
const FOOT: u32 = 0xa5b4_c3d2;
/// A checksum and the closing mark.
const TAIL: usize = 36;

/// Numbers of values (contract, `machine.md` 2.4).
pub mod tag {
    /// The boot entry to go back to: present while an upgrade is not confirmed.
    pub const UPGRADE: u8 = 6;
    /// Reference of the image of a staged upgrade.
    pub const STAGED_IMAGE: u8 = 7;
    /// Options of a staged upgrade, as JSON.
    pub const STAGED_OPTIONS: u8 = 8;
    /// How STATE is encrypted, as JSON.
    pub const STATE_ENCRYPTION: u8 = 9;
    /// Network configuration of the platform metal, as YAML.
    pub const METAL_NETWORK: u8 = 10;
    /// The code that a configuration is downloaded with.
    pub const DOWNLOAD_CODE: u8 = 11;
    /// For the user.
    pub const USER_1: u8 = 12;
    /// For the user.
    pub const USER_2: u8 = 13;
    /// For the user.
    pub const USER_3: u8 = 14;
    /// A UUID to use instead of the machine's own.
    pub const UUID: u8 = 15;
    /// The token that names the machine to a management service.
    pub const MACHINE_TOKEN: u8 = 16;
    /// The boot loader of a disk image that has two.
    pub const BOOT_LOADER: u8 = 17;
}

/// The values, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    values: BTreeMap<u8, Vec<u8>>,
}

/// Why META cannot be read, or a value not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MetaError {
    /// The partition was never written, or holds something else.
    #[error("the partition has no META")]
    Absent,
    /// There were values, but neither copy is sound.
    #[error("both copies of META are damaged")]
    Damaged,
    /// Number 0 ends the list, so it cannot be a value's.
    #[error("a value of META cannot have the number 0")]
    Tag,
    /// The values do not fit.
    #[error("META has room for {room} bytes, but the values would take {needed}")]
    Full {
        /// Bytes that the values would take with their headers.
        needed: usize,
        /// Bytes there are.
        room: usize,
    },
}

impl Meta {
    /// Reads the first [`LENGTH`] bytes of the partition.
    ///
    /// # Errors
    /// [`MetaError::Absent`] when neither copy has its marks, else [`MetaError::Damaged`] when
    /// neither is sound.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetaError> {
        let (first, rest) = bytes.split_at(bytes.len().min(COPY));
        let second = rest.get(..rest.len().min(COPY)).unwrap_or_default();
        match (copy(first), copy(second)) {
            (Ok(meta), _) | (_, Ok(meta)) => Ok(meta),
            (Err(MetaError::Absent), Err(MetaError::Absent)) => Err(MetaError::Absent),
            _ => Err(MetaError::Damaged),
        }
    }

    /// A value.
    #[must_use]
    pub fn get(&self, tag: u8) -> Option<&[u8]> {
        self.values.get(&tag).map(Vec::as_slice)
    }

    /// All values in the order of their numbers.
    pub fn values(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.values.iter().map(|(tag, value)| (*tag, value.as_slice()))
    }

    /// Sets a value.
    ///
    /// # Errors
    /// When the number is 0, or the values no longer fit; nothing is changed then.
    pub fn set(&mut self, tag: u8, value: Vec<u8>) -> Result<(), MetaError> {
        if tag == 0 {
            return Err(MetaError::Tag);
        }
        let others = self.values.iter().filter(|(other, _)| **other != tag);
        let needed = others.map(|(_, value)| 8 + value.len()).sum::<usize>() + 8 + value.len();
        // The list begins after one mark and ends with a number of zero.
        let room = COPY - TAIL - 8;
        if needed > room {
            return Err(MetaError::Full { needed, room });
        }
        self.values.insert(tag, value);
        Ok(())
    }

    /// Removes a value; says whether there was one.
    pub fn remove(&mut self, tag: u8) -> bool {
        self.values.remove(&tag).is_some()
    }

    /// Both copies. The first must have reached the disk before the second is written.
    #[must_use]
    pub fn encode(&self) -> [Piece<'static>; 2] {
        let mut bytes = HEAD.to_be_bytes().to_vec();
        for (tag, value) in &self.values {
            bytes.extend(u32::from(*tag).to_be_bytes());
            bytes.extend(u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
            bytes.extend(value);
        }
        bytes.resize(COPY, 0);
        put(&mut bytes, COPY - 4, &FOOT.to_be_bytes());
        let checksum: [u8; 32] = Sha256::digest(&bytes).into();
        put(&mut bytes, COPY - TAIL, &checksum);
        [Piece::owned(0, bytes.clone()), Piece::owned(wide(COPY), bytes)]
    }
}

/// Reads one copy.
fn copy(bytes: &[u8]) -> Result<Meta, MetaError> {
    let word = |at: usize| array(bytes, at).map(u32::from_be_bytes);
    if word(0) != Some(HEAD) || word(COPY - 4) != Some(FOOT) {
        return Err(MetaError::Absent);
    }
    let mut blank = bytes.to_vec();
    put(&mut blank, COPY - TAIL, &[0; 32]);
    let checksum: [u8; 32] = Sha256::digest(&blank).into();
    if array(bytes, COPY - TAIL) != Some(checksum) {
        return Err(MetaError::Damaged);
    }
    let list = bytes.get(4..COPY - TAIL).unwrap_or_default();
    let mut meta = Meta::default();
    let mut at = 0;
    while let Some(tag) = array(list, at).map(u32::from_be_bytes).filter(|tag| *tag != 0) {
        let length = array(list, at + 4).map(u32::from_be_bytes).ok_or(MetaError::Damaged)?;
        let value = list.get(at + 8..).and_then(|rest| rest.get(..narrow(length.into())));
        let value = value.ok_or(MetaError::Damaged)?;
        // Numbers above 255 are nobody's.
        if let Ok(tag) = u8::try_from(tag) {
            meta.values.insert(tag, value.to_vec());
        }
        at += 8 + value.len();
    }
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn partition(meta: &Meta) -> Vec<u8> {
        let mut bytes = vec![0; LENGTH];
        for piece in meta.encode() {
            put(&mut bytes, narrow(piece.offset), &piece.bytes);
        }
        bytes
    }

    #[test]
    fn the_format_is_the_contracts() {
        let mut meta = Meta::default();
        meta.set(tag::METAL_NETWORK, b"abc".to_vec()).unwrap();
        let bytes = partition(&meta);
        assert_eq!(bytes[..15], *b"\x5a\x4b\x3c\x2d\0\0\0\x0a\0\0\0\x03abc");
        assert_eq!(bytes[COPY - 4..COPY], *b"\xa5\xb4\xc3\xd2");
        assert_eq!(bytes[..COPY], bytes[COPY..]);
    }

    #[test]
    fn one_sound_copy_is_enough() {
        let mut meta = Meta::default();
        meta.set(tag::UUID, b"x".to_vec()).unwrap();
        let sound = partition(&meta);
        let damaged = |places: &[usize]| {
            let mut bytes = sound.clone();
            places.iter().for_each(|at| bytes[*at] ^= 1);
            Meta::parse(&bytes)
        };
        assert_eq!(damaged(&[10]), Ok(meta.clone()));
        assert_eq!(damaged(&[COPY + 10]), Ok(meta.clone()));
        assert_eq!(damaged(&[0]), Ok(meta));
        assert_eq!(damaged(&[10, COPY + 10]), Err(MetaError::Damaged));
        assert_eq!(damaged(&[0, COPY + 10]), Err(MetaError::Damaged));
        assert_eq!(Meta::parse(&vec![0; LENGTH]), Err(MetaError::Absent));
        assert_eq!(Meta::parse(&[]), Err(MetaError::Absent));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut meta = Meta::default();
        assert_eq!(meta.set(0, vec![]), Err(MetaError::Tag));
        let most = COPY - TAIL - 8 - 8;
        meta.set(1, vec![7; most]).unwrap();
        assert!(matches!(meta.set(2, vec![]), Err(MetaError::Full { .. })));
        assert_eq!(Meta::parse(&partition(&meta)), Ok(meta));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn values_come_back(
            values in prop::collection::btree_map(1_u8.., prop::collection::vec(any::<u8>(), 0..200), 0..20),
        ) {
            let mut meta = Meta::default();
            for (tag, value) in values {
                meta.set(tag, value).unwrap();
            }
            prop_assert_eq!(Meta::parse(&partition(&meta)), Ok(meta));
        }
    }
}
