//! The client configuration file: which nodes to call, and with which certificate. (The contract calls it talosconfig.)
//!
//! Only the text: where the file lies and who may read it is the client's business.

use yaml::{Node, Value};

use crate::{
    authority::Identity,
    fields::{self, FieldError},
    key::KeyError,
};

/// Everything in a client configuration file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// Name of the current context; empty when there is none.
    pub current: String,
    /// The contexts by name, in the order of the file.
    pub contexts: Vec<(String, Context)>,
}

/// How to reach one cluster.
#[derive(Clone, Default, PartialEq)]
pub struct Context {
    /// Hosts, `host:port` or `https://` URLs that are dialled.
    pub endpoints: Vec<String>,
    /// Nodes that a command means when it names none.
    pub nodes: Vec<String>,
    /// Certificate authority of the servers, PEM.
    pub ca: String,
    /// Client certificate, PEM.
    pub crt: String,
    /// Key of the client certificate, PEM.
    pub key: String,
    /// User name and password for a proxy in front of the cluster.
    pub basic: Option<(String, String)>,
    /// Identity that signs requests for a proxy in front of the cluster.
    pub siderov1_identity: String,
    /// Name of the cluster behind a proxy; sent with each call.
    pub cluster: String,
    /// Proxy to dial through; empty for what the environment says.
    pub proxy_url: String,
}

impl std::fmt::Debug for Context {
    /// Shows no key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("endpoints", &self.endpoints)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// A context for the client identity, trusting the authority (PEM).
    pub fn new(ca: &str, identity: &Identity) -> Result<Self, KeyError> {
        Ok(Self {
            ca: ca.to_owned(),
            crt: identity.certificate_pem(),
            key: identity.key_pem()?,
            ..Self::default()
        })
    }

    fn from_node(node: &Node) -> Result<Self, FieldError> {
        let mut endpoints = fields::list(node, &["endpoints"])?;
        let target = fields::text(node, &["target"])?;
        if !target.is_empty() && !endpoints.contains(&target) {
            endpoints.push(target);
        }
        let username = fields::text(node, &["auth", "basic", "username"])?;
        let password = fields::text(node, &["auth", "basic", "password"])?;
        Ok(Self {
            endpoints,
            nodes: fields::list(node, &["nodes"])?,
            ca: fields::encoded(node, &["ca"])?,
            crt: fields::encoded(node, &["crt"])?,
            key: fields::encoded(node, &["key"])?,
            basic: (!username.is_empty()).then_some((username, password)),
            siderov1_identity: fields::text(node, &["auth", "siderov1", "identity"])?,
            cluster: fields::text(node, &["cluster"])?,
            proxy_url: fields::text(node, &["proxy-url"])?,
        })
    }

    fn to_value(&self) -> Value {
        let text = |value: &str| Value::String(value.to_owned());
        let encoded = |pem: &str| if pem.is_empty() { text("") } else { fields::encode(pem) };
        let basic = self.basic.as_ref().map_or(Value::Null, |(username, password)| {
            fields::map([("username", text(username)), ("password", text(password))])
        });
        let mut value = fields::map_of_set([
            ("nodes", Value::from(self.nodes.clone())),
            ("ca", encoded(&self.ca)),
            ("crt", encoded(&self.crt)),
            ("key", encoded(&self.key)),
            (
                "auth",
                fields::map_of_set([
                    ("basic", basic),
                    ("siderov1", fields::map_of_set([("identity", text(&self.siderov1_identity))])),
                ]),
            ),
            ("cluster", text(&self.cluster)),
            ("proxy-url", text(&self.proxy_url)),
        ]);
        if let Value::Map(entries) = &mut value {
            entries.insert(0, ("endpoints".to_owned(), Value::from(self.endpoints.clone())));
        }
        value
    }
}

impl Access {
    /// A file with one context, which is the current one.
    pub fn with(name: &str, context: Context) -> Self {
        Self { current: name.to_owned(), contexts: vec![(name.to_owned(), context)] }
    }

