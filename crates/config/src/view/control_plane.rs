//! The components of the control plane and what is applied when a cluster starts.

use std::collections::BTreeMap;

use yaml::Value;

use super::{View, set};
use crate::defaults;
use crate::kinds::kubernetes::{
    KubeAdmissionControlConfig, KubeApiServerConfig, KubeAuditPolicyConfig,
    KubeAuthenticationConfig, KubeAuthorizerConfig, KubeControllerManagerConfig, KubeCoreDnsConfig,
    KubeEtcdEncryptionConfig, KubeFlannelCniConfig, KubeInlineManifestConfig, KubeProxyConfig,
    KubeSchedulerConfig, KubeStaticPodConfig,
};
use crate::scalar::Args;
use crate::v1alpha1::{ExtraVolume, Resources};

/// What all components have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Component {
    /// Whether it runs on this machine.
    pub enabled: bool,
    /// The image.
    pub image: String,
    /// Further command-line arguments by name; a list repeats an argument.
    pub extra_args: BTreeMap<String, Vec<String>>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Further mounts from the machine.
    pub extra_volumes: Vec<ExtraVolume>,
    /// Processor and memory reserved, by `cpu` and `memory`.
    pub requests: BTreeMap<String, String>,
    /// The most processor and memory, by `cpu` and `memory`.
    pub limits: BTreeMap<String, String>,
}

/// The configuration of an admission plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct AdmissionPlugin {
    /// The plugin.
    pub name: String,
    /// Its configuration.
    pub configuration: Value,
}

/// An authorizer.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorizer {
    /// `Node`, `RBAC` or `Webhook`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// How a webhook is called.
    pub webhook: Option<Value>,
}

/// The API server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiServer {
    /// What all components have.
    pub component: Component,
    /// The port on this machine.
    pub port: u16,
    /// Further names and addresses for the certificate.
    pub cert_sans: Vec<String>,
    /// Whether the pod has a startup probe.
    pub startup_probes: bool,
    /// The configuration of admission plugins.
    pub admission: Vec<AdmissionPlugin>,
    /// The audit policy, when given.
    pub audit_policy: Option<Value>,
    /// The authentication configuration, when given.
    pub authentication: Option<Value>,
    /// The authorizers in order; `Node` and `RBAC` are there unless documents leave them out.
    pub authorizers: Vec<Authorizer>,
}

/// The scheduler.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scheduler {
    /// What all components have.
    pub component: Component,
    /// Its configuration, when given.
    pub config: Option<Value>,
}

/// The service proxy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proxy {
    /// What all components have.
    pub component: Component,
    /// `nftables`, `iptables` or `ipvs`.
    pub mode: String,
    /// Changes to its configuration, when given.
    pub config: Option<Value>,
}

/// Flannel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flannel {
    /// The image.
    pub image: String,
    /// The backend that carries packets between nodes.
    pub backend: String,
    /// The port of the backend.
    pub port: Option<u16>,
    /// The MTU of the backend.
    pub mtu: Option<u32>,
    /// Further settings of the backend.
    pub extra_config: Option<Value>,
    /// Further command-line arguments.
    pub extra_args: Vec<String>,
    /// Processor and memory reserved.
    pub requests: BTreeMap<String, String>,
    /// The most processor and memory.
    pub limits: BTreeMap<String, String>,
    /// Whether the network policy controller runs beside flannel.
    pub network_policies: bool,
}

/// The database of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Etcd {
    /// The image.
    pub image: String,
    /// Further command-line arguments.
    pub extra_args: BTreeMap<String, Vec<String>>,
    /// Subnets of the addresses that members announce; a leading `!` excludes one.
    pub advertised_subnets: Vec<String>,
    /// Subnets of the addresses on which etcd listens.
    pub listen_subnets: Vec<String>,
}

/// A manifest applied when the cluster starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its name.
    pub name: String,
    /// The objects, as a stream of YAML documents.
    pub contents: String,
}

fn args(args: &Args) -> BTreeMap<String, Vec<String>> {
    args.iter().map(|(name, value)| (name.clone(), value.values().to_vec())).collect()
}

fn quantities(free: &crate::Free) -> BTreeMap<String, String> {
    free.entries().iter().map(|(key, value)| (key.clone(), crate::free::text(value))).collect()
}

fn with_resources(mut component: Component, resources: Option<&Resources>) -> Component {
    if let Some(resources) = resources {
        component.requests = quantities(&resources.requests);
        component.limits = quantities(&resources.limits);
    }
    component
}

fn image(text: &str, repository: &str) -> String {
    set(text)
        .map_or_else(|| format!("{repository}:v{}", defaults::KUBERNETES_VERSION), str::to_owned)
}

