//! Kubeconfig documents, for components, for the kubelet and for people.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::Object;

/// How the bearer of a kubeconfig proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// A client certificate and its key, PEM, carried inside the document.
    Certificate {
        /// Certificate, PEM.
        certificate: &'a str,
        /// Private key, PEM.
        key: &'a str,
    },
    /// A client certificate and its key in files.
    CertificateFiles {
        /// Path of the certificate.
        certificate: &'a str,
        /// Path of the private key.
        key: &'a str,
    },
    /// A bearer token carried inside the document.
    Token(&'a str),
    /// A bearer token in a file.
    TokenFile(&'a str),
}

/// Whom a kubeconfig trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority<'a> {
    /// Certificates, PEM, carried inside the document.
    Data(&'a str),
    /// A file of certificates.
    File(&'a str),
}

/// The inputs of a kubeconfig with one cluster, one user and one context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubeconfig<'a> {
    /// Name of the cluster entry.
    pub cluster: &'a str,
    /// URL of the API server.
    pub server: &'a str,
    /// Name expected in the server's certificate, where it differs from the URL's host.
    pub tls_server_name: Option<&'a str>,
    /// Whom to trust.
    pub authority: Authority<'a>,
    /// Name of the user entry.
    pub user: &'a str,
    /// Name of the context entry.
    pub context: &'a str,
    /// Default namespace of the context.
    pub namespace: Option<&'a str>,
    /// Proof of identity.
    pub credentials: Credentials<'a>,
}

impl Kubeconfig<'_> {
    /// The document.
    pub fn object(&self) -> Object {
        let mut cluster = json!({ "server": self.server });
        match self.authority {
            Authority::Data(pem) => {
                cluster["certificate-authority-data"] = STANDARD.encode(pem).into()
            }
            Authority::File(path) => cluster["certificate-authority"] = path.into(),
        }
        if let Some(name) = self.tls_server_name {
            cluster["tls-server-name"] = name.into();
        }
        let user = match self.credentials {
            Credentials::Certificate { certificate, key } => json!({
                "client-certificate-data": STANDARD.encode(certificate),
                "client-key-data": STANDARD.encode(key),
            }),
            Credentials::CertificateFiles { certificate, key } => json!({
                "client-certificate": certificate,
                "client-key": key,
            }),
            Credentials::Token(token) => json!({ "token": token }),
            Credentials::TokenFile(path) => json!({ "tokenFile": path }),
        };
        let mut context = json!({ "cluster": self.cluster, "user": self.user });
        if let Some(namespace) = self.namespace {
            context["namespace"] = namespace.into();
        }
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": self.cluster, "cluster": cluster }],
            "users": [{ "name": self.user, "user": user }],
            "contexts": [{ "name": self.context, "context": context }],
            "current-context": self.context,
        })
    }
}

/// The kubeconfig a person gets: names built as `<user>@<cluster>`, ready to be merged with others.
pub fn person(
    cluster: &str,
    server: &str,
    authority: &str,
    certificate: &str,
    key: &str,
) -> String {
    let user = format!("admin@{cluster}");
    let encode = |pem: &str| STANDARD.encode(pem);
    // Written out as YAML: people read and edit this one.
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: {cluster}\n  cluster:\n    server: {server}\n    certificate-authority-data: {}\n\
         users:\n- name: {user}\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n\
         contexts:\n- context:\n    cluster: {cluster}\n    namespace: default\n    user: {user}\n  name: {user}\ncurrent-context: {user}\n",
        encode(authority),
        encode(certificate),
        encode(key),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_kubeconfig() {
        let kubeconfig = Kubeconfig {
            cluster: "c1",
            server: "https://127.0.0.1:7445",
            tls_server_name: None,
            authority: Authority::Data("CA"),
            user: "admin",
            context: "admin@c1",
            namespace: Some("default"),
            credentials: Credentials::Certificate { certificate: "CRT", key: "KEY" },
        };
        insta::assert_snapshot!(kubeconfig.object(), @r#"{"apiVersion":"v1","kind":"Config","clusters":[{"name":"c1","cluster":{"server":"https://127.0.0.1:7445","certificate-authority-data":"Q0E="}}],"users":[{"name":"admin","user":{"client-certificate-data":"Q1JU","client-key-data":"S0VZ"}}],"contexts":[{"name":"admin@c1","context":{"cluster":"c1","user":"admin","namespace":"default"}}],"current-context":"admin@c1"}"#);
    }

    #[test]
    fn token_in_a_file_and_authority_in_a_file() {
        let kubeconfig = Kubeconfig {
            cluster: "local",
            server: "https://127.0.0.1:7445",
            tls_server_name: Some("kubernetes"),
            authority: Authority::File("/ca.crt"),
            user: "service-account",
            context: "service-account-context",
            namespace: None,
            credentials: Credentials::TokenFile("/token"),
        }
        .object();
        assert_eq!(kubeconfig["clusters"][0]["cluster"]["certificate-authority"], "/ca.crt");
        assert_eq!(kubeconfig["clusters"][0]["cluster"]["tls-server-name"], "kubernetes");
        assert_eq!(kubeconfig["users"][0]["user"]["tokenFile"], "/token");
    }
}
