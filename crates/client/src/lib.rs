//! Calling the nodes of a cluster: client configuration files, TLS, endpoints, and errors that say what to do; and
//! taking the workload off a node.
//!
//! A [`Connection`] is one HTTP/2 connection to one of several endpoints; a [`Node`] is a node reached through it,
//! with one typed client per service. Nothing here prints, and nothing here decides what a command means.
//! Start reading at [`Connection::open`].

mod access_file;
mod connection;
mod dial;
mod drain;
mod endpoint;
mod error;
mod node;
mod tls;

pub use access_file::{AccessFile, AccessFileError, Search};
pub use connection::{Channel, Connection, ConnectionOptions};
pub use dial::DialError;
pub use drain::{Drain, DrainError};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{CallError, Named};
pub use node::Node;
pub use tls::{TlsError, Trust};
