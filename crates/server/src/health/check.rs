//! What healthy means: each check as a function of what was seen.
//!
//! Must never: ask anybody; what it needs is given to it.

use std::{collections::BTreeSet, net::IpAddr};

use api::machine::{EtcdMember, ServiceInfo};
use resource::{enums::MachineStage, runtime::MachineStatusSpec};
use serde_json::Value;

/// What a check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is as it should be.
    Passed,
    /// It does not apply to this cluster.
    Skipped,
    /// Not yet, and why.
    Waiting(String),
}

impl Verdict {
    /// Passed when nothing is amiss.
    pub(super) fn without(amiss: Vec<String>) -> Self {
        if amiss.is_empty() { Self::Passed } else { Self::Waiting(amiss.join("; ")) }
    }
}

/// The checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    EtcdHealthy,
    EtcdConsistent,
    EtcdControlPlane,
    ApidReady,
    MemorySizes,
    DiskSizes,
    NoDiagnostics,
    KubeletHealthy,
    BootDone,
    NodesReport,
    StaticPods,
    Components,
    NodesReady,
    KubeProxy,
    CoreDns,
    Schedulable,
}

/// All checks in their order.
pub(super) const ALL: [Check; 16] = [
    Check::EtcdHealthy,
    Check::EtcdConsistent,
    Check::EtcdControlPlane,
    Check::ApidReady,
    Check::MemorySizes,
    Check::DiskSizes,
    Check::NoDiagnostics,
    Check::KubeletHealthy,
    Check::BootDone,
    Check::NodesReport,
    Check::StaticPods,
    Check::Components,
    Check::NodesReady,
    Check::KubeProxy,
    Check::CoreDns,
    Check::Schedulable,
];

impl Check {
    /// What is waited for.
    pub(super) fn condition(self) -> &'static str {
        match self {
            Self::EtcdHealthy => "etcd to be healthy",
            Self::EtcdConsistent => "etcd members to be consistent across nodes",
            Self::EtcdControlPlane => "etcd members to be control plane nodes",
            Self::ApidReady => "apid to be ready",
            Self::MemorySizes => "all nodes memory sizes",
            Self::DiskSizes => "all nodes disk sizes",
            Self::NoDiagnostics => "no diagnostics",
            Self::KubeletHealthy => "kubelet to be healthy",
            Self::BootDone => "all nodes to finish boot sequence",
            Self::NodesReport => "all k8s nodes to report",
            Self::StaticPods => "all control plane static pods to be running",
            Self::Components => "all control plane components to be ready",
            Self::NodesReady => "all k8s nodes to report ready",
            Self::KubeProxy => "kube-proxy to report ready",
            Self::CoreDns => "coredns to report ready",
            Self::Schedulable => "all k8s nodes to report schedulable",
        }
    }
}

/// Something seen on a node.
pub(super) type On<T> = (IpAddr, T);

/// A service that should run and be healthy on each of these nodes.
pub(super) fn service(id: &str, seen: &[On<Vec<ServiceInfo>>]) -> Verdict {
    let amiss = seen.iter().filter_map(|(node, services)| {
        let Some(service) = services.iter().find(|service| service.id == id) else {
            return Some(format!("{node}: service {id:?} not found"));
        };
        if service.state != "Running" {
            return Some(format!(
                "{node}: service {id:?} not in expected state \"Running\": current state [{}]",
                service.state
            ));
        }
        let health = service.health.clone().unwrap_or_default();
        (health.unknown || !health.healthy).then(|| {
            let said = health.last_message;
            format!(
                "{node}: service {id:?} not healthy{}{said}",
                if said.is_empty() { "" } else { ": " }
            )
        })
    });
    Verdict::without(amiss.collect())
}

/// Members as one compares them over nodes.
fn identities(members: &[EtcdMember]) -> BTreeSet<(u64, &str, bool)> {
    members.iter().map(|member| (member.id, member.hostname.as_str(), member.is_learner)).collect()
}

/// Every control plane node should know the same members.
pub(super) fn consistent(seen: &[On<Vec<EtcdMember>>]) -> Verdict {
    let Some(((first, reference), others)) = seen.split_first() else {
        return Verdict::Waiting("no etcd members were seen".to_owned());
    };
    let expected = identities(reference);
    let differing = others.iter().filter(|(_, members)| identities(members) != expected);
    Verdict::without(
        differing
            .map(|(node, _)| format!("{node} knows other etcd members than {first}"))
            .collect(),
    )
}

