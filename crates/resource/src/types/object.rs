//! An unstructured object: `google.protobuf.Struct` on the wire, a mapping in YAML.

use yaml::Value;

use crate::wire::{put_bytes_field, put_fixed64_field, put_varint_field};
use crate::{DecodeError, Element, Reader, Wire, element_field};

/// Deeper nesting is refused: the decoder calls itself for every level.
const MAX_DEPTH: usize = 100;

/// Keys with any values, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(pub Vec<(String, Value)>);

impl Object {
    /// The object with `value`'s entries; `None` when it is not a mapping.
    #[must_use]
    pub fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Map(entries) => Some(Self(entries)),
            _ => None,
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl Element for Object {
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        put_bytes_field(number, &structure(&self.0), out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        self.0 = entries(wire.bytes()?, 0)?;
        Ok(())
    }
    fn element_yaml(&self) -> Value {
        Value::Map(self.0.clone())
    }
}

element_field!(Object);

fn structure(entries: &[(String, Value)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, item) in entries {
        let mut entry = Vec::new();
        put_bytes_field(1, key.as_bytes(), &mut entry);
        put_bytes_field(2, &value(item), &mut entry);
        put_bytes_field(1, &entry, &mut out);
    }
    out
}

/// A number of `google.protobuf.Value` is a double, whatever it was before.
#[allow(clippy::cast_precision_loss)]
fn value(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::Null => put_varint_field(1, 0, &mut out),
        Value::Int(number) => put_fixed64_field(2, (*number as f64).to_bits(), &mut out),
        Value::Uint(number) => put_fixed64_field(2, (*number as f64).to_bits(), &mut out),
        Value::Float(number) => put_fixed64_field(2, number.to_bits(), &mut out),
        Value::String(text) | Value::Plain(text) => put_bytes_field(3, text.as_bytes(), &mut out),
        Value::Bool(flag) => put_varint_field(4, u64::from(*flag), &mut out),
        Value::Map(entries) => put_bytes_field(5, &structure(entries), &mut out),
        Value::Seq(items) => {
            let mut list = Vec::new();
            for item in items {
                put_bytes_field(1, &self::value(item), &mut list);
            }
            put_bytes_field(6, &list, &mut out);
        }
    }
    out
}

fn entries(bytes: &[u8], depth: usize) -> Result<Vec<(String, Value)>, DecodeError> {
    if depth > MAX_DEPTH {
        return Err(DecodeError::Depth(MAX_DEPTH));
    }
    let mut reader = Reader::new(bytes);
    let mut entries: Vec<(String, Value)> = Vec::new();
    while let Some((number, wire)) = reader.field()? {
        if number != 1 {
            continue;
        }
        let (mut key, mut item) = (String::new(), Value::Null);
        let mut entry = Reader::new(wire.bytes()?);
        while let Some((number, wire)) = entry.field()? {
            match number {
                1 => wire.text()?.clone_into(&mut key),
                2 => item = decode_value(wire.bytes()?, depth)?,
                _ => {}
            }
        }
        entries.push((key, item));
    }
    Ok(entries)
}

fn decode_value(bytes: &[u8], depth: usize) -> Result<Value, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut value = Value::Null;
    while let Some((number, wire)) = reader.field()? {
        value = match number {
            1 => Value::Null,
            2 => number_value(f64::from_bits(wire.fixed64()?)),
            3 => Value::String(wire.text()?.to_owned()),
            4 => Value::Bool(wire.varint()? != 0),
            5 => Value::Map(entries(wire.bytes()?, depth + 1)?),
            6 => Value::Seq(list(wire.bytes()?, depth + 1)?),
            _ => continue,
        };
    }
    Ok(value)
}

/// A whole number reads as an integer, as it was most likely written.
#[allow(clippy::cast_possible_truncation)]
fn number_value(number: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT && (number != 0.0 || number.is_sign_positive())
    {
        Value::Int(number as i64)
    } else {
        Value::Float(number)
    }
}

fn list(bytes: &[u8], depth: usize) -> Result<Vec<Value>, DecodeError> {
    if depth > MAX_DEPTH {
        return Err(DecodeError::Depth(MAX_DEPTH));
    }
    let mut reader = Reader::new(bytes);
    let mut items = Vec::new();
    while let Some((number, wire)) = reader.field()? {
        if number == 1 {
            items.push(decode_value(wire.bytes()?, depth)?);
        }
    }
    Ok(items)
}
