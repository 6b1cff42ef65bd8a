//! Certificates and kubeconfigs of the Kubernetes control plane on this node.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ::runtime::condition::Condition;
use ::runtime::controller::{Context, ControllerError, Input, Next, Output};
use manifests::control_plane::SECRETS_DIR;
use manifests::kubeconfig::{Authority as Trust, Credentials, Kubeconfig};
use pki::Authority;
use pki::ExtendedUsage::{ClientAuth, ServerAuth};
use resource::network::{HostnameStatusSpec, NodeAddressSpec};
use resource::secrets::{
    CertSANSpec, KubernetesCertsSpec, KubernetesDynamicCertsSpec, KubernetesRootSpec,
};
use resource::types::{NetIp, PemEncodedCertificate, PemEncodedCertificateAndKey};

use super::kept;
use super::leaf::{self, Wanted};
use super::os::{clock, is_synced};
use super::renew::Renewal;
use super::sans::fqdn;
use crate::kubernetes::addresses::NO_KUBERNETES_ACCUMULATIVE;
use crate::role::{machine_type, waits_as_control_plane};
use crate::{Node, Paths, Plain, Run, plain};

/// A year of 365 days, in seconds.
const YEAR: i64 = 365 * 24 * pki::HOUR;

/// Several certificates as one PEM text.
pub(crate) fn bundle(certificates: &[PemEncodedCertificate]) -> String {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str(String::from_utf8_lossy(&certificate.crt.0).trim_end());
        text.push('\n');
    }
    text
}

/// The names that the API server goes by.
fn api_server_names(
    root: &KubernetesRootSpec,
    hostname: &HostnameStatusSpec,
    addresses: &NodeAddressSpec,
) -> CertSANSpec {
    let mut dns_names: BTreeSet<String> = BTreeSet::new();
    let mut ips: BTreeSet<IpAddr> = BTreeSet::new();
    let endpoint = host_of(&root.endpoint.0);
    for name in root.cert_sans.iter().map(String::as_str).chain([endpoint]) {
        match name.parse() {
            Ok(ip) => drop(ips.insert(ip)),
            Err(_) => drop(dns_names.insert(name.to_owned())),
        }
    }
    let domain = format!("kubernetes.default.svc.{}", root.dns_domain);
    dns_names.extend(
        ["kubernetes", "kubernetes.default", "kubernetes.default.svc", &domain, "localhost"]
            .map(str::to_owned),
    );
    dns_names.extend([hostname.hostname.clone(), fqdn(hostname)]);
    dns_names.remove("");
    ips.extend(root.api_server_ips.iter().filter_map(|NetIp(ip)| *ip));
    ips.extend(addresses.addresses.iter().filter_map(|prefix| prefix.address()));
    ips.insert(IpAddr::V4(Ipv4Addr::LOCALHOST));
    CertSANSpec {
        ips: ips.into_iter().map(|ip| NetIp(Some(ip))).collect(),
        dns_names: dns_names.into_iter().collect(),
        fqdn: "kube-apiserver".to_owned(),
    }
}

/// The host of a URL, without port and brackets.
pub(crate) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

fn names(context: &Context) -> Result<Next, ControllerError> {
    let Some(root) = context.get::<KubernetesRootSpec>("secrets", "k8s") else {
        context.cleanup::<CertSANSpec>("secrets", |_| false)?;
        waits_as_control_plane(
            context,
            &Condition::resource::<KubernetesRootSpec>("secrets", "k8s"),
        );
        return Ok(Next::OnChange);
    };
    let Some(hostname) = context.get::<HostnameStatusSpec>("network", "hostname") else {
        context.waiting(&Condition::resource::<HostnameStatusSpec>("network", "hostname"));
        return Ok(Next::OnChange);
    };
    let Some(addresses) = context.get::<NodeAddressSpec>("network", NO_KUBERNETES_ACCUMULATIVE)
    else {
        context.waiting(&Condition::resource::<NodeAddressSpec>(
            "network",
            NO_KUBERNETES_ACCUMULATIVE,
        ));
        return Ok(Next::OnChange);
    };
    let names = api_server_names(&root.spec, &hostname.spec, &addresses.spec);
    context.modify::<CertSANSpec>("secrets", "k8s", |spec| spec.clone_from(&names))?;
    Ok(Next::OnChange)
}

fn issuing(root: &KubernetesRootSpec) -> Result<Authority, ControllerError> {
    leaf::authority(&root.issuing_ca)?.ok_or_else(|| {
        ControllerError::message(
            "the machine configuration has no key of Kubernetes' authority; a control plane node needs cluster.ca with crt and key",
        )
    })
}

