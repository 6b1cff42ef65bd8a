//! Clusters of virtual machines: each node is a QEMU process with a disk, firmware and links.
//!
//! Needs no privilege and changes nothing of the host: a machine reaches the world through QEMU's
//! own network, which also leads ports of this host's loopback address to it; machines reach each
//! other through a segment that is a multicast group on the loopback link.

mod arguments;
mod disk;
mod emulation;
mod machines;
mod qmp;
mod serial;
mod trial;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::state::ClusterDirectory;

pub use arguments::BOARD;
pub(crate) use disk::check_image;
pub use disk::make_image;
pub(crate) use emulation::missing;
pub use emulation::{Accelerator, Emulation, EmulationError};
pub(crate) use machines::{Machines, MachinesError, after};
pub use trial::archive as trial_archive;

/// The hardware address of a machine's link to the world, where it gets its address by DHCP.
#[must_use]
pub fn uplink_address(node: Ipv4Addr) -> String {
    arguments::hardware_address(arguments::UPLINK, node)
}

/// The hardware address of a machine's link to the other machines, which has the node's address.
#[must_use]
pub fn segment_address(node: Ipv4Addr) -> String {
    arguments::hardware_address(arguments::SEGMENT_LINK, node)
}

/// Where the picture of a machine's screen is after one was asked for (PNG).
#[must_use]
pub fn screenshot(directory: &ClusterDirectory, node: &str) -> PathBuf {
    directory.node(node).join("screen.png")
}
