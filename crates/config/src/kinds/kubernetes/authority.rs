//! Certificate authorities and keys of Kubernetes.

use config_derive::Section;

use crate::List;
use crate::scalar::Url;

/// A certificate and its key as PEM text.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct CertificateAndKey {
    /// The certificate as PEM.
    pub cert: String,
    /// The key as PEM.
    #[field(secret)]
    pub key: String,
}

/// The authority of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeAPIServerCAConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "certificates are issued anew and the components that use them restart"
)]
pub struct KubeApiServerCaConfig {
    /// The authority that issues certificates; its certificate is always accepted. Control planes only.
    #[field(name = "issuingCA")]
    pub issuing_ca: Option<CertificateAndKey>,
    /// Certificates of the authorities that are accepted, as PEM.
    #[field(name = "acceptedCAs")]
    pub accepted_cas: List<String>,
}

/// The authority of aggregated API servers.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeAggregatorCAConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "certificates are issued anew and the components that use them restart",
    control_plane
)]
pub struct KubeAggregatorCaConfig {
    /// The authority that issues certificates.
    #[field(name = "issuingCA", required)]
    pub issuing_ca: Option<CertificateAndKey>,
    /// Certificates of the authorities that are accepted, as PEM.
    #[field(name = "acceptedCAs")]
    pub accepted_cas: List<String>,
}

/// The keys and issuers of service account tokens.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeServiceAccountConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "certificates are issued anew and the components that use them restart",
    control_plane
)]
pub struct KubeServiceAccountConfig {
    /// Who issues tokens.
    #[field(required)]
    pub issuer: ServiceAccountIssuer,
    /// Whose tokens are accepted besides.
    pub accepted: ServiceAccountAccepted,
}

/// Who issues service account tokens.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ServiceAccountIssuer {
    /// The key that signs tokens, as PEM.
    #[field(required, secret)]
    pub private_key: String,
    /// The URL that names the issuer in tokens.
    #[field(name = "issuerURL", required)]
    pub issuer_url: Url,
}

/// Whose service account tokens are accepted besides those of the issuer.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ServiceAccountAccepted {
    /// Further keys that verify tokens, as PEM.
    pub public_keys: List<String>,
    /// Further issuers.
    pub issuers: List<Url>,
    /// The audiences a token may have; by default the issuer's URL.
    pub audiences: List<String>,
}
