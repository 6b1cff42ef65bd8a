//! The kubelet's command line, configuration and bootstrap kubeconfig.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::Object;
use crate::arguments::{ArgumentError, Arguments, Merge};
use crate::kubeconfig::{Authority, Credentials, Kubeconfig};

/// Where the kubelet's certificates lie.
pub const PKI_DIR: &str = "/var/lib/kubelet/pki";
/// The kubelet's configuration.
pub const CONFIG_PATH: &str = "/etc/kubernetes/kubelet.yaml";
/// The kubeconfig it runs with.
pub const KUBECONFIG_PATH: &str = "/etc/kubernetes/kubeconfig-kubelet";
/// The kubeconfig it asks for its first certificate with.
pub const BOOTSTRAP_KUBECONFIG_PATH: &str = "/etc/kubernetes/bootstrap-kubeconfig";
/// The authorities it accepts clients from.
pub const CLIENT_CA_PATH: &str = "/etc/kubernetes/pki/ca.crt";
/// The directory of static pods.
pub const STATIC_POD_DIR: &str = "/etc/kubernetes/manifests";
/// The configuration of image credential providers.
pub const CREDENTIAL_PROVIDER_PATH: &str = "/etc/kubernetes/kubelet-credentialproviderconfig.yaml";
/// The directory of image credential provider binaries.
pub const CREDENTIAL_PROVIDER_DIR: &str = "/usr/local/lib/kubelet/credentialproviders";

/// Inputs of the kubelet's command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommandLine {
    /// Name of the node.
    pub nodename: String,
    /// The node's own addresses, one of each family at most.
    pub node_ips: Vec<String>,
    /// Whether a cloud controller outside completes the node.
    pub cloud_provider_external: bool,
    /// Whether image credential providers are configured.
    pub credential_providers: bool,
    /// Extra arguments.
    pub extra: BTreeMap<String, Vec<String>>,
}

fn rule(name: &str) -> Merge {
    match name {
        "bootstrap-kubeconfig" | "kubeconfig" | "config" | "cert-dir" => Merge::Deny,
        _ if name.starts_with("container-runtime") => Merge::Deny,
        "feature-gates" => Merge::Append,
        _ => Merge::Replace,
    }
}

/// The kubelet's arguments.
pub fn arguments(input: &CommandLine) -> Result<Vec<String>, ArgumentError> {
    let mut arguments = Arguments::default();
    arguments
        .set("bootstrap-kubeconfig", BOOTSTRAP_KUBECONFIG_PATH)
        .set("cert-dir", PKI_DIR)
        .set("config", CONFIG_PATH)
        .set("hostname-override", &input.nodename)
        .set("kubeconfig", KUBECONFIG_PATH);
    if !input.node_ips.is_empty() {
        arguments.set("node-ip", input.node_ips.join(","));
    }
    if input.cloud_provider_external {
        arguments.set("cloud-provider", "external");
    }
    if input.credential_providers {
        arguments
            .set("image-credential-provider-bin-dir", CREDENTIAL_PROVIDER_DIR)
            .set("image-credential-provider-config", CREDENTIAL_PROVIDER_PATH);
    }
    Ok(arguments.merge("kubelet", &input.extra, rule)?.flags())
}

/// A field of the kubelet's configuration that a user may not set.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "field \"{field}\" of the kubelet's extraConfig is set by the system; remove it from the machine configuration"
)]
pub struct ProtectedFieldError {
    /// The field.
    pub field: String,
}

/// Where the kubelet runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// A machine of its own.
    Machine,
    /// Namespaces of a host: kernel tunables and disk are the host's, and its cgroups may be of version 1.
    Container,
}

