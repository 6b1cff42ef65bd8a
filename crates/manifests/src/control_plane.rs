//! Arguments of the three control plane components.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Object;
use crate::arguments::{ArgumentError, Arguments, Merge};

/// Where rendered secrets of the control plane lie; one directory per component.
pub const SECRETS_DIR: &str = "/system/secrets/kubernetes";
/// Where rendered configuration of the control plane lies; one directory per component.
pub const CONFIG_DIR: &str = "/system/config/kubernetes";
/// Where the API server's audit log lies on the node.
pub const AUDIT_LOG_DIR: &str = "/var/log/audit/kube";

/// Arguments that a user gave, by name.
pub type ExtraArguments = BTreeMap<String, Vec<String>>;

/// Inputs of the API server's command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiServer {
    /// The cluster's API endpoint, the default issuer of service account tokens.
    pub endpoint: String,
    /// Issuer of service account tokens where it differs from the endpoint.
    pub issuer: Option<String>,
    /// Issuers that are accepted besides.
    pub accepted_issuers: Vec<String>,
    /// Audiences; the endpoint when empty.
    pub audiences: Vec<String>,
    /// etcd's client URLs.
    pub etcd_servers: Vec<String>,
    /// Port to listen on.
    pub local_port: u16,
    /// Service address ranges.
    pub service_cidrs: Vec<String>,
    /// Address that other members reach this one at; the pod's address variable when empty.
    pub advertised_address: String,
    /// Whether the authentication document is used; without it anonymous requests are refused.
    pub authentication_config: bool,
    /// Extra arguments.
    pub extra: ExtraArguments,
}

fn api_server_rule(name: &str) -> Merge {
    match name {
        "enable-admission-plugins" | "feature-gates" | "authorization-mode" => Merge::Append,
        "client-ca-file"
        | "requestheader-client-ca-file"
        | "encryption-provider-config"
        | "service-account-key-file"
        | "service-account-signing-key-file"
        | "tls-cert-file"
        | "tls-private-key-file"
        | "tls-min-version"
        | "authorization-config" => Merge::Deny,
        _ if name.starts_with("etcd-")
            || name.starts_with("proxy-client-")
            || name.starts_with("kubelet-client-") =>
        {
            Merge::Deny
        }
        _ => Merge::Replace,
    }
}

/// The API server's arguments.
pub fn api_server(input: &ApiServer) -> Result<Vec<String>, ArgumentError> {
    let secret = |file: &str| format!("{SECRETS_DIR}/kube-apiserver/{file}");
    let config = |file: &str| format!("{CONFIG_DIR}/kube-apiserver/{file}");
    let mut arguments = Arguments::default();
    let audiences =
        if input.audiences.is_empty() { input.endpoint.clone() } else { input.audiences.join(",") };
    let issuer = input.issuer.clone().unwrap_or_else(|| input.endpoint.clone());
    let advertised = if input.advertised_address.is_empty() {
        "$(POD_IP)"
    } else {
        input.advertised_address.as_str()
    };
    arguments
        .set("admission-control-config-file", config("admission-control-config.yaml"))
        .set("advertise-address", advertised)
        .set("allow-privileged", "true")
        .set("api-audiences", audiences)
        .set("audit-log-maxage", "30")
        .set("audit-log-maxbackup", "10")
        .set("audit-log-maxsize", "100")
        .set("audit-log-path", format!("{AUDIT_LOG_DIR}/kube-apiserver.log"))
        .set("audit-policy-file", config("auditpolicy.yaml"))
        .set("bind-address", "0.0.0.0")
        .set("client-ca-file", secret("ca.crt"))
        .set("enable-admission-plugins", "NodeRestriction")
        .set("enable-bootstrap-token-auth", "true")
        .set("encryption-provider-config", secret("encryptionconfig.yaml"))
        .set("etcd-cafile", secret("etcd-client-ca.crt"))
        .set("etcd-certfile", secret("etcd-client.crt"))
        .set("etcd-keyfile", secret("etcd-client.key"))
        .set("etcd-servers", input.etcd_servers.join(","))
        .set("kubelet-client-certificate", secret("apiserver-kubelet-client.crt"))
        .set("kubelet-client-key", secret("apiserver-kubelet-client.key"))
        .set("kubelet-preferred-address-types", "InternalIP,ExternalIP,Hostname")
        .set("profiling", "false")
        .set("proxy-client-cert-file", secret("front-proxy-client.crt"))
        .set("proxy-client-key-file", secret("front-proxy-client.key"))
        .set("requestheader-allowed-names", "front-proxy-client")
        .set("requestheader-client-ca-file", secret("aggregator-ca.crt"))
        .set("requestheader-extra-headers-prefix", "X-Remote-Extra-")
        .set("requestheader-group-headers", "X-Remote-Group")
        .set("requestheader-username-headers", "X-Remote-User")
        .set("secure-port", input.local_port.to_string())
        .set_all(
            "service-account-issuer",
            std::iter::once(issuer).chain(input.accepted_issuers.iter().cloned()),
        )
        .set("service-account-key-file", secret("service-account.pub"))
        .set("service-account-signing-key-file", secret("service-account.key"))
        .set("service-cluster-ip-range", input.service_cidrs.join(","))
        .set("tls-cert-file", secret("apiserver.crt"))
        .set("tls-min-version", "VersionTLS13")
        .set("tls-private-key-file", secret("apiserver.key"));
    // A user who chooses authorization modes by flag gets flags; the document and the flags exclude each other.
    let by_flag = input
        .extra
        .keys()
        .any(|name| name == "authorization-mode" || name.starts_with("authorization-webhook-"));
    if by_flag {
        arguments.set("authorization-mode", "Node,RBAC");
    } else {
        arguments.set("authorization-config", config("authorization-config.yaml"));
    }
    let anonymous_by_flag = input.extra.contains_key("anonymous-auth");
    if input.authentication_config && !anonymous_by_flag {
        arguments.set("authentication-config", config("authentication-config.yaml"));
    } else {
        arguments.set("anonymous-auth", "false");
    }
    Ok(arguments.merge("kube-apiserver", &input.extra, api_server_rule)?.flags())
}

