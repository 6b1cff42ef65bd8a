//! What a spec and its nested structs can do; implemented by derive.

use std::fmt::Debug;
use std::sync::Arc;

use yaml::Value;

use crate::definition::Definition;
use crate::erased::{AnySpec, Shared};
use crate::wire::{DecodeError, Reader, Wire, put_bytes_field};

/// A struct with a protobuf form and a YAML form.
pub trait Message: Clone + PartialEq + Default + Debug + Send + Sync + 'static {
    /// Appends the protobuf form; fields with default values are left out.
    fn encode(&self, out: &mut Vec<u8>);

    /// Takes one field from the wire; `false` when the message has no such field.
    ///
    /// # Errors
    /// When the field's bytes are not of its type.
    fn merge(&mut self, number: u32, wire: Wire<'_>) -> Result<bool, DecodeError>;

    /// The YAML form.
    fn to_yaml(&self) -> Value;

    /// Reads the protobuf form; unknown fields are skipped.
    ///
    /// # Errors
    /// When the bytes are not such a message.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut message = Self::default();
        merge_bytes(&mut message, bytes)?;
        Ok(message)
    }
}

/// A message that is the spec of a resource.
pub trait Spec: Message {
    /// The resource's type, names and columns.
    const DEFINITION: Definition;
}

/// The protobuf form of `message`.
#[must_use]
pub fn encode_to_vec<M: Message>(message: &M) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

/// Reads the protobuf form of `M`.
///
/// # Errors
/// When the bytes are not such a message.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, DecodeError> {
    M::decode(bytes)
}

/// Reads a spec whose type is known at run time only.
///
/// # Errors
/// When the bytes are not such a spec.
pub fn decode_erased<S: Spec>(bytes: &[u8]) -> Result<Arc<dyn AnySpec>, DecodeError> {
    Ok(Arc::new(Shared::new(S::decode(bytes)?)))
}

/// Appends `message` as a length-delimited field.
#[doc(hidden)]
pub fn encode_nested<M: Message>(message: &M, number: u32, out: &mut Vec<u8>) {
    put_bytes_field(number, &encode_to_vec(message), out);
}

/// Merges a length-delimited field into `message`.
///
/// # Errors
/// When the bytes are not such a message.
#[doc(hidden)]
pub fn merge_nested<M: Message>(message: &mut M, wire: Wire<'_>) -> Result<(), DecodeError> {
    merge_bytes(message, wire.bytes()?)
}

fn merge_bytes<M: Message>(message: &mut M, bytes: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        message.merge(number, wire)?;
    }
    Ok(())
}
