//! Kinds that configure Kubernetes.

mod api_server;
mod authority;
mod cluster;
mod component;
mod manifest;
mod node;

pub use api_server::*;
pub use authority::*;
pub use cluster::*;
pub use component::*;
pub use manifest::*;
pub use node::*;
