//! What is built around Ichor's own programs: components, the image cache, the root image, the SBOM.
//!
//! Everything comes from pinned inputs ([`pins`]) through a store that is keyed by the hash of those
//! inputs ([`store`]), so a second build does nothing and two builds of the same inputs agree. No
//! part needs root, a container engine or a loop device. Start reading at [`pins`]; then
//! [`component`], [`cache`] for the images of the image cache and [`root`] for the root image.

pub mod cache;
pub mod component;
pub mod debian;
pub mod drivers;
pub mod elf;
mod go;
pub mod initramfs;
pub mod kernel;
pub mod machine;
pub mod media;
pub mod pins;
pub mod root;
mod rustc;
pub mod sbom;
pub mod squashfs;
pub mod store;
pub mod tool;
