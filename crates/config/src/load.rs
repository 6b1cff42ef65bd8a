//! Loading: from the text of a stream to a configuration, with everything that is wrong at once.

use std::collections::HashSet;
use std::sync::Arc;

use yaml::{Node, Position};

use crate::catalog;
use crate::config::{Config, Source};
use crate::conflict;
use crate::decode::{Decoder, TypeError};
use crate::document::{API_VERSION, Document, Identity};
use crate::error::{DocumentError, LoadError, LoadErrors};
use crate::field::Field;
use crate::v1alpha1::V1Alpha1;

/// One document as it was read.
#[derive(Clone, Debug)]
pub(crate) enum Loaded {
    /// The v1alpha1 document.
    Legacy(Box<V1Alpha1>),
    /// Any other.
    Document(Box<dyn Document>),
}

/// Loads a configuration.
///
/// # Errors
/// Everything that keeps the text from being a configuration.
pub fn load(bytes: &[u8]) -> Result<Config, LoadErrors> {
    let documents = yaml::parse(bytes).map_err(LoadError::Syntax)?;
    let mut errors = Vec::new();
    let mut config = Config::default();
    let mut places = Vec::new();
    let mut seen = HashSet::new();
    for document in documents {
        let root = document.root;
        if root.is_null() {
            continue;
        }
        let header = match Header::read(&root) {
            Ok(header) => header,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        if !seen.insert(header.to_string()) {
            errors.push(LoadError::Repeated { identity: header.to_string(), at: header.at });
            continue;
        }
        match decode(&header, &root, &document.duplicates) {
            Ok(Loaded::Legacy(legacy)) => {
                places.push((Identity { kind: String::new(), name: String::new() }, root));
                config.legacy = Some(legacy);
            }
            Ok(Loaded::Document(document)) => {
                places.push((document.identity(), root));
                config.documents.push(document);
            }
            Err(cause) => errors.push(header.error(cause)),
        }
    }
    errors.extend(conflict::conflicts(&config).into_iter().map(LoadError::Conflict));
    if errors.is_empty() && places.is_empty() {
        errors.push(LoadError::NotFound);
    }
    if !errors.is_empty() {
        return Err(LoadErrors { errors });
    }
    config.source = Some(Source { bytes: Arc::from(bytes), places: places.into() });
    Ok(config)
}

/// What identifies a document in messages.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    api_version: String,
    kind: String,
    name: String,
    legacy: bool,
    at: Position,
}

impl std::fmt::Display for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.api_version, self.kind, self.name)
    }
}

impl Header {
    /// Reads the header of a document.
    pub(crate) fn read(root: &Node) -> Result<Self, LoadError> {
        if root.entries().is_none() {
            return Err(LoadError::NotADocument(root.at));
        }
        let text = |key: &str| root.entry(key).and_then(Node::text).unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let legacy = root.entry("kind").is_none()
            && (["machine", "cluster", "debug", "persist"].iter().any(|k| root.entry(k).is_some())
                || api_version == API_VERSION);
        let at = root.entries().and_then(|entries| entries.first()).map_or(root.at, |e| e.at);
        Ok(if legacy {
            Self {
                api_version: String::new(),
                kind: API_VERSION.to_owned(),
                name: text("name"),
                legacy,
                at,
            }
        } else {
            Self { api_version, kind, name: text("name"), legacy, at }
        })
    }

    /// Whether this is the v1alpha1 document.
    pub(crate) fn is_legacy(&self) -> bool {
        self.legacy
    }

    /// An error about this document.
    pub(crate) fn error(&self, cause: DocumentError) -> LoadError {
        LoadError::Document { identity: self.to_string(), at: self.at, cause }
    }
}

/// Reads a document whose header is known.
pub(crate) fn decode(
    header: &Header,
    root: &Node,
    duplicates: &[yaml::Duplicate],
) -> Result<Loaded, DocumentError> {
    let mut cx = Decoder::default();
    cx.errors.extend(duplicates.iter().map(|duplicate| TypeError {
        at: duplicate.at,
        message: format!(
            "mapping key {:?} already defined at line {}",
            duplicate.key, duplicate.first.line
        ),
    }));
    let (loaded, unknown) = if header.legacy {
        let mut legacy = Box::<V1Alpha1>::default();
        let unknown = Field::decode(legacy.as_mut(), root, &mut cx);
        (Loaded::Legacy(legacy), unknown)
    } else {
        if header.kind.is_empty() {
            return Err(DocumentError::MissingKind);
        }
        if header.api_version.is_empty() {
            return Err(DocumentError::MissingApiVersion);
        }
        let info = catalog::kind(&header.kind).filter(|_| header.api_version == API_VERSION);
        let Some(info) = info else {
            let (kind, version) = (header.kind.clone(), header.api_version.clone());
            return Err(DocumentError::NotRegistered { kind, version });
        };
        let (document, unknown) = (info.decode)(root, &mut cx);
        (Loaded::Document(document), unknown)
    };
    if !cx.errors.is_empty() {
        cx.errors.sort_by_key(|error| error.at);
        if let Some(at) = cx.errors.last().map(|last| last.at).filter(|_| cx.more > 0) {
            cx.errors.push(TypeError { at, message: format!("and {} more errors", cx.more) });
        }
        return Err(DocumentError::Types { errors: cx.errors, unknown: cx.unknown });
    }
    if let Some(mut unknown) = unknown {
        unknown.sort_keys();
        let fragment = yaml::to_string(&unknown);
        return Err(DocumentError::UnknownKeys { fragment, places: cx.unknown });
    }
    Ok(loaded)
}