/// The address in a URL of the form `https://ADDRESS:PORT`.
fn address(url: &str) -> Option<IpAddr> {
    let (_, rest) = url.split_once("://")?;
    rest.parse::<std::net::SocketAddr>().ok().map(|address| address.ip())
}

/// Every member should be a control plane node and every control plane node a member.
pub(super) fn members_are_nodes(members: &[EtcdMember], control_plane: &[IpAddr]) -> Verdict {
    let mut amiss = Vec::new();
    for member in members {
        let addresses: Vec<IpAddr> =
            member.peer_urls.iter().filter_map(|url| address(url)).collect();
        if !addresses.iter().any(|address| control_plane.contains(address)) {
            amiss.push(format!("etcd member {} is no control plane node", member.hostname));
        }
    }
    if members.len() != control_plane.len() {
        amiss.push(format!(
            "{} etcd members for {} control plane nodes",
            members.len(),
            control_plane.len()
        ));
    }
    Verdict::without(amiss)
}

/// Boot should be over everywhere.
pub(super) fn booted(seen: &[On<Option<MachineStatusSpec>>]) -> Verdict {
    let amiss = seen.iter().filter_map(|(node, status)| match status {
        Some(status) if status.stage == MachineStage::RUNNING => None,
        Some(status) => {
            let stage = status.stage.text().unwrap_or("unknown");
            Some(format!("{node}: expected stage \"running\", current stage {stage:?}"))
        }
        None => Some(format!("{node}: no machine status yet")),
    });
    Verdict::without(amiss.collect())
}