/// Inputs of the controller manager's command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControllerManager {
    /// Pod address ranges.
    pub pod_cidrs: Vec<String>,
    /// Service address ranges.
    pub service_cidrs: Vec<String>,
    /// Size of a node's IPv4 pod range; none without an IPv4 range.
    pub node_mask_v4: Option<u8>,
    /// Size of a node's IPv6 pod range; none without an IPv6 range.
    pub node_mask_v6: Option<u8>,
    /// Extra arguments.
    pub extra: ExtraArguments,
}

fn controller_manager_rule(name: &str) -> Merge {
    match name {
        "service-cluster-ip-range" | "controllers" | "feature-gates" => Merge::Append,
        "cluster-signing-cert-file"
        | "cluster-signing-key-file"
        | "authentication-kubeconfig"
        | "authorization-kubeconfig"
        | "kubeconfig"
        | "root-ca-file"
        | "service-account-private-key-file" => Merge::Deny,
        _ => Merge::Replace,
    }
}

/// The controller manager's arguments.
pub fn controller_manager(input: &ControllerManager) -> Result<Vec<String>, ArgumentError> {
    let secret = |file: &str| format!("{SECRETS_DIR}/kube-controller-manager/{file}");
    let mut arguments = Arguments::default();
    arguments
        .set("allocate-node-cidrs", "true")
        .set("authentication-kubeconfig", secret("kubeconfig"))
        // The extension config map is read once at start. Without this, a start a moment before the API server
        // answers ends in a crash and in back-off.
        .set("authentication-tolerate-lookup-failure", "true")
        .set("authorization-kubeconfig", secret("kubeconfig"))
        .set("bind-address", "127.0.0.1")
        .set("cluster-cidr", input.pod_cidrs.join(","))
        .set("cluster-signing-cert-file", secret("ca.crt"))
        .set("cluster-signing-key-file", secret("ca.key"))
        .set("configure-cloud-routes", "false")
        .set("controllers", "*")
        // At the default of 20 requests a second the controllers' own accounts alone take five seconds to be made.
        .set("kube-api-burst", "400")
        .set("kube-api-qps", "200")
        .set("kubeconfig", secret("kubeconfig"))
        .set("leader-elect", "true")
        .set("profiling", "false")
        .set("root-ca-file", secret("ca.crt"))
        .set("service-account-private-key-file", secret("service-account.key"))
        .set("service-cluster-ip-range", input.service_cidrs.join(","))
        .set("terminated-pod-gc-threshold", "100")
        .set("tls-min-version", "VersionTLS13")
        .set("use-service-account-credentials", "true");
    if let Some(mask) = input.node_mask_v4 {
        arguments.set("node-cidr-mask-size-ipv4", mask.to_string());
    }
    if let Some(mask) = input.node_mask_v6 {
        arguments.set("node-cidr-mask-size-ipv6", mask.to_string());
    }
    Ok(arguments.merge("kube-controller-manager", &input.extra, controller_manager_rule)?.flags())
}

fn scheduler_rule(name: &str) -> Merge {
    match name {
        "feature-gates" => Merge::Append,
        "authentication-kubeconfig" | "authorization-kubeconfig" | "config" => Merge::Deny,
        _ => Merge::Replace,
    }
}

