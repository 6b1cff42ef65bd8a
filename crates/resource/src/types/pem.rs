//! Certificates and keys: PEM text on the wire, base64 of that text in YAML.

use yaml::Value;

use crate::wire::put_bytes_field;
use crate::{DecodeError, Field, Message, Wire};

/// Bytes whose YAML form is base64.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base64Bytes(pub Vec<u8>);

impl std::fmt::Debug for Base64Bytes {
    /// Only the length: these bytes may be a private key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl From<Vec<u8>> for Base64Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<String> for Base64Bytes {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl Field for Base64Bytes {
    fn encode_field(&self, number: u32, out: &mut Vec<u8>) {
        if !self.0.is_empty() {
            put_bytes_field(number, &self.0, out);
        }
    }
    fn merge_field(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        self.0 = wire.bytes()?.to_vec();
        Ok(())
    }
    fn field_yaml(&self) -> Value {
        Value::String(base64(&self.0))
    }
    fn is_empty_field(&self) -> bool {
        self.0.is_empty()
    }
}

/// A certificate with its private key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Message)]
pub struct PemEncodedCertificateAndKey {
    /// The certificate as PEM text.
    #[field(1)]
    pub crt: Base64Bytes,
    /// The private key as PEM text.
    #[field(2)]
    pub key: Base64Bytes,
}

/// A private key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Message)]
pub struct PemEncodedKey {
    /// The key as PEM text.
    #[field(1)]
    pub key: Base64Bytes,
}

/// A certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Message)]
pub struct PemEncodedCertificate {
    /// The certificate as PEM text.
    #[field(1)]
    pub crt: Base64Bytes,
}

/// RFC 4648 section 4, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |group: u32, shift: u32| {
        let index = usize::try_from(group >> shift & 63).unwrap_or(0);
        char::from(ALPHABET.get(index).copied().unwrap_or(b'A'))
    };
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        out.push(digit(group, 18));
        out.push(digit(group, 12));
        out.push(if chunk.len() > 1 { digit(group, 6) } else { '=' });
        out.push(if chunk.len() > 2 { digit(group, 0) } else { '=' });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_follows_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
