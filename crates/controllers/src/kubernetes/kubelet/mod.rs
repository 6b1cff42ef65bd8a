//! The kubelet: its specification, its certificate, its service.

mod certificate;
mod container;
mod kubeconfig;
mod service;
mod spec;

use serde_json::{Value, json};

pub(crate) use kubeconfig::controller as kubeconfig;
pub(crate) use service::controller as service;
pub(crate) use spec::{controllers as specs, values};

/// What this system needs of a kubeconfig that the kubelet wrote, as a document.
///
/// The kubelet writes plain block YAML with one cluster and one user, or this system wrote it as JSON.
pub(crate) fn kubeconfig_document(text: &str) -> Option<Value> {
    if let Ok(document) = serde_json::from_str(text) {
        return Some(document);
    }
    let field = |name: &str| {
        text.lines()
            .map(|line| line.trim_start_matches(['-', ' ']))
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.trim().trim_matches('"').to_owned())
    };
    let mut cluster = json!({ "server": field("server")? });
    for name in ["certificate-authority", "certificate-authority-data", "tls-server-name"] {
        if let Some(value) = field(name) {
            cluster[name] = value.into();
        }
    }
    let mut user = json!({});
    for name in
        ["client-certificate", "client-key", "client-certificate-data", "client-key-data", "token"]
    {
        if let Some(value) = field(name) {
            user[name] = value.into();
        }
    }
    Some(json!({ "clusters": [{ "cluster": cluster }], "users": [{ "user": user }] }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn block_yaml_of_the_kubelet() {
        let text = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: QQ==\n    server: https://127.0.0.1:7445\n  name: default-cluster\ncurrent-context: default-context\nkind: Config\nusers:\n- name: default-auth\n  user:\n    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem\n    client-key: /var/lib/kubelet/pki/kubelet-client-current.pem\n";
        let document = super::kubeconfig_document(text).unwrap();
        assert_eq!(document["clusters"][0]["cluster"]["server"], "https://127.0.0.1:7445");
        assert_eq!(
            document["users"][0]["user"]["client-key"],
            "/var/lib/kubelet/pki/kubelet-client-current.pem"
        );
        assert!(super::kubeconfig_document("nothing").is_none());
    }
}
