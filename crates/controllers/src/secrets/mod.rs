//! Secrets: who the node is to others, and what it signs with.

pub mod leaf;
pub mod sans;
