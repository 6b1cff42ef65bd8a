//! Volumes: which exist, which are still to be made, and the next thing to do for each.
//!
//! [`plan()`] compares the wishes (`VolumeConfigs`) with what is on the disks and gives the status
//! of every volume and the steps that can be taken now (contract, `machine.md` 2.2). It is called
//! again after each step, so it needs no memory: a step that a power cut interrupted is seen on
//! the disk and taken again. Must never: plan a write to anything that holds somebody's data.

mod action;
mod observed;
mod plan;
mod selector;
pub mod system;

pub use action::{Action, ActionError, Fresh, actions};
pub use observed::{Disk, Observed, Part};
pub use plan::{Plan, Step, plan};
pub use selector::SelectorError;

/// Mark of a partition that was made here and not yet formatted, in the bits of a partition's
/// attributes that belong to its type (UEFI 2.10, chapter 5.3.3). Whatever such a partition
/// holds is left over from before it existed or from an interrupted formatting: nobody's.
pub const UNFORMATTED: u64 = 1 << 56;

/// The order in which volumes are made: a later wave begins when the earlier ones have their
/// partitions.
pub mod wave {
    /// The system's own volumes.
    pub const SYSTEM: i64 = -1;
    /// Volumes of the configuration.
    pub const USER: i64 = 0;
}
