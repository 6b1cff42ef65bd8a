//! Why a text is not a configuration.

use yaml::{ParseError, Position};

use crate::decode::TypeError;

/// Everything that is wrong with a text, in the order of the text.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LoadErrors {
    /// The errors; never empty.
    pub errors: Vec<LoadError>,
}

impl From<LoadError> for LoadErrors {
    fn from(error: LoadError) -> Self {
        Self { errors: vec![error] }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// The text is not YAML.
    #[error("decode error: {0}")]
    Syntax(ParseError),
    /// A document is not a mapping.
    #[error("expected a YAML document at line {}", .0.line)]
    NotADocument(Position),
    /// There is no document at all.
    #[error("config not found")]
    NotFound,
    /// A document stands twice in the text.
    #[error("duplicate document {identity} is not allowed (line {})", at.line)]
    Repeated {
        /// The document.
        identity: String,
        /// Where it stands the second time.
        at: Position,
    },
    /// A document cannot be read.
    #[error("error decoding document {identity} (line {}): {cause}", at.line)]
    Document {
        /// The document, as `apiVersion/kind/name`.
        identity: String,
        /// Where it begins.
        at: Position,
        /// Why.
        cause: DocumentError,
    },
    /// Documents contradict each other.
    #[error("{0}")]
    Conflict(ConflictError),
}

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DocumentError {
    /// No `kind`.
    #[error("missing kind")]
    MissingKind,
    /// No `apiVersion`.
    #[error("missing apiVersion")]
    MissingApiVersion,
    /// A kind or version that does not exist.
    #[error("{kind:?} {version:?}: not registered")]
    NotRegistered {
        /// The kind.
        kind: String,
        /// The version.
        version: String,
    },
    /// Values of the wrong type, or keys defined twice.
    #[error("yaml: unmarshal errors:{}", errors.iter().map(|e| format!("\n  {e}")).collect::<String>())]
    Types {
        /// The values, in the order of the text.
        errors: Vec<TypeError>,
        /// Keys that the document does not have. The contract tells them only once all types are right.
        unknown: Vec<(String, Position)>,
    },
    /// Keys that the document does not have.
    #[error("unknown keys found during decoding:\n{fragment}")]
    UnknownKeys {
        /// The keys with the path to them, as YAML.
        fragment: String,
        /// Each key and where it stands.
        places: Vec<(String, Position)>,
    },
}

/// Documents that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConflictError {
    /// Two v1alpha1 documents.
    #[error("duplicate v1alpha1.Config")]
    Legacy,
    /// Two documents of one identity.
    #[error("duplicate document: {kind}/{name}")]
    Duplicate {
        /// The kind.
        kind: String,
        /// The name, possibly empty.
        name: String,
    },
    /// Two documents that exclude each other.
    #[error("conflicting documents: {first} and {second}")]
    Documents {
        /// The one that stands first.
        first: String,
        /// The other.
        second: String,
    },
    /// A link that two documents configure.
    #[error("conflicting link configurations: {first} and {second} both configure {link:?}")]
    Links {
        /// The one that stands first.
        first: String,
        /// The other.
        second: String,
        /// The link.
        link: String,
    },
}

impl LoadError {
    /// Where the error is, when it has a place.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Syntax(error) => error.position(),
            Self::NotADocument(at) | Self::Repeated { at, .. } => Some(*at),
            Self::Document { at, cause, .. } => Some(match cause {
                DocumentError::Types { errors, .. } => errors.first().map_or(*at, |error| error.at),
                DocumentError::UnknownKeys { places, .. } => places.first().map_or(*at, |p| p.1),
                _ => *at,
            }),
            Self::NotFound | Self::Conflict(_) => None,
        }
    }
}
