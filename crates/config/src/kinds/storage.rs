//! Kinds about disks and volumes.

mod array;
mod encryption;
mod maintenance;
mod volume;

pub use array::*;
pub use encryption::*;
pub use maintenance::*;
pub use volume::*;
