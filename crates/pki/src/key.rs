//! Private keys in the four PEM forms the contract knows.
//!
//! | label | content |
//! |---|---|
//! | `ED25519 PRIVATE KEY` | PKCS#8 (a label of the contract's own) |
//! | `EC PRIVATE KEY` | SEC 1 (RFC 5915) |
//! | `RSA PRIVATE KEY` | PKCS#1 (RFC 8017) |
//! | `PRIVATE KEY` | PKCS#8, read but never written |

use aws_lc_rs::{
    encoding::{AsDer, EcPrivateKeyRfc5915Der, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256,
    },
};
use zeroize::Zeroizing;

use crate::pem::{self, PemError};

/// Which kind of key to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (the operating system's own authority and its leaves).
    Ed25519,
    /// ECDSA on P-256 (etcd and Kubernetes).
    EcdsaP256,
    /// RSA with 2048 bits (the key that signs measurements of the start).
    Rsa2048,
    /// RSA with 4096 bits (the service account key).
    Rsa4096,
}

/// A private key could not be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Generating failed in the cryptography library.
    #[error("generating an {algorithm:?} key: the cryptography library refused")]
    Generate {
        /// Which kind of key.
        algorithm: Algorithm,
    },
    /// The text is not PEM.
    #[error("reading a private key")]
    Pem(#[from] PemError),
    /// The label is not one of a private key.
    #[error(
        "reading a private key: a PEM block labelled {label:?} is not one; expected ED25519, EC or RSA PRIVATE KEY, or PRIVATE KEY"
    )]
    Label {
        /// The label found.
        label: String,
    },
    /// The content does not parse as what the label says.
    #[error("reading the private key in the PEM block {label:?}: {reason}")]
    Rejected {
        /// The label found.
        label: String,
        /// The cryptography library's word for it.
        reason: String,
    },
    /// The library could not write the key.
    #[error("encoding a private key: the cryptography library refused")]
    Encode,
    /// The library could not sign.
    #[error("signing: the cryptography library refused")]
    Sign,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    EcdsaP256(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

/// A private key with its public half.
pub struct PrivateKey(Pair);

impl std::fmt::Debug for PrivateKey {
    /// Says the kind only: a secret never reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Pair::Ed25519(_) => "PrivateKey(Ed25519)",
            Pair::EcdsaP256(_) => "PrivateKey(EcdsaP256)",
            Pair::Rsa(_) => "PrivateKey(Rsa)",
        })
    }
}

impl PrivateKey {
    pub(crate) fn from_ed25519(pair: Ed25519KeyPair) -> Self {
        Self(Pair::Ed25519(pair))
    }

    pub(crate) fn from_ecdsa(pair: EcdsaKeyPair) -> Self {
        Self(Pair::EcdsaP256(pair))
    }

    pub(crate) fn from_rsa(pair: rsa::KeyPair) -> Self {
        Self(Pair::Rsa(pair))
    }

