//! Fields: what every value of the language can do, and the implementations for plain scalars.

use yaml::{Node, Resolved, ScalarStyle, Value};

use crate::decode::Decoder;
use crate::merge::MergeError;
use crate::patch::{LookupError, Step};
use crate::section::SectionInfo;

/// What values a field takes, for schema and documentation.
#[derive(Clone, Debug)]
pub enum Shape {
    /// `true` or `false`.
    Bool,
    /// An integer within a range.
    Integer {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: u64,
    },
    /// Any text.
    Text,
    /// Text in a form that the name describes, such as `duration`.
    Format(&'static str),
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A number or a text in a form that the name describes.
    NumberOrFormat(&'static str),
    /// A mapping with known keys.
    Section(SectionInfo),
    /// A list.
    List(Box<Shape>),
    /// A mapping with free keys.
    Map(Box<Shape>),
    /// Any mapping.
    Free,
    /// Text or a list of texts.
    TextOrList,
}

/// A value of the language.
pub trait Field: Clone + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// Reads a node; type errors go to `cx`, the unknown keys below are returned.
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value>;

    /// The value as it is written.
    fn encode(&self) -> Value;

    /// Whether the value is left out when written.
    fn is_empty(&self) -> bool;

    /// Merges a patch's value, when `right` may be unset.
    ///
    /// # Errors
    /// When two free-form values under one key have different types.
    fn merge(&mut self, right: &Self) -> Result<(), MergeError> {
        if !right.is_empty() {
            *self = right.clone();
        }
        Ok(())
    }

    /// Merges a patch's value that is certainly set.
    ///
    /// # Errors
    /// As for [`Field::merge`].
    fn overlay(&mut self, right: &Self) -> Result<(), MergeError> {
        *self = right.clone();
        Ok(())
    }

    /// Takes a patch's value instead of merging, when it is set.
    fn replace(&mut self, right: &Self) {
        if !right.is_unset() {
            *self = right.clone();
        }
    }

    /// Whether the value was never given, which for lists and maps is less than empty.
    fn is_unset(&self) -> bool {
        self.is_empty()
    }

    /// Replaces secrets below this value.
    fn redact(&mut self, _replacement: &str) {}

    /// Replaces this value, which is a secret.
    fn conceal(&mut self, _replacement: &str) {}

    /// Deletes what the path leads to; the path is never empty.
    ///
    /// # Errors
    /// When the path leads nowhere.
    fn delete(&mut self, _path: &[Step]) -> Result<(), LookupError> {
        Err(LookupError)
    }

    /// What values the field takes.
    fn shape() -> Shape;
}

impl Field for bool {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        let scalar = node.scalar();
        match scalar.map(yaml::Scalar::resolved) {
            Some(Resolved::Null) => {}
            Some(Resolved::Bool(value)) => *self = value,
            // The old spellings count only where a bool is expected.
            Some(Resolved::String) => match scalar.map_or("", |s| s.text.as_str()) {
                "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => *self = true,
                "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => *self = false,
                _ => cx.mismatch(node, "bool"),
            },
            _ => cx.mismatch(node, "bool"),
        }
        None
    }

    fn encode(&self) -> Value {
        Value::Bool(*self)
    }

    fn is_empty(&self) -> bool {
        !*self
    }

    // A bool that is not nullable cannot tell "unset" from "false", so the patch always wins.
    fn merge(&mut self, right: &Self) -> Result<(), MergeError> {
        *self = *right;
        Ok(())
    }

    fn shape() -> Shape {
        Shape::Bool
    }
}

/// The integer a scalar stands for; floats count when they have no fraction.
pub(crate) fn integer(node: &Node) -> Option<i128> {
    let scalar = node.scalar()?;
    if scalar.style != ScalarStyle::Plain && scalar.tag.is_none() {
        return None;
    }
    match scalar.resolved() {
        Resolved::Int(value) => Some(value.into()),
        Resolved::Uint(value) => Some(value.into()),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole numbers in range convert exactly"
        )]
        Resolved::Float(value) if value.fract() == 0.0 && value.abs() < 9.0e18 => {
            Some(value as i128)
        }
        _ => None,
    }
}

macro_rules! integers {
    ($($type:ty => $name:literal),*) => {$(
        impl Field for $type {
            fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
                if node.is_null() {
                    return None;
                }
                match integer(node).and_then(|value| <$type>::try_from(value).ok()) {
                    Some(value) => *self = value,
                    None => cx.mismatch(node, $name),
                }
                None
            }

            fn encode(&self) -> Value {
                i64::try_from(*self).map_or_else(
                    |_| Value::Uint(u64::try_from(*self).unwrap_or_default()),
                    Value::Int,
                )
            }

            fn is_empty(&self) -> bool {
                *self == 0
            }

            fn shape() -> Shape {
                Shape::Integer {
                    min: i64::try_from(<$type>::MIN).unwrap_or_default(),
                    max: u64::try_from(<$type>::MAX).unwrap_or(u64::MAX),
                }
            }
        }
    )*};
}

integers!(u8 => "uint8", u16 => "uint16", u32 => "uint32", u64 => "uint64", i32 => "int", i64 => "int");

impl Field for String {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        match node.scalar() {
            Some(scalar) if scalar.resolved() == Resolved::Null => {}
            Some(scalar) => self.clone_from(&scalar.text),
            None => cx.mismatch(node, "string"),
        }
        None
    }

    fn encode(&self) -> Value {
        Value::String(self.clone())
    }

    fn is_empty(&self) -> bool {
        String::is_empty(self)
    }

    fn conceal(&mut self, replacement: &str) {
        if !String::is_empty(self) {
            replacement.clone_into(self);
        }
    }

    fn shape() -> Shape {
        Shape::Text
    }
}

/// A nullable value: unset is not the same as zero.
impl<T: Field> Field for Option<T> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        if node.is_null() {
            *self = None;
            return None;
        }
        self.get_or_insert_default().decode(node, cx)
    }

    fn encode(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::encode)
    }

    fn is_empty(&self) -> bool {
        self.is_none()
    }

    fn merge(&mut self, right: &Self) -> Result<(), MergeError> {
        match (self.as_mut(), right) {
            (_, None) => Ok(()),
            (Some(left), Some(right)) => left.overlay(right),
            (None, Some(_)) => {
                self.clone_from(right);
                Ok(())
            }
        }
    }

    fn overlay(&mut self, right: &Self) -> Result<(), MergeError> {
        self.merge(right)
    }

    fn redact(&mut self, replacement: &str) {
        if let Some(value) = self {
            value.redact(replacement);
        }
    }

    fn conceal(&mut self, replacement: &str) {
        if let Some(value) = self {
            value.conceal(replacement);
        }
    }

    fn delete(&mut self, path: &[Step]) -> Result<(), LookupError> {
        self.as_mut().ok_or(LookupError)?.delete(path)
    }

    fn shape() -> Shape {
        T::shape()
    }
}
