//! Tokens and other random strings of the secrets bundle.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::system::{Random, RandomError};

const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A token of the form `abcdef.0123456789abcdef`, every character equally likely.
pub fn bootstrap_token(random: &mut dyn Random) -> Result<String, RandomError> {
    Ok(format!("{}.{}", characters(random, 6)?, characters(random, 16)?))
}

/// Whether a text has the form of [`bootstrap_token`].
pub fn is_bootstrap_token(text: &str) -> bool {
    text.split_once('.').is_some_and(|(id, secret)| {
        id.len() == 6
            && secret.len() == 16
            && text.bytes().all(|byte| byte == b'.' || ALPHABET.contains(&byte))
            && !secret.contains('.')
    })
}

/// Thirty-two random bytes in base64.
pub fn base64_32(random: &mut dyn Random) -> Result<String, RandomError> {
    let mut bytes = [0; 32];
    random.fill(&mut bytes)?;
    Ok(STANDARD.encode(bytes))
}

fn characters(random: &mut dyn Random, count: usize) -> Result<String, RandomError> {
    let mut text = String::with_capacity(count);
    while text.len() < count {
        let mut byte = [0];
        random.fill(&mut byte)?;
        // 252 is the largest multiple of 36 below 256: what lies above would favour some characters.
        if byte[0] < 252 {
            text.push(char::from(ALPHABET[usize::from(byte[0] % 36)]));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(u8);

    impl Random for Counting {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
            for byte in bytes {
                *byte = self.0;
                self.0 = self.0.wrapping_add(1);
            }
            Ok(())
        }
    }

    #[test]
    fn tokens_skip_the_biased_bytes() {
        let token = bootstrap_token(&mut Counting(0)).unwrap();
        assert_eq!(token, "012345.6789abcdefghijkl");
        assert!(is_bootstrap_token(&token));
        // 250 and 251 are used, 252 to 255 are not.
        let token = bootstrap_token(&mut Counting(250)).unwrap();
        assert_eq!(token, "yz0123.456789abcdefghij");
    }

    #[test]
    fn malformed_tokens_are_seen() {
        for text in
            ["", "abcdef", "abcdef.0123", "ABCDEF.0123456789abcdef", "abcde.0123456789abcdef0"]
        {
            assert!(!is_bootstrap_token(text), "{text}");
        }
    }
}
