//! Files: what the node writes below `/etc`, and events about files.

pub mod atomic;
pub mod watch;