    /// Generates a key at the border [`crate::system`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        crate::system::generate(algorithm)
    }

    /// Reads the first PEM block of a text.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let block = pem::decode_first(text)?;
        let content = Zeroizing::new(block.content);
        let label = block.label;
        let rejected = |reason: aws_lc_rs::error::KeyRejected| KeyError::Rejected {
            label: label.clone(),
            reason: reason.to_string(),
        };
        Ok(Self(match label.as_str() {
            "ED25519 PRIVATE KEY" => Pair::Ed25519(
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(&content).map_err(rejected)?,
            ),
            "EC PRIVATE KEY" => Pair::EcdsaP256(
                EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &content)
                    .map_err(rejected)?,
            ),
            "RSA PRIVATE KEY" => Pair::Rsa(rsa::KeyPair::from_der(&content).map_err(rejected)?),
            "PRIVATE KEY" => {
                if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&content) {
                    Pair::Ed25519(pair)
                } else if let Ok(pair) =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &content)
                {
                    Pair::EcdsaP256(pair)
                } else {
                    Pair::Rsa(rsa::KeyPair::from_pkcs8(&content).map_err(rejected)?)
                }
            }
            _ => return Err(KeyError::Label { label }),
        }))
    }

    /// Writes the key under the contract's label for its kind.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        Ok(match &self.0 {
            Pair::Ed25519(_) => pem::encode("ED25519 PRIVATE KEY", &self.pkcs8_der()?),
            Pair::EcdsaP256(pair) => {
                let der: EcPrivateKeyRfc5915Der<'_> =
                    pair.private_key().as_der().map_err(|_| KeyError::Encode)?;
                pem::encode("EC PRIVATE KEY", der.as_ref())
            }
            Pair::Rsa(_) => {
                let pkcs8 = self.pkcs8_der()?;
                let inner =
                    Zeroizing::new(crate::der::pkcs8_content(&pkcs8).ok_or(KeyError::Encode)?);
                pem::encode("RSA PRIVATE KEY", &inner)
            }
        })
    }

    /// The key as PKCS#8 version 1, the form a TLS library takes.
    pub fn pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let refused = |_| KeyError::Encode;
        Ok(Zeroizing::new(match &self.0 {
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map_err(refused)?.as_ref().to_vec(),
            Pair::EcdsaP256(pair) => pair.to_pkcs8v1().map_err(refused)?.as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(refused)?;
                der.as_ref().to_vec()
            }
        }))
    }

    /// The public half as a `SubjectPublicKeyInfo`.
    pub fn public_key_der(&self) -> Result<Vec<u8>, KeyError> {
        let der: PublicKeyX509Der<'_> = match &self.0 {
            Pair::Ed25519(pair) => pair.public_key().as_der(),
            Pair::EcdsaP256(pair) => pair.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
        }
        .map_err(|_| KeyError::Encode)?;
        Ok(der.as_ref().to_vec())
    }

    /// The public half in PEM (`PUBLIC KEY`), as the API server wants its service account key.
    pub fn public_key_pem(&self) -> Result<String, KeyError> {
        Ok(pem::encode("PUBLIC KEY", &self.public_key_der()?))
    }

    /// The kind a new key beside this one should have: leaves follow their authority, beside an RSA key of
    /// any length it is one of 4096 bits.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Pair::Ed25519(_) => Algorithm::Ed25519,
            Pair::EcdsaP256(_) => Algorithm::EcdsaP256,
            Pair::Rsa(_) => Algorithm::Rsa4096,
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let refused = |_| KeyError::Sign;
        let random = SystemRandom::new();
        Ok(match &self.0 {
            Pair::Ed25519(pair) => pair.try_sign(message).map_err(refused)?.as_ref().to_vec(),
            Pair::EcdsaP256(pair) => {
                pair.sign(&random, message).map_err(refused)?.as_ref().to_vec()
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(refused)?;
                signature
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes_under_the_contracts_labels() {
        for (algorithm, label) in [
            (Algorithm::Ed25519, "-----BEGIN ED25519 PRIVATE KEY-----\n"),
            (Algorithm::EcdsaP256, "-----BEGIN EC PRIVATE KEY-----\n"),
            (Algorithm::Rsa4096, "-----BEGIN RSA PRIVATE KEY-----\n"),
        ] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let text = key.to_pem().unwrap();
            assert!(text.starts_with(label), "{text}");
            let again = PrivateKey::from_pem(&text).unwrap();
            assert_eq!(again.algorithm(), algorithm);
            assert_eq!(again.public_key_der().unwrap(), key.public_key_der().unwrap());
            let pkcs8 = pem::encode("PRIVATE KEY", &key.pkcs8_der().unwrap());
            assert_eq!(PrivateKey::from_pem(&pkcs8).unwrap().to_pem().unwrap(), text);
        }
    }

    #[test]
    fn a_wrong_block_is_named() {
        let error = PrivateKey::from_pem(&pem::encode("CERTIFICATE", b"x")).unwrap_err();
        assert!(error.to_string().contains("\"CERTIFICATE\" is not one"), "{error}");
        let error = PrivateKey::from_pem(&pem::encode("EC PRIVATE KEY", b"x")).unwrap_err();
        assert!(matches!(error, KeyError::Rejected { .. }), "{error}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = PrivateKey::generate(Algorithm::Ed25519).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(Ed25519)");
    }
}
