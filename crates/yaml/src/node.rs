//! The parsed tree: every node knows where it stands in the text.

use crate::{Resolved, Value, resolve};

/// A place in the text, both counted from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// A node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the node begins.
    pub at: Position,
    /// What the node is.
    pub kind: NodeKind,
}

/// The three kinds of nodes; aliases are already replaced by what they stand for.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping in the order of the text, merge keys already applied.
    Map(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The text of the key.
    pub key: String,
    /// Where the key stands.
    pub at: Position,
    /// The value.
    pub value: Node,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarStyle {
    /// Without quotes: the text decides the type.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// As a literal or folded block.
    Block,
}

/// A scalar: its text and how it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// The text with quotes and escapes removed.
    pub text: String,
    /// How it was written.
    pub style: ScalarStyle,
    /// An explicit core-schema tag such as `str` or `int`.
    pub tag: Option<String>,
}

/// A key that a mapping defines twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The key.
    pub key: String,
    /// Where it stands the second time.
    pub at: Position,
    /// Where it stood first.
    pub first: Position,
}

impl Scalar {
    /// What the scalar means.
    #[must_use]
    pub fn resolved(&self) -> Resolved {
        match self.tag.as_deref() {
            Some("str") => Resolved::String,
            Some("null") => Resolved::Null,
            // The explicit tag keeps a quoted number a number.
            Some("bool" | "int" | "float") => resolve(&self.text),
            _ if self.style == ScalarStyle::Plain => resolve(&self.text),
            _ => Resolved::String,
        }
    }
}

impl Node {
    /// The value under `key`, when this is a mapping that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Node> {
        self.find(key).map(|entry| &entry.value)
    }

    /// The entry of `key`, when this is a mapping that has it.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// The entries, when this is a mapping.
    #[must_use]
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.kind {
            NodeKind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, when this is a list.
    #[must_use]
    pub fn items(&self) -> Option<&[Node]> {
        match &self.kind {
            NodeKind::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The scalar, when this is one.
    #[must_use]
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            NodeKind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar that is not null.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.scalar().filter(|s| s.resolved() != Resolved::Null).map(|s| s.text.as_str())
    }

    /// Whether this is a null scalar.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|s| s.resolved() == Resolved::Null)
    }

    /// The YAML tag of the node, in its short form.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar(scalar) => scalar.resolved().tag(),
            NodeKind::Seq(_) => "!!seq",
            NodeKind::Map(_) => "!!map",
        }
    }

    /// The plain value of the node, positions dropped, keys in the order of the text.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Scalar(scalar) => match scalar.resolved() {
                Resolved::Null => Value::Null,
                Resolved::Bool(value) => Value::Bool(value),
                Resolved::Int(value) => Value::Int(value),
                Resolved::Uint(value) => Value::Uint(value),
                Resolved::Float(value) => Value::Float(value),
                Resolved::Timestamp | Resolved::Merge | Resolved::String => {
                    Value::String(scalar.text.clone())
                }
            },
            NodeKind::Seq(items) => Value::Seq(items.iter().map(Self::to_value).collect()),
            NodeKind::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect()
            }
        }
    }
}
