//! Keys, certificates, signing requests and the secrets bundle of a cluster.
//!
//! Pure: the time is an argument (seconds since the Unix epoch) and random bytes come from a [`Random`] that the
//! caller passes in. The one border to the outside is [`system`]: the operating system's random source, and the
//! generation of asymmetric keys, which the cryptography library only offers with its own source.
//!
//! Nothing here reads a file, asks the clock or talks to the network. Start reading at [`Authority`].
#![forbid(unsafe_code)]

pub mod access;
pub mod authority;
pub mod bundle;
pub mod certificate;
mod der;
mod fields;
pub mod key;
pub mod pem;
pub mod request;
pub mod secureboot;
pub mod system;
pub mod token;

pub use access::{Access, Context};
pub use authority::{Authority, Identity, IssueError, Leaf};
pub use bundle::{BundleError, Secrets};
pub use certificate::{Certificate, CertificateError, ExtendedUsage, Validity};
pub use fields::FieldError;
pub use key::{Algorithm, KeyError, PrivateKey};
pub use request::{Request, RequestError};
pub use system::{Random, System};

/// An hour, in the unit of every time in this crate.
pub const HOUR: i64 = 3600;
/// How long a certificate authority of a new cluster lives (ten years of 365 days).
pub const AUTHORITY_LIFE: i64 = 87_600 * HOUR;
/// How long an administrator's client certificate lives (a year of 365 days).
pub const CLIENT_LIFE: i64 = 8_760 * HOUR;
/// How long the node's own API certificates live.
pub const NODE_LIFE: i64 = 24 * HOUR;
