//! On-disk formats and volume plans: partition tables, file systems, images of media, and what
//! is written where so that a node's volumes exist.
//!
//! Everything is computed from arguments. A reader takes the bytes that somebody read; a writer
//! gives [`Piece`]s that somebody writes. Nothing here opens a device or knows the time.
#![forbid(unsafe_code)]

pub mod crc;
pub mod ext4;
pub mod fat;
pub mod gpt;
pub mod guid;
pub mod iso;
mod piece;
pub mod tree;

mod bytes;

pub use guid::Guid;
pub use piece::Piece;
