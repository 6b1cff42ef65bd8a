//! Legacy PEM material: base64 of PEM text under `crt` and `key`.

use yaml::{Node, Value};

use super::bytes::Base64;
use crate::decode::Decoder;
use crate::field::{Field, Shape};

/// Reads one base64 member of a mapping; the redaction marker is kept as it is.
fn member(node: &Node, key: &str, cx: &mut Decoder) -> Vec<u8> {
    let Some(value) = node.entry(key) else { return Vec::new() };
    let Some(scalar) = value.scalar() else {
        cx.mismatch(value, "base64 text");
        return Vec::new();
    };
    if value.is_null() {
        return Vec::new();
    }
    if is_marker(&scalar.text) {
        return scalar.text.clone().into_bytes();
    }
    Base64::parse(&scalar.text).unwrap_or_else(|| {
        cx.refused(value, "illegal base64 data");
        Vec::new()
    })
}

/// Whether a text stands for a secret that was taken out.
fn is_marker(text: &str) -> bool {
    text == "******"
}

/// Writes bytes as base64, the redaction marker as it is.
fn print(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) if is_marker(text) => Value::String(text.to_owned()),
        _ => Value::String(Base64::print(bytes)),
    }
}

/// Reads the members of a PEM mapping and reports the others.
fn decode_members(
    node: &Node,
    keys: &[&str],
    cx: &mut Decoder,
) -> Option<(Vec<Vec<u8>>, Option<Value>)> {
    if node.is_null() {
        return None;
    }
    let Some(entries) = node.entries() else {
        cx.mismatch(node, "a mapping");
        return None;
    };
    let values = keys.iter().map(|key| member(node, key, cx)).collect();
    let mut unknown = Vec::new();
    for entry in entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
        cx.unknown(entry);
        unknown.push((entry.key.clone(), entry.value.to_value()));
    }
    Some((values, if unknown.is_empty() { None } else { Some(Value::Map(unknown)) }))
}

/// A certificate and its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The certificate as PEM.
    pub crt: Vec<u8>,
    /// The key as PEM; empty where only the certificate is known.
    pub key: Vec<u8>,
}

impl Identity {
    /// The certificate as text.
    #[must_use]
    pub fn crt_text(&self) -> &str {
        std::str::from_utf8(&self.crt).unwrap_or_default()
    }

    /// The key as text.
    #[must_use]
    pub fn key_text(&self) -> &str {
        std::str::from_utf8(&self.key).unwrap_or_default()
    }
}

impl Field for Identity {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        let (values, unknown) = decode_members(node, &["crt", "key"], cx)?;
        let mut values = values.into_iter();
        self.crt = values.next().unwrap_or_default();
        self.key = values.next().unwrap_or_default();
        unknown
    }

    fn encode(&self) -> Value {
        Value::Map(vec![("crt".to_owned(), print(&self.crt)), ("key".to_owned(), print(&self.key))])
    }

    fn is_empty(&self) -> bool {
        self.crt.is_empty() && self.key.is_empty()
    }

    fn redact(&mut self, replacement: &str) {
        if !self.key.is_empty() {
            self.key = replacement.as_bytes().to_vec();
        }
    }

    fn conceal(&mut self, replacement: &str) {
        self.redact(replacement);
    }

    fn shape() -> Shape {
        Shape::Format("certificate and key")
    }
}

/// A key alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// The key as PEM.
    pub key: Vec<u8>,
}

impl Field for Key {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        let (values, unknown) = decode_members(node, &["key"], cx)?;
        self.key = values.into_iter().next().unwrap_or_default();
        unknown
    }

    fn encode(&self) -> Value {
        Value::Map(vec![("key".to_owned(), print(&self.key))])
    }

    fn is_empty(&self) -> bool {
        self.key.is_empty()
    }

    fn redact(&mut self, replacement: &str) {
        if !self.key.is_empty() {
            self.key = replacement.as_bytes().to_vec();
        }
    }

    fn conceal(&mut self, replacement: &str) {
        self.redact(replacement);
    }

    fn shape() -> Shape {
        Shape::Format("key")
    }
}

/// A certificate alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate as PEM.
    pub crt: Vec<u8>,
}

impl Field for Certificate {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        let (values, unknown) = decode_members(node, &["crt"], cx)?;
        self.crt = values.into_iter().next().unwrap_or_default();
        unknown
    }

    fn encode(&self) -> Value {
        Value::Map(vec![("crt".to_owned(), print(&self.crt))])
    }

    fn is_empty(&self) -> bool {
        self.crt.is_empty()
    }

    fn shape() -> Shape {
        Shape::Format("certificate")
    }
}