/// The scheduler's arguments.
pub fn scheduler(extra: &ExtraArguments) -> Result<Vec<String>, ArgumentError> {
    let kubeconfig = format!("{SECRETS_DIR}/kube-scheduler/kubeconfig");
    let mut arguments = Arguments::default();
    arguments
        .set("authentication-kubeconfig", &kubeconfig)
        .set("authentication-tolerate-lookup-failure", "false")
        .set("authorization-kubeconfig", &kubeconfig)
        .set("bind-address", "127.0.0.1")
        .set("config", format!("{CONFIG_DIR}/kube-scheduler/scheduler-config.yaml"))
        .set("leader-elect", "true")
        .set("profiling", "false")
        .set("tls-min-version", "VersionTLS13");
    Ok(arguments.merge("kube-scheduler", extra, scheduler_rule)?.flags())
}

/// The scheduler's configuration document: the user's, with the connection filled in.
pub fn scheduler_config(user: Option<&Value>) -> Object {
    let mut config = json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
    });
    if let Some(fields) = user.and_then(Value::as_object) {
        for (key, value) in fields {
            config[key] = value.clone();
        }
    }
    if !config["clientConnection"].is_object() {
        config["clientConnection"] = json!({});
    }
    config["clientConnection"]["kubeconfig"] =
        format!("{SECRETS_DIR}/kube-scheduler/kubeconfig").into();
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> ApiServer {
        ApiServer {
            endpoint: "https://10.5.0.2:6443".to_owned(),
            etcd_servers: vec!["https://127.0.0.1:2379".to_owned()],
            local_port: 6443,
            service_cidrs: vec!["10.96.0.0/12".to_owned()],
            authentication_config: true,
            ..ApiServer::default()
        }
    }

    #[test]
    fn api_server_command_line() {
        insta::assert_snapshot!(api_server(&input()).unwrap().join("\n"));
    }

    #[test]
    fn modes_by_flag_replace_the_authorization_document() {
        let mut input = input();
        input.extra.insert("authorization-mode".to_owned(), vec!["Webhook".to_owned()]);
        let flags = api_server(&input).unwrap();
        assert!(flags.contains(&"--authorization-mode=Node,RBAC,Webhook".to_owned()));
        assert!(!flags.iter().any(|flag| flag.starts_with("--authorization-config")));
    }

    #[test]
    fn anonymous_requests_are_refused_without_the_authentication_document() {
        let flags = api_server(&ApiServer { authentication_config: false, ..input() }).unwrap();
        assert!(flags.contains(&"--anonymous-auth=false".to_owned()));
        assert!(!flags.iter().any(|flag| flag.starts_with("--authentication-config")));
    }

    #[test]
    fn several_issuers_become_several_flags() {
        let flags =
            api_server(&ApiServer { accepted_issuers: vec!["https://old".to_owned()], ..input() })
                .unwrap();
        let issuers: Vec<_> =
            flags.iter().filter(|flag| flag.starts_with("--service-account-issuer")).collect();
        assert_eq!(
            issuers,
            [
                "--service-account-issuer=https://10.5.0.2:6443",
                "--service-account-issuer=https://old"
            ]
        );
    }

    #[test]
    fn denied_arguments() {
        for name in
            ["etcd-servers", "tls-min-version", "kubelet-client-key", "proxy-client-cert-file"]
        {
            let mut input = input();
            input.extra.insert(name.to_owned(), vec!["x".to_owned()]);
            assert!(api_server(&input).is_err(), "{name} must be refused");
        }
        let extra = |name: &str| ExtraArguments::from([(name.to_owned(), vec!["x".to_owned()])]);
        assert!(
            controller_manager(&ControllerManager {
                extra: extra("root-ca-file"),
                ..Default::default()
            })
            .is_err()
        );
        assert!(scheduler(&extra("config")).is_err());
    }

    #[test]
    fn controller_manager_command_line() {
        let input = ControllerManager {
            pod_cidrs: vec!["10.244.0.0/16".to_owned()],
            service_cidrs: vec!["10.96.0.0/12".to_owned()],
            node_mask_v4: Some(24),
            ..Default::default()
        };
        insta::assert_snapshot!(controller_manager(&input).unwrap().join("\n"));
    }

    #[test]
    fn scheduler_command_line_and_config() {
        insta::assert_snapshot!(scheduler(&ExtraArguments::new()).unwrap().join("\n"));
        let user = json!({"profiles": [{"schedulerName": "x"}], "clientConnection": {"qps": 5}});
        insta::assert_snapshot!(scheduler_config(Some(&user)), @r#"{"apiVersion":"kubescheduler.config.k8s.io/v1","kind":"KubeSchedulerConfiguration","profiles":[{"schedulerName":"x"}],"clientConnection":{"qps":5,"kubeconfig":"/system/secrets/kubernetes/kube-scheduler/kubeconfig"}}"#);
    }
}
