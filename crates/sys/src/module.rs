//! Kernel modules: giving one to the kernel.
//!
//! Which module a device needs and in what order modules depend on each other is not known here.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a module is not loaded.
#[derive(Debug, Error)]
pub enum ModuleError {
    /// The file could not be opened.
    #[error("cannot open the kernel module {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The kernel refused it.
    #[error("the kernel does not take the module {path}")]
    Load {
        /// The file.
        path: PathBuf,
        /// What the kernel said; a missing symbol or a wrong signature are told in its log.
        #[source]
        source: io::Error,
    },
}

/// What became of a module that was given to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// The kernel has taken it.
    Now,
    /// The kernel had it already.
    Before,
}

/// `MODULE_INIT_COMPRESSED_FILE` of `linux/module.h`.
const COMPRESSED: i32 = 4;

/// Loads the module in the file `path` with `parameters` (`name=value`, separated by blanks), and returns when its
/// start has run. A compressed file (`.xz`, `.zst`, `.gz`) is for the kernel to unpack.
///
/// # Errors
/// When the file cannot be opened or the kernel refuses it, for instance because a module that it needs is missing.
pub fn load(path: &Path, parameters: &str) -> Result<Loaded, ModuleError> {
    let file =
        File::open(path).map_err(|source| ModuleError::Open { path: path.into(), source })?;
    let failed = |source: io::Error| ModuleError::Load { path: path.into(), source };
    let parameters =
        CString::new(parameters).map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
    let plain = path.extension().is_some_and(|extension| extension == "ko");
    let flags = if plain { 0 } else { COMPRESSED };
    match rustix::system::finit_module(&file, &parameters, flags) {
        Ok(()) => Ok(Loaded::Now),
        Err(rustix::io::Errno::EXIST) => Ok(Loaded::Before),
        Err(error) => Err(failed(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_is_named_with_its_path() {
        let missing = load(Path::new("/does/not/exist.ko"), "").unwrap_err();
        assert!(matches!(missing, ModuleError::Open { .. }), "{missing:?}");
        let file = tempfile::NamedTempFile::with_suffix(".ko").unwrap();
        // An empty file is refused before anything is loaded, with or without the right to load.
        let refused = load(file.path(), "").unwrap_err();
        assert!(refused.to_string().contains(&file.path().display().to_string()), "{refused}");
        assert!(matches!(load(file.path(), "a\0b"), Err(ModuleError::Load { .. })));
    }
}
