//! Settings of this node in Kubernetes: kubelet, name, addresses, labels, annotations, taints.

use std::collections::BTreeMap;

use ::config::view::View;
use ::runtime::condition::Condition;
use ::runtime::controller::{Context, ControllerError, Input, Next, Output};
use resource::Spec;
use resource::config::MachineConfigSpec;
use resource::k8s::{
    KubeletConfigSpec, NodeAnnotationSpecSpec, NodeIPConfigSpec, NodeIPSpec, NodeLabelSpecSpec,
    NodeTaintSpecSpec, NodenameSpec,
};
use resource::network::{HostnameStatusSpec, NodeAddressFilterSpec, NodeAddressSpec};
use resource::proto::Mount;
use resource::types::{NetIp, Object};

use super::{Run, control_plane::arguments, derived, nth_address};
use crate::config::active::{ACTIVE, NAMESPACE};
use crate::kubernetes::addresses::{self, NO_KUBERNETES_ROUTED, first_of_each_family};
use crate::secrets::sans::fqdn;
use crate::{Node, Plain, plain};

fn kubelet(view: View<'_>) -> Result<Option<KubeletConfigSpec>, ControllerError> {
    let kubelet = view.kubelet();
    let node = view.node();
    let mounts = kubelet.extra_mounts.iter().map(|mount| Mount {
        destination: mount.destination.clone(),
        r#type: mount.kind.clone(),
        source: mount.source.clone(),
        options: mount.options.to_vec(),
        ..Mount::default()
    });
    let cluster_dns = if kubelet.cluster_dns.is_empty() {
        let tenth = |cidr: &String| nth_address(cidr, 10).map(|ip| ip.to_string());
        view.service_subnets().iter().filter_map(tenth).collect()
    } else {
        kubelet.cluster_dns.clone()
    };
    // Only what the kubelet cannot take off again by itself is registered with: the rest is applied to the node later.
    let taints = node.taints.iter().map(|(key, taint)| {
        let (value, effect) = taint.split_once(':').unwrap_or(("", taint));
        (key.clone(), format!("{value}:{effect}"))
    });
    Ok(Some(KubeletConfigSpec {
        image: kubelet.image.clone(),
        cluster_dns,
        cluster_domain: view.dns_domain().to_owned(),
        extra_args: arguments(&kubelet.extra_args),
        extra_mounts: mounts.collect(),
        extra_config: kubelet.extra_config.and_then(Object::from_value).unwrap_or_default(),
        cloud_provider_external: view.external_cloud_provider(),
        default_runtime_seccomp_enabled: kubelet.default_seccomp,
        skip_node_registration: node.skip_registration,
        static_pod_list_url: String::new(),
        disable_manifests_directory: kubelet.disable_manifests_directory,
        enable_fs_quota_monitoring: view.disk_quota(),
        credential_provider_config: kubelet
            .credential_providers
            .and_then(Object::from_value)
            .unwrap_or_default(),
        register_with_taints: taints.collect(),
    }))
}

fn ip_config(view: View<'_>) -> Result<Option<NodeIPConfigSpec>, ControllerError> {
    let mut exclude = view.pod_subnets();
    exclude.extend(view.service_subnets());
    Ok(Some(NodeIPConfigSpec {
        valid_subnets: view.node().valid_subnets,
        exclude_subnets: exclude,
    }))
}

fn ips(context: &Context) -> Result<Next, ControllerError> {
    let Some(config) = context.get::<NodeIPConfigSpec>("k8s", "kubelet") else {
        context.waiting(&Condition::resource::<NodeIPConfigSpec>("k8s", "kubelet"));
        return Ok(Next::OnChange);
    };
    let Some(present) = context.get::<NodeAddressSpec>("network", NO_KUBERNETES_ROUTED) else {
        context.waiting(&Condition::resource::<NodeAddressSpec>("network", NO_KUBERNETES_ROUTED));
        return Ok(Next::OnChange);
    };
    let all: Vec<_> = present.spec.addresses.iter().filter_map(|prefix| prefix.address()).collect();
    let mut subnets = config.spec.valid_subnets.clone();
    subnets.extend(config.spec.exclude_subnets.iter().map(|subnet| format!("!{subnet}")));
    let ips = first_of_each_family(&all, &subnets);
    if ips.is_empty() {
        context.waiting(&Condition::resource_state::<NodeAddressSpec>(
            "network",
            NO_KUBERNETES_ROUTED,
            "has an address for the kubelet",
        ));
        return Ok(Next::OnChange);
    }
    context.modify::<NodeIPSpec>("k8s", "kubelet", |spec| {
        spec.addresses = ips.iter().map(|ip| NetIp(Some(*ip))).collect();
    })?;
    Ok(Next::OnChange)
}

/// A host name as Kubernetes accepts it.
fn nodename(hostname: &str) -> String {
    let lower = hostname.to_lowercase();
    let valid: String = lower
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(*c))
        .collect();
    valid.trim_matches(['-', '.']).to_owned()
}

