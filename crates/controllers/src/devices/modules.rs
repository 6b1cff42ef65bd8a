//! Loading modules: each once, what it needs before it, many at a time.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use boot::module::Name;
use boot::module::catalogue::{Catalogue, CatalogueError, Lists, UnknownModuleError};
use sys::module::ModuleError;

/// Why the modules of this kernel are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModulesError {
    /// A list could not be read.
    #[error("cannot read the list of modules {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A list is not one.
    #[error("the lists of modules in {directory} do not fit this system")]
    Lists {
        directory: PathBuf,
        #[source]
        source: CatalogueError,
    },
}

/// Why one module is not loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// This kernel has no such module.
    #[error(transparent)]
    Unknown(#[from] UnknownModuleError),
    /// It, or one that it needs, is refused.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// It, or one that it needs, was refused before, which was told then.
    #[error("the module {name} was refused before")]
    Before {
        /// Which.
        name: String,
    },
}

/// Whether a module was taken.
type Outcome = Arc<OnceLock<bool>>;

/// The modules of the running kernel. Clones are handles to the same.
#[derive(Clone)]
pub(crate) struct Modules {
    directory: Arc<Path>,
    catalogue: Arc<Catalogue>,
    /// What was tried. Another thread that needs the same module waits for the first.
    tried: Arc<Mutex<BTreeMap<Name, Outcome>>>,
}

impl Modules {
    /// Reads the lists in `directory` (`/usr/lib/modules/<release>`). A list that is not there is empty: a kernel may
    /// have everything built in.
    pub(crate) fn read(directory: &Path) -> Result<Self, ModulesError> {
        let lists = Lists::of(|name| {
            let path = directory.join(name);
            match fs::read_to_string(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
                read => read.map_err(|source| ModulesError::Read { path, source }),
            }
        })?;
        let catalogue = Catalogue::read(&lists)
            .map_err(|source| ModulesError::Lists { directory: directory.to_owned(), source })?;
        Ok(Self {
            directory: directory.into(),
            catalogue: Arc::new(catalogue),
            tried: Arc::default(),
        })
    }

    /// The modules for what a device says.
    pub(crate) fn matching(&self, alias: &str) -> Vec<Name> {
        self.catalogue.matching(alias).into_iter().cloned().collect()
    }

    /// Whether a module was tried already.
    pub(crate) fn was_tried(&self, name: &Name) -> bool {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// Loads a module with `parameters` after what it needs. Blocks until all have started.
    pub(crate) fn load(&self, name: &Name, parameters: &str) -> Result<(), LoadError> {
        for step in self.catalogue.steps(name)? {
            let own = if step.name == name { parameters } else { "" };
            match self.load_one(step.name, step.path, own) {
                Err(error) if step.required => return Err(error),
                // What is only recommended may be missing.
                _ => {}
            }
        }
        Ok(())
    }

    fn load_one(&self, name: &Name, path: &str, parameters: &str) -> Result<(), LoadError> {
        let outcome = {
            // Only the map changes under the lock; loading does not happen under it.
            let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tried.entry(name.clone()).or_default())
        };
        let mut refused = None;
        let taken = *outcome.get_or_init(|| {
            match sys::module::load(&self.directory.join(path), parameters) {
                Ok(_) => true,
                Err(error) => {
                    refused = Some(error);
                    false
                }
            }
        });
        match refused {
            Some(error) => Err(error.into()),
            None if taken => Ok(()),
            None => Err(LoadError::Before { name: name.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(root: &Path) -> Modules {
        fs::write(root.join("modules.dep"), "a.ko: b.ko\nb.ko:\nc.ko:\n").unwrap();
        fs::write(root.join("modules.alias"), "alias pci:v1* a\nalias pci:* c\n").unwrap();
        Modules::read(root).unwrap()
    }

    #[test]
    fn a_refusal_of_what_is_needed_ends_it_and_is_told_once() {
        let root = tempfile::tempdir().unwrap();
        let modules = modules(root.path());
        assert_eq!(modules.matching("pci:v1d2").len(), 2);
        let a = Name::new("a");
        // The files are not there: the one that `a` needs is named, `a` itself is not tried.
        let first = modules.load(&a, "").unwrap_err();
        assert!(first.to_string().ends_with("b.ko"), "{first}");
        assert!(!modules.was_tried(&a) && modules.was_tried(&Name::new("b")));
        let again = modules.load(&a, "").unwrap_err();
        assert!(matches!(again, LoadError::Before { .. }), "{again}");
        let unknown = modules.load(&Name::new("x"), "").unwrap_err();
        assert!(matches!(unknown, LoadError::Unknown(_)), "{unknown}");
    }

    #[test]
    fn lists_may_be_missing_but_not_wrong() {
        let root = tempfile::tempdir().unwrap();
        assert!(Modules::read(root.path()).unwrap().matching("pci:v1").is_empty());
        fs::write(root.path().join("modules.alias"), "alias x\n").unwrap();
        assert!(matches!(Modules::read(root.path()), Err(ModulesError::Lists { .. })));
    }
}