    /// Reads a file; an empty one has no contexts.
    pub fn from_yaml(text: &[u8]) -> Result<Self, FieldError> {
        let documents = yaml::parse(text)?;
        let Some(root) = documents.first().map(|document| &document.root) else {
            return Ok(Self::default());
        };
        let mut contexts = Vec::new();
        match root.entry("contexts") {
            Some(node) if !node.is_null() => {
                let entries = node
                    .entries()
                    .ok_or_else(|| fields::form(node, &["contexts"], "a mapping of contexts"))?;
                for entry in entries {
                    let context = if entry.value.is_null() {
                        Context::default()
                    } else {
                        Context::from_node(&entry.value)?
                    };
                    contexts.push((entry.key.clone(), context));
                }
            }
            _ => {}
        }
        Ok(Self { current: fields::text(root, &["context"])?, contexts })
    }

    /// The text of the file.
    pub fn to_yaml(&self) -> String {
        let contexts = self
            .contexts
            .iter()
            .map(|(name, context)| (name.clone(), context.to_value()))
            .collect();
        yaml::to_string(&fields::map([
            ("context", Value::String(self.current.clone())),
            ("contexts", contexts),
        ]))
    }

    /// The context with the name.
    pub fn context(&self, name: &str) -> Option<&Context> {
        self.contexts.iter().find(|(known, _)| known == name).map(|(_, context)| context)
    }

    /// The context with the name, to change.
    pub fn context_mut(&mut self, name: &str) -> Option<&mut Context> {
        self.contexts.iter_mut().find(|(known, _)| known == name).map(|(_, context)| context)
    }

    /// Adds the contexts of another file. What is here keeps its name, an incoming duplicate becomes `name-1`, `name-2` and so on, and
    /// the other file's current context becomes current. Returns the renames.
    pub fn merge(&mut self, other: Self) -> Vec<(String, String)> {
        let mut renames = Vec::new();
        for (name, context) in other.contexts {
            let mut free = name.clone();
            let mut number = 0_u32;
            while self.context(&free).is_some() {
                number += 1;
                free = format!("{name}-{number}");
            }
            if name == other.current {
                self.current.clone_from(&free);
            }
            if free != name {
                renames.push((name, free.clone()));
            }
            self.contexts.push((free, context));
        }
        renames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "context: one
contexts:
    one:
        endpoints:
            - 10.5.0.2
            - https://proxy.example.org
        nodes:
            - 10.5.0.2
        ca: QQ==
        crt: Qg==
        key: Qw==
        auth:
            basic:
                username: u
                password: p
            siderov1:
                identity: me@example.org
        cluster: c
        proxy-url: socks5://127.0.0.1:1080
    two:
        endpoints: []
";

    #[test]
    fn reads_back_what_it_writes() {
        let access = Access::from_yaml(FULL.as_bytes()).unwrap();
        assert_eq!(access.current, "one");
        let one = access.context("one").unwrap();
        assert_eq!((one.ca.as_str(), one.crt.as_str(), one.key.as_str()), ("A", "B", "C"));
        assert_eq!(one.basic, Some(("u".to_owned(), "p".to_owned())));
        assert_eq!(access.to_yaml(), FULL);
    }

    #[test]
    fn the_old_target_is_an_endpoint() {
        let access = Access::from_yaml(b"contexts: {a: {target: 10.0.0.1}}").unwrap();
        assert_eq!(access.context("a").unwrap().endpoints, ["10.0.0.1"]);
    }

    #[test]
    fn merging_renames_what_comes_in() {
        let mut access = Access::from_yaml(b"context: a\ncontexts: {a: {}, a-1: {}}").unwrap();
        let other = Access::from_yaml(b"context: a\ncontexts: {a: {cluster: new}, b: {}}").unwrap();
        let renames = access.merge(other);
        assert_eq!(renames, [("a".to_owned(), "a-2".to_owned())]);
        let names: Vec<&str> = access.contexts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "a-1", "a-2", "b"]);
        assert_eq!(access.current, "a-2");
    }

    #[test]
    fn a_wrong_form_names_its_place() {
        let check = |text: &str, expected: &str| {
            let error = Access::from_yaml(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("contexts: [a]", "reading contexts on line 1: expected a mapping");
        check("contexts:\n  a:\n    ca: '***'", "reading ca on line 3: expected base64");
        check("contexts:\n  a:\n    nodes: {b: c}", "reading nodes on line 3: expected a list");
    }
}
