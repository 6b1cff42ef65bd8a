//! The network as plans: layers merged into one wish, the wish compared with what the kernel has,
//! the difference as steps; node addresses, files below `/etc`, the balancer of API servers.
//!
//! Everything comes in as arguments; nothing here touches a socket, a file or a clock.
//! Start reading at [`merge`] and [`plan`].
#![forbid(unsafe_code)]

pub mod balance;
pub mod files;
pub mod id;
pub mod merge;
pub mod node_address;
pub mod plan;
pub mod seed;
