//! The image that this machine was started from: it is confirmed when the machine has come up, and given to the kernel
//! when the machine is to start again without its firmware.
//!
//! What was started, the boot loader says in EFI variables (systemd's "Boot Loader Interface"). The partition with the
//! images is mounted only while one of them is needed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use boot::entry::{IMAGES, ImageName};
use boot::pe::{PeError, Program};
use resource::block::DiscoveredVolumeSpec;
use resource::enums::MachineStage;
use resource::runtime::MachineStatusSpec;
use sys::mount::{self, MountError, MountFlags};

use super::service::error_chain;
use crate::{Node, Paths, firmware};

/// Where the partition is mounted meanwhile.
const PLACE: &str = "/system/run/boot";
/// Where the parts of an image are while the kernel reads them, in memory.
const PARTS: &str = "/system/run/next";
/// Whether the kernel may be given another one; once off, it stays off.
const DISABLED: &str = "/proc/sys/kernel/kexec_load_disabled";

/// Why the image cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum BootImageError {
    /// The loader left no word about it: it is another loader, or the machine was started in another way.
    #[error("the boot loader does not say what it started")]
    Unknown,
    /// Its partition is not among those that were found.
    #[error("no disk has the partition {id} that the machine was started from")]
    Partition {
        /// The partition's UUID.
        id: String,
    },
    /// The partition cannot be mounted.
    #[error("cannot mount the partition with boot images")]
    Mount(#[from] MountError),
    /// A file cannot be read or written.
    #[error("cannot {action} {path}")]
    File {
        /// What was attempted.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The image that was started is gone.
    #[error("the image {name} is not on its partition any more")]
    Gone {
        /// Its name as the loader said it.
        name: String,
    },
    /// The file is no image.
    #[error("{path} is no unified kernel image")]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: PeError,
    },
    /// Another kernel must not be started this way.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: &'static str,
    },
    /// The kernel did not take it.
    #[error("the kernel does not take the next kernel")]
    Load(#[source] io::Error),
}

/// Confirms the image once the machine runs and is ready, so that the loader does not count its next starts.
pub(super) async fn confirm_when_ready(node: Node) {
    node.store
        .wait_for::<MachineStatusSpec>("runtime", "machine", |status| {
            status.is_some_and(|status| {
                status.spec.stage == MachineStage::RUNNING && status.spec.status.ready
            })
        })
        .await;
    let confirmed =
        tokio::task::spawn_blocking(move || with_images(&node, MountFlags::empty(), confirm));
    match confirmed.await {
        Ok(Ok(Some(name))) => tracing::info!("the boot image {name} is confirmed"),
        Ok(Ok(None)) | Err(_) => {}
        // A machine that was started without a loader, such as by an emulator that loads the kernel, counts nothing.
        Ok(Err(BootImageError::Unknown)) => tracing::debug!("there is no boot image to confirm"),
        Ok(Err(error)) => tracing::warn!("{}", error_chain(&error)),
    }
}

/// Gives the kernel the image that this machine was started from.
pub(super) async fn load(node: &Node) -> Result<(), BootImageError> {
    let node = node.clone();
    let loaded = tokio::task::spawn_blocking(move || {
        allowed(&node.paths)?;
        with_images(&node, MountFlags::RDONLY, |directory, selected| {
            let (path, _) = find(directory, selected)?;
            let parts = node.paths.at(PARTS);
            let loaded = give(&path, &parts);
            // What is left of it goes with the memory in any case.
            let _ = fs::remove_dir_all(&parts);
            loaded
        })
    });
    loaded.await.unwrap_or(Err(BootImageError::Refused { reason: "it was not tried to the end" }))
}

/// Whether the kernel and the firmware let another kernel start without the firmware's checks.
fn allowed(paths: &Paths) -> Result<(), BootImageError> {
    let refused = |reason| Err(BootImageError::Refused { reason });
    if firmware::secure_boot(paths) {
        return refused("with Secure Boot only the firmware starts kernels");
    }
    match fs::read_to_string(paths.at(DISABLED)) {
        Ok(text) if text.trim() == "0" => Ok(()),
        Ok(_) => refused("the kernel takes no other one any more (kernel.kexec_load_disabled)"),
        Err(_) => refused("this kernel cannot start another one"),
    }
}

