//! The documents beside the v1alpha1 document, in the order in which they are written.

use super::{Options, Secrets, policy};
use crate::document::Document;
use crate::kinds::cluster::{DiscoveryIdentityConfig, DiscoveryServiceConfig};
use crate::kinds::kubernetes::{
    CertificateAndKey, KubeAdmissionControlConfig, KubeAggregatorCaConfig, KubeApiServerCaConfig,
    KubeApiServerConfig, KubeAuditPolicyConfig, KubeAuthenticationConfig, KubeAuthorizerConfig,
    KubeClusterConfig, KubeControllerManagerConfig, KubeCoreDnsConfig, KubeEtcdEncryptionConfig,
    KubeExternalManifestConfig, KubeFlannelCniConfig, KubeNetworkConfig, KubeNodeConfig,
    KubePrismConfig, KubeProxyConfig, KubeSchedulerConfig, KubeServiceAccountConfig, KubeletConfig,
    ServiceAccountIssuer,
};
use crate::kinds::network::{
    AutoHostname, HostnameConfig, KubeSpanConfig, ResolverConfig, ResolverHostDns,
};
use crate::kinds::registry::{RegistryEndpoint, RegistryMirrorConfig, RegistryTlsConfig};
use crate::kinds::runtime::{
    InstallProvisioning, Installer, SecurityProfileConfig, SysctlConfig, UnattendedInstallConfig,
};
use crate::kinds::storage::{DiskSelector, FilesystemTrimConfig, SystemMount, VolumeConfig};
use crate::scalar::{Duration, Expression, Url};
use crate::view::MachineType;
use crate::{List, Map, defaults};

pub(crate) fn documents(
    options: &Options,
    secrets: &Secrets<'_>,
    machine: MachineType,
) -> Vec<Box<dyn Document>> {
    let mut out = Documents(Vec::new());
    if options.contract.at_least(1, 14) {
        out.discovery(options, secrets);
        out.installation(options);
        out.system(options);
    }
    if options.contract.at_least(1, 12) {
        out.registries(options);
        out.add(HostnameConfig { auto: Some(AutoHostname::Stable), hostname: String::new() });
    }
    if options.contract.at_least(1, 13) && options.kube_span {
        out.add(KubeSpanConfig { enabled: Some(true), ..KubeSpanConfig::default() });
    }
    if options.contract.at_least(1, 14) && !options.skip_kubernetes {
        out.cluster(options, secrets, machine.is_control_plane());
        if machine.is_control_plane() {
            out.authorities(options, secrets);
            out.control_plane(options);
            out.pod_network(options);
        }
    }
    out.0
}

struct Documents(Vec<Box<dyn Document>>);

impl Documents {
    fn add(&mut self, document: impl Document + 'static) {
        self.0.push(Box::new(document));
    }

    fn discovery(&mut self, options: &Options, secrets: &Secrets<'_>) {
        if options.discovery {
            self.add(DiscoveryServiceConfig {
                name: "default".to_owned(),
                endpoint: url(defaults::DISCOVERY_ENDPOINT),
            });
        }
        self.add(DiscoveryIdentityConfig {
            cluster_id: secrets.cluster_id.to_owned(),
            cluster_secret: secrets.cluster_secret.to_owned(),
        });
    }

    fn installation(&mut self, options: &Options) {
        if options.install_disk.is_empty() || options.skip_unattended_install {
            return;
        }
        let condition = Expression(format!("disk.dev_path == {:?}", options.install_disk));
        self.add(UnattendedInstallConfig {
            reboot: None,
            installer: Installer { image: options.install_image.clone() },
            provisioning: InstallProvisioning {
                disk_selector: DiskSelector { condition },
                wipe: Some(false),
            },
        });
    }

    fn system(&mut self, options: &Options) {
        self.add(ResolverConfig {
            host_dns: Some(ResolverHostDns {
                enabled: Some(true),
                forward_kube_dns_to_host: Some(options.forwards_kube_dns()),
                resolve_member_names: None,
            }),
            ..ResolverConfig::default()
        });
        if !options.sysctls.is_empty() {
            let params = options.sysctls.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            self.add(SysctlConfig { params });
        }
        self.add(VolumeConfig {
            name: "EPHEMERAL".to_owned(),
            mount: SystemMount { secure: Some(true), disable_access_time: None },
            ..VolumeConfig::default()
        });
        self.add(FilesystemTrimConfig { interval: Some(Duration::from_secs(168 * 3600)) });
        self.add(SecurityProfileConfig { workload_isolation: Some(true) });
    }

    fn registries(&mut self, options: &Options) {
        for (host, mirrors) in &options.registry_mirrors {
            let endpoint = |text: &String| RegistryEndpoint { url: url(text), override_path: None };
            self.add(RegistryMirrorConfig {
                name: host.clone(),
                endpoints: mirrors.iter().map(endpoint).collect(),
                skip_fallback: None,
            });
        }
        let insecure = options.insecure_registries.iter();
        let mut hosts: Vec<&String> = options.registry_cas.keys().chain(insecure).collect();
        hosts.sort();
        hosts.dedup();
        for host in hosts {
            let insecure = options.insecure_registries.contains(host);
            self.add(RegistryTlsConfig {
                name: host.clone(),
                ca: options.registry_cas.get(host).cloned().unwrap_or_default(),
                insecure_skip_verify: insecure.then_some(true),
                ..RegistryTlsConfig::default()
            });
        }
    }