impl<'a> View<'a> {
    /// The API server of this control plane.
    #[must_use]
    pub fn api_server(&self) -> ApiServer {
        let legacy = self.legacy_cluster().and_then(|cluster| cluster.api_server.as_ref());
        let mut server = ApiServer { startup_probes: true, ..ApiServer::default() };
        let port = if let Some(document) = self.config.document::<KubeApiServerConfig>() {
            server.component = with_resources(
                Component {
                    enabled: true,
                    image: image(&document.image, defaults::API_SERVER_IMAGE),
                    extra_args: args(&document.extra_args),
                    env: (*document.env).clone(),
                    ..Component::default()
                },
                document.resources.as_ref(),
            );
            server.cert_sans = document.cert_extra_sans.to_vec();
            server.startup_probes = document.startup_probes.unwrap_or(true);
            document.api_port
        } else {
            server.component = Component {
                enabled: true,
                image: image(legacy.map_or("", |l| &l.image), defaults::API_SERVER_IMAGE),
                ..Component::default()
            };
            if let Some(legacy) = legacy {
                server.component.extra_args = args(&legacy.extra_args);
                server.component.env = (*legacy.env).clone();
                server.component.extra_volumes = legacy.extra_volumes.to_vec();
                server.component = with_resources(server.component, legacy.resources.as_ref());
                server.cert_sans = legacy.cert_sans.to_vec();
            }
            let control_plane = self.legacy_cluster().and_then(|c| c.control_plane.as_ref());
            control_plane.map_or(0, |control_plane| control_plane.local_api_server_port)
        };
        let port = u16::try_from(port).ok().filter(|port| *port != 0);
        server.port = port.unwrap_or(defaults::API_SERVER_PORT);
        server.admission = self.admission_plugins();
        server.audit_policy = match self.config.document::<KubeAuditPolicyConfig>() {
            Some(document) => document.configuration.value().cloned(),
            None => legacy.and_then(|legacy| legacy.audit_policy.value().cloned()),
        };
        server.authentication = self
            .config
            .document::<KubeAuthenticationConfig>()
            .and_then(|document| document.configuration.value().cloned());
        server.authorizers = self.authorizers();
        server
    }

    fn admission_plugins(&self) -> Vec<AdmissionPlugin> {
        let documents: Vec<AdmissionPlugin> = self
            .config
            .documents::<KubeAdmissionControlConfig>()
            .map(|document| AdmissionPlugin {
                name: document.name.clone(),
                configuration: document.configuration.value().cloned().unwrap_or_default(),
            })
            .collect();
        if !documents.is_empty() {
            return documents;
        }
        let legacy = self.legacy_cluster().and_then(|cluster| cluster.api_server.as_ref());
        let plugins = legacy.into_iter().flat_map(|server| &server.admission_control);
        plugins
            .map(|plugin| AdmissionPlugin {
                name: plugin.name.clone(),
                configuration: plugin
                    .configuration
                    .as_ref()
                    .and_then(|configuration| configuration.value().cloned())
                    .unwrap_or_default(),
            })
            .collect()
    }

    fn authorizers(&self) -> Vec<Authorizer> {
        let documents: Vec<Authorizer> = self
            .config
            .documents::<KubeAuthorizerConfig>()
            .map(|document| Authorizer {
                kind: document.kind.clone(),
                name: document.name.clone(),
                webhook: document.webhook.value().cloned(),
            })
            .collect();
        if !documents.is_empty() {
            return documents;
        }
        let legacy = self.legacy_cluster().and_then(|cluster| cluster.api_server.as_ref());
        let legacy = legacy.into_iter().flat_map(|server| &server.authorization_config);
        let mut all: Vec<Authorizer> = legacy
            .map(|authorizer| Authorizer {
                kind: authorizer.kind.clone(),
                name: authorizer.name.clone(),
                webhook: authorizer.webhook.value().cloned(),
            })
            .collect();
        for (place, (kind, name)) in [("Node", "node"), ("RBAC", "rbac")].into_iter().enumerate() {
            if !all.iter().any(|authorizer| authorizer.kind == kind) {
                let (kind, name) = (kind.to_owned(), name.to_owned());
                all.insert(place.min(all.len()), Authorizer { kind, name, webhook: None });
            }
        }
        all
    }

    /// The encryption configuration of etcd, without `apiVersion` and `kind`, when a document gives it.
    #[must_use]
    pub fn etcd_encryption(&self) -> Option<Value> {
        self.config.document::<KubeEtcdEncryptionConfig>()?.config.value().cloned()
    }

    /// The old keys of encryption in etcd: secretbox and AES-CBC, base64, empty when not given.
    #[must_use]
    pub fn etcd_encryption_secrets(&self) -> (&'a str, &'a str) {
        let cluster = self.legacy_cluster();
        (
            cluster.map_or("", |cluster| &cluster.secretbox_encryption_secret),
            cluster.map_or("", |cluster| &cluster.aescbc_encryption_secret),
        )
    }

