//! Checks of the kinds about membership.

use super::named;
use crate::document::Validate;
use crate::finding::Findings;
use crate::kinds::cluster::{DiscoveryIdentityConfig, DiscoveryServiceConfig, SideroLinkConfig};
use crate::v1alpha1::V1Alpha1;
use crate::validate::shared;

impl Validate for DiscoveryServiceConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        let url = &self.endpoint;
        if url.is_unset() {
            findings.error("endpoint", "endpoint must be specified");
            return;
        }
        if !matches!(url.scheme.as_str(), "http" | "https" | "grpc") {
            findings.error(
                "endpoint",
                format!("endpoint scheme {:?} must be http, https or grpc", url.scheme),
            );
        }
        if url.hostname().is_empty() {
            findings.error("endpoint", "endpoint needs a host");
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if legacy.cluster.as_ref().is_some_and(|cluster| cluster.discovery.is_some()) {
            findings.error("", "DiscoveryServiceConfig conflicts with .cluster.discovery of the v1alpha1 document: keep one of them");
        }
    }
}

impl Validate for DiscoveryIdentityConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.cluster_id.is_empty() {
            findings.error("clusterID", "clusterID must be specified");
        }
        if self.cluster_secret.is_empty() {
            findings.error("clusterSecret", "clusterSecret must be specified");
        } else if !shared::is_key(&self.cluster_secret) {
            findings.error("clusterSecret", "clusterSecret must be base64 of 32 bytes");
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let Some(cluster) = &legacy.cluster else { return };
        if !cluster.id.is_empty() {
            findings.error("", "DiscoveryIdentityConfig conflicts with .cluster.id of the v1alpha1 document: keep one of them");
        }
        if !cluster.secret.is_empty() {
            findings.error("", "DiscoveryIdentityConfig conflicts with .cluster.secret of the v1alpha1 document: keep one of them");
        }
    }
}

impl Validate for SideroLinkConfig {
    fn validate(&self, findings: &mut Findings) {
        let url = &self.api_url;
        if url.is_unset() {
            findings.error("apiUrl", "apiUrl is required");
            return;
        }
        if !matches!(url.scheme.as_str(), "https" | "grpc") {
            findings.error("apiUrl", "apiUrl scheme must be https:// or grpc://");
        }
        if !matches!(url.path.as_str(), "" | "/") {
            findings.error("apiUrl", "apiUrl path must be empty");
        }
    }
}
