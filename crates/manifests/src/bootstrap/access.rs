//! Who may do what in a new cluster: the bootstrap token, certificate requests, nodes, the in-cluster kubeconfig.

use serde_json::json;

use super::{bind_groups, cluster_role};
use crate::Object;
use crate::kubeconfig::{Authority, Credentials, Kubeconfig};

pub(super) fn bootstrap_token((id, secret): &(String, String)) -> Object {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": format!("bootstrap-token-{id}"), "namespace": "kube-system" },
        "type": "bootstrap.kubernetes.io/token",
        "stringData": {
            "token-id": id,
            "token-secret": secret,
            "usage-bootstrap-authentication": "true",
            "auth-extra-groups": "system:bootstrappers:nodes",
        },
    })
}

pub(super) fn node_bootstrapper() -> Object {
    bind_groups(
        "system-bootstrap-node-bootstrapper",
        "system:node-bootstrapper",
        &["system:bootstrappers:nodes", "system:nodes"],
    )
}

pub(super) fn approve_node_client() -> Object {
    bind_groups(
        "system-bootstrap-approve-node-client-csr",
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        &["system:bootstrappers:nodes"],
    )
}

pub(super) fn node_renewal() -> Object {
    bind_groups(
        "system-bootstrap-node-renewal",
        "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        &["system:nodes"],
    )
}

pub(super) fn kubeconfig_in_cluster(server: &str) -> Object {
    const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
    let kubeconfig = Kubeconfig {
        cluster: "local",
        server,
        tls_server_name: None,
        authority: Authority::File(&format!("{ACCOUNT}/ca.crt")),
        user: "service-account",
        context: "service-account-context",
        namespace: None,
        credentials: Credentials::TokenFile(&format!("{ACCOUNT}/token")),
    };
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "kubeconfig-in-cluster", "namespace": "kube-system" },
        "data": { "kubeconfig": crate::document(&kubeconfig.object()) },
    })
}

pub(super) fn node_endpoints() -> Vec<Object> {
    let rules = json!([{
        "apiGroups": ["discovery.k8s.io"],
        "resources": ["endpointslices"],
        "verbs": ["get", "list", "watch"],
    }]);
    vec![
        cluster_role("system:talos-nodes", rules),
        bind_groups("system:talos-nodes", "system:talos-nodes", &["system:nodes"]),
    ]
}

pub(super) fn service_account_crd() -> Object {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "serviceaccounts.talos.dev" },
        "spec": {
            "conversion": { "strategy": "None" },
            "group": "talos.dev",
            "names": {
                "kind": "ServiceAccount",
                "listKind": "ServiceAccountList",
                "plural": "serviceaccounts",
                "singular": "serviceaccount",
                "shortNames": ["tsa"],
            },
            "scope": "Namespaced",
            "versions": [{
                "name": "v1alpha1",
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {
                            "type": "object",
                            "properties": { "roles": { "type": "array", "items": { "type": "string" } } },
                        },
                        "status": {
                            "type": "object",
                            "properties": { "failureReason": { "type": "string" } },
                        },
                    },
                } },
            }],
        },
    })
}
