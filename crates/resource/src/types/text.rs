//! Texts that are messages of their own on the wire.

use std::fmt;

use yaml::Value;

use crate::{DecodeError, Element, Message, Wire, element_field};

/// A URL, kept as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Url(pub String);

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug, Default, PartialEq, resource_derive::Message)]
struct WireUrl {
    #[field(1)]
    full_path: String,
}

impl Element for Url {
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        WireUrl { full_path: self.0.clone() }.encode_element(number, out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        self.0 = WireUrl::decode(wire.bytes()?)?.full_path;
        Ok(())
    }
    fn element_yaml(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A CEL expression: its text for people, and the checked syntax tree that the wire carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expression {
    /// The expression as written.
    pub text: String,
    /// A `google.api.expr.v1alpha1.CheckedExpr` in protobuf form, without the text.
    pub checked: Vec<u8>,
}

/// A field that the contract's message does not have: it carries the text, so that a reader of
/// our own gets back what was written, and every other reader skips it.
const TEXT_FIELD: u32 = 1000;

impl Element for Expression {
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        let mut message = self.checked.clone();
        crate::wire::put_bytes_field(TEXT_FIELD, self.text.as_bytes(), &mut message);
        crate::wire::put_bytes_field(number, &message, out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        let bytes = wire.bytes()?;
        let mut reader = crate::Reader::new(bytes);
        let mut rest = Vec::new();
        while let Some((number, wire)) = reader.field()? {
            match wire {
                Wire::Bytes(_) if number == TEXT_FIELD => wire.text()?.clone_into(&mut self.text),
                Wire::Bytes(value) => crate::wire::put_bytes_field(number, value, &mut rest),
                Wire::Varint(value) => crate::wire::put_varint_field(number, value, &mut rest),
                Wire::Fixed64(value) => crate::wire::put_fixed64_field(number, value, &mut rest),
                Wire::Fixed32(value) => crate::wire::put_fixed32_field(number, value, &mut rest),
            }
        }
        self.checked = rest;
        Ok(())
    }
    fn element_yaml(&self) -> Value {
        Value::String(self.text.clone())
    }
}

element_field!(Url, Expression);
