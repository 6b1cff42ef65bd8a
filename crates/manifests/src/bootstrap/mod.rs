//! The objects that make an empty API server a cluster.
//!
//! Each manifest has an id; ids sort in the order in which people read them. The objects themselves are applied in three
//! waves (see [`crate::inventory::waves`]), within a wave all at once.

mod access;
mod coredns;
pub mod flannel;
mod proxy;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Object;
use crate::static_pod::Resources;

/// Objects that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Id of the manifest, for example `10-kube-proxy`.
    pub id: String,
    /// Its objects.
    pub objects: Vec<Object>,
}

/// Settings of the flannel network.
#[derive(Clone, Debug, PartialEq)]
pub struct Flannel {
    /// Image reference.
    pub image: String,
    /// Extra arguments of the daemon.
    pub extra_arguments: Vec<String>,
    /// Backend, for example `vxlan`.
    pub backend: String,
    /// UDP port of the backend.
    pub port: u32,
    /// MTU of the backend; flannel's own choice when zero.
    pub mtu: u32,
    /// Further fields of the backend.
    pub extra_backend: Option<Value>,
    /// Host of the API server as seen on every node.
    pub api_host: String,
    /// Port of the API server as seen on every node.
    pub api_port: String,
    /// Requests and limits.
    pub resources: Resources,
    /// Image of the network policy agent, when it is wanted.
    pub network_policies_image: Option<String>,
}

/// Settings of kube-proxy.
#[derive(Clone, Debug, PartialEq)]
pub struct Proxy {
    /// Image reference.
    pub image: String,
    /// Command-line arguments, complete.
    pub arguments: Vec<String>,
    /// A configuration document used instead of arguments, with the checksum that names its ConfigMap.
    pub config: Option<(Value, String)>,
    /// Requests and limits.
    pub resources: Resources,
}

/// Settings of CoreDNS.
#[derive(Clone, Debug, PartialEq)]
pub struct CoreDns {
    /// Image reference.
    pub image: String,
    /// The cluster's DNS domain.
    pub domain: String,
    /// Service addresses, one of each family at most.
    pub service_ips: Vec<String>,
}

/// All inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Bootstrap {
    /// Name of the cluster.
    pub cluster_name: String,
    /// URL at which a pod on the host network reaches the API.
    pub server: String,
    /// Bootstrap token: id and secret.
    pub token: (String, String),
    /// Pod address ranges.
    pub pod_cidrs: Vec<String>,
    /// Pod network; none when the user brings one.
    pub flannel: Option<Flannel>,
    /// Service proxy; none when the user brings one.
    pub proxy: Option<Proxy>,
    /// Cluster DNS; none when the user brings one.
    pub coredns: Option<CoreDns>,
    /// Whether pods may ask for access to the node's API.
    pub api_access: bool,
}

/// The manifests, sorted by id.
pub fn manifests(input: &Bootstrap) -> Vec<Manifest> {
    let mut manifests: BTreeMap<&str, Vec<Object>> = BTreeMap::new();
    manifests.insert("00-kubelet-bootstrapping-token", vec![access::bootstrap_token(&input.token)]);
    manifests.insert("01-csr-node-bootstrap", vec![access::node_bootstrapper()]);
    manifests.insert("01-csr-approver-role-binding", vec![access::approve_node_client()]);
    manifests.insert("01-csr-renewal-role-binding", vec![access::node_renewal()]);
    manifests
        .insert("11-kube-config-in-cluster", vec![access::kubeconfig_in_cluster(&input.server)]);
    manifests.insert("11-talos-node-rbac-template", access::node_endpoints());
    if let Some(flannel) = &input.flannel {
        manifests.insert("05-flannel", flannel::objects(flannel, &input.pod_cidrs));
    }
    if let Some(proxy) = &input.proxy {
        manifests.insert("10-kube-proxy", proxy::objects(proxy));
    }
    if let Some(coredns) = &input.coredns {
        manifests.insert("11-core-dns", coredns::objects(coredns));
        manifests.insert("11-core-dns-svc", vec![coredns::service(coredns)]);
    }
    if input.api_access {
        manifests.insert("13-talos-service-account-crd", vec![access::service_account_crd()]);
    }
    manifests.into_iter().map(|(id, objects)| Manifest { id: id.to_owned(), objects }).collect()
}

/// kube-proxy's default arguments with the user's put over them.
pub fn proxy_arguments(
    pod_cidrs: &[String],
    mode: &str,
    extra: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let mut arguments = crate::arguments::Arguments::default();
    arguments
        .set("cluster-cidr", pod_cidrs.join(","))
        .set("conntrack-max-per-core", "0")
        .set("hostname-override", "$(NODE_NAME)")
        .set("kubeconfig", "/etc/kubernetes/kubeconfig")
        .set("proxy-mode", mode);
    // Zero means: leave the node's connection tracking as it is. A node in namespaces may not write these anyway.
    arguments
        .set("conntrack-tcp-timeout-close-wait", "0s")
        .set("conntrack-tcp-timeout-established", "0s");
    for (name, values) in extra {
        arguments.set_all(name, values.iter().cloned());
    }
    arguments.flags()
}