/// The internal addresses of a Kubernetes node.
pub(super) fn internal_addresses(node: &Value) -> impl Iterator<Item = IpAddr> {
    let all = node["status"]["addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .filter(|address| address["type"] == "InternalIP")
        .filter_map(|address| address["address"].as_str()?.parse().ok())
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// The nodes of Kubernetes and of the system should be the same.
pub(super) fn nodes_report(objects: &[Value], expected: &[IpAddr]) -> Verdict {
    let mut amiss = Vec::new();
    for address in expected {
        if !objects.iter().any(|node| internal_addresses(node).any(|own| own == *address)) {
            amiss.push(format!("can't find expected node with IP {address}"));
        }
    }
    for node in objects {
        if !internal_addresses(node).any(|own| expected.contains(&own)) {
            amiss.push(format!("unexpected node {}", name(node)));
        }
    }
    Verdict::without(amiss)
}

/// Whether an object has a condition that is true.
pub(super) fn is_condition_true(status: &Value, kind: &str) -> bool {
    status["conditions"]
        .as_array()
        .is_some_and(|all| all.iter().any(|c| c["type"] == kind && c["status"] == "True"))
}

/// The parts of a control plane, by the names of their pods.
pub(super) const COMPONENTS: [&str; 3] =
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// Every control plane node should have a ready pod of each component.
pub(super) fn static_pods(seen: &[On<Vec<(String, Value)>>]) -> Verdict {
    let mut amiss = Vec::new();
    for (node, pods) in seen {
        for component in COMPONENTS {
            let prefix = format!("kube-system/{component}");
            match pods.iter().find(|(id, _)| id.starts_with(&prefix)) {
                None => amiss.push(format!("{node}: missing static pod {prefix}")),
                Some((id, status)) if !is_condition_true(status, "Ready") => {
                    amiss.push(format!("{node}: static pod {id} is not ready"));
                }
                Some(_) => {}
            }
        }
    }
    Verdict::without(amiss)
}

pub(super) const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// The nodes that carry the control plane label should be those of the control plane, each with ready components.
pub(super) fn components(nodes: &[Value], pods: &[Value], control_plane: &[IpAddr]) -> Verdict {
    let labelled: Vec<IpAddr> = nodes
        .iter()
        .filter(|node| !node["metadata"]["labels"][CONTROL_PLANE].is_null())
        .flat_map(internal_addresses)
        .collect();
    let mut amiss: Vec<_> = control_plane
        .iter()
        .filter(|address| !labelled.contains(address))
        .map(|address| format!("node {address} does not carry the label {CONTROL_PLANE}"))
        .collect();
    for component in COMPONENTS {
        let own: Vec<&Value> = pods
            .iter()
            .filter(|pod| {
                let labels = &pod["metadata"]["labels"];
                labels["k8s-app"] == component || labels["component"] == component
            })
            .collect();
        let ready = own.iter().filter(|pod| is_condition_true(&pod["status"], "Ready")).count();
        if ready != control_plane.len() || own.len() != control_plane.len() {
            amiss.push(format!("{component}: {ready} of {} pods ready", control_plane.len()));
        }
    }
    Verdict::without(amiss)
}

/// Every node should be ready.
pub(super) fn nodes_ready(nodes: &[Value]) -> Verdict {
    let unready = nodes.iter().filter(|node| !is_condition_true(&node["status"], "Ready"));
    Verdict::without(unready.map(|node| format!("node {} is not ready", name(node))).collect())
}

/// Every node should take pods.
pub(super) fn schedulable(nodes: &[Value]) -> Verdict {
    let cordoned = nodes.iter().filter(|node| node["spec"]["unschedulable"] == true);
    Verdict::without(cordoned.map(|node| format!("node {} is unschedulable", name(node))).collect())
}

/// A daemon set should have a ready pod on every node; `None` is a cluster without it.
pub(super) fn daemon_set(set: Option<&Value>) -> Verdict {
    let Some(set) = set else { return Verdict::Skipped };
    let number = |key: &str| set["status"][key].as_u64().unwrap_or_default();
    let (desired, ready) = (number("desiredNumberScheduled"), number("numberReady"));
    let observed = set["status"]["observedGeneration"].as_u64();
    if desired > 0 && ready == desired && observed == set["metadata"]["generation"].as_u64() {
        return Verdict::Passed;
    }
    Verdict::Waiting(format!("{ready} of {desired} pods ready"))
}

/// A deployment should have all its pods ready; `None` is a cluster without it.
pub(super) fn deployment(set: Option<&Value>) -> Verdict {
    let Some(set) = set else { return Verdict::Skipped };
    let desired = set["spec"]["replicas"].as_u64().unwrap_or(1);
    let ready = set["status"]["readyReplicas"].as_u64().unwrap_or_default();
    if ready >= desired {
        return Verdict::Passed;
    }
    Verdict::Waiting(format!("{ready} of {desired} pods ready"))
}

const MIB: u64 = 1024 * 1024;
/// What a control plane node and a worker need, less what the kernel keeps for itself.
const CONTROL_PLANE_MEMORY: u64 = (1848 - 150) * MIB;
const WORKER_MEMORY: u64 = (1024 - 150) * MIB;

/// Every node should have enough memory; given in bytes, with whether it is of the control plane.
pub(super) fn memory(seen: &[On<(u64, bool)>]) -> Verdict {
    let amiss = seen.iter().filter_map(|(node, (bytes, control_plane))| {
        let least = if *control_plane { CONTROL_PLANE_MEMORY } else { WORKER_MEMORY };
        (*bytes < least).then(|| {
            format!(
                "{node}: {} MiB of memory, at least {} MiB are needed",
                bytes / MIB,
                least / MIB
            )
        })
    });
    Verdict::without(amiss.collect())
}

/// EPHEMERAL needs 6 GiB less what the other partitions take.
const EPHEMERAL: u64 = (6 * 1024 - 2200) * MIB;

/// Every node should have room; given is the size of EPHEMERAL in bytes, or nothing where it is a directory.
pub(super) fn disks(seen: &[On<Option<u64>>]) -> Verdict {
    let amiss = seen.iter().filter_map(|(node, size)| {
        let size = size.filter(|size| *size < EPHEMERAL)?;
        Some(format!(
            "{node}: EPHEMERAL has {} MiB, at least {} MiB are needed",
            size / MIB,
            EPHEMERAL / MIB
        ))
    });
    Verdict::without(amiss.collect())
}

#[cfg(test)]
mod tests {
    use api::machine::ServiceHealth;
    use serde_json::json;

    use super::*;

    fn ip(last: u8) -> IpAddr {
        [10, 5, 0, last].into()
    }

    fn waits(verdict: &Verdict, part: &str) {
        let Verdict::Waiting(text) = verdict else { panic!("{verdict:?}") };
        assert!(text.contains(part), "{text}");
    }

    #[test]
    fn a_service_has_to_run_and_be_healthy_everywhere() {
        let info = |state: &str, healthy| ServiceInfo {
            id: "etcd".into(),
            state: state.into(),
            events: None,
            health: Some(ServiceHealth { healthy, ..Default::default() }),
        };
        assert_eq!(service("etcd", &[(ip(2), vec![info("Running", true)])]), Verdict::Passed);
        waits(
            &service("etcd", &[(ip(2), vec![info("Running", true)]), (ip(3), vec![])]),
            "10.5.0.3",
        );
        waits(&service("etcd", &[(ip(2), vec![info("Waiting", true)])]), "[Waiting]");
        waits(&service("etcd", &[(ip(2), vec![info("Running", false)])]), "not healthy");
    }

    #[test]
    fn etcd_members_have_to_agree_and_be_nodes() {
        let member = |id, last: u8| EtcdMember {
            id,
            hostname: format!("n{id}"),
            peer_urls: vec![format!("https://10.5.0.{last}:2380")],
            ..Default::default()
        };
        let both = vec![member(1, 2), member(2, 3)];
        assert_eq!(consistent(&[(ip(2), both.clone()), (ip(3), both.clone())]), Verdict::Passed);
        waits(&consistent(&[(ip(2), both.clone()), (ip(3), vec![member(1, 2)])]), "10.5.0.3");
        assert_eq!(members_are_nodes(&both, &[ip(2), ip(3)]), Verdict::Passed);
        waits(&members_are_nodes(&both, &[ip(2), ip(4)]), "n2");
        waits(&members_are_nodes(&both, &[ip(2), ip(3), ip(4)]), "2 etcd members for 3");
    }

    fn kubernetes_node(last: u8, ready: &str) -> Value {
        json!({
            "metadata": {"name": format!("n{last}"), "labels": {CONTROL_PLANE: ""}},
            "spec": {},
            "status": {
                "addresses": [
                    {"type": "Hostname", "address": "n"},
                    {"type": "InternalIP", "address": format!("10.5.0.{last}")},
                ],
                "conditions": [{"type": "Ready", "status": ready}],
            },
        })
    }

    #[test]
    fn kubernetes_has_to_know_the_same_nodes() {
        let nodes = [kubernetes_node(2, "True"), kubernetes_node(3, "False")];
        assert_eq!(nodes_report(&nodes, &[ip(2), ip(3)]), Verdict::Passed);
        waits(&nodes_report(&nodes, &[ip(2), ip(3), ip(4)]), "10.5.0.4");
        waits(&nodes_report(&nodes, &[ip(2)]), "unexpected node n3");
        assert_eq!(nodes_ready(&nodes[..1]), Verdict::Passed);
        waits(&nodes_ready(&nodes), "n3");
        assert_eq!(schedulable(&nodes), Verdict::Passed);
        let cordoned = json!({"metadata": {"name": "n"}, "spec": {"unschedulable": true}});
        waits(&schedulable(&[cordoned]), "unschedulable");
    }

    #[test]
    fn components_have_to_be_ready_on_every_control_plane_node() {
        let pod = |component: &str, ready: &str| {
            json!({
                "metadata": {"labels": {"k8s-app": component}},
                "status": {"conditions": [{"type": "Ready", "status": ready}]},
            })
        };
        let pods: Vec<_> = COMPONENTS.iter().map(|name| pod(name, "True")).collect();
        let nodes = [kubernetes_node(2, "True")];
        assert_eq!(components(&nodes, &pods, &[ip(2)]), Verdict::Passed);
        waits(&components(&nodes, &pods, &[ip(2), ip(3)]), "10.5.0.3");
        waits(&components(&nodes, &pods[1..], &[ip(2)]), "kube-apiserver: 0 of 1");
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let statics: Vec<_> = COMPONENTS
            .iter()
            .map(|name| (format!("kube-system/{name}-n2"), ready.clone()))
            .collect();
        assert_eq!(static_pods(&[(ip(2), statics.clone())]), Verdict::Passed);
        waits(
            &static_pods(&[(ip(2), statics[1..].to_vec())]),
            "missing static pod kube-system/kube-apiserver",
        );
    }

    #[test]
    fn what_is_not_installed_is_skipped() {
        assert_eq!(daemon_set(None), Verdict::Skipped);
        assert_eq!(deployment(None), Verdict::Skipped);
        let set = |ready: u64| {
            json!({
                "metadata": {"generation": 1},
                "status": {"desiredNumberScheduled": 2, "numberReady": ready, "observedGeneration": 1},
            })
        };
        assert_eq!(daemon_set(Some(&set(2))), Verdict::Passed);
        waits(&daemon_set(Some(&set(1))), "1 of 2");
        let dns = json!({"spec": {"replicas": 2}, "status": {"readyReplicas": 2}});
        assert_eq!(deployment(Some(&dns)), Verdict::Passed);
    }

    #[test]
    fn machines_have_to_be_large_enough() {
        assert_eq!(
            memory(&[(ip(2), (1700 * MIB, true)), (ip(3), (900 * MIB, false))]),
            Verdict::Passed
        );
        waits(&memory(&[(ip(2), (1000 * MIB, true))]), "1698 MiB are needed");
        assert_eq!(disks(&[(ip(2), None), (ip(3), Some(8192 * MIB))]), Verdict::Passed);
        waits(&disks(&[(ip(2), Some(100 * MIB))]), "EPHEMERAL has 100 MiB");
    }
}
