//! Rewrites the components of Kubernetes, the kubelet and the node.

use yaml::Value;

use super::{Fixer, object_name};
use crate::Free;
use crate::field::Field;
use crate::kinds::kubernetes::{
    KubeAdmissionControlConfig, KubeApiServerConfig, KubeAuditPolicyConfig, KubeAuthorizerConfig,
    KubeControllerManagerConfig, KubeCoreDnsConfig, KubeCredentialProviderConfig,
    KubeEtcdEncryptionConfig, KubeNodeConfig, KubePrismConfig, KubeProxyConfig,
    KubeSchedulerConfig, KubeStaticPodConfig, KubeTalosApiAccessConfig, KubeletConfig,
};
use crate::v1alpha1::{Cluster, Machine, NodeIp};

impl Fixer<'_> {
    pub(super) fn kubernetes(&mut self) {
        let (machine, cluster) = (self.legacy.machine.take(), self.legacy.cluster.take());
        if let (Some(mut machine), Some(mut cluster)) = (machine, cluster) {
            self.node(&mut machine, &mut cluster);
            self.kubelet(&mut machine);
            self.features(&mut machine);
            if self.before.view().is_control_plane() {
                self.encryption_in_etcd(&mut cluster);
                self.api_server(&mut cluster);
                self.components(&mut machine, &mut cluster);
            }
            self.legacy.machine = Some(machine);
            self.legacy.cluster = Some(cluster);
        } else {
            self.legacy.machine.clone_from(&self.before.v1alpha1().and_then(|l| l.machine.clone()));
            self.legacy.cluster.clone_from(&self.before.v1alpha1().and_then(|l| l.cluster.clone()));
            self.documents.clone_from(&self.before.documents);
        }
    }

    fn node(&mut self, machine: &mut Machine, cluster: &mut Cluster) {
        if !self.has::<KubeNodeConfig>() {
            let node = self.before.view().node();
            let subnets = if node.valid_subnets.is_empty() {
                crate::List::default()
            } else {
                node.valid_subnets.into()
            };
            let flag = |value: bool| value.then_some(true);
            let map = |map: std::collections::BTreeMap<String, String>| map.into_iter().collect();
            self.add(KubeNodeConfig {
                skip_node_registration: flag(node.skip_registration),
                register_with_fqdn: flag(node.register_with_fqdn),
                node_ip: NodeIp { valid_subnets: subnets },
                labels: map(node.labels),
                annotations: map(node.annotations),
                taints: map(node.taints),
            });
        }
        if let Some(kubelet) = &mut machine.kubelet {
            kubelet.skip_node_registration = None;
            kubelet.register_with_fqdn = None;
            kubelet.node_ip = None;
        }
        machine.node_labels = crate::Map::default();
        machine.node_annotations = crate::Map::default();
        machine.node_taints = crate::Map::default();
        cluster.allow_scheduling_on_masters = None;
        cluster.allow_scheduling_on_control_planes = None;
    }

    fn kubelet(&mut self, machine: &mut Machine) {
        let pods = std::mem::take(&mut machine.pods);
        for pod in &pods {
            let metadata = pod.value().and_then(|value| value.entry("metadata"));
            let name = metadata.and_then(|m| m.entry("name")).and_then(Value::as_str);
            let name = object_name(name.unwrap_or_default());
            if !self.has_named::<KubeStaticPodConfig>(&name) {
                self.add(KubeStaticPodConfig { name, pod: pod.clone() });
            }
        }
        let Some(kubelet) = machine.kubelet.take() else { return };
        // Further mounts and the manifests directory have no document.
        if !kubelet.extra_mounts.is_empty() || kubelet.disable_manifests_directory != Some(true) {
            machine.kubelet = Some(kubelet);
            return;
        }
        if !Field::is_empty(&kubelet.credential_provider_config)
            && !self.has::<KubeCredentialProviderConfig>()
        {
            let configuration = kubelet.credential_provider_config.clone();
            self.add(KubeCredentialProviderConfig { configuration });
        }
        if !self.has::<KubeletConfig>() {
            let image = self.before.view().kubelet().image;
            self.add(KubeletConfig {
                image,
                config: kubelet.extra_config,
                extra_args: kubelet.extra_args,
                cluster_dns: kubelet.cluster_dns,
                default_runtime_seccomp_profile_enabled: kubelet
                    .default_runtime_seccomp_profile_enabled,
            });
        }
    }

    fn features(&mut self, machine: &mut Machine) {
        let view = self.before.view();
        let Some(features) = &mut machine.features else { return };
        if features.kube_prism.take().is_some()
            && let Some((port, name)) = view.kube_prism()
            && !self.has::<KubePrismConfig>()
        {
            let tls_server_name = name.unwrap_or_default().to_owned();
            self.add(KubePrismConfig { port: port.into(), tls_server_name });
        }
        if features.kubernetes_api_access.take().is_some()
            && let Some(access) = view.api_access()
            && !self.has::<KubeTalosApiAccessConfig>()
        {
            self.add(KubeTalosApiAccessConfig {
                allowed_roles: access.roles.into(),
                allowed_kubernetes_namespaces: access.namespaces.into(),
            });
        }
    }

    fn encryption_in_etcd(&mut self, cluster: &mut Cluster) {
        let secretbox = std::mem::take(&mut cluster.secretbox_encryption_secret);
        let aescbc = std::mem::take(&mut cluster.aescbc_encryption_secret);
        if (secretbox.is_empty() && aescbc.is_empty()) || self.has::<KubeEtcdEncryptionConfig>() {
            return;
        }
        let map = |key: &str, value: Value| Value::Map(vec![(key.to_owned(), value)]);
        let key = |name: &str, secret: &str| {
            let entries = [("name".to_owned(), name.into()), ("secret".to_owned(), secret.into())];
            Value::Seq(vec![Value::Map(entries.to_vec())])
        };
        let mut providers = Vec::new();
        if !secretbox.is_empty() {
            providers.push(map("secretbox", map("keys", key("key2", &secretbox))));
        }
        if !aescbc.is_empty() {
            providers.push(map("aescbc", map("keys", key("key1", &aescbc))));
        }
        // What was written before encryption was on stays readable, as with the old fields.
        providers.push(map("identity", Value::Map(Vec::new())));
        let block = Value::Map(vec![
            ("resources".to_owned(), vec!["secrets"].into()),
            ("providers".to_owned(), Value::Seq(providers)),
        ]);
        let config = Free::new(map("resources", Value::Seq(vec![block])));
        self.add(KubeEtcdEncryptionConfig { config });
    }

    fn api_server(&mut self, cluster: &mut Cluster) {
        let denied = |name: &String| {
            ["anonymous-auth", "oidc-", "authentication-config", "authorization-"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        let Some(server) = &cluster.api_server else { return };
        if !server.extra_volumes.is_empty() || server.extra_args.keys().any(denied) {
            return;
        }
        let view = self.before.view().api_server();
        for plugin in &server.admission_control {
            if !self.has_named::<KubeAdmissionControlConfig>(&plugin.name) {
                self.add(KubeAdmissionControlConfig {
                    name: plugin.name.clone(),
                    configuration: plugin.configuration.clone().unwrap_or_default(),
                });
            }
        }
        if !Field::is_empty(&server.audit_policy) && !self.has::<KubeAuditPolicyConfig>() {
            self.add(KubeAuditPolicyConfig { configuration: server.audit_policy.clone() });
        }
        if !self.has::<KubeAuthorizerConfig>() {
            for authorizer in view.authorizers {
                let webhook = authorizer.webhook.map(Free::new).unwrap_or_default();
                self.add(KubeAuthorizerConfig {
                    name: authorizer.name,
                    kind: authorizer.kind,
                    webhook,
                });
            }
        }
        if !self.has::<KubeApiServerConfig>() {
            let control_plane = cluster.control_plane.as_ref();
            let port = control_plane.map_or(0, |control_plane| control_plane.local_api_server_port);
            self.add(KubeApiServerConfig {
                image: view.component.image,
                extra_args: server.extra_args.clone(),
                env: server.env.clone(),
                resources: server.resources.clone(),
                api_port: port,
                cert_extra_sans: server.cert_sans.clone(),
                startup_probes: None,
            });
        }
        cluster.api_server = None;
        if let Some(control_plane) = &mut cluster.control_plane {
            control_plane.local_api_server_port = 0;
            if control_plane.endpoint.is_none() {
                cluster.control_plane = None;
            }
        }
    }

    fn components(&mut self, machine: &mut Machine, cluster: &mut Cluster) {
        let view = self.before.view();
        let toggles = machine.control_plane.take().unwrap_or_default();
        let mut left = crate::v1alpha1::ControlPlaneToggles::default();
        if cluster.controller_manager.as_ref().is_none_or(|m| m.extra_volumes.is_empty()) {
            let manager = cluster.controller_manager.take();
            if (manager.is_some() || toggles.controller_manager.is_some())
                && !self.has::<KubeControllerManagerConfig>()
            {
                let (component, manager) = (view.controller_manager(), manager.unwrap_or_default());
                self.add(KubeControllerManagerConfig {
                    enabled: (!component.enabled).then_some(false),
                    image: component.image,
                    extra_args: manager.extra_args,
                    env: manager.env,
                    resources: manager.resources,
                });
            }
        } else {
            left.controller_manager = toggles.controller_manager;
        }
        if cluster.scheduler.as_ref().is_none_or(|s| s.extra_volumes.is_empty()) {
            let scheduler = cluster.scheduler.take();
            if (scheduler.is_some() || toggles.scheduler.is_some())
                && !self.has::<KubeSchedulerConfig>()
            {
                let (component, scheduler) =
                    (view.scheduler().component, scheduler.unwrap_or_default());
                self.add(KubeSchedulerConfig {
                    enabled: (!component.enabled).then_some(false),
                    image: component.image,
                    config: scheduler.config,
                    extra_args: scheduler.extra_args,
                    env: scheduler.env,
                    resources: scheduler.resources,
                });
            }
        } else {
            left.scheduler = toggles.scheduler;
        }
        machine.control_plane =
            (left != crate::v1alpha1::ControlPlaneToggles::default()).then_some(left);
        if let Some(proxy) = cluster.proxy.take()
            && !self.has::<KubeProxyConfig>()
        {
            let found = view.proxy();
            self.add(KubeProxyConfig {
                enabled: (!found.component.enabled).then_some(false),
                image: found.component.image,
                // The old default is not the new one.
                mode: found.mode,
                extra_args: proxy.extra_args,
                ..KubeProxyConfig::default()
            });
        }
        if let Some(dns) = cluster.core_dns.take()
            && !self.has::<KubeCoreDnsConfig>()
        {
            let enabled = dns.disabled.map(|disabled| !disabled);
            self.add(KubeCoreDnsConfig { enabled, image: dns.image });
        }
    }
}
