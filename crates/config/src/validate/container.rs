//! Checks of the configuration as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{Mode, Options};
use crate::Config;
use crate::finding::Findings;
use crate::kinds::kubernetes::{KubeApiServerCaConfig, KubeEtcdEncryptionConfig};
use crate::kinds::network::{DnsProtocol, ResolverConfig};
use crate::kinds::runtime::ContainerConfig;

pub(crate) fn check(config: &Config, options: Options, findings: &mut Findings) {
    let view = config.view();
    let dns = view.host_dns();
    if options.mode == Mode::Container && config.is_complete() {
        if !dns.enabled {
            findings.error("", "hostDNS config is required in container mode and must be enabled");
        } else if !dns.forward_kube_dns {
            findings.error("", "hostDNS.forwardKubeDNSToHost must be enabled in container mode");
        }
    }
    let encrypted = config.documents::<ResolverConfig>().flat_map(|d| &d.nameservers);
    let encrypted = encrypted
        .filter(|s| matches!(s.protocol, Some(DnsProtocol::Dot | DnsProtocol::Doh)))
        .count();
    if encrypted > 0 && !dns.enabled {
        findings.error("", "hostDNS must be enabled when a nameserver uses DoT or DoH");
    }
    if let Some(discovery) = view.discovery()
        && !discovery.endpoints.is_empty()
    {
        if discovery.cluster_id.is_empty() {
            findings.error("", "cluster ID should be set when a discovery service is configured");
        }
        if discovery.cluster_secret.is_empty() {
            findings
                .error("", "cluster secret should be set when a discovery service is configured");
        }
    }
    containers(config, findings);
    if view.kube_span().is_some() && view.discovery().is_none() {
        findings.error("", "cluster discovery should be enabled when KubeSpan is enabled");
    }
    etcd_encryption(config, findings);
    control_plane_kinds(config, findings);
}

fn etcd_encryption(config: &Config, findings: &mut Findings) {
    let view = config.view();
    if !view.is_control_plane() {
        return;
    }
    let documents = config.document::<KubeApiServerCaConfig>().is_some();
    let (secretbox, aescbc) = view.etcd_encryption_secrets();
    let encrypted = config.document::<KubeEtcdEncryptionConfig>().is_some()
        || !secretbox.is_empty()
        || !aescbc.is_empty();
    let authority = documents || view.kubernetes_ca().issuing.is_some();
    if authority && !encrypted {
        findings.error("", "etcd encryption config is required on control plane machines: add KubeEtcdEncryptionConfig");
    }
}

fn control_plane_kinds(config: &Config, findings: &mut Findings) {
    if config.view().is_control_plane() {
        return;
    }
    let infos = config.all().iter().map(|document| document.info());
    let kinds: BTreeSet<&str> =
        infos.filter(|info| info.control_plane).map(|info| info.kind).collect();
    if !kinds.is_empty() {
        let kinds: Vec<&str> = kinds.into_iter().collect();
        findings.error(
            "",
            format!("documents are only allowed on control plane machines: {}", kinds.join(", ")),
        );
    }
}

/// Every container that another one waits for must exist, and none may wait for itself.
fn containers(config: &Config, findings: &mut Findings) {
    let graph: BTreeMap<&str, Vec<&str>> = config
        .documents::<ContainerConfig>()
        .map(|container| {
            let waits = container.depends_on.iter().flat_map(|depends| &depends.containers);
            (container.name.as_str(), waits.map(String::as_str).collect())
        })
        .collect();
    for (name, waits) in &graph {
        for other in waits.iter().filter(|other| !graph.contains_key(*other)) {
            findings
                .error("", format!("container {name:?} depends on unknown container {other:?}"));
        }
    }
    let mut done = BTreeSet::new();
    for name in graph.keys() {
        let mut trail = Vec::new();
        if let Some(cycle) = cycle(name, &graph, &mut trail, &mut done) {
            findings.error("", format!("container dependency cycle: {}", cycle.join(" -> ")));
        }
    }
}

fn cycle<'a>(
    name: &'a str,
    graph: &BTreeMap<&'a str, Vec<&'a str>>,
    trail: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(at) = trail.iter().position(|seen| *seen == name) {
        let mut cycle = trail.get(at..).unwrap_or_default().to_vec();
        cycle.push(name);
        return Some(cycle);
    }
    if !done.insert(name) {
        return None;
    }
    trail.push(name);
    let waits = graph.get(name).into_iter().flatten();
    let found = waits.map(|other| cycle(other, graph, trail, done)).find(Option::is_some).flatten();
    trail.pop();
    found
}
