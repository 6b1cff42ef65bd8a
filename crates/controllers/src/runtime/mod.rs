//! Controllers of the machine itself: services, status, sequences.

mod facts;
mod mirror;
pub mod service;
pub mod status;
