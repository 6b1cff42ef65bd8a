//! The kubelet's specification: from its settings, the node's name and the node's addresses.

use std::collections::BTreeMap;

use ::runtime::condition::Condition;
use ::runtime::controller::{Context, ControllerError, Input, Next, Output};
use manifests::kubelet::{CommandLine, Configuration, Host, arguments, configuration};
use resource::config::MachineTypeSpec;
use resource::enums::MachineType;
use resource::k8s::{
    ArgValues, KubeletConfigSpec, KubeletSpecSpec, KubeletStatusSpec, NodeIPSpec, NodenameSpec,
};
use resource::types::NetIp;

use crate::kubernetes::object;
use crate::{Node, Plain, Run, plain};

/// Arguments of a resource as lists of values.
pub(crate) fn values(arguments: &BTreeMap<String, ArgValues>) -> BTreeMap<String, Vec<String>> {
    arguments.iter().map(|(name, values)| (name.clone(), values.values.clone())).collect()
}

fn plan(
    config: &KubeletConfigSpec,
    nodename: &NodenameSpec,
    ips: &NodeIPSpec,
    control_plane: bool,
    host: Host,
) -> Result<KubeletSpecSpec, ControllerError> {
    let credential_providers = !config.credential_provider_config.0.is_empty();
    let command_line = CommandLine {
        nodename: nodename.nodename.clone(),
        node_ips: ips
            .addresses
            .iter()
            .filter_map(|NetIp(ip)| ip.map(|ip| ip.to_string()))
            .collect(),
        cloud_provider_external: config.cloud_provider_external,
        credential_providers,
        extra: values(&config.extra_args),
    };
    let mut document = configuration(&Configuration {
        host,
        control_plane,
        cluster_dns: config.cluster_dns.clone(),
        cluster_domain: config.cluster_domain.clone(),
        skip_node_registration: config.skip_node_registration,
        default_seccomp: config.default_runtime_seccomp_enabled,
        disable_manifests_directory: config.disable_manifests_directory && !control_plane,
        fs_quota_monitoring: config.enable_fs_quota_monitoring,
        register_with_taints: config.register_with_taints.clone(),
        extra: object::fields(&config.extra_config),
    })?;
    if !config.static_pod_list_url.is_empty() {
        document["staticPodURL"] = config.static_pod_list_url.as_str().into();
    }
    Ok(KubeletSpecSpec {
        image: config.image.clone(),
        args: arguments(&command_line)?,
        extra_mounts: config.extra_mounts.clone(),
        expected_nodename: nodename.nodename.clone(),
        config: object::object(&document),
        credential_provider_config: config.credential_provider_config.clone(),
    })
}

fn run(context: &Context, host: Host) -> Result<Next, ControllerError> {
    let Some(config) = context.get::<KubeletConfigSpec>("k8s", "kubelet") else {
        context.remove::<KubeletSpecSpec>("k8s", "kubelet")?;
        context.waiting(&Condition::resource::<KubeletConfigSpec>("k8s", "kubelet"));
        return Ok(Next::OnChange);
    };
    let Some(nodename) = context.get::<NodenameSpec>("k8s", "nodename") else {
        context.waiting(&Condition::resource::<NodenameSpec>("k8s", "nodename"));
        return Ok(Next::OnChange);
    };
    let Some(ips) = context.get::<NodeIPSpec>("k8s", "kubelet") else {
        context.waiting(&Condition::resource::<NodeIPSpec>("k8s", "kubelet"));
        return Ok(Next::OnChange);
    };
    let Some(kind) = context.get::<MachineTypeSpec>("config", "machine-type") else {
        context.waiting(&Condition::resource::<MachineTypeSpec>("config", "machine-type"));
        return Ok(Next::OnChange);
    };
    let control_plane = kind.spec.machine_type != MachineType::WORKER;
    let spec = plan(&config.spec, &nodename.spec, &ips.spec, control_plane, host)?;
    context.modify::<KubeletSpecSpec>("k8s", "kubelet", |present| present.clone_from(&spec))?;
    Ok(Next::OnChange)
}

fn status(context: &Context) -> Result<Next, ControllerError> {
    match context.get::<KubeletSpecSpec>("k8s", "kubelet") {
        None => drop(context.remove::<KubeletStatusSpec>("k8s", "kubelet")?),
        Some(spec) => {
            context.modify::<KubeletStatusSpec>("k8s", "kubelet", |status| {
                status.image.clone_from(&spec.spec.image);
            })?;
        }
    }
    Ok(Next::OnChange)
}

/// The controllers of this module.
pub(crate) fn controllers(node: &Node) -> [Plain<Run>; 2] {
    let host = if node.platform.in_container() { Host::Container } else { Host::Machine };
    [
        plain(
            "k8s.KubeletSpecController",
            vec![
                Input::weak::<KubeletConfigSpec>("k8s").with_id("kubelet"),
                Input::weak::<NodenameSpec>("k8s").with_id("nodename"),
                Input::weak::<NodeIPSpec>("k8s").with_id("kubelet"),
                Input::weak::<MachineTypeSpec>("config").with_id("machine-type"),
            ],
            vec![Output::exclusive::<KubeletSpecSpec>()],
            Box::new(move |context: &Context| run(context, host)) as Run,
        ),
        plain(
            "k8s.KubeletStatusController",
            vec![Input::weak::<KubeletSpecSpec>("k8s").with_id("kubelet")],
            vec![Output::exclusive::<KubeletStatusSpec>()],
            Box::new(status) as Run,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_names_node_and_addresses() {
        let config = KubeletConfigSpec { image: "kubelet:v1".into(), ..Default::default() };
        let nodename = NodenameSpec { nodename: "cp-1".into(), ..Default::default() };
        let ips = NodeIPSpec { addresses: vec![NetIp(Some([10, 5, 0, 2].into()))] };
        let spec = plan(&config, &nodename, &ips, true, Host::Container).unwrap();
        assert!(spec.args.contains(&"--hostname-override=cp-1".to_owned()));
        assert!(spec.args.contains(&"--node-ip=10.5.0.2".to_owned()));
        assert_eq!(spec.config.value("failCgroupV1"), Some(&yaml::Value::Bool(false)));
        let mut refused = config;
        refused.extra_args.insert("config".into(), ArgValues { values: vec!["x".into()] });
        assert!(plan(&refused, &nodename, &ips, true, Host::Container).is_err());
    }
}
