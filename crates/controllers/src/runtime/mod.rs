//! Controllers of the machine itself: services, status, sequences.

pub mod service;
