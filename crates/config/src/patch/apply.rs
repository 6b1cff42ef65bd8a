//! Applying patches.

use std::collections::HashMap;

use super::load::{Patch, PatchDocument, Strategic};
use super::{JsonPatchError, LookupError, Path};
use crate::Config;
use crate::conflict;
use crate::document::{Document, Identity};
use crate::error::{ConflictError, LoadErrors};
use crate::field::Field;
use crate::load::{Loaded, load};
use crate::merge::MergeError;
use crate::v1alpha1::V1Alpha1;

/// Why a patch cannot be applied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// The configuration cannot be read.
    #[error("{0}")]
    Load(LoadErrors),
    /// A path to delete leads nowhere.
    #[error("{}patch delete: path '{path}' in document '{document}': failed to delete path '{path}': {reason}", if *named { "named patch delete: " } else { "" })]
    Delete {
        /// The path.
        path: String,
        /// The document.
        document: String,
        /// Whether the document has a name.
        named: bool,
        /// Why.
        reason: LookupError,
    },
    /// Values that cannot be merged.
    #[error("{0}")]
    Merge(MergeError),
    /// The result contradicts itself.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Conflict(Vec<ConflictError>),
    /// A JSON patch for a stream of several documents.
    #[error("JSON6902 patches are not supported for multi-document machine configuration")]
    MultiDocument,
    /// A JSON patch that does not apply.
    #[error("{0}")]
    Json(JsonPatchError),
}

/// Applies patches to the text of a configuration, in order. Without patches the text is returned as
/// it is.
///
/// # Errors
/// The first patch that does not apply.
pub fn apply(text: &[u8], patches: &[Patch]) -> Result<Vec<u8>, ApplyError> {
    let mut text = text.to_vec();
    for group in groups(patches) {
        match group {
            Group::Strategic(patches) => {
                let mut config = load(&text).map_err(ApplyError::Load)?;
                for patch in patches {
                    strategic(&mut config, patch)?;
                }
                text = config.encode().into_bytes();
            }
            Group::Json(patch) => text = json(&text, &patch)?,
        }
    }
    Ok(text)
}

/// Applies patches to a configuration, in order.
///
/// # Errors
/// The first patch that does not apply.
pub fn apply_to(config: &Config, patches: &[Patch]) -> Result<Config, ApplyError> {
    let mut config = config.clone();
    for group in groups(patches) {
        match group {
            Group::Strategic(patches) => {
                for patch in patches {
                    strategic(&mut config, patch)?;
                }
            }
            Group::Json(patch) => {
                let text = json(&config.bytes(), &patch)?;
                config = load(&text).map_err(ApplyError::Load)?;
            }
        }
    }
    Ok(config)
}

enum Group<'a> {
    Strategic(Vec<&'a Strategic>),
    Json(super::JsonPatch),
}

/// Puts neighbours of one form together: operations of several JSON patches act as one.
fn groups(patches: &[Patch]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for patch in patches {
        match (groups.last_mut(), patch) {
            (Some(Group::Strategic(group)), Patch::Strategic(patch)) => group.push(patch),
            (Some(Group::Json(group)), Patch::Json(patch)) => group.0.extend_from_slice(&patch.0),
            (_, Patch::Strategic(patch)) => groups.push(Group::Strategic(vec![patch])),
            (_, Patch::Json(patch)) => groups.push(Group::Json(patch.clone())),
        }
    }
    groups
}

fn json(text: &[u8], patch: &super::JsonPatch) -> Result<Vec<u8>, ApplyError> {
    let syntax = |error| ApplyError::Load(crate::LoadError::Syntax(error).into());
    let mut documents = yaml::parse(text).map_err(syntax)?;
    documents.retain(|document| !document.root.is_null());
    let [document] = documents.as_slice() else { return Err(ApplyError::MultiDocument) };
    let mut value = document.root.to_value();
    patch.apply(&mut value).map_err(ApplyError::Json)?;
    value.sort_keys();
    Ok(yaml::to_string_compact(&value).into_bytes())
}

