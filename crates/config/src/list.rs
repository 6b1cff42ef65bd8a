//! Lists. An unset list and an empty one are different: an empty one is given on purpose.

use std::ops::{Deref, DerefMut};

use yaml::{Node, Value};

use crate::decode::Decoder;
use crate::field::{Field, Shape};
use crate::merge::MergeError;
use crate::patch::{LookupError, Step};

/// A list that remembers whether it was given.
#[derive(Clone, Debug, PartialEq)]
pub struct List<T>(Option<Vec<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> List<T> {
    /// An empty list that was given.
    #[must_use]
    pub fn empty() -> Self {
        Self(Some(Vec::new()))
    }

    /// Appends an item.
    pub fn push(&mut self, item: T) {
        self.0.get_or_insert_default().push(item);
    }

    /// Whether the list was given, even if empty.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<T> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_deref_mut().unwrap_or_default()
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self(Some(items))
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(Some(items.into_iter().collect()))
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Field> Field for List<T> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        if node.is_null() {
            self.0 = None;
            return None;
        }
        let Some(nodes) = node.items() else {
            cx.mismatch(node, "a list");
            return None;
        };
        let (mut items, mut unknown) = (Vec::with_capacity(nodes.len()), Vec::new());
        for node in nodes {
            let mut item = T::default();
            unknown.extend(item.decode(node, cx));
            items.push(item);
        }
        self.0 = Some(items);
        if unknown.is_empty() { None } else { Some(Value::Seq(unknown)) }
    }

    fn encode(&self) -> Value {
        Value::Seq(self.iter().map(Field::encode).collect())
    }

    fn is_empty(&self) -> bool {
        <[T]>::is_empty(self)
    }

    fn merge(&mut self, right: &Self) -> Result<(), MergeError> {
        if let Some(items) = &right.0 {
            self.0.get_or_insert_default().extend_from_slice(items);
        }
        Ok(())
    }

    fn overlay(&mut self, right: &Self) -> Result<(), MergeError> {
        self.merge(right)
    }

    fn is_unset(&self) -> bool {
        self.0.is_none()
    }

    fn redact(&mut self, replacement: &str) {
        self.iter_mut().for_each(|item| item.redact(replacement));
    }

    fn conceal(&mut self, replacement: &str) {
        self.iter_mut().for_each(|item| item.conceal(replacement));
    }

    fn delete(&mut self, path: &[Step]) -> Result<(), LookupError> {
        let ([Step::Item { key, value }], Some(items)) = (path, &mut self.0) else {
            return Err(LookupError);
        };
        let matches = |item: &T| {
            item.encode().entry(key).is_some_and(|found| crate::free::text(found) == *value)
        };
        let at = items.iter().position(matches).ok_or(LookupError)?;
        items.remove(at);
        Ok(())
    }

    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}

/// List items that a patch finds by a key.
pub trait Keyed: Field {
    /// Whether the patch's item is meant for this one.
    fn same_key(&self, patch: &Self) -> bool;

    /// Takes the patch's item.
    ///
    /// # Errors
    /// As for [`Field::merge`].
    fn take(&mut self, patch: &Self) -> Result<(), MergeError> {
        self.merge(patch)
    }
}

impl<T: Keyed> Keyed for Option<T> {
    fn same_key(&self, patch: &Self) -> bool {
        matches!((self, patch), (Some(left), Some(right)) if left.same_key(right))
    }
}

/// Merges a list whose items have keys: the same key merges, a new one is appended.
///
/// # Errors
/// As for [`Field::merge`].
pub(crate) fn merge_keyed<T: Keyed>(left: &mut List<T>, right: &List<T>) -> Result<(), MergeError> {
    let Some(items) = &right.0 else { return Ok(()) };
    let own = left.0.get_or_insert_default();
    for item in items {
        match own.iter_mut().find(|candidate| candidate.same_key(item)) {
            Some(found) => found.take(item)?,
            None => own.push(item.clone()),
        }
    }
    Ok(())
}
