//! Rewrites the parts of `cluster:` that every machine has.

use super::{Fixer, object_name};
use crate::kinds::cluster::{DiscoveryIdentityConfig, DiscoveryServiceConfig};
use crate::kinds::kubernetes::{
    CertificateAndKey, KubeAggregatorCaConfig, KubeApiServerCaConfig, KubeClusterConfig,
    KubeExternalManifestConfig, KubeFlannelCniConfig, KubeInlineManifestConfig, KubeNetworkConfig,
    KubeServiceAccountConfig, ServiceAccountIssuer,
};
use crate::view::Cni;

impl Fixer<'_> {
    pub(super) fn cluster(&mut self) {
        let Some(mut cluster) = self.legacy.cluster.take() else { return };
        let view = self.before.view();
        let control_plane = view.is_control_plane();
        if !cluster.id.is_empty()
            && !cluster.secret.is_empty()
            && !self.has::<DiscoveryIdentityConfig>()
        {
            self.add(DiscoveryIdentityConfig {
                cluster_id: std::mem::take(&mut cluster.id),
                cluster_secret: std::mem::take(&mut cluster.secret),
            });
        }
        if cluster.discovery.is_some() {
            let endpoints = view.discovery().map(|found| found.endpoints).unwrap_or_default();
            let service = cluster.discovery.as_ref().map(|found| &found.registries.service);
            // Discovery that is on without a service has no document.
            let expressible =
                !endpoints.is_empty() || service.is_some_and(|_| view.discovery().is_none());
            if expressible {
                cluster.discovery = None;
                for (name, endpoint) in endpoints {
                    if !self.has_named::<DiscoveryServiceConfig>(&name) {
                        self.add(DiscoveryServiceConfig { name, endpoint });
                    }
                }
            }
        }
        let endpoint = view.cluster_endpoint().cloned();
        let mut issuer = None;
        if let Some(endpoint) = endpoint {
            issuer = Some(endpoint.clone());
            if !view.cluster_name().is_empty() && !self.has::<KubeClusterConfig>() {
                let cluster_name = view.cluster_name().to_owned();
                self.add(KubeClusterConfig { cluster_name, endpoint });
                cluster.cluster_name = String::new();
                if let Some(part) = &mut cluster.control_plane {
                    part.endpoint = None;
                    if part.local_api_server_port == 0 {
                        cluster.control_plane = None;
                    }
                }
            }
        }
        if cluster.network.take().is_some() && !self.has::<KubeNetworkConfig>() {
            let extra = match (view.cni(), view.flannel()) {
                (Cni::Flannel, Some(flannel)) if control_plane => Some(KubeFlannelCniConfig {
                    backend_type: flannel.backend,
                    backend_port: flannel.port.unwrap_or(0),
                    extra_args: flannel.extra_args.into(),
                    kube_network_policies_enabled: flannel.network_policies.then_some(true),
                    ..KubeFlannelCniConfig::default()
                }),
                _ => None,
            };
            self.add(KubeNetworkConfig {
                dns_domain: view.dns_domain().to_owned(),
                pod_subnets: view.pod_subnets().into(),
                service_subnets: view.service_subnets().into(),
                ..KubeNetworkConfig::default()
            });
            if let Some(flannel) = extra {
                self.add(flannel);
            }
            if let Cni::Custom(urls) = view.cni() {
                for url in urls {
                    self.manifest(&url, crate::Map::default());
                }
            }
        }
        if cluster.ca.is_some() && !self.has::<KubeApiServerCaConfig>() {
            let authority = view.kubernetes_ca();
            let issuing = authority.issuing.filter(|pair| !pair.key.is_empty());
            let own = issuing.as_ref().map(|pair| pair.crt.clone());
            let accepted = authority.accepted.into_iter().filter(|pem| Some(pem) != own.as_ref());
            let issuing_ca =
                issuing.map(|pair| CertificateAndKey { cert: pair.crt, key: pair.key });
            let accepted: Vec<String> = accepted.collect();
            let accepted_cas =
                if accepted.is_empty() { crate::List::default() } else { accepted.into() };
            self.add(KubeApiServerCaConfig { issuing_ca, accepted_cas });
            cluster.ca = None;
            cluster.accepted_cas = crate::List::default();
        }
        if control_plane {
            if let Some(pair) = cluster.aggregator_ca.take()
                && !self.has::<KubeAggregatorCaConfig>()
            {
                let issuing_ca = Some(CertificateAndKey {
                    cert: pair.crt_text().to_owned(),
                    key: pair.key_text().to_owned(),
                });
                let accepted_cas = crate::List::default();
                self.add(KubeAggregatorCaConfig { issuing_ca, accepted_cas });
            }
            if let (Some(key), Some(issuer_url)) = (cluster.service_account.clone(), issuer) {
                if !self.has::<KubeServiceAccountConfig>() {
                    let private_key = String::from_utf8_lossy(&key.key).into_owned();
                    self.add(KubeServiceAccountConfig {
                        issuer: ServiceAccountIssuer { private_key, issuer_url },
                        ..KubeServiceAccountConfig::default()
                    });
                }
                cluster.service_account = None;
            }
        }
        let headers = std::mem::take(&mut cluster.extra_manifest_headers);
        for url in &std::mem::take(&mut cluster.extra_manifests) {
            self.manifest(url, headers.clone());
        }
        for manifest in &std::mem::take(&mut cluster.inline_manifests) {
            let name = object_name(&manifest.name);
            if !self.has_named::<KubeInlineManifestConfig>(&name) {
                self.add(KubeInlineManifestConfig { name, manifest: manifest.contents.0.clone() });
            }
        }
        self.legacy.cluster = Some(cluster);
    }

    fn manifest(&mut self, url: &str, headers: crate::Map<String>) {
        let name = object_name(url);
        let Ok(url) = url.parse() else { return };
        if !self.has_named::<KubeExternalManifestConfig>(&name) {
            self.add(KubeExternalManifestConfig { name, url, headers });
        }
    }
}