fn client(common_name: &str, organization: &str) -> Wanted {
    Wanted {
        common_name: common_name.to_owned(),
        organizations: if organization.is_empty() { vec![] } else { vec![organization.to_owned()] },
        ..Wanted::default()
    }
}

fn certificates(context: &Context, paths: &Paths) -> Result<Next, ControllerError> {
    const ID: &str = "k8s-dynamic-certs";
    let Some(root) = context.get::<KubernetesRootSpec>("secrets", "k8s") else {
        context.remove::<KubernetesDynamicCertsSpec>("secrets", ID)?;
        waits_as_control_plane(
            context,
            &Condition::resource::<KubernetesRootSpec>("secrets", "k8s"),
        );
        return Ok(Next::OnChange);
    };
    let Some(names) = context.get::<CertSANSpec>("secrets", "k8s") else {
        context.waiting(&Condition::resource::<CertSANSpec>("secrets", "k8s"));
        return Ok(Next::OnChange);
    };
    if !is_synced(context) {
        return Ok(Next::OnChange);
    }
    let authority = issuing(&root.spec)?;
    let Some(aggregator) = leaf::authority(&root.spec.aggregator_ca)? else {
        return Err(ControllerError::message(
            "the machine configuration has no key of the aggregator's authority; a control plane node needs cluster.aggregatorCA with crt and key",
        ));
    };
    let mut server = Wanted::server(&names.spec);
    server.organizations = vec!["kube-master".to_owned()];
    let present = context.get::<KubernetesDynamicCertsSpec>("secrets", ID);
    let mut spec = present.map_or_else(
        || {
            let directory = paths.at(SECRETS_DIR).join("kube-apiserver");
            KubernetesDynamicCertsSpec {
                api_server: kept::pair(&directory, "apiserver"),
                api_server_kubelet_client: kept::pair(&directory, "apiserver-kubelet-client"),
                front_proxy: kept::pair(&directory, "front-proxy-client"),
            }
        },
        |r| (**r.spec).clone(),
    );
    let now = context.store().now().seconds;
    let mut renewal = Renewal::new(&authority, now);
    renewal.renew(&mut spec.api_server, &server, &[ServerAuth], YEAR)?;
    let kubelet_client = client("apiserver-kubelet-client", "system:masters");
    renewal.renew(&mut spec.api_server_kubelet_client, &kubelet_client, &[ClientAuth], YEAR)?;
    let mut front = Renewal::new(&aggregator, now);
    front.renew(&mut spec.front_proxy, &client("front-proxy-client", ""), &[ClientAuth], YEAR)?;
    context
        .modify::<KubernetesDynamicCertsSpec>("secrets", ID, |present| present.clone_from(&spec))?;
    Ok(renewal.next())
}

/// A kubeconfig with a certificate issued for its bearer; the present one while that certificate is good.
struct Bearer<'a> {
    root: &'a KubernetesRootSpec,
    server: &'a str,
    wanted: Wanted,
    user: &'a str,
}

impl Bearer<'_> {
    fn renew(
        &self,
        renewal: &mut Renewal<'_>,
        present: &mut String,
    ) -> Result<(), ControllerError> {
        let mut pair = carried(present).unwrap_or_default();
        renewal.renew(&mut pair, &self.wanted, &[ClientAuth], YEAR)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let context = format!("{}@{}", self.user, self.root.name);
        let kubeconfig = Kubeconfig {
            cluster: &self.root.name,
            server: self.server,
            tls_server_name: None,
            authority: Trust::Data(&bundle(&self.root.accepted_cas)),
            user: &context,
            context: &context,
            namespace: None,
            credentials: Credentials::Certificate {
                certificate: &text(&pair.crt.0),
                key: &text(&pair.key.0),
            },
        };
        *present = manifests::document(&kubeconfig.object());
        Ok(())
    }
}

/// The certificate and key inside a kubeconfig that this system wrote.
fn carried(kubeconfig: &str) -> Option<PemEncodedCertificateAndKey> {
    let document = serde_json::from_str(kubeconfig).ok()?;
    let (crt, key) = kubernetes::Access::from_kubeconfig(&document).ok()?.identity?;
    Some(PemEncodedCertificateAndKey { crt: crt.into(), key: key.into() })
}

