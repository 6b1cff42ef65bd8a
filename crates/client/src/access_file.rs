//! Where the client configuration lies, and reading and saving it safely.

use std::{
    env, fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use pki::{Access, FieldError};

/// Mounted into pods that may use the API; never written.
const POD_PATH: &str = "/var/run/secrets/talos.dev/config";

/// The client configuration could not be found, read or saved.
#[derive(Debug, thiserror::Error)]
pub enum AccessFileError {
    /// Reading failed.
    #[error("reading the client configuration {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The content is wrong.
    #[error("reading the client configuration {}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: FieldError,
    },
    /// Saving failed.
    #[error("saving the client configuration {}", path.display())]
    Save {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is neither a file nor a home directory to make one in.
    #[error(
        "looking for a client configuration: neither --talosconfig, ICHORCONFIG nor HOME says where one could be"
    )]
    Nowhere,
}

/// What decides where the client configuration lies.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The command line's `--talosconfig`.
    pub flag: Option<PathBuf>,
    /// `ICHORCONFIG`.
    pub ichorconfig: Option<PathBuf>,
    /// `TALOSCONFIG`.
    pub talosconfig: Option<PathBuf>,
    /// `TALOS_HOME`, used when absolute.
    pub talos_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl Search {
    /// From the environment.
    pub fn from_environment(flag: Option<PathBuf>) -> Self {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            flag,
            ichorconfig: path("ICHORCONFIG"),
            talosconfig: path("TALOSCONFIG"),
            talos_home: path("TALOS_HOME").filter(|path| path.is_absolute()),
            home: path("HOME"),
        }
    }

    /// Every place in the order of preference: Ichor's own first, then the contract's.
    pub fn candidates(&self) -> Vec<PathBuf> {
        let contract = self
            .talos_home
            .clone()
            .or_else(|| self.home.as_ref().map(|home| home.join(".talos")))
            .map(|directory| directory.join("config"));
        [
            self.ichorconfig.clone(),
            self.home.as_ref().map(|home| home.join(".ichor/config")),
            self.talosconfig.clone(),
            contract,
            Some(PathBuf::from(POD_PATH)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The file to use: the flag's, else the first that exists, else the first that could be made.
    pub fn choose(&self) -> Result<PathBuf, AccessFileError> {
        if let Some(path) = &self.flag {
            return Ok(path.clone());
        }
        let candidates = self.candidates();
        if let Some(path) = candidates.iter().find(|path| path.exists()) {
            return Ok(path.clone());
        }
        candidates
            .into_iter()
            .find(|path| path != Path::new(POD_PATH))
            .ok_or(AccessFileError::Nowhere)
    }
}

/// A client configuration with the file it came from.
#[derive(Clone, Debug)]
pub struct AccessFile {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub access: Access,
}

impl AccessFile {
    /// Reads a file; one that does not exist is empty.
    pub fn load(path: PathBuf) -> Result<Self, AccessFileError> {
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(AccessFileError::Read { path, source }),
        };
        match Access::from_yaml(&text) {
            Ok(access) => Ok(Self { path, access }),
            Err(source) => Err(AccessFileError::Content { path, source }),
        }
    }

    /// Writes the file so that only its owner can read it, all of it or nothing of it.
    pub fn save(&self) -> Result<(), AccessFileError> {
        self.write().map_err(|source| AccessFileError::Save { path: self.path.clone(), source })
    }

    fn write(&self) -> io::Result<()> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = directory.join(format!(".{name}.{}.tmp", std::process::id()));
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| {
                file.write_all(self.access.to_yaml().as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&temporary, &self.path));
        if written.is_err() {
            // The first error says more than one of this clean-up would.
            fs::remove_file(&temporary).ok();
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn ichors_own_place_wins_over_the_contracts() {
        let home = tempfile::tempdir().unwrap();
        let search = Search { home: Some(home.path().into()), ..Search::default() };
        let own = home.path().join(".ichor/config");
        let contract = home.path().join(".talos/config");
        assert_eq!(search.choose().unwrap(), own);
        for path in [&contract, &own] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
            assert_eq!(&search.choose().unwrap(), path);
        }
        let flag = Search { flag: Some("x".into()), ..search };
        assert_eq!(flag.choose().unwrap(), Path::new("x"));
    }

    #[test]
    fn saved_files_are_private() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("new/config");
        let access = Access::with("a", pki::Context::default());
        let file = AccessFile { path: path.clone(), access };
        file.save().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let directory = path.parent().unwrap();
        assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(directory).unwrap().count(), 1);
        assert_eq!(AccessFile::load(path).unwrap().access, file.access);
    }
}