fn name(node: &Node) -> Run {
    let active = node.config.clone();
    Box::new(move |context| {
        let Some(config) = active.complete(context.store())? else { return Ok(Next::OnChange) };
        let settings = config.view().node();
        let Some(hostname) = context.get::<HostnameStatusSpec>("network", "hostname") else {
            context.waiting(&Condition::resource::<HostnameStatusSpec>("network", "hostname"));
            return Ok(Next::OnChange);
        };
        let full = if settings.register_with_fqdn {
            fqdn(&hostname.spec)
        } else {
            hostname.spec.hostname.clone()
        };
        let nodename = nodename(&full);
        if nodename.is_empty() {
            return Err(ControllerError::message(format!(
                "host name {full:?} has no character that a node name may have; set another host name"
            )));
        }
        let version = hostname.metadata.version.to_string();
        context.modify::<NodenameSpec>("k8s", "nodename", |spec| {
            spec.nodename.clone_from(&nodename);
            spec.hostname_version.clone_from(&version);
            spec.skip_node_registration = settings.skip_registration;
        })?;
        Ok(Next::OnChange)
    })
}

/// Keeps one resource per entry of a map.
fn entries<S: Spec>(
    name: &'static str,
    node: &Node,
    select: impl Fn(View<'_>) -> BTreeMap<String, String> + Send + 'static,
    fill: impl Fn(&mut S, &str, &str) + Send + 'static,
) -> Plain<Run> {
    let active = node.config.clone();
    let run = move |context: &Context| {
        let config = active.complete(context.store())?;
        let entries = config.map(|config| select(config.view())).unwrap_or_default();
        for (key, value) in &entries {
            context.modify::<S>("k8s", key, |spec| fill(spec, key, value))?;
        }
        context.cleanup::<S>("k8s", |resource| entries.contains_key(resource.id()))?;
        Ok(Next::OnChange)
    };
    let input = Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE);
    plain(name, vec![input], vec![Output::exclusive::<S>()], Box::new(run) as Run)
}

/// Labels of every control plane node besides the configured ones.
fn labels(view: View<'_>) -> BTreeMap<String, String> {
    let mut labels = view.node().labels;
    if view.is_control_plane() {
        labels.entry("node-role.kubernetes.io/control-plane".to_owned()).or_default();
        labels
            .entry("node.kubernetes.io/exclude-from-external-load-balancers".to_owned())
            .or_default();
    }
    labels
}

fn filters(node: &Node) -> Plain<Run> {
    let active = node.config.clone();
    let run = move |context: &Context| {
        let Some(config) = active.complete(context.store())? else { return Ok(Next::OnChange) };
        let view = config.view();
        let (pods, services) = (view.pod_subnets(), view.service_subnets());
        let ranges = addresses::prefixes(pods.iter().chain(&services).map(String::as_str));
        for (id, filter) in addresses::filters(&ranges) {
            context
                .modify::<NodeAddressFilterSpec>("network", id, |spec| spec.clone_from(&filter))?;
        }
        Ok(Next::OnChange)
    };
    let input = Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE);
    let output = Output::shared::<NodeAddressFilterSpec>();
    plain("k8s.AddressFilterController", vec![input], vec![output], Box::new(run) as Run)
}

/// The controllers of this module.
pub(super) fn controllers(node: &Node) -> [Plain<Run>; 8] {
    let config = || Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE);
    [
        derived(
            "k8s.KubeletConfigController",
            &node.config,
            "k8s",
            "kubelet",
            Output::exclusive::<KubeletConfigSpec>(),
            kubelet,
        ),
        derived(
            "k8s.NodeIPConfigController",
            &node.config,
            "k8s",
            "kubelet",
            Output::exclusive::<NodeIPConfigSpec>(),
            ip_config,
        ),
        plain(
            "k8s.NodeIPController",
            vec![
                Input::weak::<NodeIPConfigSpec>("k8s").with_id("kubelet"),
                Input::weak::<NodeAddressSpec>("network").with_id(NO_KUBERNETES_ROUTED),
            ],
            vec![Output::exclusive::<NodeIPSpec>()],
            Box::new(ips) as Run,
        ),
        plain(
            "k8s.NodenameController",
            vec![config(), Input::weak::<HostnameStatusSpec>("network").with_id("hostname")],
            vec![Output::exclusive::<NodenameSpec>()],
            name(node),
        ),
        entries::<NodeLabelSpecSpec>(
            "k8s.NodeLabelSpecController",
            node,
            labels,
            |spec, key, value| {
                key.clone_into(&mut spec.key);
                value.clone_into(&mut spec.value);
            },
        ),
        entries::<NodeAnnotationSpecSpec>(
            "k8s.NodeAnnotationSpecController",
            node,
            |view| view.node().annotations,
            |spec, key, value| {
                key.clone_into(&mut spec.key);
                value.clone_into(&mut spec.value);
            },
        ),
        entries::<NodeTaintSpecSpec>(
            "k8s.NodeTaintSpecController",
            node,
            |view| view.node().taints,
            |spec, key, taint| {
                let (value, effect) = taint.split_once(':').unwrap_or(("", taint));
                key.clone_into(&mut spec.key);
                value.clone_into(&mut spec.value);
                effect.clone_into(&mut spec.effect);
            },
        ),
        filters(node),
    ]
}

#[cfg(test)]
mod tests {
    use super::nodename;

    #[test]
    fn node_names() {
        for (hostname, expected) in
            [("cp-1", "cp-1"), ("My_Node.Example", "mynode.example"), ("-x.", "x"), ("__", "")]
        {
            assert_eq!(nodename(hostname), expected);
        }
    }
}