/// Does something with the directory of images, which is mounted for as long.
fn with_images<T>(
    node: &Node,
    flags: MountFlags,
    work: impl FnOnce(&Path, &str) -> Result<T, BootImageError>,
) -> Result<T, BootImageError> {
    let variable = |name| firmware::loader_variable(&node.paths, name);
    let id = variable("LoaderDevicePartUUID").ok_or(BootImageError::Unknown)?;
    let selected = variable("LoaderEntrySelected").ok_or(BootImageError::Unknown)?;
    let volumes = node.store.list::<DiscoveredVolumeSpec>("runtime");
    let found = volumes.iter().find(|volume| volume.spec.partition_uuid.eq_ignore_ascii_case(&id));
    let device = found.map(|volume| node.paths.at(&volume.spec.dev_path));
    let device = device.ok_or(BootImageError::Partition { id })?;
    let place = node.paths.at(PLACE);
    let failed = |source| BootImageError::File { action: "make", path: place.clone(), source };
    fs::create_dir_all(&place).map_err(failed)?;
    let flags = flags | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount::mount("vfat", &device, &place, flags, "umask=0077")?;
    let done = work(&place.join(IMAGES), &selected);
    // A detached mount is written and gone as soon as its last file is closed.
    let unmounted = mount::unmount(&place, true);
    let value = done?;
    unmounted?;
    Ok(value)
}

/// The image that the loader means by the name of its entry, which may or may not have the counter that the file had
/// then; FAT does not tell capital letters from small ones.
fn find(directory: &Path, selected: &str) -> Result<(PathBuf, ImageName), BootImageError> {
    let stem = match selected.parse::<ImageName>() {
        Ok(name) => name.stem,
        Err(_) => selected.to_owned(),
    };
    let failed =
        |source| BootImageError::File { action: "list", path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let file = entry.file_name();
        let Ok(name) = file.to_string_lossy().parse::<ImageName>() else { continue };
        if name.stem.eq_ignore_ascii_case(&stem) {
            return Ok((entry.path(), name));
        }
    }
    Err(BootImageError::Gone { name: selected.to_owned() })
}

/// Takes the counter out of the image's name; says the new name if there was one.
fn confirm(directory: &Path, selected: &str) -> Result<Option<ImageName>, BootImageError> {
    let (path, name) = find(directory, selected)?;
    if name.tries.is_none() {
        return Ok(None);
    }
    let failed = |source| BootImageError::File { action: "rename", path: path.clone(), source };
    let blessed = name.blessed();
    fs::rename(&path, directory.join(blessed.to_string())).map_err(failed)?;
    sys::device::sync_file_system(directory).map_err(failed)?;
    Ok(Some(blessed))
}

/// Takes an image apart and gives its parts to the kernel.
fn give(path: &Path, parts: &Path) -> Result<(), BootImageError> {
    let (kernel, initramfs, line) = take_apart(path, parts)?;
    sys::system::load_kernel(&kernel, &initramfs, &line).map_err(BootImageError::Load)
}