fn kubeconfigs(context: &Context, paths: &Paths) -> Result<Next, ControllerError> {
    const ID: &str = "k8s-certs";
    let Some(root) = context.get::<KubernetesRootSpec>("secrets", "k8s") else {
        context.remove::<KubernetesCertsSpec>("secrets", ID)?;
        waits_as_control_plane(
            context,
            &Condition::resource::<KubernetesRootSpec>("secrets", "k8s"),
        );
        return Ok(Next::OnChange);
    };
    if !is_synced(context) {
        return Ok(Next::OnChange);
    }
    let root = &root.spec;
    let authority = issuing(root)?;
    let present = context.get::<KubernetesCertsSpec>("secrets", ID);
    let mut spec = present.map_or_else(
        || {
            let file = |component: &str| {
                kept::text(&paths.at(SECRETS_DIR).join(component).join("kubeconfig"))
            };
            KubernetesCertsSpec {
                scheduler_kubeconfig: file("kube-scheduler"),
                controller_manager_kubeconfig: file("kube-controller-manager"),
                ..KubernetesCertsSpec::default()
            }
        },
        |r| (**r.spec).clone(),
    );
    let mut renewal = Renewal::new(&authority, context.store().now().seconds);
    let local = root.local_endpoint.0.as_str();
    let scheduler = "system:kube-scheduler";
    let manager = "system:kube-controller-manager";
    // The admin of the node itself asks the API server beside it, so that no other part must be up.
    let beside = "https://localhost:6443";
    let all: [(&mut String, &str, Wanted, &str); 4] = [
        (&mut spec.scheduler_kubeconfig, local, client(scheduler, scheduler), scheduler),
        (&mut spec.controller_manager_kubeconfig, local, client(manager, manager), manager),
        (
            &mut spec.localhost_admin_kubeconfig,
            beside,
            client("talos:admin", "system:masters"),
            "admin",
        ),
        (&mut spec.admin_kubeconfig, &root.endpoint.0, client("admin", "system:masters"), "admin"),
    ];
    for (present, server, wanted, user) in all {
        Bearer { root, server, wanted, user }.renew(&mut renewal, present)?;
    }
    context.modify::<KubernetesCertsSpec>("secrets", ID, |present| present.clone_from(&spec))?;
    Ok(renewal.next())
}

/// The controllers of this module.
pub(crate) fn controllers(node: &Node) -> [Plain<Run>; 3] {
    let (certificate_paths, kubeconfig_paths) = (node.paths.clone(), node.paths.clone());
    let root = || Input::weak::<KubernetesRootSpec>("secrets").with_id("k8s");
    [
        plain(
            "secrets.KubernetesCertSANsController",
            vec![
                root(),
                Input::weak::<HostnameStatusSpec>("network").with_id("hostname"),
                Input::weak::<NodeAddressSpec>("network").with_id(NO_KUBERNETES_ACCUMULATIVE),
                machine_type(),
            ],
            vec![Output::shared::<CertSANSpec>()],
            Box::new(names) as Run,
        ),
        plain(
            "secrets.KubernetesDynamicCertsController",
            vec![
                root(),
                clock(),
                Input::weak::<CertSANSpec>("secrets").with_id("k8s"),
                machine_type(),
            ],
            vec![Output::exclusive::<KubernetesDynamicCertsSpec>()],
            Box::new(move |context: &Context| certificates(context, &certificate_paths)) as Run,
        ),
        plain(
            "secrets.KubernetesController",
            vec![root(), clock(), machine_type()],
            vec![Output::exclusive::<KubernetesCertsSpec>()],
            Box::new(move |context: &Context| kubeconfigs(context, &kubeconfig_paths)) as Run,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use resource::types::{NetIpPrefix, Url};

    #[test]
    fn hosts_of_urls() {
        for (url, host) in [
            ("https://10.5.0.2:6443", "10.5.0.2"),
            ("https://[fd00::1]:6443/", "fd00::1"),
            ("https://api.example", "api.example"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }

    #[test]
    fn the_api_server_goes_by_all_its_names() {
        let root = KubernetesRootSpec {
            endpoint: Url("https://api.example:6443".into()),
            cert_sans: vec!["192.0.2.1".into(), "other.example".into()],
            api_server_ips: vec![NetIp(Some([10, 96, 0, 1].into()))],
            dns_domain: "cluster.local".into(),
            ..KubernetesRootSpec::default()
        };
        let hostname = HostnameStatusSpec { hostname: "cp-1".into(), domainname: String::new() };
        let addresses = NodeAddressSpec {
            addresses: vec![NetIpPrefix::new([10, 5, 0, 2].into(), 24).unwrap()],
            ..NodeAddressSpec::default()
        };
        let names = api_server_names(&root, &hostname, &addresses);
        assert_eq!(
            names.dns_names,
            [
                "api.example",
                "cp-1",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "localhost",
                "other.example",
            ]
        );
        let ips: Vec<String> =
            names.ips.iter().filter_map(|NetIp(ip)| ip.map(|ip| ip.to_string())).collect();
        assert_eq!(ips, ["10.5.0.2", "10.96.0.1", "127.0.0.1", "192.0.2.1"]);
    }
}
