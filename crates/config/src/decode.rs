//! Collects what is wrong while nodes become typed values; decoding never stops at the first error.

use yaml::{Entry, Node, NodeKind, Position};

/// A value of the wrong type, or one that its type refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}: {message}", at.line)]
pub struct TypeError {
    /// Where the value stands.
    pub at: Position,
    /// What is wrong with it.
    pub message: String,
}

/// Collects type errors and the places of unknown keys.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Values of the wrong type.
    pub errors: Vec<TypeError>,
    /// Unknown keys with their places.
    pub unknown: Vec<(String, Position)>,
    /// How many values of the wrong type there are beside those in `errors`.
    pub more: usize,
}

/// The most values of the wrong type that are told.
const MOST: usize = 1_000;

impl Decoder {
    /// Notes a node that is not of the wanted type.
    pub fn mismatch(&mut self, node: &Node, wanted: &str) {
        if self.errors.len() >= MOST {
            self.more += 1;
            return;
        }
        let value = match &node.kind {
            NodeKind::Scalar(scalar) if scalar.text.chars().count() > 10 => {
                format!(" `{}...`", scalar.text.chars().take(7).collect::<String>())
            }
            NodeKind::Scalar(scalar) => format!(" `{}`", scalar.text),
            _ => String::new(),
        };
        let message = format!("cannot unmarshal {}{value} into {wanted}", node.tag());
        self.errors.push(TypeError { at: node.at, message });
    }

    /// Notes a value that its type refuses.
    pub fn refused(&mut self, node: &Node, message: impl std::fmt::Display) {
        if self.errors.len() >= MOST {
            self.more += 1;
            return;
        }
        self.errors.push(TypeError { at: node.at, message: message.to_string() });
    }

    /// Notes a key that no field has.
    pub fn unknown(&mut self, entry: &Entry) {
        self.unknown.push((entry.key.clone(), entry.at));
    }
}
