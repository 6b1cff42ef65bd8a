//! The pins: which version of which part, and what is made of it, as `components.toml` says.
//!
//! This module reads and checks the file; it builds nothing. A name that nothing defines is an
//! error here, before anything is built.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use registry::reference::Reference;
use serde::Deserialize;

/// Everything that is pinned.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// The processor, in the words of Go.
    pub architecture: String,
    /// Parts that are Go modules.
    pub go: Vec<GoPin>,
    /// Small programs of our own that go into images.
    pub rust: Vec<RustPin>,
    /// The boot loader and the stub of unified kernel images.
    pub loader: DebianPin,
    /// The kinds of machines that images are made for.
    pub profile: Vec<ProfilePin>,
    /// Packages whose files go into images.
    pub debian: Vec<DebianPin>,
    /// The layers of images.
    pub layer: Vec<LayerPin>,
    /// The images of the image cache.
    pub image: Vec<ImagePin>,
}

/// Programs built from one Go module.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoPin {
    /// What the part is called.
    pub name: String,
    /// The directory of its go.mod under `components/`; the name if absent.
    pub directory: Option<String>,
    /// The module's version, with its v.
    pub version: String,
    /// The module.
    pub module: String,
    /// Which packages are built, and the file each becomes.
    pub packages: BTreeMap<String, String>,
    /// Build tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Further flags of the linker.
    #[serde(default)]
    pub ldflags: Vec<String>,
    /// The Debian packages that a build with C needs; without any, the build is pure Go.
    #[serde(default)]
    pub cgo: Vec<String>,
    /// Packages of the module that are left out; the build works on a copy of the module then.
    #[serde(default)]
    pub without: Vec<String>,
}

/// A program of one Rust file, without dependencies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RustPin {
    /// What the program is called; its file is `components/<name>/main.rs`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Further flags of the compiler.
    #[serde(default)]
    pub flags: Vec<String>,
    /// The target, if it is not the building machine's.
    pub target: Option<String>,
}

/// A Debian package.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct DebianPin {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of its file.
    pub sha256: String,
    /// The package that depends on the newest one of its kind, when the version is part of the
    /// package's name.
    pub newest: Option<String>,
}

/// A kind of machines that images are made for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfilePin {
    /// What it is called.
    pub name: String,
    /// The kernel with its modules.
    pub kernel: DebianPin,
    /// Packages whose firmware goes into the image.
    #[serde(default)]
    pub firmware: Vec<DebianPin>,
    /// Modules that are left out: directories and files below the directory of modules.
    #[serde(default)]
    pub without: Vec<String>,
    /// The kernel's arguments, after those that every image has.
    pub arguments: String,
    /// How long the boot loader shows its menu, in seconds; 0 only shows it while a key is held.
    pub menu: u32,
}

/// A layer of one or more images.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerPin {
    /// What the layer is called.
    pub name: String,
    /// Programs by path, each as `component/file`.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Symbolic links by path.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// Files of the pinned Debian packages; the libraries they need come with them. A last part of
    /// `*` means every file of a directory.
    #[serde(default)]
    pub debian: Vec<String>,
    /// Whether the layer names root and nobody in `/etc/passwd`.
    #[serde(default)]
    pub passwd: bool,
}

/// An image of the image cache.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePin {
    /// The names it has.
    pub names: Vec<String>,
    /// Its layers, lowest first.
    pub layers: Vec<String>,
    /// The program and its arguments.
    pub entrypoint: Vec<String>,
    /// `uid:gid`; empty means root.
    #[serde(default)]
    pub user: String,
}

