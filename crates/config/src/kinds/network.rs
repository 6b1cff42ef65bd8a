//! Kinds about the network.

mod address;
mod bgp;
mod bond;
mod firewall;
mod host;
mod link;
mod probe;
mod span;

pub use address::*;
pub use bgp::*;
pub use bond::*;
pub use firewall::*;
pub use host::*;
pub use link::*;
pub use probe::*;
pub use span::*;
