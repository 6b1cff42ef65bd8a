//! Merging of free-form values, and what can go wrong when a patch is merged.

use std::collections::HashMap;

use yaml::Value;

/// Two free-form values under one key cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("merge type mismatch at {}: left is {left}, right is {right}", path.join("."))]
pub struct MergeError {
    /// The keys from the document's root.
    pub path: Vec<String>,
    /// The type that is there.
    pub left: &'static str,
    /// The type that the patch brings.
    pub right: &'static str,
}

impl MergeError {
    /// The same error one level up.
    #[must_use]
    pub fn under(mut self, key: &str) -> Self {
        self.path.insert(0, key.to_owned());
        self
    }
}

/// Merges free-form values: mappings by key, lists appended, scalars replaced.
///
/// # Errors
/// When a key has values of different types on both sides.
pub(crate) fn merge_values(left: &mut Value, right: &Value) -> Result<(), MergeError> {
    match (&mut *left, right) {
        (_, Value::Null) => Ok(()),
        (Value::Null, _) => {
            left.clone_from(right);
            Ok(())
        }
        (Value::Map(own), Value::Map(entries)) => {
            let places: HashMap<String, usize> =
                own.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect();
            for (key, value) in entries {
                match places.get(key).and_then(|at| own.get_mut(*at)) {
                    Some((_, found)) => {
                        merge_values(found, value).map_err(|error| error.under(key))?;
                    }
                    None => own.push((key.clone(), value.clone())),
                }
            }
            Ok(())
        }
        (Value::Seq(own), Value::Seq(items)) => {
            own.extend_from_slice(items);
            Ok(())
        }
        (l, r) if std::mem::discriminant(l) == std::mem::discriminant(r) => {
            left.clone_from(right);
            Ok(())
        }
        (l, r) => Err(MergeError { path: Vec::new(), left: kind(l), right: kind(r) }),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Int(_) | Value::Uint(_) => "an integer",
        Value::Float(_) => "a float",
        Value::String(_) | Value::Plain(_) => "a string",
        Value::Seq(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}
