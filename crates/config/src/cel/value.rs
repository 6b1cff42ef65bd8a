//! Values.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Object, Type};

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Null.
    Null,
    /// A bool.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A floating point number.
    Double(f64),
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A length of time in nanoseconds.
    Duration(i64),
    /// A list.
    List(Vec<Value>),
    /// A map, in no particular order.
    Map(Vec<(Value, Value)>),
    /// A value that may be missing.
    Optional(Option<Box<Value>>),
    /// An object; a field without a value has the zero of its type.
    Object(&'static Object, BTreeMap<String, Value>),
}

impl Value {
    /// The zero of a type.
    pub(crate) fn zero(of: &Type) -> Self {
        match of {
            Type::Dyn | Type::Null => Self::Null,
            Type::Bool => Self::Bool(false),
            Type::Int => Self::Int(0),
            Type::Uint => Self::Uint(0),
            Type::Double => Self::Double(0.0),
            Type::String => Self::String(String::new()),
            Type::Bytes => Self::Bytes(Vec::new()),
            Type::Duration => Self::Duration(0),
            Type::Strings | Type::List(_) => Self::List(Vec::new()),
            Type::Map(..) => Self::Map(Vec::new()),
            Type::Optional(_) => Self::Optional(None),
            Type::Object(object) => Self::Object(object, BTreeMap::new()),
        }
    }

    /// The value as it is written in an expression, for messages.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Uint(value) => format!("{value}u"),
            Self::Double(value) => value.to_string(),
            Self::String(value) => format!("{value:?}"),
            other => format!("{other:?}"),
        }
    }

    /// The order of two values of one kind, or of two numbers.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Uint(a), Self::Uint(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
            (Self::Uint(a), Self::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
            (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(b)),
            (Self::String(a), Self::String(b)) => Some(a.cmp(b)),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            _ => self.number()?.partial_cmp(&other.number()?),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "only compared with a double")]
    fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Uint(value) => Some(*value as f64),
            Self::Double(value) => Some(*value),
            _ => None,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, value)| {
                        b.iter().any(|(other, theirs)| key == other && value == theirs)
                    })
            }
            (Self::Optional(a), Self::Optional(b)) => a == b,
            (Self::Object(a, values), Self::Object(b, others)) => {
                a.name == b.name && values == others
            }
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }
}
