//! Documents: the kinds of the language, and documents whose kind is known only at run time.

use std::any::Any;
use std::fmt;

use yaml::Value;

use crate::field::Field;
use crate::finding::Findings;
use crate::merge::MergeError;
use crate::patch::{LookupError, Step};
use crate::section::{Section, SectionInfo};
use crate::v1alpha1::V1Alpha1;

/// The only API version there is.
pub const API_VERSION: &str = "v1alpha1";

/// A document kind. The derive writes the implementation.
pub trait Kind: Section + Validate {
    /// The kind's name.
    const KIND: &'static str;
    /// The part of the system it configures.
    const GROUP: &'static str;
    /// The first release that knows it.
    const SINCE: &'static str;
    /// What a change does to a running node, or empty when it is applied at once.
    const EFFECT: &'static str;
    /// Whether there may be several, told apart by name.
    const NAMED: bool;
    /// Whether only control planes may have it.
    const CONTROL_PLANE: bool;
    /// A document that shows its use; it parses, validates and round-trips.
    const EXAMPLE: &'static str;

    /// The name, empty for kinds without.
    fn name(&self) -> &str;
}

/// The checks of a kind.
pub trait Validate {
    /// Checks the document alone.
    fn validate(&self, findings: &mut Findings) {
        let _ = findings;
    }

    /// Checks the document against the v1alpha1 document beside it.
    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let _ = (legacy, findings);
    }
}

/// What identifies a document within a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The kind; empty for the v1alpha1 document.
    pub kind: String,
    /// The name; empty for kinds without.
    pub name: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind.is_empty() {
            return write!(f, "/{API_VERSION}");
        }
        write!(f, "{API_VERSION}/{}", self.kind)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, "/{}", self.name) }
    }
}

/// A document of any kind.
pub trait Document: fmt::Debug + Send + Sync {
    /// The kind.
    fn info(&self) -> &'static KindInfo;
    /// The name, empty for kinds without.
    fn name(&self) -> &str;
    /// The document as it is written, header included.
    fn encode(&self) -> Value;
    /// Merges a patch of the same kind.
    ///
    /// # Errors
    /// When two free-form values under one key have different types.
    fn merge(&mut self, patch: &dyn Document) -> Result<(), MergeError>;
    /// Replaces every secret.
    fn redact(&mut self, replacement: &str);
    /// Deletes a field.
    ///
    /// # Errors
    /// When the path leads nowhere.
    fn delete(&mut self, path: &[Step]) -> Result<(), LookupError>;
    /// Checks the document alone.
    fn validate(&self, findings: &mut Findings);
    /// Checks the document against the v1alpha1 document beside it.
    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings);
    /// A copy.
    fn boxed(&self) -> Box<dyn Document>;
    /// Whether both documents are equal.
    fn equals(&self, other: &dyn Document) -> bool;
    /// For downcasting.
    fn as_any(&self) -> &dyn Any;
    /// For downcasting.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl dyn Document {
    /// The identity.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { kind: self.info().kind.to_owned(), name: self.name().to_owned() }
    }
}

impl Clone for Box<dyn Document> {
    fn clone(&self) -> Self {
        self.boxed()
    }
}

impl PartialEq for dyn Document {
    fn eq(&self, other: &Self) -> bool {
        self.equals(other)
    }
}

/// Reads a document: what it says, and the unknown keys below it.
pub type Decode =
    fn(&yaml::Node, &mut crate::decode::Decoder) -> (Box<dyn Document>, Option<Value>);

/// A kind as data.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo {
    /// The kind's name.
    pub kind: &'static str,
    /// The part of the system it configures.
    pub group: &'static str,
    /// The first release that knows it.
    pub since: &'static str,
    /// What a change does to a running node, or empty when it is applied at once.
    pub effect: &'static str,
    /// Whether there may be several, told apart by name.
    pub named: bool,
    /// Whether only control planes may have it.
    pub control_plane: bool,
    /// A document that shows its use.
    pub example: &'static str,
    /// The fields.
    pub section: SectionInfo,
    /// An empty document.
    pub empty: fn() -> Box<dyn Document>,
    /// Reads a document.
    pub decode: Decode,
}

impl KindInfo {
    /// The data of a kind.
    #[must_use]
    pub const fn of<K: Kind>() -> Self {
        Self {
            kind: K::KIND,
            group: K::GROUP,
            since: K::SINCE,
            effect: K::EFFECT,
            named: K::NAMED,
            control_plane: K::CONTROL_PLANE,
            example: K::EXAMPLE,
            section: SectionInfo { docs: K::DOCS, fields: K::FIELDS },
            empty: || Box::new(K::default()),
            decode: |node, cx| {
                let mut document = K::default();
                let unknown = decode_document(&mut document, node, cx);
                (Box::new(document), unknown)
            },
        }
    }
}

/// Reads the fields of a document; the header keys are known to every kind.
fn decode_document<K: Kind>(
    document: &mut K,
    node: &yaml::Node,
    cx: &mut crate::decode::Decoder,
) -> Option<Value> {
    let mut unknown = Vec::new();
    for entry in node.entries().unwrap_or_default() {
        if matches!(entry.key.as_str(), "apiVersion" | "kind") {
            continue;
        }
        match document.decode_entry(entry, cx) {
            crate::section::Known::Yes(None) => {}
            crate::section::Known::Yes(Some(below)) => unknown.push((entry.key.clone(), below)),
            crate::section::Known::No => {
                cx.unknown(entry);
                unknown.push((entry.key.clone(), entry.value.to_value()));
            }
        }
    }
    if unknown.is_empty() { None } else { Some(Value::Map(unknown)) }
}

impl<K: Kind> Document for K {
    fn info(&self) -> &'static KindInfo {
        const { &KindInfo::of::<K>() }
    }

    fn name(&self) -> &str {
        Kind::name(self)
    }

    fn encode(&self) -> Value {
        let mut entries = vec![
            ("apiVersion".to_owned(), Value::from(API_VERSION)),
            ("kind".to_owned(), Value::from(K::KIND)),
        ];
        self.encode_entries(&mut entries);
        Value::Map(entries)
    }

    fn merge(&mut self, patch: &dyn Document) -> Result<(), MergeError> {
        match patch.as_any().downcast_ref::<K>() {
            Some(patch) => self.merge_fields(patch),
            None => Ok(()),
        }
    }

    fn redact(&mut self, replacement: &str) {
        self.redact_fields(replacement);
    }

    fn delete(&mut self, path: &[Step]) -> Result<(), LookupError> {
        Field::delete(self, path)
    }

    fn validate(&self, findings: &mut Findings) {
        Validate::validate(self, findings);
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        Validate::conflicts(self, legacy, findings);
    }

    fn boxed(&self) -> Box<dyn Document> {
        Box::new(self.clone())
    }

    fn equals(&self, other: &dyn Document) -> bool {
        other.as_any().downcast_ref::<K>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
