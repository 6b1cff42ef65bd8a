//! Binary data in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use yaml::{Node, Value};

use crate::decode::Decoder;
use crate::field::{Field, Shape};

/// Bytes that stand in the document as standard base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl Base64 {
    /// Decodes standard base64; line breaks count for nothing.
    pub(crate) fn parse(text: &str) -> Option<Vec<u8>> {
        if text.contains(['\n', '\r']) {
            return STANDARD.decode(text.replace(['\n', '\r'], "")).ok();
        }
        STANDARD.decode(text).ok()
    }

    /// The bytes as standard base64.
    pub(crate) fn print(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }
}

impl Field for Base64 {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        match node.scalar() {
            Some(scalar) if scalar.resolved() == yaml::Resolved::Null => {}
            Some(scalar) => match Self::parse(&scalar.text) {
                Some(bytes) => self.0 = bytes,
                None => cx.refused(node, "illegal base64 data"),
            },
            None => cx.mismatch(node, "base64 text"),
        }
        None
    }

    fn encode(&self) -> Value {
        Value::String(Self::print(&self.0))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn conceal(&mut self, replacement: &str) {
        if !self.0.is_empty() {
            self.0 = replacement.as_bytes().to_vec();
        }
    }

    fn shape() -> Shape {
        Shape::Format("base64")
    }
}
