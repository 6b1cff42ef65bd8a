//! The checks of `cluster:`.

use crate::finding::Findings;
use crate::scalar::Url;
use crate::v1alpha1::{Cluster, Cni, Discovery, Machine};
use crate::validate::shared;
use crate::view::MachineType;

pub(crate) fn check(
    cluster: &Cluster,
    _machine: &Machine,
    role: MachineType,
    findings: &mut Findings,
) {
    if let Some(control_plane) = &cluster.control_plane {
        let path = "cluster.controlPlane.endpoint";
        let Some(endpoint) = control_plane.endpoint.as_ref().filter(|url| !url.is_unset()) else {
            findings.error(path, "cluster controlplane endpoint is required");
            return;
        };
        if let Some(problem) = shared::endpoint_problem(endpoint) {
            findings.error(path, format!("invalid controlplane endpoint: {problem}"));
        }
    }
    if let Some(network) = &cluster.network
        && !network.dns_domain.is_empty()
        && !shared::is_dns_name(&network.dns_domain)
    {
        let domain = &network.dns_domain;
        findings.error("cluster.network.dnsDomain", format!("{domain:?} is not a valid DNS name"));
    }
    cloud_provider(cluster, findings);
    etcd(cluster, role, findings);
    if role == MachineType::Worker && cluster.ca.as_ref().is_some_and(|ca| !ca.key.is_empty()) {
        findings.error(
            "cluster.ca.key",
            "cluster CA key is not allowed on non-controlplane nodes (.cluster.ca)",
        );
    }
    inline_manifests(cluster, findings);
    if let Some(discovery) = &cluster.discovery {
        self::discovery(discovery, cluster, findings);
    }
    components(cluster, findings);
    if let Some(cni) = cluster.network.as_ref().and_then(|network| network.cni.as_ref())
        && role.is_control_plane()
    {
        self::cni(cni, findings);
    }
}

fn cloud_provider(cluster: &Cluster, findings: &mut Findings) {
    let Some(provider) = &cluster.external_cloud_provider else { return };
    let path = "cluster.externalCloudProvider.manifests";
    if !provider.enabled.unwrap_or(false) && !provider.manifests.is_empty() {
        findings.error(path, "external cloud provider is disabled, but manifests are provided");
    }
    for manifest in &provider.manifests {
        if !manifest.parse::<Url>().is_ok_and(|url| !url.hostname().is_empty()) {
            findings.error(
                path,
                format!(
                    "invalid external cloud provider manifest url {manifest:?}: it needs a host"
                ),
            );
        }
    }
}

fn etcd(cluster: &Cluster, role: MachineType, findings: &mut Findings) {
    let Some(etcd) = &cluster.etcd else { return };
    if !role.is_control_plane() {
        findings.error("cluster.etcd", "etcd config is only allowed on control plane machines");
        return;
    }
    if etcd.ca.as_ref().is_none_or(|ca| ca.crt.is_empty() || ca.key.is_empty()) {
        findings.error(
            "cluster.etcd.ca",
            "key/cert combination should not be empty (.cluster.etcd.ca)",
        );
    }
    if !etcd.subnet.is_empty() && !etcd.advertised_subnets.is_empty() {
        findings
            .error("cluster.etcd.subnet", "etcd subnet can't be set when advertisedSubnets is set");
    }
    let lists =
        [("advertisedSubnets", &etcd.advertised_subnets), ("listenSubnets", &etcd.listen_subnets)];
    for (name, subnets) in lists {
        for subnet in subnets.iter().filter(|subnet| !shared::is_prefix_filter(subnet)) {
            findings.error(
                &format!("cluster.etcd.{name}"),
                format!("etcd {name} {subnet:?} is not a valid subnet"),
            );
        }
    }
}

fn inline_manifests(cluster: &Cluster, findings: &mut Findings) {
    let path = "cluster.inlineManifests";
    let mut seen = std::collections::BTreeSet::new();
    for manifest in &cluster.inline_manifests {
        if manifest.name.trim().is_empty() {
            findings.error(path, "inline manifest name can't be empty");
        } else if !seen.insert(&manifest.name) {
            findings.error(path, format!("inline manifest name {:?} is duplicate", manifest.name));
        }
    }
}

