//! The active machine configuration, read once per version and shared by all controllers.

use std::sync::{Arc, Mutex, PoisonError};

use ::runtime::store::{Store, StoreError};
use config::{Config, LoadErrors};
use resource::config::MachineConfigSpec;

/// The namespace of machine configurations.
pub const NAMESPACE: &str = "config";
/// The id of the configuration in effect.
pub const ACTIVE: &str = "v1alpha1";
/// The id of the configuration that is kept on disk.
pub const PERSISTENT: &str = "persistent";
/// Who owns both: everything that changes them acts for this controller.
pub const OWNER: &str = "config.AcquireController";

/// The parsed form of a version of the active configuration.
type Parsed = Option<(u64, Arc<Config>)>;

/// The parsed form of the active configuration. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Active {
    parsed: Arc<Mutex<Parsed>>,
}

impl Active {
    /// The active configuration; `None` while there is none.
    ///
    /// # Errors
    /// When it does not load, which only happens to one that was never checked.
    pub fn config(&self, store: &Store) -> Result<Option<Arc<Config>>, LoadErrors> {
        let Some(resource) = store.get::<MachineConfigSpec>(NAMESPACE, ACTIVE) else {
            return Ok(None);
        };
        // Only whole values are put under the lock.
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, config)) = parsed.as_ref()
            && *version == resource.metadata.version
        {
            return Ok(Some(Arc::clone(config)));
        }
        let config = Arc::new(config::load(resource.spec.yaml_marshalled.as_bytes())?);
        *parsed = Some((resource.metadata.version, Arc::clone(&config)));
        Ok(Some(config))
    }

    /// The active configuration once it is enough to run a node.
    ///
    /// # Errors
    /// As [`Active::config`].
    pub fn complete(&self, store: &Store) -> Result<Option<Arc<Config>>, LoadErrors> {
        Ok(self.config(store)?.filter(|config| config.is_complete()))
    }
}

/// Puts a checked configuration into effect (`ACTIVE`) or keeps it (`PERSISTENT`).
///
/// # Errors
/// When the store refuses.
pub fn put(store: &Store, id: &str, text: &str) -> Result<(), StoreError> {
    store
        .modify::<MachineConfigSpec>(OWNER, NAMESPACE, id, |spec| {
            text.clone_into(&mut spec.yaml_marshalled);
        })
        .map(drop)
}
