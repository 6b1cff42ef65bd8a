//! Extra command-line arguments: text, or a list of texts for an argument that is given repeatedly.

use yaml::{Node, Value};

use crate::decode::Decoder;
use crate::field::{Field, Shape};
use crate::map::Map;

/// The value of one argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A single value.
    Text(String),
    /// A value per repetition.
    List(Vec<String>),
}

impl Arg {
    /// The values in order.
    #[must_use]
    pub fn values(&self) -> &[String] {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::List(list) => list,
        }
    }
}

impl Default for Arg {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Arguments by name, without leading dashes.
pub type Args = Map<Arg>;

impl Field for Arg {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        let texts: Option<Vec<String>> = node
            .items()
            .map(|items| items.iter().map(|item| item.scalar().map(|s| s.text.clone())).collect())
            .unwrap_or_default();
        match (node.scalar(), texts) {
            (Some(_), _) if node.is_null() => {}
            (Some(scalar), _) => *self = Self::Text(scalar.text.clone()),
            (None, Some(texts)) => *self = Self::List(texts),
            (None, None) => cx.refused(node, "value must be a string or list of strings"),
        }
        None
    }

    fn encode(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::List(list) => Value::Seq(list.iter().cloned().map(Value::String).collect()),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    fn merge(&mut self, right: &Self) -> Result<(), crate::merge::MergeError> {
        self.clone_from(right);
        Ok(())
    }

    fn shape() -> Shape {
        Shape::TextOrList
    }
}

impl From<Vec<String>> for Arg {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}
