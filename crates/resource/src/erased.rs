//! A resource with its type known ([`Resource`]) or not ([`AnyResource`]); both share one spec
//! and one encoding of it.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::definition::Definition;
use crate::message::{Spec, encode_to_vec};
use crate::metadata::Metadata;

/// A spec of unknown type.
pub trait AnySpec: Any + Send + Sync + fmt::Debug {
    /// The definition of the spec's type.
    fn definition(&self) -> Definition;

    /// The protobuf form, made once.
    fn proto(&self) -> Arc<[u8]>;

    /// The YAML form, made once.
    fn yaml(&self) -> Arc<str>;

    /// Whether `other` is of the same type and equal.
    fn equals(&self, other: &dyn AnySpec) -> bool;
}

#[derive(Default)]
struct Encoded {
    proto: OnceLock<Arc<[u8]>>,
    yaml: OnceLock<Arc<str>>,
}

/// A spec that keeps its encodings once they were asked for.
pub struct Shared<S> {
    spec: S,
    encoded: OnceLock<Box<Encoded>>,
}

impl<S> Shared<S> {
    /// Wraps a spec.
    pub fn new(spec: S) -> Self {
        Self { spec, encoded: OnceLock::new() }
    }

    fn encoded(&self) -> &Encoded {
        self.encoded.get_or_init(Box::default)
    }
}

impl<S> Deref for Shared<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.spec
    }
}

impl<S: fmt::Debug> fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}

impl<S: PartialEq> PartialEq for Shared<S> {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl<S: Spec> AnySpec for Shared<S> {
    fn definition(&self) -> Definition {
        S::DEFINITION
    }

    fn proto(&self) -> Arc<[u8]> {
        self.encoded().proto.get_or_init(|| encode_to_vec(&self.spec).into()).clone()
    }

    fn yaml(&self) -> Arc<str> {
        self.encoded().yaml.get_or_init(|| yaml::to_string(&self.spec.to_yaml()).into()).clone()
    }

    fn equals(&self, other: &dyn AnySpec) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref::<Self>().is_some_and(|other| other.spec == self.spec)
    }
}

/// A resource whose type is known. Cloning it shares metadata and spec.
pub struct Resource<S> {
    /// Identity, version and life.
    pub metadata: Arc<Metadata>,
    /// The spec.
    pub spec: Arc<Shared<S>>,
}

impl<S> Clone for Resource<S> {
    fn clone(&self) -> Self {
        Self { metadata: self.metadata.clone(), spec: self.spec.clone() }
    }
}

impl<S: fmt::Debug> fmt::Debug for Resource<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("metadata", &self.metadata)
            .field("spec", &self.spec)
            .finish()
    }
}

impl<S: PartialEq> PartialEq for Resource<S> {
    fn eq(&self, other: &Self) -> bool {
        self.metadata == other.metadata && self.spec == other.spec
    }
}

impl<S: Spec> Resource<S> {
    /// Puts metadata and spec together.
    #[must_use]
    pub fn new(metadata: Metadata, spec: S) -> Self {
        Self { metadata: Arc::new(metadata), spec: Arc::new(Shared::new(spec)) }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.metadata.id
    }

    /// The same resource with its type forgotten.
    #[must_use]
    pub fn erase(self) -> AnyResource {
        AnyResource { metadata: self.metadata, spec: self.spec }
    }
}

/// A resource of unknown type. Cloning it shares metadata and spec.
#[derive(Clone, Debug)]
pub struct AnyResource {
    metadata: Arc<Metadata>,
    spec: Arc<dyn AnySpec>,
}

impl AnyResource {
    /// Puts metadata and spec together.
    #[must_use]
    pub fn new(metadata: Arc<Metadata>, spec: Arc<dyn AnySpec>) -> Self {
        Self { metadata, spec }
    }

    /// Identity, version and life.
    #[must_use]
    pub fn metadata(&self) -> &Arc<Metadata> {
        &self.metadata
    }

    /// The spec.
    #[must_use]
    pub fn spec(&self) -> &Arc<dyn AnySpec> {
        &self.spec
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.metadata.id
    }

    /// The spec's protobuf form, made once per version.
    #[must_use]
    pub fn proto(&self) -> Arc<[u8]> {
        self.spec.proto()
    }

    /// The spec's YAML form, made once per version.
    #[must_use]
    pub fn yaml(&self) -> Arc<str> {
        self.spec.yaml()
    }

    /// The same resource with its type known; `None` when it is of another type.
    #[must_use]
    pub fn into_typed<S: Spec>(self) -> Option<Resource<S>> {
        let spec: Arc<dyn Any + Send + Sync> = self.spec;
        Some(Resource { metadata: self.metadata, spec: spec.downcast::<Shared<S>>().ok()? })
    }

    /// The same resource with its type known; `None` when it is of another type.
    #[must_use]
    pub fn downcast<S: Spec>(&self) -> Option<Resource<S>> {
        let spec: Arc<dyn Any + Send + Sync> = self.spec.clone();
        let spec = spec.downcast::<Shared<S>>().ok()?;
        Some(Resource { metadata: self.metadata.clone(), spec })
    }
}
