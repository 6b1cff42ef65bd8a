//! PEM blocks: base64 of DER between labelled lines (RFC 7468, lenient on input about text between blocks).

use base64::{Engine, engine::general_purpose::STANDARD};

/// One PEM block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The text between `-----BEGIN ` and `-----`.
    pub label: String,
    /// The decoded content.
    pub content: Vec<u8>,
}

/// A text is not PEM.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// There is no block at all.
    #[error("looking for a PEM block: there is no \"-----BEGIN\" line")]
    Missing,
    /// A block does not end.
    #[error("reading the PEM block {label:?} that begins on line {line}: its end line is missing")]
    Unterminated {
        /// Label of the block.
        label: String,
        /// Line of its beginning, from 1.
        line: usize,
    },
    /// The content is not base64.
    #[error("decoding the base64 of the PEM block {label:?} that begins on line {line}")]
    Base64 {
        /// Label of the block.
        label: String,
        /// Line of its beginning, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: base64::DecodeError,
    },
}

/// Writes one block with lines of 64 characters.
pub fn encode(label: &str, content: &[u8]) -> String {
    let body = STANDARD.encode(content);
    let mut out = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40);
    out.push_str("-----BEGIN ");
    out.push_str(label);
    out.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

/// Reads every block of a text; text outside blocks is skipped.
pub fn decode_all(text: &str) -> Result<Vec<Block>, PemError> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some(label) =
            line.trim().strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"))
        else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut body = String::new();
        let mut ended = false;
        for (_, line) in lines.by_ref() {
            let line = line.trim();
            if line == end {
                ended = true;
                break;
            }
            // Old-style headers such as `Proc-Type: …` hold a colon, which base64 never does.
            if !line.contains(':') {
                body.push_str(line);
            }
        }
        let (label, line) = (label.to_owned(), index + 1);
        if !ended {
            return Err(PemError::Unterminated { label, line });
        }
        match STANDARD.decode(&body) {
            Ok(content) => blocks.push(Block { label, content }),
            Err(source) => return Err(PemError::Base64 { label, line, source }),
        }
    }
    Ok(blocks)
}

/// Reads the first block of a text.
pub fn decode_first(text: &str) -> Result<Block, PemError> {
    decode_all(text)?.into_iter().next().ok_or(PemError::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_64_characters_and_read_back() {
        for length in [0, 1, 47, 48, 49, 96, 1000] {
            let content: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let text = encode("CERTIFICATE", &content);
            assert!(text.lines().all(|line| line.len() <= 64), "{text}");
            let block = decode_first(&text).unwrap();
            assert_eq!((block.label.as_str(), block.content), ("CERTIFICATE", content));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |text| decode_first(text).unwrap_err().to_string();
        assert!(error("hello").contains("no \"-----BEGIN\" line"));
        assert!(error("\n-----BEGIN X-----\nAAAA\n").contains("line 2: its end line is missing"));
        assert!(error("-----BEGIN X-----\nA*A\n-----END X-----\n").contains("decoding the base64"));
    }
}
