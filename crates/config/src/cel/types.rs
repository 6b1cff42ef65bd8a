//! Types.

use std::fmt;

/// An object with known fields.
#[derive(Debug)]
pub struct Object {
    /// Its name in messages.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [(&'static str, Type)],
}

/// A type.
#[derive(Clone, Debug)]
pub enum Type {
    /// Known only at run time.
    Dyn,
    /// Null.
    Null,
    /// A bool.
    Bool,
    /// A signed integer.
    Int,
    /// An unsigned integer.
    Uint,
    /// A floating point number.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A length of time.
    Duration,
    /// A list of texts, which needs no allocation in a field table.
    Strings,
    /// A list.
    List(Box<Type>),
    /// A map.
    Map(Box<Type>, Box<Type>),
    /// A value that may be missing.
    Optional(Box<Type>),
    /// An object.
    Object(&'static Object),
}

impl Type {
    /// A list of a type.
    #[must_use]
    pub fn list(item: Type) -> Self {
        Self::List(Box::new(item))
    }

    /// The items of a list.
    pub(crate) fn item(&self) -> Option<Type> {
        match self {
            Self::List(item) => Some((**item).clone()),
            Self::Strings => Some(Self::String),
            _ => None,
        }
    }

    /// Whether a value of this type can stand where the other is wanted.
    pub(crate) fn fits(&self, want: &Self) -> bool {
        match (self, want) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::Map(k, v), Self::Map(wk, wv)) => k.fits(wk) && v.fits(wv),
            (Self::Optional(value), Self::Optional(want)) => value.fits(want),
            (Self::List(_) | Self::Strings, Self::List(_) | Self::Strings) => {
                matches!((self.item(), want.item()), (Some(a), Some(b)) if a.fits(&b))
            }
            _ => self == want,
        }
    }

    /// Whether this is one of the three kinds of numbers.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(_) | Self::Strings, Self::List(_) | Self::Strings) => {
                self.item() == other.item()
            }
            (Self::Map(k, v), Self::Map(ok, ov)) => k == ok && v == ov,
            (Self::Optional(value), Self::Optional(other)) => value == other,
            (Self::Object(a), Self::Object(b)) => a.name == b.name,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn => f.write_str("dyn"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Duration => f.write_str("google.protobuf.Duration"),
            Self::Strings => f.write_str("list(string)"),
            Self::List(item) => write!(f, "list({item})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Optional(value) => write!(f, "optional_type({value})"),
            Self::Object(object) => f.write_str(object.name),
        }
    }
}
