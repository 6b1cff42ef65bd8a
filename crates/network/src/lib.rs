//! The network as plans: layers merged into one wish, the wish compared with what the kernel has,
//! the difference as steps; node addresses, files below `/etc`, the balancer of API servers; the protocol machines
//! of DHCP, router advertisements and network time; the network on the kernel's command line.
//!
//! Everything comes in as arguments; nothing here touches a socket, a file or a clock.
//! Start reading at [`merge`] and [`plan`].
#![forbid(unsafe_code)]

pub mod balance;
pub mod bond;
pub mod cmdline;
pub mod dhcp;
pub mod files;
pub mod id;
pub mod merge;
pub mod node_address;
pub mod ntp;
pub mod operator;
pub mod plan;
pub mod router;
pub mod seed;
mod sequence;
pub mod wireguard;