fn discovery(discovery: &Discovery, cluster: &Cluster, findings: &mut Findings) {
    let service = &discovery.registries.service;
    if !discovery.enabled.unwrap_or(false) || service.disabled.unwrap_or(false) {
        return;
    }
    let path = "cluster.discovery.registries.service.endpoint";
    if !service.endpoint.is_empty() {
        match service.endpoint.parse::<Url>() {
            Ok(url) if !url.scheme.is_empty() => {
                if !matches!(url.path.as_str(), "" | "/") {
                    findings.error(path, "cluster discovery service path should be empty");
                }
            }
            _ => findings.error(path, format!("cluster discovery service registry endpoint is invalid: {:?} is not an absolute URL", service.endpoint)),
        }
    }
    if cluster.id.is_empty() {
        findings.error("cluster.id", "cluster discovery service requires .cluster.id");
    }
    if cluster.secret.is_empty() {
        findings.error("cluster.secret", "cluster discovery service requires .cluster.secret");
    }
}

fn components(cluster: &Cluster, findings: &mut Findings) {
    if let Some(server) = &cluster.api_server {
        let path = "cluster.apiServer";
        if !server.authorization_config.is_empty() {
            for name in server.extra_args.keys() {
                if name == "authorization-mode" || name.starts_with("authorization-webhook-") {
                    findings.error(
                        &format!("{path}.extraArgs.{name}"),
                        format!("apiserver extra arg {name:?} can't be used together with authorizationConfig"),
                    );
                }
            }
        }
        for (number, authorizer) in server.authorization_config.iter().enumerate() {
            let path = format!("{path}.authorizationConfig.{number}");
            if authorizer.kind.is_empty() {
                findings.error(&path, "apiserver authorizer needs a type");
            } else if !matches!(authorizer.kind.as_str(), "Node" | "RBAC" | "Webhook") {
                findings.error(
                    &path,
                    format!(
                        "apiserver authorizer has an unknown type {:?}: want Node, RBAC or Webhook",
                        authorizer.kind
                    ),
                );
            }
            if authorizer.name.is_empty() {
                findings.error(&path, "apiserver authorizer needs a name");
            }
        }
        shared::resources(server.resources.as_ref(), &format!("{path}.resources"), findings);
    }
    if let Some(manager) = &cluster.controller_manager {
        let path = "cluster.controllerManager.resources";
        shared::resources(manager.resources.as_ref(), path, findings);
    }
    if let Some(scheduler) = &cluster.scheduler {
        let path = "cluster.scheduler.resources";
        shared::resources(scheduler.resources.as_ref(), path, findings);
    }
}

fn cni(cni: &Cni, findings: &mut Findings) {
    let path = "cluster.network.cni";
    match cni.name.as_str() {
        "flannel" | "none" | "" => {
            if !cni.urls.is_empty() {
                let name = if cni.name.is_empty() { "flannel" } else { &cni.name };
                findings.error(&format!("{path}.urls"), format!("{name:?} CNI does not take urls"));
            }
        }
        "custom" => {
            if cni.urls.is_empty() {
                findings.warning(
                    &format!("{path}.urls"),
                    "\"custom\" CNI has no urls: no manifests are applied",
                );
            }
            for url in &cni.urls {
                if !url.parse::<Url>().is_ok_and(|url| !url.hostname().is_empty()) {
                    findings.error(
                        &format!("{path}.urls"),
                        format!("CNI url {url:?} is not valid: it needs a host"),
                    );
                }
            }
        }
        name => findings.error(
            &format!("{path}.name"),
            format!("unknown CNI name {name:?}: want flannel, custom or none"),
        ),
    }
    if matches!(cni.name.as_str(), "custom" | "none") && cni.flannel.is_some() {
        findings.error(
            &format!("{path}.flannel"),
            format!("{:?} CNI does not take flannel options", cni.name),
        );
    }
}
