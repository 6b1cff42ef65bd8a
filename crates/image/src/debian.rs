//! Files of pinned Debian packages, and the libraries they need.
//!
//! Packages are fetched with apt and checked against their pinned SHA-256; nothing is taken from
//! what happens to be installed. All paths are those of a merged `/usr`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use registry::digest::Digest;
use registry::layer::{Layer, Source};

use crate::elf::{self, ElfError};
use crate::pins::DebianPin;
use crate::store::{Inputs, Part, Store, StoreError};
use crate::tool::{self, ToolError};

/// Where libraries are.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// The files of some packages.
#[derive(Clone, Debug, Default)]
pub struct Debian {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    File { bytes: Vec<u8>, mode: u32 },
    Link { target: String },
}

/// Why a package or one of its files cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// Fetching or unpacking it failed.
    #[error(
        "the Debian package {package} {version} cannot be had; if the package lists are old, \
         run: apt-get update; if the archive has moved on, pin what it offers: make pins"
    )]
    Fetch {
        /// The package.
        package: String,
        /// Its version.
        version: String,
        /// What went wrong.
        #[source]
        source: ToolError,
    },
    /// What was fetched is not what was pinned.
    #[error("the Debian package {package} {version} has SHA-256 {actual}, pinned is {pinned}")]
    Checksum {
        /// The package.
        package: String,
        /// Its version.
        version: String,
        /// The SHA-256 it has.
        actual: String,
        /// The SHA-256 it should have.
        pinned: String,
    },
    /// Its archive could not be read or written.
    #[error("the archive of the Debian package {package} at {}", path.display())]
    Archive {
        /// The package.
        package: String,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// No pinned package has the file.
    #[error("no Debian package of components.toml has the file /{path}, which {user} needs")]
    Missing {
        /// The file.
        path: String,
        /// What needs it.
        user: String,
    },
    /// A program of a package cannot be read.
    #[error("reading what /{path} needs")]
    Program {
        /// The program.
        path: String,
        /// What is wrong with it.
        #[source]
        source: ElfError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fetches a package, checks it and keeps its files as a tar archive in the store.
pub fn fetch(store: &Store, pin: &DebianPin) -> Result<Part, DebianError> {
    let mut inputs = Inputs::new();
    inputs.text("package", &pin.package).text("version", &pin.version).text("sha256", &pin.sha256);
    let failed = |source| DebianError::Fetch {
        package: pin.package.clone(),
        version: pin.version.clone(),
        source,
    };
    store.part(&format!("deb-{}", pin.package), &inputs, |output| {
        let archive = |path: &Path, source| DebianError::Archive {
            package: pin.package.clone(),
            path: path.to_owned(),
            source,
        };
        let what = format!("fetching {} {}", pin.package, pin.version);
        let mut apt = Command::new("apt-get");
        apt.current_dir(output).args(["download", "-q"]);
        apt.arg(format!("{}={}", pin.package, pin.version));
        tool::run(&what, &mut apt).map_err(failed)?;
        let file = fs::read_dir(output)
            .and_then(|mut entries| entries.next().transpose())
            .map_err(|source| archive(output, source))?
            .map_or_else(|| output.join("package.deb"), |entry| entry.path());
        let (digest, _) = File::open(&file)
            .and_then(|mut file| Digest::of_reader(&mut file))
            .map_err(|source| archive(&file, source))?;
        if digest.hex() != pin.sha256 {
            return Err(DebianError::Checksum {
                package: pin.package.clone(),
                version: pin.version.clone(),
                actual: digest.hex().to_owned(),
                pinned: pin.sha256.clone(),
            });
        }
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("--fsys-tarfile").arg(&file);
        let tar = tool::run(&what, &mut unpack).map_err(failed)?;
        let target = output.join("data.tar");
        fs::write(&target, tar).map_err(|source| archive(&target, source))?;
        fs::remove_file(&file).map_err(|source| archive(&file, source))
    })
}

impl Debian {
    /// Adds the files of a fetched package.
    pub fn add(&mut self, part: &Path, pin: &DebianPin) -> Result<(), DebianError> {
        let path = part.join("data.tar");
        self.read(&path).map_err(|source| DebianError::Archive {
            package: pin.package.clone(),
            path,
            source,
        })
    }

    fn read(&mut self, path: &Path) -> io::Result<()> {
        let mut archive = tar::Archive::new(io::BufReader::new(File::open(path)?));
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = merged(&entry.path()?.to_string_lossy());
            let kind = entry.header().entry_type();
            if kind.is_file() {
                let mode = entry.header().mode()?;
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                self.entries.insert(path, Entry::File { bytes, mode });
            } else if let (true, Some(target)) =
                (kind.is_symlink() || kind.is_hard_link(), entry.link_name()?)
            {
                let target = target.to_string_lossy().into_owned();
                let absolute = kind.is_hard_link() || target.starts_with('/');
                let target = if absolute { merged(&target) } else { beside(&path, &target) };
                self.entries.insert(path, Entry::Link { target });
            }
        }
        Ok(())
    }

    /// The content and permissions of a file, through links.
    pub fn file(&self, path: &str, user: &str) -> Result<(&[u8], u32), DebianError> {
        let missing = || DebianError::Missing { path: merged(path), user: user.to_owned() };
        let mut path = merged(path);
        // A chain of links in a package is short; a loop is as good as no file.
        for _ in 0..8 {
            match self.entries.get(&path).ok_or_else(missing)? {
                Entry::File { bytes, mode } => return Ok((bytes, *mode)),
                Entry::Link { target } => path = merged(target),
            }
        }
        Err(missing())
    }

    /// The paths below a directory.
    pub fn below<'a>(&'a self, directory: &str) -> impl Iterator<Item = &'a str> {
        let prefix = format!("{}/", merged(directory).trim_end_matches('/'));
        self.entries.keys().filter(move |path| path.starts_with(&prefix)).map(String::as_str)
    }

    /// Adds files to a layer, and every library and loader they need. A path that ends in `/*`
    /// means every file of the directory.
    pub fn install(&self, layer: &mut Layer, paths: &[String]) -> Result<(), DebianError> {
        let mut pending: Vec<(String, String)> = Vec::new();
        for path in paths {
            if let Some(directory) = path.strip_suffix("/*") {
                pending.extend(
                    self.below(directory).map(|path| (path.to_owned(), "the image".to_owned())),
                );
            } else {
                pending.push((merged(path), "the image".to_owned()));
            }
        }
        let mut seen = BTreeSet::new();
        while let Some((path, user)) = pending.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            let (bytes, _) = self.file(&path, &user)?;
            let mut executable = !path.starts_with("usr/lib/");
            if elf::is_elf(bytes) {
                let needs = elf::needs(bytes)
                    .map_err(|source| DebianError::Program { path: path.clone(), source })?;
                if let Some(loader) = &needs.loader {
                    pending.push((merged(loader), path.clone()));
                }
                for library in needs.libraries.iter().filter(|name| !name.starts_with("ld-linux")) {
                    pending.push((format!("{LIBRARIES}/{library}"), path.clone()));
                }
            } else {
                executable = false;
            }
            // The kernel starts the loader as a program; libraries need not be executable.
            executable |= path.starts_with("usr/lib64/");
            let mode = if executable { 0o755 } else { 0o644 };
            layer.file(&path, Source::Bytes(bytes.to_vec()), mode);
        }
        if seen.iter().any(|path| path.starts_with(LIBRARIES)) {
            layer.link("lib", "usr/lib").link("lib64", "usr/lib64");
        }
        Ok(())
    }
}

