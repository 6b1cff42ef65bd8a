//! The document kinds, by the part of the system they configure.

pub mod cluster;
pub mod kubernetes;
pub mod network;
pub mod registry;
pub mod runtime;
pub mod storage;
