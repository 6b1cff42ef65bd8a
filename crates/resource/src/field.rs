//! How one field of a message is written and read: scalars, lists, maps, optional values.

use std::collections::BTreeMap;

use yaml::Value;

use crate::wire::{
    DecodeError, Reader, Wire, put_bytes_field, put_fixed64_field, put_varint, put_varint_field,
};

/// A value that can stand in a list, a map or an `Option`: it is written even when it is the
/// default.
pub trait Element: Default {
    /// Whether lists of it are one length-delimited run of values.
    const PACKED: bool = false;

    /// Appends the value with its tag.
    fn encode_element(&self, number: u32, out: &mut Vec<u8>);

    /// Appends the value without a tag; only for packed types.
    fn encode_packed(&self, _out: &mut Vec<u8>) {}

    /// Takes one occurrence from the wire.
    ///
    /// # Errors
    /// When the wire does not carry such a value.
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError>;

    /// Reads one value of a packed run; only for packed types.
    ///
    /// # Errors
    /// When the bytes end inside the value.
    fn merge_packed(&mut self, _reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        Ok(())
    }

    /// The YAML form.
    fn element_yaml(&self) -> Value;
}

/// A field of a message: left out of the wire when it has its default value.
pub trait Field: Default {
    /// Appends the field, or nothing.
    fn encode_field(&self, number: u32, out: &mut Vec<u8>);

    /// Takes one occurrence from the wire.
    ///
    /// # Errors
    /// When the wire does not carry such a value.
    fn merge_field(&mut self, wire: Wire<'_>) -> Result<(), DecodeError>;

    /// The YAML form.
    fn field_yaml(&self) -> Value;

    /// Whether YAML leaves the field out if it may.
    fn is_empty_field(&self) -> bool;
}

/// Makes an [`Element`] a [`Field`] that is left out when it equals its default.
#[macro_export]
#[doc(hidden)]
macro_rules! element_field {
    ($($type:ty),+ $(,)?) => { $(
        impl $crate::Field for $type {
            fn encode_field(&self, number: u32, out: &mut Vec<u8>) {
                if *self != Self::default() {
                    $crate::Element::encode_element(self, number, out);
                }
            }
            fn merge_field(
                &mut self,
                wire: $crate::Wire<'_>,
            ) -> Result<(), $crate::DecodeError> {
                $crate::Element::merge_element(self, wire)
            }
            fn field_yaml(&self) -> $crate::yaml::Value {
                $crate::Element::element_yaml(self)
            }
            fn is_empty_field(&self) -> bool {
                *self == Self::default()
            }
        }
    )+ };
}

macro_rules! varint_element {
    ($($type:ty, $to:expr, $from:expr, $yaml:expr;)+) => { $(
        impl Element for $type {
            const PACKED: bool = true;
            fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
                put_varint_field(number, $to(*self), out);
            }
            fn encode_packed(&self, out: &mut Vec<u8>) {
                put_varint($to(*self), out);
            }
            fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
                *self = $from(wire.varint()?);
                Ok(())
            }
            fn merge_packed(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
                *self = $from(reader.varint()?);
                Ok(())
            }
            fn element_yaml(&self) -> Value {
                $yaml(*self)
            }
        }
        element_field!($type);
    )+ };
}

/// Protobuf keeps the low 32 bits of a varint for 32-bit types.
#[allow(clippy::cast_possible_truncation)]
fn low32(value: u64) -> u32 {
    value as u32
}

varint_element! {
    bool, u64::from, |v| v != 0, Value::Bool;
    u32, u64::from, low32, |v| Value::Uint(u64::from(v));
    u64, |v| v, |v| v, Value::Uint;
    i32, |v| i64::from(v).cast_unsigned(), |v| low32(v).cast_signed(), |v| Value::Int(i64::from(v));
    i64, i64::cast_unsigned, u64::cast_signed, Value::Int;
}

