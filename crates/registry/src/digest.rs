//! SHA-256 content digests in the form registries write them: `sha256:<64 hex digits>`.
//!
//! Other algorithms are refused, not ignored.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, checked on construction to be 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// Why a text is not a digest this crate accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The text does not begin with `sha256:`.
    #[error("digest `{text}` does not begin with `sha256:`; no other algorithm is accepted")]
    Algorithm {
        /// The text as it was given.
        text: String,
    },
    /// What follows the algorithm is not 64 lower-case hex digits.
    #[error("digest `{text}` is not `sha256:` and 64 lower-case hex digits")]
    Hex {
        /// The text as it was given.
        text: String,
    },
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_hash(Sha256::digest(bytes).as_slice())
    }

    /// Reads to the end and returns the digest and the number of bytes read.
    pub fn of_reader(reader: &mut impl Read) -> io::Result<(Self, u64)> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        let mut size = 0;
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => return Ok((Self::from_hash(hash.finalize().as_slice()), size)),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hash.update(buffer.get(..read).unwrap_or_default());
            size += read as u64;
        }
    }

    pub(crate) fn from_hash(hash: &[u8]) -> Self {
        use fmt::Write as _;
        let mut hex = String::with_capacity(64);
        for byte in hash {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Self(hex)
    }

    /// The hex digits without the algorithm: the name of the blob's file in an image layout.
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let hex = text
            .strip_prefix("sha256:")
            .ok_or_else(|| DigestError::Algorithm { text: text.to_owned() })?;
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex.len() != 64 || !hex.bytes().all(digit) {
            return Err(DigestError::Hex { text: text.to_owned() });
        }
        Ok(Self(hex.to_owned()))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_known_bytes() {
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), expected);
        let (digest, size) = Digest::of_reader(&mut &b"abc"[..]).unwrap();
        assert_eq!((digest.to_string().as_str(), size), (expected, 3));
        assert_eq!(expected.parse::<Digest>().unwrap(), digest);
    }

    #[test]
    fn refuses_what_is_not_a_digest() {
        let hex = "a".repeat(64);
        assert!(matches!(
            format!("sha512:{hex}").parse::<Digest>(),
            Err(DigestError::Algorithm { .. })
        ));
        for bad in ["", "../../etc/passwd", &"a".repeat(63), &"A".repeat(64), &"g".repeat(64)] {
            assert!(
                matches!(format!("sha256:{bad}").parse::<Digest>(), Err(DigestError::Hex { .. })),
                "{bad}"
            );
        }
    }
}
