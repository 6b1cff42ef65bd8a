//! The kernel and its modules, from the pinned Debian package.
//!
//! Modules are decompressed once, when the package is taken apart: the image compresses better as a
//! whole, and a node need not know the format. What a module says of itself gives the lists by which
//! a node finds it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use boot::module::Name;
use boot::module::catalogue::{Catalogue, FILES, Lists, UnknownModuleError};
use boot::module::depmod::{self, DepmodError};
use boot::module::metadata::{Metadata, MetadataError};

use crate::component::Workshop;
use crate::debian::{self, DebianError};
use crate::pins::ProfilePin;
use crate::store::{Inputs, Store, StoreError};

/// Changes when the same package would be taken apart differently.
const FORM: &str = "2";

/// The largest module that is believed; real ones have a few megabytes.
const LARGEST: u64 = 256 << 20;

/// A kernel that was taken apart.
#[derive(Clone, Debug)]
pub struct Kernel {
    directory: PathBuf,
    /// Its release, as uname(2) says it.
    pub release: String,
    catalogue: Catalogue,
}

/// Why there is no kernel.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Its package is not to be had.
    #[error(transparent)]
    Debian(#[from] DebianError),
    /// The package does not have what a kernel's package has.
    #[error("the package {package} has no {what}")]
    Incomplete {
        /// The package.
        package: String,
        /// What is missing.
        what: &'static str,
    },
    /// A file of it cannot be read or written.
    #[error("the kernel's file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A module cannot be read.
    #[error("the kernel's module {path}")]
    Module {
        /// The module.
        path: String,
        /// What is wrong with it.
        #[source]
        source: MetadataError,
    },
    /// What a profile leaves out is not there.
    #[error("profile `{profile}` leaves out {path}, which the kernel does not have")]
    NotThere {
        /// The profile.
        profile: String,
        /// What it names.
        path: String,
    },
    /// The modules do not fit together.
    #[error("the modules of {release}")]
    Depmod {
        /// The kernel.
        release: String,
        /// Why.
        #[source]
        source: DepmodError,
    },
    /// A module that the image needs is not there.
    #[error("the first file system needs a module")]
    Unknown(#[from] UnknownModuleError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a package holds, before it is sorted.
#[derive(Default)]
struct Content {
    release: Option<String>,
    image: Option<Vec<u8>>,
    order: String,
    builtin: String,
    modules: BTreeMap<String, Vec<u8>>,
}

/// Fetches the kernel of a profile and takes it apart, once.
pub fn build(workshop: &Workshop<'_>, profile: &ProfilePin) -> Result<Kernel, KernelError> {
    let pin = &profile.kernel;
    let mut inputs = Inputs::new();
    inputs.text("form", FORM).text("package", &pin.package).text("sha256", &pin.sha256);
    for path in &profile.without {
        inputs.text("without", path);
    }
    let label = format!("{} {}", pin.package, pin.version);
    let store = workshop.store();
    let part = workshop.reported(&label, || {
        store.part(&format!("kernel-{}", profile.name), &inputs, |output| {
            unpack(store, profile, output)
        })
    })?;
    Kernel::open(part)
}

fn unpack(store: &Store, profile: &ProfilePin, output: &Path) -> Result<(), KernelError> {
    let pin = &profile.kernel;
    let archive = debian::fetch(store, pin)?.path.join("data.tar");
    let mut content =
        read(&archive).map_err(|source| KernelError::File { path: archive.clone(), source })?;
    for left_out in &profile.without {
        let before = content.modules.len();
        let below = format!("{left_out}/");
        content.modules.retain(|path, _| path != left_out && !path.starts_with(&below));
        if content.modules.len() == before {
            let (profile, path) = (profile.name.clone(), left_out.clone());
            return Err(KernelError::NotThere { profile, path });
        }
    }
    let incomplete = |what| KernelError::Incomplete { package: pin.package.clone(), what };
    let release = content.release.ok_or_else(|| incomplete("modules"))?;
    let image = content.image.ok_or_else(|| incomplete("boot/vmlinuz"))?;
    let mut described = BTreeMap::new();
    for (path, module) in &content.modules {
        let wrong = |source| KernelError::Module { path: path.clone(), source };
        described.insert(path.clone(), Metadata::read(module).map_err(wrong)?);
    }
    let parts = depmod::Kernel { order: &content.order, builtin: &content.builtin };
    let catalogue = depmod::catalogue(&described, &parts)
        .map_err(|source| KernelError::Depmod { release: release.clone(), source })?;

    write(&output.join("vmlinuz"), &image)?;
    write(&output.join("release"), release.as_bytes())?;
    for (path, module) in &content.modules {
        write(&output.join("modules").join(path), module)?;
    }
    for (name, text) in catalogue.lists().files() {
        write(&output.join("modules").join(name), text.as_bytes())?;
    }
    Ok(())
}

/// Reads a package's archive.
fn read(path: &Path) -> io::Result<Content> {
    let mut content = Content::default();
    let mut archive = tar::Archive::new(io::BufReader::new(File::open(path)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.to_string_lossy().into_owned();
        let path = path.trim_start_matches("./").trim_start_matches("usr/");
        if path.starts_with("boot/vmlinuz-") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            content.image = Some(bytes);
            continue;
        }
        let Some((release, path)) =
            path.strip_prefix("lib/modules/").and_then(|path| path.split_once('/'))
        else {
            continue;
        };
        content.release.get_or_insert_with(|| release.to_owned());
        match path {
            "modules.order" => {
                entry.read_to_string(&mut content.order)?;
            }
            "modules.builtin" => {
                entry.read_to_string(&mut content.builtin)?;
            }
            path if path.ends_with(".ko") => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                content.modules.insert(path.to_owned(), bytes);
            }
            path => {
                let Some(path) = path.strip_suffix(".xz").filter(|path| path.ends_with(".ko"))
                else {
                    continue;
                };
                let mut bytes = Vec::new();
                lzma_rust2::XzReader::new(&mut entry, false)
                    .take(LARGEST)
                    .read_to_end(&mut bytes)?;
                content.modules.insert(path.to_owned(), bytes);
            }
        }
    }
    Ok(content)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), KernelError> {
    let failed = |source| KernelError::File { path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    fs::write(path, bytes).map_err(failed)
}

impl Kernel {
    /// Opens a kernel that was taken apart.
    fn open(directory: PathBuf) -> Result<Self, KernelError> {
        let read = |path: PathBuf| {
            fs::read_to_string(&path).map_err(|source| KernelError::File { path, source })
        };
        let release = read(directory.join("release"))?;
        let lists = Lists::of(|name| read(directory.join("modules").join(name)))?;
        let catalogue = Catalogue::read(&lists).map_err(|source| KernelError::File {
            path: directory.join("modules"),
            source: io::Error::other(source),
        })?;
        Ok(Self { directory, release, catalogue })
    }

    /// The kernel itself.
    pub fn image(&self) -> PathBuf {
        self.directory.join("vmlinuz")
    }

    /// Where the lists and the modules are.
    pub fn modules(&self) -> PathBuf {
        self.directory.join("modules")
    }

    /// The paths of all lists and modules, relative to where they are, sorted.
    pub fn files(&self) -> Vec<String> {
        let modules = self.catalogue.modules().map(|(_, path)| path.to_owned());
        let mut files: Vec<String> = modules.chain(FILES.map(str::to_owned)).collect();
        files.sort();
        files
    }

    /// The files of each of these modules and of what it needs, in the order of loading; nothing for those that the kernel
    /// has built in.
    pub fn needed(&self, names: &[&str]) -> Result<Vec<Vec<String>>, KernelError> {
        let mut needed = Vec::new();
        for name in names {
            let steps = self.catalogue.steps(&Name::new(name))?;
            let required = steps.into_iter().filter(|step| step.required);
            needed.push(required.map(|step| step.path.to_owned()).collect());
        }
        needed.retain(|paths: &Vec<_>| !paths.is_empty());
        Ok(needed)
    }
}
