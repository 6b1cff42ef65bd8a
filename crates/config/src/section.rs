//! Sections: mappings with known keys. The derive writes the implementations.

use yaml::{Entry, Node, Value};

use crate::decode::Decoder;
use crate::field::{Field, Shape};
use crate::merge::MergeError;
use crate::patch::{LookupError, Step};

/// Whether a section knows a key, and what below it was unknown.
#[derive(Debug, PartialEq)]
pub enum Known {
    /// The key is a field; the value holds the unknown keys below it, if any.
    Yes(Option<Value>),
    /// No field of that name.
    No,
}

/// Everything the language says about one field of a section.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// The key.
    pub name: &'static str,
    /// The meaning.
    pub docs: &'static str,
    /// What values the field takes.
    pub shape: fn() -> Shape,
    /// What an absent field means, or empty.
    pub default: &'static str,
    /// The kind that replaces a deprecated field, or empty.
    pub instead: &'static str,
    /// The first release that knows the field, or empty when as old as its document.
    pub since: &'static str,
    /// The accepted words, separated by commas, or empty.
    pub values: &'static str,
    /// What a change does to a running node, or empty when it is applied at once.
    pub effect: &'static str,
    /// Written even when empty.
    pub keep: bool,
    /// A patch replaces the value.
    pub replace: bool,
    /// List items with the same key merge.
    pub keyed: bool,
    /// Concealed by redaction.
    pub secret: bool,
    /// The shape is a section whose fields stand in this mapping.
    pub inline: bool,
    /// Must be given.
    pub required: bool,
    /// Accepted without effect.
    pub ignored: bool,
}

/// A mapping with known keys.
pub trait Section: Clone + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// What the section is for.
    const DOCS: &'static str;
    /// The fields in the order in which they are written.
    const FIELDS: &'static [FieldInfo];

    /// Takes one entry of the mapping.
    fn decode_entry(&mut self, entry: &Entry, cx: &mut Decoder) -> Known;
    /// Appends the entries that are to be written.
    fn encode_entries(&self, out: &mut Vec<(String, Value)>);
    /// Merges the fields of a patch into this section.
    ///
    /// # Errors
    /// When two free-form values under one key have different types.
    fn merge_fields(&mut self, right: &Self) -> Result<(), MergeError>;
    /// Replaces every secret below.
    fn redact_fields(&mut self, replacement: &str);
    /// Whether no field was given; an empty list that was given counts as given.
    fn fields_empty(&self) -> bool;
    /// Deletes a field or something below it.
    ///
    /// # Errors
    /// When the path leads nowhere.
    fn delete_field(&mut self, key: &str, rest: &[Step]) -> Result<(), LookupError>;

    /// The fields, for code that has only a value.
    fn fields(&self) -> &'static [FieldInfo] {
        Self::FIELDS
    }
}

/// Whether a field table has a key, inline sections included.
#[must_use]
pub fn has_field(fields: &[FieldInfo], key: &str) -> bool {
    fields.iter().any(|field| {
        if field.inline {
            matches!((field.shape)(), Shape::Section(section) if has_field(section.fields, key))
        } else {
            field.name == key
        }
    })
}

/// A section as data, for schema and documentation.
#[derive(Clone, Copy, Debug)]
pub struct SectionInfo {
    /// What the section is for.
    pub docs: &'static str,
    /// Its fields.
    pub fields: &'static [FieldInfo],
}

impl SectionInfo {
    /// The fields with inline sections flattened.
    #[must_use]
    pub fn flat(&self) -> Vec<&'static FieldInfo> {
        let mut out = Vec::new();
        for field in self.fields {
            match (field.inline, (field.shape)()) {
                (true, Shape::Section(section)) => out.extend(section.flat()),
                _ => out.push(field),
            }
        }
        out
    }
}

impl<T: Section> Field for T {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        if node.is_null() {
            return None;
        }
        let Some(entries) = node.entries() else {
            cx.mismatch(node, "a mapping");
            return None;
        };
        let mut unknown = Vec::new();
        for entry in entries {
            match self.decode_entry(entry, cx) {
                Known::Yes(None) => {}
                Known::Yes(Some(below)) => unknown.push((entry.key.clone(), below)),
                Known::No => {
                    cx.unknown(entry);
                    unknown.push((entry.key.clone(), entry.value.to_value()));
                }
            }
        }
        if unknown.is_empty() { None } else { Some(Value::Map(unknown)) }
    }

    fn encode(&self) -> Value {
        let mut entries = Vec::new();
        self.encode_entries(&mut entries);
        Value::Map(entries)
    }

    fn is_empty(&self) -> bool {
        self.fields_empty()
    }

    fn merge(&mut self, right: &Self) -> Result<(), MergeError> {
        self.merge_fields(right)
    }

    fn overlay(&mut self, right: &Self) -> Result<(), MergeError> {
        self.merge_fields(right)
    }

    fn redact(&mut self, replacement: &str) {
        self.redact_fields(replacement);
    }

    fn conceal(&mut self, replacement: &str) {
        self.redact_fields(replacement);
    }

    fn delete(&mut self, path: &[Step]) -> Result<(), LookupError> {
        match path {
            [Step::Key(key), rest @ ..] => self.delete_field(key, rest),
            _ => Err(LookupError),
        }
    }

    fn shape() -> Shape {
        Shape::Section(SectionInfo { docs: T::DOCS, fields: T::FIELDS })
    }
}
