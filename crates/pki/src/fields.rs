//! Reading the few forms that the YAML files of this crate are made of.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use yaml::{Node, Value};

/// A YAML file of this crate cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// The text is not YAML.
    #[error("reading YAML")]
    Yaml(#[from] yaml::ParseError),
    /// A value has the wrong form.
    #[error("reading {path} on line {line}: expected {expected}")]
    Form {
        /// Keys down to the value, joined by dots.
        path: String,
        /// Line of the value.
        line: u32,
        /// What should stand there.
        expected: &'static str,
    },
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The text of the field at a path of keys; empty when it or anything above it is missing.
pub(crate) fn text(root: &Node, path: &[&str]) -> Result<String, FieldError> {
    let mut node = root;
    for (depth, key) in path.iter().enumerate() {
        if node.is_null() {
            return Ok(String::new());
        }
        if node.entries().is_none() {
            return Err(form(node, &path[..depth], "a mapping"));
        }
        match node.entry(key) {
            Some(next) => node = next,
            None => return Ok(String::new()),
        }
    }
    if node.is_null() {
        return Ok(String::new());
    }
    node.text().map(str::to_owned).ok_or_else(|| form(node, path, "text"))
}

/// The text under base64 at a path of keys.
pub(crate) fn encoded(root: &Node, path: &[&str]) -> Result<String, FieldError> {
    let packed: String = text(root, path)?.split_whitespace().collect();
    let node = path.iter().try_fold(root, |node, key| node.entry(key)).unwrap_or(root);
    LENIENT
        .decode(&packed)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| form(node, path, "base64 of a PEM text"))
}

/// The list of texts at a path of keys, a single text counting as a list of one.
pub(crate) fn list(root: &Node, path: &[&str]) -> Result<Vec<String>, FieldError> {
    let Some(node) = path.iter().try_fold(root, |node, key| node.entry(key)) else {
        return Ok(Vec::new());
    };
    if node.is_null() {
        return Ok(Vec::new());
    }
    if let Some(text) = node.text() {
        return Ok(vec![text.to_owned()]);
    }
    let items = node.items().ok_or_else(|| form(node, path, "a list"))?;
    items
        .iter()
        .map(|item| item.text().map(str::to_owned).ok_or_else(|| form(item, path, "text")))
        .collect()
}

pub(crate) fn form(node: &Node, path: &[&str], expected: &'static str) -> FieldError {
    let path = if path.is_empty() { "the document".to_owned() } else { path.join(".") };
    FieldError::Form { path, line: node.at.line, expected }
}

/// A PEM text as the files hold it.
pub(crate) fn encode(text: &str) -> Value {
    Value::String(STANDARD.encode(text))
}

/// A mapping of the entries, in order.
pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A mapping of the entries that are not empty, in order.
pub(crate) fn map_of_set<const N: usize>(entries: [(&str, Value); N]) -> Value {
    entries
        .into_iter()
        .filter(|(_, value)| match value {
            Value::String(text) => !text.is_empty(),
            Value::Seq(items) => !items.is_empty(),
            Value::Map(entries) => !entries.is_empty(),
            Value::Null => false,
            _ => true,
        })
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
