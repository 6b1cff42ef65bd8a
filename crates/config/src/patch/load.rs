//! Reading a patch: a configuration stream, or a list of operations.

use yaml::Node;

use super::extract::{DeleteError, extract, is_marked};
use super::{JsonPatch, JsonPatchError, Path};
use crate::document::Identity;
use crate::error::{DocumentError, LoadError, LoadErrors};
use crate::load::{Header, Loaded, decode};

/// A patch.
#[derive(Clone, Debug)]
pub enum Patch {
    /// Documents that are merged.
    Strategic(Strategic),
    /// Operations on a single document.
    Json(JsonPatch),
}

/// Documents that are merged, in order.
#[derive(Clone, Debug)]
pub struct Strategic {
    pub(crate) documents: Vec<PatchDocument>,
}

/// One document of a strategic patch.
#[derive(Clone, Debug)]
pub(crate) struct PatchDocument {
    /// What it is aimed at.
    pub(crate) identity: Identity,
    /// Whether the whole document is deleted.
    pub(crate) delete: bool,
    /// What is deleted in it.
    pub(crate) paths: Vec<Path>,
    /// What is merged into it.
    pub(crate) content: Option<Loaded>,
}

/// Why a text is not a patch.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PatchLoadError {
    /// Not a configuration either.
    #[error("{0}")]
    Config(LoadErrors),
    /// A deletion that cannot be.
    #[error("{0}")]
    Delete(DeleteError),
    /// A list that is not a list of operations.
    #[error("{0}")]
    Json(JsonPatchError),
    /// A list, but not of mappings.
    #[error(
        "failed to parse the patch as JSON: a list of operations is wanted, each a mapping with op and path"
    )]
    NotOperations,
    /// Neither a configuration nor a list of operations.
    #[error("failed to parse the patch as JSON: {0}")]
    NotJson(yaml::ParseError),
}

/// The file that a patch argument names, if it names one: it begins with `@`, or it has neither a
/// line break nor a space and does not begin like JSON.
#[must_use]
pub fn reference(argument: &str) -> Option<&str> {
    if let Some(file) = argument.strip_prefix('@') {
        return Some(file);
    }
    let inline = argument.contains(['\n', ' ']) || argument.starts_with(['[', '{']);
    (!inline).then_some(argument)
}

/// Reads a patch.
///
/// # Errors
/// Says why the text is neither a configuration nor a list of operations.
pub fn load(text: &[u8]) -> Result<Patch, PatchLoadError> {
    let documents = match yaml::parse(text) {
        Ok(documents) => documents,
        Err(error) if text.trim_ascii_start().starts_with(b"[") => {
            return Err(PatchLoadError::NotJson(error));
        }
        Err(error) => return Err(PatchLoadError::Config(LoadError::Syntax(error).into())),
    };
    if let [only] = documents.as_slice()
        && let Some(items) = only.root.items()
        && items.iter().all(|item| item.entries().is_some())
    {
        return JsonPatch::from_value(&only.root.to_value())
            .map(Patch::Json)
            .map_err(PatchLoadError::Json);
    }
    if text.trim_ascii_start().starts_with(b"[") {
        return Err(PatchLoadError::NotOperations);
    }
    let mut errors = Vec::new();
    let mut out = Vec::new();
    for document in documents {
        if document.root.is_null() {
            continue;
        }
        match self::document(document.root, &document.duplicates) {
            Ok(document) => out.push(document),
            Err(Problem::Delete(error)) => return Err(PatchLoadError::Delete(error)),
            Err(Problem::Load(error)) => errors.push(error),
        }
    }
    if errors.is_empty() && out.is_empty() {
        errors.push(LoadError::NotFound);
    }
    if !errors.is_empty() {
        return Err(PatchLoadError::Config(LoadErrors { errors }));
    }
    Ok(Patch::Strategic(Strategic { documents: out }))
}

enum Problem {
    Load(LoadError),
    Delete(DeleteError),
}

fn document(mut root: Node, duplicates: &[yaml::Duplicate]) -> Result<PatchDocument, Problem> {
    let header = Header::read(&root).map_err(Problem::Load)?;
    let text = |key: &str| root.entry(key).and_then(Node::text).unwrap_or_default().to_owned();
    if is_marked(&root) {
        let identity = Identity { kind: text("kind"), name: text("name") };
        let cause = if text("apiVersion").is_empty() {
            Some(DocumentError::MissingApiVersion)
        } else if identity.kind.is_empty() {
            Some(DocumentError::MissingKind)
        } else {
            None
        };
        if let Some(cause) = cause {
            return Err(Problem::Load(header.error(cause)));
        }
        return Ok(PatchDocument { identity, delete: true, paths: Vec::new(), content: None });
    }
    let legacy = header.is_legacy();
    let identity = if legacy {
        Identity { kind: String::new(), name: String::new() }
    } else {
        Identity { kind: text("kind"), name: text("name") }
    };
    let paths = extract(&mut root).map_err(Problem::Delete)?;
    let left = root.entries().unwrap_or_default();
    let only_header = left.iter().all(|entry| {
        matches!(entry.key.as_str(), "version" | "kind" | "name") && entry.value.scalar().is_some()
    });
    let content = if !paths.is_empty() && only_header {
        None
    } else {
        Some(decode(&header, &root, duplicates).map_err(|e| Problem::Load(header.error(e)))?)
    };
    Ok(PatchDocument { identity, delete: false, paths, content })
}
