//! Mappings with free keys and typed values.

use std::collections::BTreeMap;
use std::ops::Deref;

use yaml::{Node, Value};

use crate::decode::Decoder;
use crate::field::{Field, Shape};
use crate::merge::MergeError;
use crate::patch::{LookupError, Step};

/// A mapping that remembers whether it was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Map<T> {
    given: bool,
    entries: BTreeMap<String, T>,
}

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self { given: false, entries: BTreeMap::new() }
    }
}

impl<T> Map<T> {
    /// Sets a key.
    pub fn insert(&mut self, key: impl Into<String>, value: T) {
        self.given = true;
        self.entries.insert(key.into(), value);
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) -> Option<T> {
        self.entries.remove(key)
    }

    /// Whether the mapping was given, even if empty.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.given
    }
}

impl<T> Deref for Map<T> {
    type Target = BTreeMap<String, T>;

    fn deref(&self) -> &BTreeMap<String, T> {
        &self.entries
    }
}

impl<T> FromIterator<(String, T)> for Map<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(entries: I) -> Self {
        Self { given: true, entries: entries.into_iter().collect() }
    }
}

impl<'a, T> IntoIterator for &'a Map<T> {
    type Item = (&'a String, &'a T);
    type IntoIter = std::collections::btree_map::Iter<'a, String, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

impl<T: Field> Field for Map<T> {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        if node.is_null() {
            *self = Self::default();
            return None;
        }
        let Some(entries) = node.entries() else {
            cx.mismatch(node, "a mapping");
            return None;
        };
        let (mut own, mut unknown) = (BTreeMap::new(), Vec::new());
        for entry in entries {
            let mut value = T::default();
            unknown.extend(value.decode(&entry.value, cx).map(|below| (entry.key.clone(), below)));
            own.insert(entry.key.clone(), value);
        }
        *self = Self { given: true, entries: own };
        if unknown.is_empty() { None } else { Some(Value::Map(unknown)) }
    }

    fn encode(&self) -> Value {
        let mut entries: Vec<_> =
            self.iter().map(|(key, value)| (key.clone(), value.encode())).collect();
        entries.sort_by(|(a, _), (b, _)| yaml::natural(a, b));
        Value::Map(entries)
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn merge(&mut self, right: &Self) -> Result<(), MergeError> {
        self.given |= right.given;
        for (key, value) in right {
            match self.entries.get_mut(key) {
                Some(left) => left.merge(value).map_err(|error| error.under(key))?,
                None => {
                    self.entries.insert(key.clone(), value.clone());
                }
            }
        }
        Ok(())
    }

    fn overlay(&mut self, right: &Self) -> Result<(), MergeError> {
        self.merge(right)
    }

    fn is_unset(&self) -> bool {
        !self.given
    }

    fn redact(&mut self, replacement: &str) {
        self.entries.values_mut().for_each(|value| value.redact(replacement));
    }

    fn conceal(&mut self, replacement: &str) {
        self.entries.values_mut().for_each(|value| value.conceal(replacement));
    }

    fn delete(&mut self, path: &[Step]) -> Result<(), LookupError> {
        let Some((Step::Key(key), rest)) = path.split_first() else {
            return Err(LookupError);
        };
        if rest.is_empty() {
            return self.entries.remove(key).map(drop).ok_or(LookupError);
        }
        self.entries.get_mut(key).ok_or(LookupError)?.delete(rest)
    }

    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }
}