/// The kernel and the initramfs of an image as files below `parts`, and its command line.
fn take_apart(path: &Path, parts: &Path) -> Result<(File, File, String), BootImageError> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| BootImageError::File { action, path, source }
    };
    let wrong = |source| BootImageError::Image { path: path.to_owned(), source };
    let image = fs::read(path).map_err(failed("read", path))?;
    let program = Program::read(&image).map_err(wrong)?;
    fs::create_dir_all(parts).map_err(failed("make", parts))?;
    let part = |section: &str, name: &str| -> Result<File, BootImageError> {
        let content = program.section(section).map_err(wrong)?;
        let path = parts.join(name);
        let mut file = File::create(&path).map_err(failed("make", &path))?;
        file.write_all(content).map_err(failed("write", &path))?;
        // The kernel takes no file that is open for writing.
        drop(file);
        File::open(&path).map_err(failed("read", &path))
    };
    let kernel = part(".linux", "kernel")?;
    let initramfs = part(".initrd", "initramfs")?;
    let line = program.section(".cmdline").map_err(wrong)?;
    let line = String::from_utf8_lossy(line);
    Ok((kernel, initramfs, line.trim_end_matches(['\0', '\n']).to_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn touch(directory: &Path, names: &[&str]) {
        for name in names {
            fs::write(directory.join(name), name).unwrap();
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_image_that_was_started_loses_its_counter_once() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        touch(at, &["Ichor-1.0+2-1.efi", "Ichor-0.9.efi", "notes.txt"]);
        for selected in ["ichor-1.0.efi", "Ichor-1.0+3.efi"] {
            let (path, _) = find(at, selected).unwrap();
            assert_eq!(path, at.join("Ichor-1.0+2-1.efi"), "{selected}");
        }
        let confirmed = confirm(at, "ichor-1.0+3.efi").unwrap();
        assert_eq!(confirmed.map(|name| name.to_string()).as_deref(), Some("Ichor-1.0.efi"));
        assert_eq!(names(at), ["Ichor-0.9.efi", "Ichor-1.0.efi", "notes.txt"]);
        assert_eq!(confirm(at, "ichor-1.0.efi").unwrap(), None);
        let error = confirm(at, "ichor-2.0.efi").unwrap_err();
        assert_eq!(error.to_string(), "the image ichor-2.0.efi is not on its partition any more");
    }

    /// The smallest program to which parts can be added: headers of 1 KiB and one section.
    fn stub() -> Vec<u8> {
        let mut file = vec![0; 0x600];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        let optional = 0x98;
        put(0, b"MZ");
        put(0x3c, &0x80_u32.to_le_bytes());
        put(0x80, b"PE\0\0\x64\x86\x01\0");
        put(0x94, &240_u16.to_le_bytes());
        put(optional, &0x20b_u16.to_le_bytes());
        for (at, value) in
            [(8, 0x200), (32, 0x200), (36, 0x200), (56, 0x1200), (60, 0x400), (108, 16)]
        {
            put(optional + at, &u32::to_le_bytes(value));
        }
        put(optional + 240, b".text");
        for (at, value) in [(8, 0x10), (12, 0x1000), (16, 0x200), (20, 0x400)] {
            put(optional + 240 + at, &u32::to_le_bytes(value));
        }
        file
    }

    #[test]
    fn an_image_is_taken_apart() {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("a.efi");
        fs::write(&image, "no program").unwrap();
        let parts = directory.path().join("parts");
        assert!(matches!(take_apart(&image, &parts), Err(BootImageError::Image { .. })));
        let content = boot::uki::Parts {
            os_release: "ID=ichor\n",
            command_line: "quiet panic=10",
            release: "6.12",
            kernel: b"the kernel",
            initramfs: b"the initramfs",
        };
        fs::write(&image, boot::uki::build(&stub(), &content).unwrap()).unwrap();
        let (mut kernel, mut initramfs, line) = take_apart(&image, &parts).unwrap();
        assert_eq!(line, "quiet panic=10");
        let mut text = String::new();
        kernel.read_to_string(&mut text).unwrap();
        initramfs.read_to_string(&mut text).unwrap();
        assert_eq!(text, "the kernelthe initramfs");
    }

    #[test]
    fn another_kernel_is_refused_where_it_must_be() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path());
        let reason = |paths: &Paths| allowed(paths).unwrap_err().to_string();
        assert_eq!(reason(&paths), "this kernel cannot start another one");
        let knob = paths.at(DISABLED);
        fs::create_dir_all(knob.parent().unwrap()).unwrap();
        fs::write(&knob, "1\n").unwrap();
        assert!(reason(&paths).contains("kexec_load_disabled"));
        fs::write(&knob, "0\n").unwrap();
        assert!(allowed(&paths).is_ok());
        let variable =
            paths.at("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
        fs::create_dir_all(variable.parent().unwrap()).unwrap();
        fs::write(&variable, [6, 0, 0, 0, 0]).unwrap();
        assert!(allowed(&paths).is_ok());
        fs::write(&variable, [6, 0, 0, 0, 1]).unwrap();
        assert!(reason(&paths).contains("Secure Boot"));
    }
}