    /// The controller manager of this control plane.
    #[must_use]
    pub fn controller_manager(&self) -> Component {
        if let Some(document) = self.config.document::<KubeControllerManagerConfig>() {
            let component = Component {
                enabled: document.enabled.unwrap_or(true),
                image: image(&document.image, defaults::CONTROLLER_MANAGER_IMAGE),
                extra_args: args(&document.extra_args),
                env: (*document.env).clone(),
                ..Component::default()
            };
            return with_resources(component, document.resources.as_ref());
        }
        let legacy = self.legacy_cluster().and_then(|cluster| cluster.controller_manager.as_ref());
        let toggles = self.legacy_machine().and_then(|machine| machine.control_plane.as_ref());
        let toggle = toggles.and_then(|toggles| toggles.controller_manager.as_ref());
        let mut component = Component {
            enabled: !toggle.and_then(|toggle| toggle.disabled).unwrap_or(false),
            image: image(legacy.map_or("", |l| &l.image), defaults::CONTROLLER_MANAGER_IMAGE),
            ..Component::default()
        };
        if let Some(legacy) = legacy {
            component.extra_args = args(&legacy.extra_args);
            component.env = (*legacy.env).clone();
            component.extra_volumes = legacy.extra_volumes.to_vec();
            component = with_resources(component, legacy.resources.as_ref());
        }
        component
    }

    /// The scheduler of this control plane.
    #[must_use]
    pub fn scheduler(&self) -> Scheduler {
        if let Some(document) = self.config.document::<KubeSchedulerConfig>() {
            let component = Component {
                enabled: document.enabled.unwrap_or(true),
                image: image(&document.image, defaults::SCHEDULER_IMAGE),
                extra_args: args(&document.extra_args),
                env: (*document.env).clone(),
                ..Component::default()
            };
            return Scheduler {
                component: with_resources(component, document.resources.as_ref()),
                config: given(&document.config),
            };
        }
        let legacy = self.legacy_cluster().and_then(|cluster| cluster.scheduler.as_ref());
        let toggles = self.legacy_machine().and_then(|machine| machine.control_plane.as_ref());
        let toggle = toggles.and_then(|toggles| toggles.scheduler.as_ref());
        let mut component = Component {
            enabled: !toggle.and_then(|toggle| toggle.disabled).unwrap_or(false),
            image: image(legacy.map_or("", |l| &l.image), defaults::SCHEDULER_IMAGE),
            ..Component::default()
        };
        if let Some(legacy) = legacy {
            component.extra_args = args(&legacy.extra_args);
            component.env = (*legacy.env).clone();
            component.extra_volumes = legacy.extra_volumes.to_vec();
            component = with_resources(component, legacy.resources.as_ref());
        }
        Scheduler { component, config: legacy.and_then(|legacy| given(&legacy.config)) }
    }

    /// The service proxy of the cluster.
    #[must_use]
    pub fn proxy(&self) -> Proxy {
        if let Some(document) = self.config.document::<KubeProxyConfig>() {
            let component = Component {
                enabled: document.enabled.unwrap_or(true),
                image: image(&document.image, defaults::PROXY_IMAGE),
                extra_args: args(&document.extra_args),
                ..Component::default()
            };
            return Proxy {
                component: with_resources(component, document.resources.as_ref()),
                mode: set(&document.mode).unwrap_or("nftables").to_owned(),
                config: given(&document.config),
            };
        }
        let legacy = self.legacy_cluster().and_then(|cluster| cluster.proxy.as_ref());
        Proxy {
            component: Component {
                enabled: !legacy.and_then(|legacy| legacy.disabled).unwrap_or(false),
                image: image(legacy.map_or("", |l| &l.image), defaults::PROXY_IMAGE),
                extra_args: legacy.map(|legacy| args(&legacy.extra_args)).unwrap_or_default(),
                ..Component::default()
            },
            mode: legacy.and_then(|legacy| set(&legacy.mode)).unwrap_or("iptables").to_owned(),
            config: None,
        }
    }

    /// The name server of the cluster.
    #[must_use]
    pub fn core_dns(&self) -> Component {
        let (enabled, text) = match self.config.document::<KubeCoreDnsConfig>() {
            Some(document) => (document.enabled.unwrap_or(true), document.image.as_str()),
            None => {
                let legacy = self.legacy_cluster().and_then(|cluster| cluster.core_dns.as_ref());
                let disabled = legacy.and_then(|legacy| legacy.disabled).unwrap_or(false);
                (!disabled, legacy.map_or("", |legacy| &legacy.image))
            }
        };
        Component {
            enabled,
            image: set(text).unwrap_or(defaults::CORE_DNS_IMAGE).to_owned(),
            ..Component::default()
        }
    }

