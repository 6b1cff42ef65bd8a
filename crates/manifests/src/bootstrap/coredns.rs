//! Cluster DNS.

use serde_json::json;

use super::{CoreDns, binding, cluster_role, service_account};
use crate::Object;

fn corefile(domain: &str) -> String {
    format!(
        ".:53 {{
    errors
    health {{
        lameduck 5s
    }}
    ready
    log . {{
        class error
    }}
    prometheus :9153
    kubernetes {domain} in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }}
    forward . /etc/resolv.conf {{
        max_concurrent 1000
    }}
    cache 30 {{
        disable success {domain}
        disable denial {domain}
    }}
    loop
    reload
    loadbalance
}}
"
    )
}

pub(super) fn objects(input: &CoreDns) -> Vec<Object> {
    let rules = json!([
        { "apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"] },
        { "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"] },
    ]);
    let subjects =
        json!([{ "kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system" }]);
    let labels = json!({ "k8s-app": "kube-dns" });
    vec![
        service_account("coredns"),
        cluster_role("system:coredns", rules),
        binding("system:coredns", "system:coredns", subjects),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "coredns", "namespace": "kube-system" },
            "data": { "Corefile": corefile(&input.domain) },
        }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "coredns",
                "namespace": "kube-system",
                "labels": { "k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS" },
            },
            "spec": {
                "replicas": 2,
                "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1 } },
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "serviceAccountName": "coredns",
                        "priorityClassName": "system-cluster-critical",
                        "tolerations": [
                            { "key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule" },
                            { "key": "node.cloudprovider.kubernetes.io/uninitialized", "operator": "Exists", "effect": "NoSchedule" },
                        ],
                        "affinity": { "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [{
                            "weight": 100,
                            "podAffinityTerm": {
                                "labelSelector": { "matchExpressions": [
                                    { "key": "k8s-app", "operator": "In", "values": ["kube-dns"] },
                                ] },
                                "topologyKey": "kubernetes.io/hostname",
                            },
                        }] } },
                        "containers": [{
                            "name": "coredns",
                            "image": input.image,
                            "imagePullPolicy": "IfNotPresent",
                            "args": ["-conf", "/etc/coredns/Corefile"],
                            "env": [{ "name": "GOMEMLIMIT", "value": "161MiB" }],
                            "resources": {
                                "limits": { "memory": "170Mi" },
                                "requests": { "cpu": "100m", "memory": "70Mi" },
                            },
                            "ports": [
                                { "containerPort": 53, "name": "dns", "protocol": "UDP" },
                                { "containerPort": 53, "name": "dns-tcp", "protocol": "TCP" },
                                { "containerPort": 9153, "name": "metrics", "protocol": "TCP" },
                            ],
                            "securityContext": {
                                "allowPrivilegeEscalation": false,
                                "capabilities": { "add": ["NET_BIND_SERVICE"], "drop": ["ALL"] },
                                "readOnlyRootFilesystem": true,
                            },
                            "startupProbe": {
                                "httpGet": { "path": "/health", "port": 8080, "scheme": "HTTP" },
                                "periodSeconds": 1,
                                "failureThreshold": 60,
                            },
                            "livenessProbe": {
                                "httpGet": { "path": "/health", "port": 8080, "scheme": "HTTP" },
                                "timeoutSeconds": 5,
                                "successThreshold": 1,
                                "failureThreshold": 5,
                            },
                            "readinessProbe": {
                                "httpGet": { "path": "/ready", "port": 8181, "scheme": "HTTP" },
                                "periodSeconds": 1,
                            },
                            "volumeMounts": [{ "name": "config-volume", "mountPath": "/etc/coredns", "readOnly": true }],
                        }],
                        "dnsPolicy": "Default",
                        "volumes": [{
                            "name": "config-volume",
                            "configMap": { "name": "coredns", "items": [{ "key": "Corefile", "path": "Corefile" }] },
                        }],
                    },
                },
            },
        }),
    ]
}

pub(super) fn service(input: &CoreDns) -> Object {
    let mut spec = json!({
        "selector": { "k8s-app": "kube-dns" },
        "clusterIP": input.service_ips.first(),
        "clusterIPs": input.service_ips,
        "ports": [
            { "name": "dns", "port": 53, "protocol": "UDP" },
            { "name": "dns-tcp", "port": 53, "protocol": "TCP" },
            { "name": "metrics", "port": 9153, "protocol": "TCP" },
        ],
    });
    if input.service_ips.len() > 1 {
        spec["ipFamilyPolicy"] = "RequireDualStack".into();
    }
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kube-dns",
            "namespace": "kube-system",
            "annotations": { "prometheus.io/port": "9153", "prometheus.io/scrape": "true" },
            "labels": {
                "k8s-app": "kube-dns",
                "kubernetes.io/cluster-service": "true",
                "kubernetes.io/name": "CoreDNS",
            },
        },
        "spec": spec,
    })
}
