//! The API server's policy documents: admission, audit, authorization, authentication.

use serde_json::{Map, Value, json};

use crate::Object;

/// An admission plugin and its configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct AdmissionPlugin {
    /// Name of the plugin, for example `PodSecurity`.
    pub name: String,
    /// The plugin's own configuration document.
    pub configuration: Value,
}

/// The default admission plugin: pod security by namespace label, baseline enforced, restricted reported.
pub fn pod_security() -> AdmissionPlugin {
    AdmissionPlugin {
        name: "PodSecurity".to_owned(),
        configuration: json!({
            "apiVersion": "pod-security.admission.config.k8s.io/v1",
            "kind": "PodSecurityConfiguration",
            "defaults": {
                "audit": "restricted",
                "audit-version": "latest",
                "enforce": "baseline",
                "enforce-version": "latest",
                "warn": "restricted",
                "warn-version": "latest",
            },
            "exemptions": { "namespaces": ["kube-system"], "runtimeClasses": [], "usernames": [] },
        }),
    }
}

/// The admission control document.
pub fn admission(plugins: &[AdmissionPlugin]) -> Object {
    let plugins: Vec<Value> = plugins
        .iter()
        .map(|plugin| json!({ "name": plugin.name, "path": "", "configuration": plugin.configuration }))
        .collect();
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": plugins,
    })
}

/// The default audit policy: metadata of every request.
pub fn audit() -> Object {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "rules": [{ "level": "Metadata" }],
    })
}

/// One link in the chain of authorizers.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorizer {
    /// `Node`, `RBAC` or `Webhook`.
    pub kind: String,
    /// Name, unique in the chain.
    pub name: String,
    /// Settings of a webhook.
    pub webhook: Option<Value>,
}

/// The two authorizers every cluster needs.
pub fn authorizers() -> Vec<Authorizer> {
    [("Node", "node"), ("RBAC", "rbac")]
        .map(|(kind, name)| Authorizer {
            kind: kind.to_owned(),
            name: name.to_owned(),
            webhook: None,
        })
        .to_vec()
}

/// The user's chain with the two needed authorizers put in front where they are missing.
pub fn with_required_authorizers(mut chain: Vec<Authorizer>) -> Vec<Authorizer> {
    for (position, required) in authorizers().into_iter().enumerate() {
        if !chain.iter().any(|authorizer| authorizer.kind == required.kind) {
            chain.insert(position.min(chain.len()), required);
        }
    }
    chain
}

/// The authorization document.
pub fn authorization(chain: &[Authorizer]) -> Object {
    let chain: Vec<Value> = chain
        .iter()
        .map(|authorizer| {
            let mut entry = Map::new();
            entry.insert("type".to_owned(), authorizer.kind.as_str().into());
            entry.insert("name".to_owned(), authorizer.name.as_str().into());
            if let Some(webhook) = &authorizer.webhook {
                entry.insert("webhook".to_owned(), webhook.clone());
            }
            Value::Object(entry)
        })
        .collect();
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthorizationConfiguration",
        "authorizers": chain,
    })
}

/// The default authentication document: anonymous requests may ask for health and nothing else.
pub fn authentication() -> Object {
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {
            "enabled": true,
            "conditions": [{ "path": "/livez" }, { "path": "/readyz" }, { "path": "/healthz" }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_authorizers_come_first_and_once() {
        let hook = Authorizer {
            kind: "Webhook".to_owned(),
            name: "hook".to_owned(),
            webhook: Some(json!({"timeout": "3s"})),
        };
        let kinds = |chain: Vec<Authorizer>| {
            with_required_authorizers(chain).into_iter().map(|a| a.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(vec![]), ["Node", "RBAC"]);
        assert_eq!(kinds(vec![hook.clone()]), ["Node", "RBAC", "Webhook"]);
        let mut own = authorizers();
        own.reverse();
        own.insert(0, hook);
        assert_eq!(kinds(own), ["Webhook", "RBAC", "Node"]);
    }

    #[test]
    fn documents() {
        insta::assert_snapshot!(admission(&[pod_security()]), @r#"{"apiVersion":"apiserver.config.k8s.io/v1","kind":"AdmissionConfiguration","plugins":[{"name":"PodSecurity","path":"","configuration":{"apiVersion":"pod-security.admission.config.k8s.io/v1","kind":"PodSecurityConfiguration","defaults":{"audit":"restricted","audit-version":"latest","enforce":"baseline","enforce-version":"latest","warn":"restricted","warn-version":"latest"},"exemptions":{"namespaces":["kube-system"],"runtimeClasses":[],"usernames":[]}}}]}"#);
        insta::assert_snapshot!(authorization(&authorizers()), @r#"{"apiVersion":"apiserver.config.k8s.io/v1","kind":"AuthorizationConfiguration","authorizers":[{"type":"Node","name":"node"},{"type":"RBAC","name":"rbac"}]}"#);
        insta::assert_snapshot!(audit(), @r#"{"apiVersion":"audit.k8s.io/v1","kind":"Policy","rules":[{"level":"Metadata"}]}"#);
        insta::assert_snapshot!(authentication(), @r#"{"apiVersion":"apiserver.config.k8s.io/v1","kind":"AuthenticationConfiguration","anonymous":{"enabled":true,"conditions":[{"path":"/livez"},{"path":"/readyz"},{"path":"/healthz"}]}}"#);
    }
}
