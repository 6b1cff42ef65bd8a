//! Fields that most resources of a type leave empty, kept apart so that they take one word.

use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use yaml::Value;

use crate::{DecodeError, Message, Wire};

/// A message that is usually empty. It reads like the message itself.
#[derive(Clone, Debug)]
pub struct Rare<T>(Option<Box<T>>);

/// Gives the value that an empty [`Rare`] reads as.
pub trait Empty: Message {
    /// The shared default value.
    fn empty() -> &'static LazyLock<Self>;
}

impl<T: Message> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Message> PartialEq for Rare<T> {
    /// A box with default values is as empty as none.
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(two)) => one == two,
            (Some(one), None) | (None, Some(one)) => **one == T::default(),
        }
    }
}

impl<T: Empty> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::empty())
    }
}

impl<T: Empty> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Message> Message for Rare<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        if let Some(inner) = &self.0 {
            inner.encode(out);
        }
    }

    fn merge(&mut self, number: u32, wire: Wire<'_>) -> Result<bool, DecodeError> {
        if let Some(inner) = &mut self.0 {
            return inner.merge(number, wire);
        }
        let mut inner = T::default();
        let known = inner.merge(number, wire)?;
        if known {
            self.0 = Some(Box::new(inner));
        }
        Ok(known)
    }

    fn to_yaml(&self) -> Value {
        match &self.0 {
            Some(inner) => inner.to_yaml(),
            None => T::default().to_yaml(),
        }
    }
}