impl Element for f64 {
    const PACKED: bool = true;
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        put_fixed64_field(number, self.to_bits(), out);
    }
    fn encode_packed(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        *self = f64::from_bits(wire.fixed64()?);
        Ok(())
    }
    fn merge_packed(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        *self = f64::from_bits(reader.fixed64()?);
        Ok(())
    }
    fn element_yaml(&self) -> Value {
        Value::Float(*self)
    }
}
element_field!(f64);

impl Element for String {
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        put_bytes_field(number, self.as_bytes(), out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        wire.text()?.clone_into(self);
        Ok(())
    }
    fn element_yaml(&self) -> Value {
        Value::String(self.clone())
    }
}
element_field!(String);

/// A text that is shorter to keep than a `String`, for types of which there are many.
impl Element for Box<str> {
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        put_bytes_field(number, self.as_bytes(), out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        *self = wire.text()?.into();
        Ok(())
    }
    fn element_yaml(&self) -> Value {
        Value::String(self.to_string())
    }
}
element_field!(Box<str>);

/// Plain bytes: in YAML a list of numbers.
impl Field for Vec<u8> {
    fn encode_field(&self, number: u32, out: &mut Vec<u8>) {
        if !self.is_empty() {
            put_bytes_field(number, self, out);
        }
    }
    fn merge_field(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        wire.bytes()?.clone_into(self);
        Ok(())
    }
    fn field_yaml(&self) -> Value {
        Value::Seq(self.iter().map(|b| Value::Uint(u64::from(*b))).collect())
    }
    fn is_empty_field(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Element> Field for Vec<T> {
    fn encode_field(&self, number: u32, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        if !T::PACKED {
            for item in self {
                item.encode_element(number, out);
            }
            return;
        }
        let mut packed = Vec::new();
        for item in self {
            item.encode_packed(&mut packed);
        }
        put_bytes_field(number, &packed, out);
    }
    fn merge_field(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        if let (true, Wire::Bytes(bytes)) = (T::PACKED, wire) {
            let mut reader = Reader::new(bytes);
            while !reader.is_at_end() {
                let mut item = T::default();
                item.merge_packed(&mut reader)?;
                self.push(item);
            }
            return Ok(());
        }
        let mut item = T::default();
        item.merge_element(wire)?;
        self.push(item);
        Ok(())
    }
    fn field_yaml(&self) -> Value {
        Value::Seq(self.iter().map(Element::element_yaml).collect())
    }
    fn is_empty_field(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Element> Field for Option<T> {
    fn encode_field(&self, number: u32, out: &mut Vec<u8>) {
        if let Some(value) = self {
            value.encode_element(number, out);
        }
    }
    fn merge_field(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        self.get_or_insert_default().merge_element(wire)
    }
    fn field_yaml(&self) -> Value {
        self.as_ref().map_or(Value::Null, Element::element_yaml)
    }
    fn is_empty_field(&self) -> bool {
        self.is_none()
    }
}

impl<T: Element> Element for Box<T> {
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        (**self).encode_element(number, out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        (**self).merge_element(wire)
    }
    fn element_yaml(&self) -> Value {
        (**self).element_yaml()
    }
}

impl<T: Element> Field for BTreeMap<String, T> {
    fn encode_field(&self, number: u32, out: &mut Vec<u8>) {
        for (key, value) in self {
            let mut entry = Vec::new();
            key.encode_element(1, &mut entry);
            value.encode_element(2, &mut entry);
            put_bytes_field(number, &entry, out);
        }
    }
    fn merge_field(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        let mut reader = Reader::new(wire.bytes()?);
        let (mut key, mut value) = (String::new(), T::default());
        while let Some((number, wire)) = reader.field()? {
            match number {
                1 => key.merge_element(wire)?,
                2 => value.merge_element(wire)?,
                _ => {}
            }
        }
        self.insert(key, value);
        Ok(())
    }
    fn field_yaml(&self) -> Value {
        Value::Map(self.iter().map(|(k, v)| (k.clone(), v.element_yaml())).collect())
    }
    fn is_empty_field(&self) -> bool {
        self.is_empty()
    }
}
