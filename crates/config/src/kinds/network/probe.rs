//! Probes of the network.

use config_derive::Section;

use crate::scalar::{Duration, Url};

/// Checks that a TCP connection can be made.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "TCPProbeConfig", group = "network", since = "1.13", named)]
pub struct TcpProbeConfig {
    /// A name for the probe.
    #[field(keep, required)]
    pub name: String,
    /// How often it is tried.
    #[field(default = "1s")]
    pub interval: Duration,
    /// How many failures in a row count as one.
    #[field(default = "0")]
    pub failure_threshold: i64,
    /// The other end, as `host:port`.
    #[field(required)]
    pub endpoint: String,
    /// How long one try may take.
    #[field(default = "10s")]
    pub timeout: Duration,
}

/// Checks that an HTTP request is answered with a status from 200 to 399.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "HTTPProbeConfig", group = "network", since = "1.14", named)]
pub struct HttpProbeConfig {
    /// A name for the probe.
    #[field(keep, required)]
    pub name: String,
    /// How often it is tried.
    #[field(default = "1s")]
    pub interval: Duration,
    /// How many failures in a row count as one.
    #[field(default = "0")]
    pub failure_threshold: i64,
    /// What is asked for; redirects are not followed.
    #[field(required)]
    pub url: Url,
    /// How long one try may take.
    #[field(default = "10s")]
    pub timeout: Duration,
}