/// Why the pins cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// The file could not be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The file is not what it must be.
    #[error("{} is not valid", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// Something names a part that is not defined.
    #[error("{user} names {what} `{name}`, which components.toml does not define")]
    Undefined {
        /// Who names it.
        user: String,
        /// What kind of part it should be.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// No kind of machines is called that.
    #[error("no profile is called `{name}`; there are: {known}")]
    Profile {
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// An image's name is not a full name.
    #[error("components.toml names an image badly")]
    Name(#[from] registry::reference::ReferenceError),
}

impl Pins {
    /// Reads `components.toml` of this directory.
    pub fn read(directory: &Path) -> Result<Self, PinsError> {
        let path = directory.join("components.toml");
        let text = fs::read_to_string(&path)
            .map_err(|source| PinsError::Read { path: path.clone(), source })?;
        let pins: Self = toml::from_str(&text)
            .map_err(|source| PinsError::Parse { path, source: Box::new(source) })?;
        pins.check()?;
        Ok(pins)
    }

    /// Every pinned Debian package, also those that only some images need.
    pub fn packages(&self) -> impl Iterator<Item = &DebianPin> {
        let machines = self.profile.iter().flat_map(ProfilePin::packages);
        self.debian.iter().chain([&self.loader]).chain(machines)
    }

    /// The kind of machines of this name.
    pub fn profile(&self, name: &str) -> Result<&ProfilePin, PinsError> {
        let known = || self.profile.iter().map(|profile| profile.name.as_str());
        self.profile.iter().find(|profile| profile.name == name).ok_or_else(|| PinsError::Profile {
            name: name.to_owned(),
            known: known().collect::<Vec<_>>().join(", "),
        })
    }

    fn check(&self) -> Result<(), PinsError> {
        let outputs: BTreeSet<String> = self
            .go
            .iter()
            .flat_map(|go| go.packages.values().map(|file| format!("{}/{file}", go.name)))
            .chain(self.rust.iter().map(|rust| format!("{0}/{0}", rust.name)))
            .collect();
        let layers: BTreeSet<&str> = self.layer.iter().map(|layer| layer.name.as_str()).collect();
        for layer in &self.layer {
            if let Some(file) = layer.files.values().find(|file| !outputs.contains(*file)) {
                return Err(PinsError::Undefined {
                    user: format!("layer `{}`", layer.name),
                    what: "the program",
                    name: file.clone(),
                });
            }
        }
        for image in &self.image {
            image.references()?;
            if let Some(layer) = image.layers.iter().find(|layer| !layers.contains(layer.as_str()))
            {
                return Err(PinsError::Undefined {
                    user: format!("image `{}`", image.names.join(", ")),
                    what: "the layer",
                    name: layer.clone(),
                });
            }
        }
        Ok(())
    }
}

impl GoPin {
    /// The directory of its go.mod under `components/`.
    pub fn directory(&self) -> &str {
        self.directory.as_deref().unwrap_or(&self.name)
    }
}

impl ProfilePin {
    /// The packages that only this kind of machines has.
    pub fn packages(&self) -> impl Iterator<Item = &DebianPin> {
        [&self.kernel].into_iter().chain(&self.firmware)
    }
}

impl ImagePin {
    /// The image's names, parsed.
    pub fn references(&self) -> Result<Vec<Reference>, registry::reference::ReferenceError> {
        self.names.iter().map(|name| name.parse()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../components")
    }

    #[test]
    fn committed_pins_hold_together() {
        let pins = Pins::read(&committed()).unwrap();
        for go in &pins.go {
            let sums = fs::read_to_string(committed().join(go.directory()).join("go.sum")).unwrap();
            let proof = format!("{} {} h1:", go.module, go.version);
            assert!(sums.contains(&proof), "go.sum of {} does not prove {proof}", go.name);
        }
        for debian in pins.packages() {
            assert_eq!(debian.sha256.len(), 64, "{}", debian.package);
        }
    }

    #[test]
    fn profiles_have_names() {
        let pins = Pins::read(&committed()).unwrap();
        assert_eq!(pins.profile("cloud").unwrap().name, "cloud");
        let error = pins.profile("mettal").unwrap_err().to_string();
        assert_eq!(error, "no profile is called `mettal`; there are: cloud, metal");
    }

    #[test]
    fn undefined_names_are_refused() {
        let text = fs::read_to_string(committed().join("components.toml")).unwrap();
        for (from, to, expected) in [
            ("layers = [\"etcd\"]", "layers = [\"etdc\"]", "names the layer `etdc`"),
            ("\"etcd/etcd\"", "\"etcd/etdc\"", "names the program `etcd/etdc`"),
            ("architecture =", "architekture =", "is not valid"),
            ("ghcr.io/siderolabs/kubelet:v", "kubelet:v", "names an image badly"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("components.toml"), text.replacen(from, to, 1))
                .unwrap();
            let error = Pins::read(directory.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{from} -> {to}: {error}");
        }
    }
}
