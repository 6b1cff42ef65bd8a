//! The machine configuration language.
//!
//! A configuration is a stream of YAML documents: at most one `v1alpha1` document and any number of
//! documents with a kind. [`load`] reads one, [`Config`] holds it, [`view`] answers what a node
//! wants to know whichever document says it, [`patch`] changes it, [`validate`] checks it.
//!
//! Every kind is one struct with the derive `Section`; decoding, encoding, merging, redaction,
//! schema and documentation all come from that struct. Start reading at [`document`].
//!
//! This crate must never do I/O, read a clock or draw random numbers.
#![forbid(unsafe_code)]

pub mod catalog;
pub mod cel;
mod check;
mod config;
mod conflict;
pub mod decode;
pub mod defaults;
pub mod diagnostic;
pub mod diff;
pub mod document;
pub mod error;
pub mod field;
pub mod finding;
mod free;
pub mod generate;
pub mod kinds;
pub mod lint;
pub mod list;
mod load;
mod map;
pub mod merge;
pub mod patch;
pub mod reference;
pub mod scalar;
pub mod section;
pub mod v1alpha1;
pub mod validate;
pub mod view;

pub use config::Config;
pub use document::{Document, Identity, Kind};
pub use error::{LoadError, LoadErrors};
pub use free::Free;
pub use list::List;
pub use load::load;
pub use map::Map;