/// Inputs of the kubelet's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// Where the kubelet runs.
    pub host: Host,
    /// Whether the node is part of the control plane.
    pub control_plane: bool,
    /// Addresses of the cluster's DNS service.
    pub cluster_dns: Vec<String>,
    /// The cluster's DNS domain.
    pub cluster_domain: String,
    /// Whether the kubelet runs pods without being part of a cluster.
    pub skip_node_registration: bool,
    /// Whether the runtime's seccomp profile is the default.
    pub default_seccomp: bool,
    /// Whether the directory of static pods is left out.
    pub disable_manifests_directory: bool,
    /// Whether disk use of pods is followed by quota.
    pub fs_quota_monitoring: bool,
    /// Taints to register with, `value:Effect` by key.
    pub register_with_taints: BTreeMap<String, String>,
    /// Fields given by the user.
    pub extra: Map<String, Value>,
}

const PROTECTED: &[&str] = &[
    "apiVersion",
    "kind",
    "staticPodPath",
    "staticPodURL",
    "port",
    "authentication",
    "authorization",
    "cgroupRoot",
    "systemCgroups",
    "kubeletCgroups",
    "rotateCertificates",
    "protectKernelDefaults",
    "containerRuntimeEndpoint",
    "resolvConf",
];

fn taints(taints: &BTreeMap<String, String>) -> Vec<Value> {
    taints
        .iter()
        .map(|(key, value)| {
            let (value, effect) = value.split_once(':').unwrap_or(("", value.as_str()));
            let mut taint = json!({ "key": key, "effect": effect });
            if !value.is_empty() {
                taint["value"] = value.into();
            }
            taint
        })
        .collect()
}

/// The kubelet's configuration document.
pub fn configuration(input: &Configuration) -> Result<Object, ProtectedFieldError> {
    if let Some(field) = input.extra.keys().find(|field| PROTECTED.contains(&field.as_str())) {
        return Err(ProtectedFieldError { field: field.clone() });
    }
    let memory = if input.control_plane { "512Mi" } else { "384Mi" };
    let mut config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "staticPodPath": if input.disable_manifests_directory { "" } else { STATIC_POD_DIR },
        "port": 10250,
        "address": "0.0.0.0",
        "authentication": {
            "x509": { "clientCAFile": CLIENT_CA_PATH },
            "webhook": { "enabled": !input.skip_node_registration },
            "anonymous": { "enabled": false },
        },
        "authorization": {
            "mode": if input.skip_node_registration { "AlwaysAllow" } else { "Webhook" },
        },
        "cgroupRoot": "/",
        "systemCgroups": "/system",
        "kubeletCgroups": "/podruntime/kubelet",
        "rotateCertificates": true,
        "protectKernelDefaults": input.host == Host::Machine,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "seccompDefault": input.default_seccomp,
        "oomScoreAdj": -450,
        "clusterDomain": input.cluster_domain,
        "clusterDNS": input.cluster_dns,
        "serializeImagePulls": false,
        "failSwapOn": false,
        "systemReserved": {
            "cpu": "50m",
            "ephemeral-storage": "256Mi",
            "memory": memory,
            "pid": "100",
        },
        "logging": { "format": "json" },
        "shutdownGracePeriod": "30s",
        "shutdownGracePeriodCriticalPods": "10s",
        "streamingConnectionIdleTimeout": "5m",
        "tlsMinVersion": "VersionTLS13",
        "resolvConf": "/system/resolved/resolv.conf",
    });
    if input.fs_quota_monitoring {
        config["featureGates"] = json!({ "LocalStorageCapacityIsolationFSQuotaMonitoring": true });
    }
    if !input.register_with_taints.is_empty() {
        config["registerWithTaints"] = taints(&input.register_with_taints).into();
    }
    if input.skip_node_registration {
        config["registerNode"] = false.into();
    }
    if input.host == Host::Container {
        config["failCgroupV1"] = false.into();
        // A local cluster is started and thrown away: a component that lost a race must not sit out a back-off.
        config["crashLoopBackOff"] = json!({ "maxContainerRestartPeriod": "2s" });
        // Shares of the host's disk say nothing about the node.
        config["imageGCHighThresholdPercent"] = 100.into();
        config["evictionHard"] = json!({
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        });
    }
    for (field, value) in &input.extra {
        config[field] = value.clone();
    }
    Ok(config)
}

