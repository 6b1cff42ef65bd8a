//! A configuration: the v1alpha1 document, if any, and the documents of all other kinds.

use std::sync::Arc;

use yaml::{Node, Value};

use crate::document::{Document, Identity, Kind};
use crate::field::Field;
use crate::v1alpha1::V1Alpha1;

/// What the configuration was read from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The text as the user wrote it.
    pub(crate) bytes: Arc<[u8]>,
    /// The documents with their places.
    pub(crate) places: Arc<[(Identity, Node)]>,
}

/// A configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) legacy: Option<Box<V1Alpha1>>,
    pub(crate) documents: Vec<Box<dyn Document>>,
    pub(crate) source: Option<Source>,
}

impl PartialEq for Config {
    /// Equal content; where it was read from does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.legacy == other.legacy && self.documents == other.documents
    }
}

impl Config {
    /// A configuration of the given parts.
    #[must_use]
    pub fn new(legacy: Option<V1Alpha1>, documents: Vec<Box<dyn Document>>) -> Self {
        Self { legacy: legacy.map(Box::new), documents, source: None }
    }

    /// The v1alpha1 document; a configuration without it is not complete.
    #[must_use]
    pub fn v1alpha1(&self) -> Option<&V1Alpha1> {
        self.legacy.as_deref()
    }

    /// Whether the configuration is enough to run a node.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.legacy.is_some()
    }

    /// All documents but the v1alpha1 one, in their order.
    #[must_use]
    pub fn all(&self) -> &[Box<dyn Document>] {
        &self.documents
    }

    /// The documents of a kind, in their order.
    pub fn documents<K: Kind>(&self) -> impl Iterator<Item = &K> {
        self.documents.iter().filter_map(|document| document.as_any().downcast_ref())
    }

    /// The document of a kind that has no name, or the first of a named kind.
    #[must_use]
    pub fn document<K: Kind>(&self) -> Option<&K> {
        self.documents().next()
    }

    /// The document of a kind and a name.
    #[must_use]
    pub fn named<K: Kind>(&self, name: &str) -> Option<&K> {
        self.documents().find(|document: &&K| document.name() == name)
    }

    /// The text: what the user wrote, or the canonical encoding once the content was changed.
    #[must_use]
    pub fn bytes(&self) -> Arc<[u8]> {
        match &self.source {
            Some(source) => Arc::clone(&source.bytes),
            None => self.encode().into_bytes().into(),
        }
    }

    /// The canonical encoding: the v1alpha1 document first, keys in order, no comments.
    #[must_use]
    pub fn encode(&self) -> String {
        yaml::stream_to_string(&self.values())
    }

    /// The documents as values, in the order in which they are written.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        let legacy = self.legacy.iter().map(|document| Field::encode(document.as_ref()));
        legacy.chain(self.documents.iter().map(|document| document.encode())).collect()
    }

    /// The same configuration with every secret replaced.
    #[must_use]
    pub fn redacted(&self, replacement: &str) -> Self {
        let mut copy = self.clone();
        copy.source = None;
        if let Some(legacy) = &mut copy.legacy {
            Field::redact(legacy.as_mut(), replacement);
        }
        for document in &mut copy.documents {
            document.redact(replacement);
        }
        copy
    }
}
