//! Patches: strategic merge with deletion, and JSON patches.
//!
//! A patch is YAML or JSON. A configuration stream, complete or not, is merged document by document;
//! `$patch: delete` in it deletes. A list of operations is a JSON patch, which only a configuration
//! of one document takes. [`load`] finds out which one a text is, [`apply`] applies several in order.

mod apply;
mod extract;
mod json;
mod load;
mod pointer;

pub use apply::{ApplyError, apply, apply_to};
pub use extract::DeleteError;
pub use json::{JsonPatch, JsonPatchError, Operation};
pub use load::{Patch, PatchLoadError, Strategic, load, reference};

use std::fmt;

use crate::field::Field;

/// One step of a deletion path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A key of a mapping.
    Key(String),
    /// The first list item whose field `key` is written as `value`.
    Item {
        /// The field of the item.
        key: String,
        /// Its text.
        value: String,
    },
}

/// A deletion path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if number > 0 => write!(f, ".{key}")?,
                Step::Key(key) => f.write_str(key)?,
                Step::Item { key, value } => write!(f, "[{key}={value}]")?,
            }
        }
        Ok(())
    }
}

/// A deletion path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lookup failed")]
pub struct LookupError;

/// Deletes a field or what the rest of a path leads to inside it.
pub(crate) fn delete_in<T: Field>(field: &mut T, rest: &[Step]) -> Result<(), LookupError> {
    if rest.is_empty() {
        *field = T::default();
        return Ok(());
    }
    field.delete(rest)
}