/// The kubeconfig that a kubelet without a certificate asks for one with.
pub fn bootstrap_kubeconfig(
    endpoint: &str,
    tls_server_name: Option<&str>,
    authority: &str,
    token_id: &str,
    token_secret: &str,
) -> Object {
    let token = format!("{token_id}.{token_secret}");
    Kubeconfig {
        cluster: "local",
        server: endpoint,
        tls_server_name,
        authority: Authority::Data(authority),
        user: "kubelet",
        context: "local",
        namespace: None,
        credentials: Credentials::Token(&token),
    }
    .object()
}

/// The kubeconfig of a kubelet whose certificate lies where the kubelet itself keeps and renews it.
pub fn kubeconfig(endpoint: &str, tls_server_name: Option<&str>, authority: &str) -> Object {
    let certificate = format!("{PKI_DIR}/kubelet-client-current.pem");
    Kubeconfig {
        cluster: "default-cluster",
        server: endpoint,
        tls_server_name,
        authority: Authority::Data(authority),
        user: "default-auth",
        context: "default-context",
        namespace: Some("default"),
        credentials: Credentials::CertificateFiles { certificate: &certificate, key: &certificate },
    }
    .object()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Configuration {
        Configuration {
            host: Host::Machine,
            control_plane: true,
            cluster_dns: vec!["10.96.0.10".to_owned()],
            cluster_domain: "cluster.local".to_owned(),
            skip_node_registration: false,
            default_seccomp: true,
            disable_manifests_directory: false,
            fs_quota_monitoring: false,
            register_with_taints: BTreeMap::from([(
                "node-role.kubernetes.io/control-plane".to_owned(),
                ":NoSchedule".to_owned(),
            )]),
            extra: Map::new(),
        }
    }

    #[test]
    fn configurations() {
        insta::assert_snapshot!(
            "kubelet-machine",
            format!("{:#}", configuration(&input()).unwrap())
        );
        let container = Configuration { host: Host::Container, control_plane: false, ..input() };
        insta::assert_snapshot!(
            "kubelet-container",
            format!("{:#}", configuration(&container).unwrap())
        );
    }

    #[test]
    fn extra_fields_replace_and_protected_ones_are_refused() {
        let mut input = input();
        input.extra.insert("maxPods".to_owned(), 20.into());
        assert_eq!(configuration(&input).unwrap()["maxPods"], 20);
        input.extra.insert("cgroupRoot".to_owned(), "/x".into());
        assert_eq!(
            configuration(&input),
            Err(ProtectedFieldError { field: "cgroupRoot".to_owned() })
        );
    }

    #[test]
    fn command_line() {
        let input = CommandLine {
            nodename: "cp-1".to_owned(),
            node_ips: vec!["10.5.0.2".to_owned()],
            extra: BTreeMap::from([("v".to_owned(), vec!["2".to_owned()])]),
            ..CommandLine::default()
        };
        insta::assert_snapshot!(arguments(&input).unwrap().join("\n"), @r"
        --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubeconfig
        --cert-dir=/var/lib/kubelet/pki
        --config=/etc/kubernetes/kubelet.yaml
        --hostname-override=cp-1
        --kubeconfig=/etc/kubernetes/kubeconfig-kubelet
        --node-ip=10.5.0.2
        --v=2
        ");
        let denied =
            CommandLine { extra: BTreeMap::from([("cert-dir".to_owned(), vec![])]), ..input };
        assert!(arguments(&denied).is_err());
    }

    #[test]
    fn taints_with_and_without_a_value() {
        let taints = taints(&BTreeMap::from([
            ("a".to_owned(), ":NoSchedule".to_owned()),
            ("b".to_owned(), "x:NoExecute".to_owned()),
        ]));
        assert_eq!(
            Value::from(taints),
            json!([{ "key": "a", "effect": "NoSchedule" }, { "key": "b", "effect": "NoExecute", "value": "x" }])
        );
    }
}
