//! Kinds about membership: discovery and the link to a management service.

use config_derive::Section;

use crate::scalar::Url;

/// A service through which members find each other.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "DiscoveryServiceConfig", group = "cluster", since = "1.14", named)]
pub struct DiscoveryServiceConfig {
    /// A name for the document.
    #[field(keep, required)]
    pub name: String,
    /// The URL of the service.
    #[field(required)]
    pub endpoint: Url,
}

/// The identity of the cluster in discovery services.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "DiscoveryIdentityConfig", group = "cluster", since = "1.14")]
pub struct DiscoveryIdentityConfig {
    /// The identity.
    #[field(name = "clusterID", required)]
    pub cluster_id: String,
    /// The key with which discovery data is encrypted: base64 of 32 bytes.
    #[field(required, secret)]
    pub cluster_secret: String,
}

/// The connection to a management service.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "SideroLinkConfig", group = "cluster", since = "1.8")]
pub struct SideroLinkConfig {
    /// Where the service listens; the query may hold a join token.
    #[field(required, secret)]
    pub api_url: Url,
    /// Proves that the machine is the one that joined before.
    #[field(secret)]
    pub unique_token: String,
}