fn service_account(name: &str) -> Object {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": name, "namespace": "kube-system" },
    })
}

fn cluster_role(name: &str, rules: Value) -> Object {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name },
        "rules": rules,
    })
}

fn bind_groups(name: &str, role: &str, groups: &[&str]) -> Object {
    let subjects: Vec<Value> = groups
        .iter()
        .map(|group| json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group }))
        .collect();
    binding(name, role, subjects.into())
}

fn bind_service_account(name: &str, role: &str, account: &str) -> Object {
    let subjects =
        json!([{ "kind": "ServiceAccount", "name": account, "namespace": "kube-system" }]);
    binding(name, role, subjects)
}

fn binding(name: &str, role: &str, subjects: Value) -> Object {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": subjects,
    })
}

fn resources_or(resources: &Resources, default: Value) -> Value {
    if resources.requests.is_empty() && resources.limits.is_empty() {
        return default;
    }
    let mut value = json!({});
    if !resources.requests.is_empty() {
        value["requests"] = json!(resources.requests);
    }
    if !resources.limits.is_empty() {
        value["limits"] = json!(resources.limits);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Bootstrap {
        let pod_cidrs = vec!["10.244.0.0/16".to_owned()];
        Bootstrap {
            cluster_name: "c1".to_owned(),
            server: "https://127.0.0.1:7445".to_owned(),
            token: ("abcdef".to_owned(), "0123456789abcdef".to_owned()),
            flannel: Some(Flannel {
                image: "ghcr.io/siderolabs/flannel:v0.28.10".to_owned(),
                extra_arguments: vec![],
                backend: "vxlan".to_owned(),
                port: 4789,
                mtu: 0,
                extra_backend: None,
                api_host: "127.0.0.1".to_owned(),
                api_port: "7445".to_owned(),
                resources: Resources::default(),
                network_policies_image: None,
            }),
            proxy: Some(Proxy {
                image: "registry.k8s.io/kube-proxy:v1.37.2".to_owned(),
                arguments: proxy_arguments(&pod_cidrs, "nftables", &BTreeMap::new()),
                config: None,
                resources: Resources::default(),
            }),
            coredns: Some(CoreDns {
                image: "registry.k8s.io/coredns/coredns:v1.14.7".to_owned(),
                domain: "cluster.local".to_owned(),
                service_ips: vec!["10.96.0.10".to_owned()],
            }),
            api_access: true,
            pod_cidrs,
        }
    }

    #[test]
    fn every_manifest() {
        for manifest in manifests(&input()) {
            let text: Vec<String> =
                manifest.objects.iter().map(|object| format!("{object:#}")).collect();
            insta::assert_snapshot!(manifest.id.as_str(), text.join("\n---\n"));
        }
    }

    #[test]
    fn parts_left_out() {
        let bare =
            Bootstrap { flannel: None, proxy: None, coredns: None, api_access: false, ..input() };
        let ids: Vec<_> = manifests(&bare).into_iter().map(|manifest| manifest.id).collect();
        assert_eq!(
            ids,
            [
                "00-kubelet-bootstrapping-token",
                "01-csr-approver-role-binding",
                "01-csr-node-bootstrap",
                "01-csr-renewal-role-binding",
                "11-kube-config-in-cluster",
                "11-talos-node-rbac-template",
            ]
        );
    }

    #[test]
    fn dual_stack_dns_has_both_addresses() {
        let mut input = input();
        let dns = input.coredns.as_mut().unwrap();
        dns.service_ips.push("fc00:db8:20::a".to_owned());
        let service = coredns::service(dns);
        assert_eq!(service["spec"]["ipFamilyPolicy"], "RequireDualStack");
        assert_eq!(service["spec"]["clusterIPs"][1], "fc00:db8:20::a");
    }

    #[test]
    fn proxy_config_document_names_its_config_map() {
        let mut input = input();
        let checksum = "0123456789abcdef0123".to_owned();
        input.proxy.as_mut().unwrap().config = Some((json!({ "mode": "iptables" }), checksum));
        let manifests = manifests(&input);
        let proxy = manifests.iter().find(|manifest| manifest.id == "10-kube-proxy").unwrap();
        assert!(
            proxy
                .objects
                .iter()
                .any(|o| o["metadata"]["name"] == "kube-proxy-config-0123456789abcdef")
        );
    }
}
