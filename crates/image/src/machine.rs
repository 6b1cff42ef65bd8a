//! What a machine starts from: the unified kernel image, made of a kernel, the first file system
//! and a command line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use boot::command_line::{CommandLine, Parameter, ParameterError};
use boot::pe::{PeError, Program};
use boot::release::{self, Release};
use boot::uki::{self, Parts, UkiError};

use crate::component::Workshop;
use crate::debian::{self, Debian, DebianError};

/// Arguments that every image has: the kernel protects itself, says everything that it is told to
/// say, never blanks the screen, loads no module that its makers did not sign, and starts again after
/// a panic so that the boot loader can go back to an older image.
pub const ARGUMENTS: &str = "slab_nomerge= pti=on consoleblank=0 printk.devkmsg=on \
    module.sig_enforce=1 proc_mem.force_override=never panic=10";

/// Where the package has the boot loader and the stub.
const LOADER: &str = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
const STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";

/// The parts from which machines start, whatever their command line.
#[derive(Clone, Debug)]
pub struct Assets {
    /// The boot loader.
    pub loader: Vec<u8>,
    /// The stub of unified kernel images.
    pub stub: Vec<u8>,
    /// The kernel.
    pub kernel: Vec<u8>,
    /// The kernel's release.
    pub release: String,
    /// The first file system.
    pub initramfs: Vec<u8>,
    /// The version of Ichor.
    pub version: String,
}

/// The names of the files that an image is made of again, with another command line.
pub const FILES: [&str; 3] = ["systemd-boot.efi", "systemd-stub.efi", "ichor.efi"];

/// Why the files of an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// A file cannot be read.
    #[error("reading {}; the directory is one that `make image` fills", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The image lacks a part.
    #[error("{} is no unified kernel image", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is missing.
        #[source]
        source: PeError,
    },
    /// The image does not say its version.
    #[error("{} does not say which version it is", path.display())]
    Version {
        /// The file.
        path: PathBuf,
    },
}

/// Fetches the boot loader and the stub.
pub fn loader(workshop: &Workshop<'_>) -> Result<(Vec<u8>, Vec<u8>), DebianError> {
    let pin = &workshop.pins().loader;
    let label = format!("{} {}", pin.package, pin.version);
    let part = workshop.reported(&label, || debian::fetch(workshop.store(), pin))?;
    let mut package = Debian::default();
    package.add(&part, pin)?;
    let file = |path| package.file(path, "the disk image").map(|(bytes, _)| bytes.to_vec());
    Ok((file(LOADER)?, file(STUB)?))
}

/// The command line of an image: what every image has, what a kind of machines has, and what is
/// asked for. A later argument goes before an earlier one of the same name.
pub fn command_line(profile: &str, extra: &[Parameter]) -> CommandLine {
    let mut line = CommandLine::from(ARGUMENTS);
    line.extend(&CommandLine::from(profile));
    for parameter in extra {
        line.push(parameter.clone());
    }
    line
}

/// Reads an argument as it is given on a command line of a program: `name` or `name=value`.
pub fn argument(text: &str) -> Result<Parameter, ParameterError> {
    match text.split_once('=') {
        Some((name, value)) => Parameter::new(name, Some(value)),
        None => Parameter::new(text, None),
    }
}

impl Assets {
    /// Reads the parts that [`FILES`] of this directory hold, and the image's command line.
    pub fn read(directory: &Path) -> Result<(Self, CommandLine), AssetsError> {
        let [loader, stub, image] = FILES.map(|name| directory.join(name));
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|source| AssetsError::Read { path: path.clone(), source })
        };
        let bytes = read(&image)?;
        let wrong = |source| AssetsError::Image { path: image.clone(), source };
        let program = Program::read(&bytes).map_err(wrong)?;
        let section = |name| program.section(name).map_err(wrong);
        let text = |name| section(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let version = release::fields(&text(".osrel")?).remove("VERSION_ID");
        let assets = Self {
            loader: read(&loader)?,
            stub: read(&stub)?,
            kernel: section(".linux")?.to_vec(),
            release: text(".uname")?,
            initramfs: section(".initrd")?.to_vec(),
            version: version.ok_or_else(|| AssetsError::Version { path: image.clone() })?,
        };
        Ok((assets, CommandLine::from(text(".cmdline")?.as_str())))
    }

    /// The unified kernel image with this command line.
    pub fn image(&self, line: &CommandLine) -> Result<Vec<u8>, UkiError> {
        uki::build(
            &self.stub,
            &Parts {
                os_release: &Release { version: self.version.clone() }.to_string(),
                command_line: &line.to_string(),
                release: &self.release,
                kernel: &self.kernel,
                initramfs: &self.initramfs,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_arguments_come_last() {
        let extra = [argument("talos.platform=nocloud").unwrap(), argument("quiet").unwrap()];
        let line = command_line("talos.platform=metal console=ttyS0", &extra);
        assert_eq!(line.last("talos.platform"), Some("nocloud"));
        assert_eq!(
            line.to_string(),
            format!("{ARGUMENTS} talos.platform=metal console=ttyS0 talos.platform=nocloud quiet")
        );
        assert!(argument("=x").is_err());
    }
}
