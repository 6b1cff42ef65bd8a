//! Policies that a new cluster starts with.

use yaml::Value;

use crate::Free;

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Pod security: baseline is enforced, restricted is audited and warned about.
pub(crate) fn pod_security() -> Free {
    Free::new(map([
        ("apiVersion", "pod-security.admission.config.k8s.io/v1alpha1".into()),
        ("kind", "PodSecurityConfiguration".into()),
        (
            "defaults",
            map([
                ("enforce", "baseline".into()),
                ("enforce-version", "latest".into()),
                ("audit", "restricted".into()),
                ("audit-version", "latest".into()),
                ("warn", "restricted".into()),
                ("warn-version", "latest".into()),
            ]),
        ),
        (
            "exemptions",
            map([
                ("namespaces", vec!["kube-system"].into()),
                ("runtimeClasses", Value::Seq(Vec::new())),
                ("usernames", Value::Seq(Vec::new())),
            ]),
        ),
    ]))
}

/// Audit: metadata of every request.
pub(crate) fn audit() -> Free {
    Free::new(map([
        ("apiVersion", "audit.k8s.io/v1".into()),
        ("kind", "Policy".into()),
        ("rules", Value::Seq(vec![map([("level", "Metadata".into())])])),
    ]))
}

/// Authentication: anonymous requests reach the health endpoints only.
pub(crate) fn authentication() -> Free {
    let path = |path: &str| map([("path", path.into())]);
    Free::new(map([
        ("apiVersion", "apiserver.config.k8s.io/v1".into()),
        ("kind", "AuthenticationConfiguration".into()),
        (
            "anonymous",
            map([
                ("enabled", true.into()),
                ("conditions", Value::Seq(vec![path("/livez"), path("/readyz"), path("/healthz")])),
            ]),
        ),
        ("jwt", Value::Seq(Vec::new())),
    ]))
}

/// Encryption of secrets in etcd. The contract puts an old AES-CBC key under secretbox as well.
pub(crate) fn encryption(secretbox: &str, aescbc: &str) -> Free {
    let provider = |name: &str, secret: &str| {
        let key = map([("name", name.into()), ("secret", secret.into())]);
        map([("secretbox", map([("keys", Value::Seq(vec![key]))]))])
    };
    let providers = [("key2", secretbox), ("key1", aescbc)]
        .into_iter()
        .filter(|(_, secret)| !secret.is_empty())
        .map(|(name, secret)| provider(name, secret))
        .collect();
    let block = map([("resources", vec!["secrets"].into()), ("providers", Value::Seq(providers))]);
    Free::new(map([("resources", Value::Seq(vec![block]))]))
}