    /// Flannel, when it is the network of pods.
    #[must_use]
    pub fn flannel(&self) -> Option<Flannel> {
        if self.cni() != super::Cni::Flannel {
            return None;
        }
        let image = defaults::FLANNEL_IMAGE.to_owned();
        if let Some(document) = self.config.document::<KubeFlannelCniConfig>() {
            let resources = document.resources.as_ref();
            return Some(Flannel {
                image,
                backend: document.backend_type.clone(),
                port: (document.backend_port != 0).then_some(document.backend_port),
                mtu: (document.backend_mtu != 0).then_some(document.backend_mtu),
                extra_config: given(&document.backend_extra_config),
                extra_args: document.extra_args.to_vec(),
                requests: resources.map(|r| quantities(&r.requests)).unwrap_or_default(),
                limits: resources.map(|r| quantities(&r.limits)).unwrap_or_default(),
                network_policies: document.kube_network_policies_enabled.unwrap_or(false),
            });
        }
        let network = self.legacy_cluster().and_then(|cluster| cluster.network.as_ref());
        let flannel = network.and_then(|network| network.cni.as_ref()?.flannel.as_ref());
        Some(Flannel {
            image,
            backend: "vxlan".to_owned(),
            port: Some(4789),
            extra_args: flannel.map(|f| f.extra_args.to_vec()).unwrap_or_default(),
            network_policies: flannel
                .and_then(|f| f.kube_network_policies_enabled)
                .unwrap_or(false),
            ..Flannel::default()
        })
    }

    /// etcd of this control plane.
    #[must_use]
    pub fn etcd(&self) -> Etcd {
        let etcd = self.legacy_cluster().and_then(|cluster| cluster.etcd.as_ref());
        let Some(etcd) = etcd else {
            return Etcd { image: defaults::ETCD_IMAGE.to_owned(), ..Etcd::default() };
        };
        let single = set(&etcd.subnet).map(str::to_owned);
        Etcd {
            image: set(&etcd.image).unwrap_or(defaults::ETCD_IMAGE).to_owned(),
            extra_args: args(&etcd.extra_args),
            advertised_subnets: etcd.advertised_subnets.iter().cloned().chain(single).collect(),
            listen_subnets: etcd.listen_subnets.to_vec(),
        }
    }

    /// Manifests that stand in the configuration; documents and old fields are united.
    #[must_use]
    pub fn inline_manifests(&self) -> Vec<Manifest> {
        let legacy =
            self.legacy_cluster().into_iter().flat_map(|cluster| &cluster.inline_manifests);
        let legacy = legacy.map(|manifest| Manifest {
            name: manifest.name.clone(),
            contents: manifest.contents.0.clone(),
        });
        let documents = self.config.documents::<KubeInlineManifestConfig>();
        let documents = documents.map(|document| Manifest {
            name: document.name.clone(),
            contents: document.manifest.clone(),
        });
        legacy.chain(documents).collect()
    }

    /// Static pods of this machine besides the components: a name and the pod. Documents and old
    /// fields are united.
    #[must_use]
    pub fn static_pods(&self) -> Vec<(String, Value)> {
        let legacy = self.legacy_machine().into_iter().flat_map(|machine| &machine.pods);
        let legacy = legacy.filter_map(|pod| {
            let value = pod.value()?;
            let metadata = value.entry("metadata");
            let name = metadata.and_then(|m| m.entry("name")).and_then(Value::as_str);
            Some((name.unwrap_or_default().to_owned(), value.clone()))
        });
        let documents = self.config.documents::<KubeStaticPodConfig>();
        let documents = documents.filter_map(|d| Some((d.name.clone(), d.pod.value()?.clone())));
        legacy.chain(documents).collect()
    }

    /// Whether a cloud provider runs outside the tree.
    #[must_use]
    pub fn external_cloud_provider(&self) -> bool {
        let provider = self.legacy_cluster().and_then(|c| c.external_cloud_provider.as_ref());
        provider.and_then(|provider| provider.enabled).unwrap_or(false)
    }

    /// How long the administrator's kubeconfig is valid.
    #[must_use]
    pub fn admin_kubeconfig_lifetime(&self) -> std::time::Duration {
        let lifetime = self.legacy_cluster().and_then(|cluster| cluster.admin_kubeconfig.as_ref());
        let lifetime =
            lifetime.map(|kubeconfig| kubeconfig.cert_lifetime).filter(|l| l.as_nanos() > 0);
        let default = crate::scalar::Duration::from_secs(defaults::ADMIN_KUBECONFIG_HOURS * 3600);
        lifetime.unwrap_or(default).to_std()
    }
}

/// A free-form mapping that says something.
fn given(free: &crate::Free) -> Option<Value> {
    free.value().filter(|value| value.as_map().is_some_and(|map| !map.is_empty())).cloned()
}