/// The path in a merged `/usr` whose programs are all in `/usr/bin`, without a leading slash.
fn merged(path: &str) -> String {
    let path = path.trim_start_matches("./").trim_matches('/');
    let top = path.split('/').next().unwrap_or_default();
    let path = if ["bin", "sbin", "lib", "lib64"].contains(&top) {
        format!("usr/{path}")
    } else {
        path.to_owned()
    };
    match path.strip_prefix("usr/sbin/") {
        Some(rest) => format!("usr/bin/{rest}"),
        None => path,
    }
}

/// The path that a relative link at `path` means.
fn beside(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_merged_usr() {
        assert_eq!(
            merged("./lib/x86_64-linux-gnu/libc.so.6"),
            "usr/lib/x86_64-linux-gnu/libc.so.6"
        );
        assert_eq!(merged("/lib64/ld-linux-x86-64.so.2"), "usr/lib64/ld-linux-x86-64.so.2");
        assert_eq!(merged("/sbin/losetup"), "usr/bin/losetup");
        assert_eq!(merged("/etc/passwd"), "etc/passwd");
        assert_eq!(beside("usr/lib/a.so.1", "a.so.1.2"), "usr/lib/a.so.1.2");
        assert_eq!(beside("usr/lib64/ld", "../lib/x/ld"), "usr/lib/x/ld");
    }

    #[test]
    fn missing_file_names_who_needs_it() {
        let mut debian = Debian::default();
        let this = fs::read(std::env::current_exe().unwrap()).unwrap();
        debian.entries.insert("usr/bin/this".to_owned(), Entry::File { bytes: this, mode: 0o755 });
        let error =
            debian.install(&mut Layer::new(), &["/bin/this".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("which usr/bin/this needs"), "{error}");
    }

    #[test]
    fn link_loop_is_a_missing_file() {
        let mut debian = Debian::default();
        debian.entries.insert("usr/a".to_owned(), Entry::Link { target: "usr/a".to_owned() });
        assert!(matches!(debian.file("/usr/a", "test"), Err(DebianError::Missing { .. })));
    }
}
