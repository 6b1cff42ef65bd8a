//! The flannel pod network.
//!
//! The network configuration of the container runtime is not installed by the pod: a configuration that names flannel before
//! flannel knows its subnet makes the node look ready and every pod's first start fail. The node installs it (see
//! [`conflist`]) at the moment the subnet is known.

use serde_json::{Value, json};

use super::{Flannel, bind_service_account, cluster_role, resources_or, service_account};
use crate::Object;

/// Where flannel writes the subnet of its node.
pub const SUBNET_FILE: &str = "/run/flannel/subnet.env";
/// Where the container runtime reads the network configuration.
pub const CONFLIST_FILE: &str = "/etc/cni/net.d/10-flannel.conflist";

/// The container runtime's network configuration. Its version is the newest that every release of the flannel plugin knows.
pub fn conflist() -> Object {
    json!({
        "name": "cbr0",
        "cniVersion": "0.3.1",
        "plugins": [
            { "type": "flannel", "delegate": { "hairpinMode": true, "isDefaultGateway": true } },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}

fn network(input: &Flannel, pod_cidrs: &[String]) -> Object {
    let mut backend = json!({ "Type": input.backend });
    if input.backend == "vxlan" {
        backend["Port"] = input.port.into();
    }
    if input.mtu != 0 {
        backend["MTU"] = input.mtu.into();
    }
    for (key, value) in
        input.extra_backend.as_ref().and_then(Value::as_object).into_iter().flatten()
    {
        backend[key] = value.clone();
    }
    let v6 = |cidr: &&String| cidr.contains(':');
    let mut network = json!({ "EnableNFTables": true });
    match pod_cidrs.iter().find(|cidr| !v6(cidr)) {
        Some(cidr) => network["Network"] = cidr.as_str().into(),
        None => network["EnableIPv4"] = false.into(),
    }
    if let Some(cidr) = pod_cidrs.iter().find(v6) {
        network["EnableIPv6"] = true.into();
        network["IPv6Network"] = cidr.as_str().into();
    }
    network["Backend"] = backend;
    network
}

pub(super) fn objects(input: &Flannel, pod_cidrs: &[String]) -> Vec<Object> {
    let rules = json!([
        { "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] },
        { "apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"] },
        { "apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"] },
    ]);
    let labels = json!({ "tier": "node", "k8s-app": "flannel" });
    let mut arguments = vec!["--ip-masq".to_owned(), "--kube-subnet-mgr".to_owned()];
    arguments.extend(input.extra_arguments.iter().cloned());
    let mut containers = vec![json!({
        "name": "kube-flannel",
        "image": input.image,
        "command": ["/opt/bin/flanneld"],
        "args": arguments,
        "env": [
            { "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            { "name": "POD_NAMESPACE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } },
            { "name": "KUBERNETES_SERVICE_HOST", "value": input.api_host },
            { "name": "KUBERNETES_SERVICE_PORT", "value": input.api_port },
            { "name": "EVENT_QUEUE_DEPTH", "value": "5000" },
            { "name": "CONT_WHEN_CACHE_NOT_READY", "value": "false" },
        ],
        "resources": resources_or(&input.resources, json!({ "requests": { "cpu": "100m", "memory": "50Mi" } })),
        "securityContext": { "privileged": false, "capabilities": { "add": ["NET_ADMIN", "NET_RAW"] } },
        "volumeMounts": [
            { "name": "run", "mountPath": "/run/flannel" },
            { "name": "flannel-cfg", "mountPath": "/etc/kube-flannel/" },
        ],
    })];
    let mut rules = rules;
    if let Some(image) = &input.network_policies_image {
        containers.push(json!({
            "name": "kube-network-policies",
            "image": image,
            "command": ["/bin/netpol", "--hostname-override=$(MY_NODE_NAME)", "--v=2", "--nfqueue-id=98"],
            "env": [
                { "name": "MY_NODE_NAME", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } },
                { "name": "KUBERNETES_SERVICE_HOST", "value": input.api_host },
                { "name": "KUBERNETES_SERVICE_PORT", "value": input.api_port },
            ],
            "resources": { "requests": { "cpu": "100m", "memory": "50Mi" } },
            "securityContext": { "privileged": true, "capabilities": { "add": ["NET_ADMIN"] } },
        }));
        if let Some(rules) = rules.as_array_mut() {
            rules.push(json!({ "apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["get", "list", "watch"] }));
            rules.push(json!({
                "apiGroups": ["networking.k8s.io"],
                "resources": ["networkpolicies"],
                "verbs": ["get", "list", "watch"],
            }));
        }
    }
    vec![
        service_account("flannel"),
        cluster_role("flannel", rules),
        bind_service_account("flannel", "flannel", "flannel"),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "kube-flannel-cfg", "namespace": "kube-system", "labels": labels },
            "data": {
                "cni-conf.json": crate::document(&conflist()),
                "net-conf.json": crate::document(&network(input, pod_cidrs)),
            },
        }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": { "name": "kube-flannel", "namespace": "kube-system", "labels": labels },
            "spec": {
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [{ "matchExpressions": [
                                { "key": "kubernetes.io/os", "operator": "In", "values": ["linux"] },
                            ] }],
                        } } },
                        "initContainers": [{
                            "name": "install-cni",
                            "image": input.image,
                            "command": ["/install-cni.sh"],
                            "volumeMounts": [{ "name": "cni-plugin", "mountPath": "/host/opt/cni/bin/" }],
                        }],
                        "containers": containers,
                        "hostNetwork": true,
                        "priorityClassName": "system-node-critical",
                        "serviceAccountName": "flannel",
                        "tolerations": [
                            { "effect": "NoSchedule", "operator": "Exists" },
                            { "effect": "NoExecute", "operator": "Exists" },
                        ],
                        "volumes": [
                            { "name": "run", "hostPath": { "path": "/run/flannel", "type": "DirectoryOrCreate" } },
                            { "name": "cni-plugin", "hostPath": { "path": "/opt/cni/bin" } },
                            { "name": "flannel-cfg", "configMap": { "name": "kube-flannel-cfg" } },
                        ],
                    },
                },
            },
        }),
    ]
}
