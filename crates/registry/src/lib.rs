//! The image cache: an OCI image layout on disk, and a registry that serves it to the node itself.
//!
//! A node asks its own cache before any registry on the network. This crate reads such a cache
//! ([`layout`]), answers the registry protocol from it ([`server`]) and, with the feature `write`,
//! makes one ([`layer`], [`writer`]). It never pulls from the network and never hands out a byte
//! of a blob whose digest it has not checked. Start reading at [`layout`].

pub mod digest;
#[cfg(feature = "write")]
pub mod layer;
pub mod layout;
pub mod manifest;
pub mod reference;
pub mod server;
#[cfg(feature = "write")]
pub mod writer;
