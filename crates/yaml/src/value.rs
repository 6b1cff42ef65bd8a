//! The plain value tree that is written out. It knows nothing about positions or comments.

/// A YAML value: what the emitter writes and what free-form fields hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer; the reader uses it only above `i64::MAX`.
    Uint(u64),
    /// A floating point number.
    Float(f64),
    /// Text; quoted on output when a reader could take it for something else.
    String(String),
    /// Text that is written plain whatever a reader makes of it, such as the number `0o644`.
    Plain(String),
    /// A list.
    Seq(Vec<Value>),
    /// A mapping, written in the order given.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The value under `key`, when this is a mapping that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text, when this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The bool, when this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The items, when this is a list.
    #[must_use]
    pub fn as_seq(&self) -> Option<&[Value]> {
        match self {
            Self::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, when this is a mapping.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(String, Value)]> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Sorts the keys of this mapping and of every mapping below it in the emitter's map order.
    pub fn sort_keys(&mut self) {
        match self {
            Self::Seq(items) => items.iter_mut().for_each(Self::sort_keys),
            Self::Map(entries) => {
                entries.sort_by(|(a, _), (b, _)| crate::natural(a, b));
                entries.iter_mut().for_each(|(_, value)| value.sort_keys());
            }
            _ => {}
        }
    }

    /// Whether this is written below its key: an empty list or mapping stays on the key's line.
    pub(crate) fn is_block(&self) -> bool {
        match self {
            Self::Seq(items) => !items.is_empty(),
            Self::Map(entries) => !entries.is_empty(),
            _ => false,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Uint(value), Self::Int)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::Seq(items.into_iter().map(Into::into).collect())
    }
}

impl FromIterator<(String, Value)> for Value {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        Self::Map(entries.into_iter().collect())
    }
}
