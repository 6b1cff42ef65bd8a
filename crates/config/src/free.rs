//! Free-form mappings: whatever the user wrote, kept as it is.

use yaml::{Node, Value};

use crate::decode::Decoder;
use crate::field::{Field, Shape};
use crate::merge::{MergeError, merge_values};
use crate::patch::{LookupError, Step};

/// Any mapping, or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Free(Option<Value>);

impl Free {
    /// A free-form mapping; anything but a mapping counts as none.
    #[must_use]
    pub fn new(mut value: Value) -> Self {
        value.sort_keys();
        Self(matches!(value, Value::Map(_)).then_some(value))
    }

    /// The mapping, when it was given.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        self.0.as_ref()
    }

    /// The value of a top-level key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Value> {
        self.0.as_ref()?.entry(key)
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[(String, Value)] {
        self.0.as_ref().and_then(Value::as_map).unwrap_or_default()
    }

    /// Whether the mapping was given, even if empty.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }
}

impl Field for Free {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        if node.is_null() {
            self.0 = None;
        } else if node.entries().is_some() {
            *self = Self::new(node.to_value());
        } else {
            cx.mismatch(node, "a mapping");
        }
        None
    }

    fn encode(&self) -> Value {
        self.0.clone().unwrap_or_else(|| Value::Map(Vec::new()))
    }

    fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    fn merge(&mut self, right: &Self) -> Result<(), MergeError> {
        let Some(right) = &right.0 else { return Ok(()) };
        let left = self.0.get_or_insert_default();
        merge_values(left, right)?;
        left.sort_keys();
        Ok(())
    }

    fn overlay(&mut self, right: &Self) -> Result<(), MergeError> {
        self.merge(right)
    }

    fn is_unset(&self) -> bool {
        self.0.is_none()
    }

    fn conceal(&mut self, replacement: &str) {
        if let Some(value) = &mut self.0 {
            conceal(value, replacement);
        }
    }

    fn delete(&mut self, path: &[Step]) -> Result<(), LookupError> {
        delete(self.0.as_mut().ok_or(LookupError)?, path)
    }

    fn shape() -> Shape {
        Shape::Free
    }
}

fn conceal(value: &mut Value, replacement: &str) {
    match value {
        Value::Seq(items) => items.iter_mut().for_each(|item| conceal(item, replacement)),
        Value::Map(entries) => {
            entries.iter_mut().for_each(|(_, value)| conceal(value, replacement));
        }
        Value::String(text) if text.is_empty() => {}
        Value::Null => {}
        _ => *value = Value::String(replacement.to_owned()),
    }
}

fn delete(value: &mut Value, path: &[Step]) -> Result<(), LookupError> {
    let (Some((Step::Key(key), rest)), Value::Map(entries)) = (path.split_first(), value) else {
        return Err(LookupError);
    };
    let at = entries.iter().position(|(candidate, _)| candidate == key).ok_or(LookupError)?;
    if rest.is_empty() {
        entries.remove(at);
        return Ok(());
    }
    entries.get_mut(at).map_or(Err(LookupError), |(_, value)| delete(value, rest))
}

/// A scalar as the text that a selector compares.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::String(value) | Value::Plain(value) => value.clone(),
        Value::Null | Value::Seq(_) | Value::Map(_) => String::new(),
    }
}
