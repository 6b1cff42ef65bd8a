//! One module for each command.

pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod events;
pub(crate) mod generate;
pub(crate) mod get;
pub(crate) mod logs;
pub(crate) mod service;
pub(crate) mod version;