fn strategic(config: &mut Config, patch: &Strategic) -> Result<(), ApplyError> {
    config.source = None;
    let mut target = Target::new(config);
    let result = target.take(patch);
    target.finish(config);
    result?;
    let conflicts = conflict::conflicts(config);
    if conflicts.is_empty() { Ok(()) } else { Err(ApplyError::Conflict(conflicts)) }
}

/// A configuration while a patch is applied: its documents are found by identity.
struct Target {
    legacy: Option<Box<V1Alpha1>>,
    /// A document that was removed leaves its place empty.
    documents: Vec<Option<Box<dyn Document>>>,
    places: HashMap<Identity, usize>,
}

impl Target {
    /// Takes the documents out of a configuration.
    fn new(config: &mut Config) -> Self {
        let documents: Vec<_> = std::mem::take(&mut config.documents);
        let places = documents.iter().enumerate().map(|(at, d)| (d.identity(), at)).collect();
        let documents = documents.into_iter().map(Some).collect();
        Self { legacy: config.legacy.take(), documents, places }
    }

    /// Puts the documents back.
    fn finish(self, config: &mut Config) {
        config.legacy = self.legacy;
        config.documents = self.documents.into_iter().flatten().collect();
    }

    fn take(&mut self, patch: &Strategic) -> Result<(), ApplyError> {
        // Deletions in the v1alpha1 document come first, wherever they stand in the patch.
        for document in patch.documents.iter().filter(|d| d.identity.kind.is_empty()) {
            self.delete(document)?;
        }
        for document in &patch.documents {
            if document.delete {
                self.remove(&document.identity);
            } else if !document.identity.kind.is_empty() {
                self.delete(document)?;
            }
            if let Some(content) = &document.content {
                self.merge(content)?;
            }
        }
        Ok(())
    }

    fn find(&mut self, identity: &Identity) -> Option<&mut Box<dyn Document>> {
        let at = self.places.get(identity)?;
        self.documents.get_mut(*at)?.as_mut()
    }

    /// Removes a document; one that is not there is nothing to remove.
    fn remove(&mut self, identity: &Identity) {
        let place = self.places.remove(identity).and_then(|at| self.documents.get_mut(at));
        if let Some(place) = place {
            *place = None;
        }
    }

    fn delete(&mut self, patch: &PatchDocument) -> Result<(), ApplyError> {
        let error = |path: &Path, reason| ApplyError::Delete {
            path: path.to_string(),
            document: patch.identity.to_string(),
            named: !patch.identity.name.is_empty(),
            reason,
        };
        for path in &patch.paths {
            if patch.identity.kind.is_empty() {
                let legacy = self.legacy.as_deref_mut();
                let legacy = legacy.ok_or_else(|| error(path, LookupError))?;
                Field::delete(legacy, &path.0).map_err(|reason| error(path, reason))?;
                continue;
            }
            // A deletion in a document that is not there is skipped.
            if let Some(document) = self.find(&patch.identity) {
                document.delete(&path.0).map_err(|reason| error(path, reason))?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, content: &Loaded) -> Result<(), ApplyError> {
        match content {
            Loaded::Legacy(patch) => match &mut self.legacy {
                Some(legacy) => {
                    Field::merge(legacy.as_mut(), patch.as_ref()).map_err(ApplyError::Merge)?;
                }
                None => self.legacy = Some(patch.clone()),
            },
            Loaded::Document(patch) => {
                let identity = patch.identity();
                match self.find(&identity) {
                    Some(document) => document.merge(patch.as_ref()).map_err(ApplyError::Merge)?,
                    None => {
                        self.places.insert(identity, self.documents.len());
                        self.documents.push(Some(patch.clone()));
                    }
                }
            }
        }
        Ok(())
    }
}
