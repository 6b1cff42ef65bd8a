//! The cluster: name, endpoint, networks, authorities, discovery.

use super::{PemPair, View, set};
use crate::defaults;
use crate::kinds::cluster::{DiscoveryIdentityConfig, DiscoveryServiceConfig};
use crate::kinds::kubernetes::{
    KubeAggregatorCaConfig, KubeApiServerCaConfig, KubeClusterConfig, KubeEtcdEncryptionConfig,
    KubeExternalManifestConfig, KubeFlannelCniConfig, KubeNetworkConfig, KubePrismConfig,
    KubeServiceAccountConfig,
};
use crate::scalar::{Identity, Url};

/// An authority: what issues, and what is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateAuthority {
    /// The issuing certificate with its key; workers have none.
    pub issuing: Option<PemPair>,
    /// Every accepted certificate as PEM, the issuing one first.
    pub accepted: Vec<String>,
}

/// Keys and issuers of service account tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceAccount {
    /// The key that signs tokens, as PEM.
    pub private_key: String,
    /// The URL that names the issuer.
    pub issuer: String,
    /// Further keys that verify tokens, as PEM.
    pub accepted_keys: Vec<String>,
    /// Further issuers.
    pub accepted_issuers: Vec<String>,
    /// The audiences a token may have.
    pub audiences: Vec<String>,
}

/// The network of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cni {
    /// Flannel, run by the system.
    Flannel,
    /// Manifests of the user.
    Custom(Vec<String>),
    /// Nothing.
    None,
}

/// A manifest that is fetched: its name, its URL and the HTTP headers.
pub type FetchedManifest = (String, String, Vec<(String, String)>);

/// How members find each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The discovery services by name.
    pub endpoints: Vec<(String, Url)>,
    /// The identity of the cluster.
    pub cluster_id: String,
    /// The key of the discovery data, base64.
    pub cluster_secret: String,
}

