//! What happens before and while the kernel starts, as plain data: the command line, the first
//! file system, kernel modules, unified kernel images, boot entries.
//!
//! Everything is bytes in and bytes out; no file is opened here. The image builder writes these
//! formats and a node reads them, so each is defined once, here. Start reading at
//! [`command_line`] for a node and at [`uki`] for images.
#![forbid(unsafe_code)]

pub mod command_line;
pub mod cpio;
pub mod entry;
pub mod initramfs;
pub mod module;
mod name;
pub mod pe;
pub mod release;
pub mod settings;
pub mod uki;
