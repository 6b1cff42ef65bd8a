//! Patches: deletion by path, strategic merge, JSON patches.

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
