//! The border to the outside: random bytes and freshly generated asymmetric keys.
//!
//! Everything else in this crate is a function of its arguments.

use aws_lc_rs::{
    rand,
    rsa::KeySize,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair},
};

use crate::key::{Algorithm, KeyError, PrivateKey};

/// A source of unpredictable bytes, passed in so that a test can make it predictable.
pub trait Random {
    /// Fills the whole buffer.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError>;
}

/// The random source gave no bytes.
#[derive(Debug, thiserror::Error)]
#[error("reading {wanted} bytes from the random source")]
pub struct RandomError {
    /// How many bytes were asked for.
    pub wanted: usize,
}

/// The operating system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Random for System {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        rand::fill(bytes).map_err(|_| RandomError { wanted: bytes.len() })
    }
}

/// Generates a private key with the cryptography library's own random source.
pub fn generate(algorithm: Algorithm) -> Result<PrivateKey, KeyError> {
    let failed = |_| KeyError::Generate { algorithm };
    Ok(match algorithm {
        Algorithm::Ed25519 => PrivateKey::from_ed25519(Ed25519KeyPair::generate().map_err(failed)?),
        Algorithm::EcdsaP256 => PrivateKey::from_ecdsa(
            EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?,
        ),
        Algorithm::Rsa2048 => PrivateKey::from_rsa(
            aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).map_err(failed)?,
        ),
        Algorithm::Rsa4096 => PrivateKey::from_rsa(
            aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa4096).map_err(failed)?,
        ),
    })
}
