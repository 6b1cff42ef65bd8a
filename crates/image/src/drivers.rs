//! The image of drivers: every module of a kernel and the firmware they load, as one squashfs that
//! is mounted over a directory of the root image.
//!
//! It depends on pinned packages only, so it is made once for each kernel.

use std::path::PathBuf;

use registry::layer::{Layer, Source};

use crate::component::Workshop;
use crate::debian::{self, Debian, DebianError};
use crate::kernel::{Kernel, KernelError};
use crate::pins::ProfilePin;
use crate::squashfs::{self, SquashfsError};
use crate::store::StoreError;

/// Where packages have firmware.
const FIRMWARE: &str = "/usr/lib/firmware";

/// Why the image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DriversError {
    /// The kernel is not to be had.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A package of firmware is not to be had.
    #[error("the firmware")]
    Debian(#[from] DebianError),
    /// The image could not be written.
    #[error(transparent)]
    Squashfs(#[from] SquashfsError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the image of a profile, once, and returns where it is.
pub fn build(
    workshop: &Workshop<'_>,
    profile: &ProfilePin,
    kernel: &Kernel,
    compression: u32,
) -> Result<PathBuf, DriversError> {
    let mut inputs = squashfs::inputs(compression);
    // The part's name has the hash of all that the kernel was made from.
    let kernel_part = kernel.image().parent().and_then(|path| path.file_name()).map(PathBuf::from);
    inputs.text("kernel", &kernel_part.unwrap_or_default().to_string_lossy());
    for pin in &profile.firmware {
        inputs.text(&pin.package, &pin.sha256);
    }
    let store = workshop.store();
    let label = format!("drivers of {}", kernel.release);
    let part = workshop.reported(&label, || {
        store.part(&format!("drivers-{}", profile.name), &inputs, |output| {
            let mut firmware = Debian::default();
            for pin in &profile.firmware {
                firmware.add(&debian::fetch(store, pin)?.path, pin)?;
            }
            let tree = tree(kernel, &firmware)?;
            squashfs::write(&tree, None, &output.join("drivers.sqfs"), compression)?;
            Ok::<_, DriversError>(())
        })
    })?;
    Ok(part.join("drivers.sqfs"))
}

fn tree(kernel: &Kernel, firmware: &Debian) -> Result<Layer, DriversError> {
    let mut tree = Layer::new();
    tree.directory("firmware", 0o755);
    for path in kernel.files() {
        let source = Source::Path(kernel.modules().join(&path));
        tree.file(&format!("{}/{path}", kernel.release), source, 0o644);
    }
    for path in firmware.below(FIRMWARE) {
        let (bytes, _) = firmware.file(path, "the image of drivers")?;
        let name =
            path.trim_start_matches('/').trim_start_matches(FIRMWARE.trim_start_matches('/'));
        tree.file(&format!("firmware{name}"), Source::Bytes(bytes.to_vec()), 0o644);
    }
    Ok(tree)
}