    fn cluster(&mut self, options: &Options, secrets: &Secrets<'_>, control_plane: bool) {
        self.add(KubeClusterConfig {
            cluster_name: options.cluster_name.clone(),
            endpoint: options.endpoint.clone(),
        });
        let mut node = KubeNodeConfig::default();
        if control_plane {
            let role = "node-role.kubernetes.io/control-plane";
            node.labels.insert(role, String::new());
            node.labels
                .insert("node.kubernetes.io/exclude-from-external-load-balancers", String::new());
            if !options.allow_scheduling_on_control_planes {
                node.taints.insert(role, "NoSchedule".to_owned());
            }
        }
        self.add(node);
        self.add(KubeletConfig {
            image: image(defaults::KUBELET_IMAGE, options),
            default_runtime_seccomp_profile_enabled: Some(true),
            ..KubeletConfig::default()
        });
        self.add(KubeNetworkConfig {
            dns_domain: options.dns_domain.clone(),
            pod_subnets: options.pod_subnets.clone().into(),
            service_subnets: options.service_subnets.clone().into(),
            ..KubeNetworkConfig::default()
        });
        self.add(if control_plane {
            let issuing_ca = Some(pair(secrets.kubernetes));
            KubeApiServerCaConfig { issuing_ca, accepted_cas: List::default() }
        } else {
            let accepted_cas = vec![secrets.kubernetes.crt.to_owned()].into();
            KubeApiServerCaConfig { issuing_ca: None, accepted_cas }
        });
        if options.kube_prism_port != 0 {
            self.add(KubePrismConfig {
                port: options.kube_prism_port.into(),
                tls_server_name: String::new(),
            });
        }
    }

    fn authorities(&mut self, options: &Options, secrets: &Secrets<'_>) {
        self.add(KubeAggregatorCaConfig {
            issuing_ca: Some(pair(secrets.aggregator)),
            accepted_cas: List::default(),
        });
        self.add(KubeAdmissionControlConfig {
            name: "PodSecurity".to_owned(),
            configuration: policy::pod_security(),
        });
        self.add(KubeAuditPolicyConfig { configuration: policy::audit() });
        self.add(KubeAuthenticationConfig { configuration: policy::authentication() });
        for (name, kind) in [("node", "Node"), ("rbac", "RBAC")] {
            let (name, kind) = (name.to_owned(), kind.to_owned());
            self.add(KubeAuthorizerConfig { name, kind, ..KubeAuthorizerConfig::default() });
        }
        self.add(KubeEtcdEncryptionConfig {
            config: policy::encryption(
                secrets.secretbox_encryption_secret,
                secrets.aescbc_encryption_secret,
            ),
        });
        self.add(KubeServiceAccountConfig {
            issuer: ServiceAccountIssuer {
                private_key: secrets.service_account_key.to_owned(),
                issuer_url: options.endpoint.clone(),
            },
            ..KubeServiceAccountConfig::default()
        });
    }

    fn control_plane(&mut self, options: &Options) {
        self.add(KubeApiServerConfig {
            image: image(defaults::API_SERVER_IMAGE, options),
            api_port: options.local_api_server_port.map_or(0, i64::from),
            cert_extra_sans: given(&options.additional_sans),
            ..KubeApiServerConfig::default()
        });
        self.add(KubeControllerManagerConfig {
            image: image(defaults::CONTROLLER_MANAGER_IMAGE, options),
            ..KubeControllerManagerConfig::default()
        });
        self.add(KubeSchedulerConfig {
            image: image(defaults::SCHEDULER_IMAGE, options),
            ..KubeSchedulerConfig::default()
        });
        self.add(KubeProxyConfig {
            image: image(defaults::PROXY_IMAGE, options),
            ..KubeProxyConfig::default()
        });
    }

    fn pod_network(&mut self, options: &Options) {
        if options.custom_cni_url.is_none() {
            self.add(KubeFlannelCniConfig {
                backend_type: "vxlan".to_owned(),
                backend_port: 4789,
                ..KubeFlannelCniConfig::default()
            });
        }
        self.add(KubeCoreDnsConfig { enabled: Some(true), image: String::new() });
        if let Some(manifest) = &options.custom_cni_url {
            self.add(KubeExternalManifestConfig {
                name: "custom-cni".to_owned(),
                url: url(manifest),
                headers: Map::default(),
            });
        }
    }
}

fn url(text: &str) -> Url {
    // What is not a URL is kept as a path, so that validation can name it.
    text.parse().unwrap_or_else(|_| Url { path: text.to_owned(), ..Url::default() })
}

fn pair(pair: super::Pair<'_>) -> CertificateAndKey {
    CertificateAndKey { cert: pair.crt.to_owned(), key: pair.key.to_owned() }
}

pub(crate) fn given(items: &[String]) -> List<String> {
    if items.is_empty() { List::default() } else { items.to_vec().into() }
}

pub(crate) fn image(repository: &str, options: &Options) -> String {
    if options.kubernetes_version.is_empty() {
        return String::new();
    }
    format!("{repository}:v{}", options.kubernetes_version)
}