impl<'a> View<'a> {
    /// The name of the cluster.
    #[must_use]
    pub fn cluster_name(&self) -> &'a str {
        match self.config.document::<KubeClusterConfig>() {
            Some(document) => &document.cluster_name,
            None => self.legacy_cluster().map_or("", |cluster| &cluster.cluster_name),
        }
    }

    /// Where the Kubernetes API is reached.
    #[must_use]
    pub fn cluster_endpoint(&self) -> Option<&'a Url> {
        match self.config.document::<KubeClusterConfig>() {
            Some(document) => Some(&document.endpoint),
            None => self.legacy_cluster()?.control_plane.as_ref()?.endpoint.as_ref(),
        }
        .filter(|url| !url.is_unset())
    }

    /// The subnets of pods.
    #[must_use]
    pub fn pod_subnets(&self) -> Vec<String> {
        let subnets = match self.config.document::<KubeNetworkConfig>() {
            Some(document) => document.pod_subnets.to_vec(),
            None => self.legacy_network().map(|n| n.pod_subnets.to_vec()).unwrap_or_default(),
        };
        if subnets.is_empty() { vec![defaults::POD_SUBNET.to_owned()] } else { subnets }
    }

    /// The subnets of services.
    #[must_use]
    pub fn service_subnets(&self) -> Vec<String> {
        let subnets = match self.config.document::<KubeNetworkConfig>() {
            Some(document) => document.service_subnets.to_vec(),
            None => self.legacy_network().map(|n| n.service_subnets.to_vec()).unwrap_or_default(),
        };
        if subnets.is_empty() { vec![defaults::SERVICE_SUBNET.to_owned()] } else { subnets }
    }

    /// The domain of cluster names.
    #[must_use]
    pub fn dns_domain(&self) -> &'a str {
        let domain = match self.config.document::<KubeNetworkConfig>() {
            Some(document) => &document.dns_domain,
            None => self.legacy_network().map_or("", |network| &network.dns_domain),
        };
        set(domain).unwrap_or(defaults::DNS_DOMAIN)
    }

    /// The lengths of a node's pod subnets, IPv4 and IPv6.
    #[must_use]
    pub fn node_cidr_masks(&self) -> (u8, u8) {
        let document = self.config.document::<KubeNetworkConfig>();
        let mask = |value: Option<i64>, default| {
            value.and_then(|value| u8::try_from(value).ok()).unwrap_or(default)
        };
        (
            mask(document.and_then(|d| d.node_cidr_mask_size_ipv4), defaults::NODE_CIDR_MASK_V4),
            mask(document.and_then(|d| d.node_cidr_mask_size_ipv6), defaults::NODE_CIDR_MASK_V6),
        )
    }

    fn legacy_network(&self) -> Option<&'a crate::v1alpha1::ClusterNetwork> {
        self.legacy_cluster()?.network.as_ref()
    }

    /// The network of pods. Without documents about Kubernetes and without old fields it is flannel,
    /// as it has been since the first release.
    #[must_use]
    pub fn cni(&self) -> Cni {
        if self.config.document::<KubeFlannelCniConfig>().is_some() {
            return Cni::Flannel;
        }
        if self.config.document::<KubeNetworkConfig>().is_some() {
            // In documents, what is not there is off.
            return Cni::None;
        }
        match self.legacy_network().and_then(|network| network.cni.as_ref()) {
            Some(cni) if cni.name == "none" => Cni::None,
            Some(cni) if cni.name == "custom" => Cni::Custom(cni.urls.to_vec()),
            _ => Cni::Flannel,
        }
    }

    /// The token with which a node joins Kubernetes.
    #[must_use]
    pub fn bootstrap_token(&self) -> &'a str {
        self.legacy_cluster().map_or("", |cluster| &cluster.token)
    }

    /// The authority of Kubernetes.
    #[must_use]
    pub fn kubernetes_ca(&self) -> CertificateAuthority {
        if let Some(document) = self.config.document::<KubeApiServerCaConfig>() {
            return authority(
                document.issuing_ca.as_ref().map(PemPair::from),
                &document.accepted_cas,
            );
        }
        let Some(cluster) = self.legacy_cluster() else { return CertificateAuthority::default() };
        let accepted: Vec<String> = cluster
            .accepted_cas
            .iter()
            .map(|ca| String::from_utf8_lossy(&ca.crt).into_owned())
            .collect();
        authority(cluster.ca.as_ref().map(PemPair::from), &accepted)
    }

    /// The authority of aggregated API servers.
    #[must_use]
    pub fn aggregator_ca(&self) -> CertificateAuthority {
        if let Some(document) = self.config.document::<KubeAggregatorCaConfig>() {
            return authority(
                document.issuing_ca.as_ref().map(PemPair::from),
                &document.accepted_cas,
            );
        }
        let pair = self.legacy_cluster().and_then(|cluster| cluster.aggregator_ca.as_ref());
        authority(pair.map(PemPair::from), &[])
    }

    /// The authority of etcd.
    #[must_use]
    pub fn etcd_ca(&self) -> Option<PemPair> {
        self.legacy_cluster()?.etcd.as_ref()?.ca.as_ref().map(identity)
    }

    /// Keys and issuers of service account tokens.
    #[must_use]
    pub fn service_account(&self) -> Option<ServiceAccount> {
        if let Some(document) = self.config.document::<KubeServiceAccountConfig>() {
            let issuer = document.issuer.issuer_url.to_string();
            let audiences = document.accepted.audiences.to_vec();
            return Some(ServiceAccount {
                private_key: document.issuer.private_key.clone(),
                audiences: if audiences.is_empty() { vec![issuer.clone()] } else { audiences },
                issuer,
                accepted_keys: document.accepted.public_keys.to_vec(),
                accepted_issuers: document
                    .accepted
                    .issuers
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            });
        }
        let key = self.legacy_cluster()?.service_account.as_ref()?;
        let issuer = self.cluster_endpoint().map(ToString::to_string).unwrap_or_default();
        Some(ServiceAccount {
            private_key: String::from_utf8_lossy(&key.key).into_owned(),
            audiences: vec![issuer.clone()],
            issuer,
            ..ServiceAccount::default()
        })
    }

    /// The port of the local load balancer of API servers and the certificate name its clients
    /// expect, when it is on.
    #[must_use]
    pub fn kube_prism(&self) -> Option<(u16, Option<&'a str>)> {
        if let Some(document) = self.config.document::<KubePrismConfig>() {
            return Some((u16::try_from(document.port).ok()?, set(&document.tls_server_name)));
        }
        let prism = self.legacy_machine()?.features.as_ref()?.kube_prism.as_ref()?;
        let port = u16::try_from(prism.port).ok().filter(|port| *port != 0);
        prism.enabled.unwrap_or(false).then(|| (port.unwrap_or(defaults::KUBE_PRISM_PORT), None))
    }

    /// How members find each other, when discovery is on. Here the old fields win.
    #[must_use]
    pub fn discovery(&self) -> Option<Discovery> {
        let legacy = self.legacy_cluster().and_then(|cluster| cluster.discovery.as_ref());
        let legacy = legacy.filter(|discovery| discovery.enabled.unwrap_or(false));
        let mut endpoints: Vec<(String, Url)> = Vec::new();
        if let Some(service) = legacy.map(|discovery| &discovery.registries.service)
            && !service.disabled.unwrap_or(false)
        {
            let endpoint = set(&service.endpoint).unwrap_or(defaults::DISCOVERY_ENDPOINT);
            endpoints.extend(endpoint.parse().ok().map(|url| ("default".to_owned(), url)));
        }
        if endpoints.is_empty() {
            let documents = self.config.documents::<DiscoveryServiceConfig>();
            endpoints.extend(documents.map(|d| (d.name.clone(), d.endpoint.clone())));
        }
        if endpoints.is_empty() && legacy.is_none() {
            return None;
        }
        let (cluster_id, cluster_secret) = self.discovery_identity();
        Some(Discovery {
            endpoints,
            cluster_id: cluster_id.to_owned(),
            cluster_secret: cluster_secret.to_owned(),
        })
    }

    /// The identity of the cluster and the key of its discovery data. Here the old fields win.
    #[must_use]
    pub fn discovery_identity(&self) -> (&'a str, &'a str) {
        let legacy = self.legacy_cluster();
        let document = self.config.document::<DiscoveryIdentityConfig>();
        let id = legacy.and_then(|cluster| set(&cluster.id));
        let secret = legacy.and_then(|cluster| set(&cluster.secret));
        (
            id.or(document.map(|d| d.cluster_id.as_str())).unwrap_or_default(),
            secret.or(document.map(|d| d.cluster_secret.as_str())).unwrap_or_default(),
        )
    }

    /// The secretbox key of encryption in etcd, base64: the old field, or the first key of the first
    /// provider for secrets.
    #[must_use]
    pub fn secretbox_key(&self) -> Option<&'a str> {
        let (old, _) = self.etcd_encryption_secrets();
        if !old.is_empty() {
            return Some(old);
        }
        let document = self.config.document::<KubeEtcdEncryptionConfig>()?;
        let blocks = document.config.entry("resources")?.as_seq()?;
        let covers = |block: &&yaml::Value| {
            let resources = block.entry("resources").and_then(yaml::Value::as_seq);
            resources.is_some_and(|list| list.iter().any(|r| r.as_str() == Some("secrets")))
        };
        let provider = blocks.iter().find(covers)?.entry("providers")?.as_seq()?.first()?;
        let key = provider.entry("secretbox")?.entry("keys")?.as_seq()?.first()?;
        key.entry("secret")?.as_str()
    }

    /// Manifests that are fetched: name, URL, HTTP headers. Documents and old fields are united.
    #[must_use]
    pub fn external_manifests(&self) -> Vec<FetchedManifest> {
        let mut all = Vec::new();
        let pairs = |map: &crate::Map<String>| -> Vec<(String, String)> {
            map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        if let Cni::Custom(urls) = self.cni() {
            all.extend(urls.into_iter().map(|url| (url.clone(), url, Vec::new())));
        }
        if let Some(cluster) = self.legacy_cluster() {
            let headers = pairs(&cluster.extra_manifest_headers);
            all.extend(
                cluster.extra_manifests.iter().map(|u| (u.clone(), u.clone(), headers.clone())),
            );
            let provider = cluster.external_cloud_provider.as_ref();
            if let Some(provider) = provider.filter(|p| p.enabled.unwrap_or(false)) {
                all.extend(provider.manifests.iter().map(|u| (u.clone(), u.clone(), Vec::new())));
            }
        }
        let documents = self.config.documents::<KubeExternalManifestConfig>();
        all.extend(documents.map(|d| (d.name.clone(), d.url.to_string(), pairs(&d.headers))));
        all
    }
}

fn identity(identity: &Identity) -> PemPair {
    PemPair::from(identity)
}

fn authority(issuing: Option<PemPair>, accepted: &[String]) -> CertificateAuthority {
    let own = issuing.as_ref().map(|pair| pair.crt.clone());
    let mut all: Vec<String> = Vec::new();
    for pem in own.into_iter().chain(accepted.iter().cloned()) {
        if !pem.is_empty() && !all.contains(&pem) {
            all.push(pem);
        }
    }
    let issuing = issuing.filter(|pair| !pair.key.is_empty());
    CertificateAuthority { issuing, accepted: all }
}
