//! Command lines of the control plane's components, computed from their settings.

use ::runtime::controller::{Context, ControllerError, Input, Next, Output};
use manifests::control_plane::{self, ApiServer, ControllerManager};
use resource::k8s::{APIServerConfigSpec, ControllerManagerConfigSpec, SchedulerConfigSpec};
use resource::secrets::KubernetesRootSpec;

use crate::kubernetes::kubelet::values;
use crate::{Plain, Run, plain};

const NAMESPACE: &str = "controlplane";

fn api_server(context: &Context) -> Result<Next, ControllerError> {
    const FINAL: &str = "final-kube-apiserver";
    let config = context.get::<APIServerConfigSpec>(NAMESPACE, "kube-apiserver");
    let root = context.get::<KubernetesRootSpec>("secrets", "k8s");
    let (Some(config), Some(root)) = (config, root) else {
        context.remove::<APIServerConfigSpec>(NAMESPACE, FINAL)?;
        return Ok(Next::OnChange);
    };
    let spec = &config.spec;
    let arguments = control_plane::api_server(&ApiServer {
        endpoint: spec.control_plane_endpoint.clone(),
        issuer: Some(root.spec.issuer_url.clone()).filter(|issuer| !issuer.is_empty()),
        accepted_issuers: root.spec.accepted_issuers.clone(),
        audiences: root.spec.api_audiences.clone(),
        etcd_servers: spec.etcd_servers.clone(),
        local_port: u16::try_from(spec.local_port)?,
        service_cidrs: spec.service_cidr.clone(),
        advertised_address: spec.advertised_address.clone(),
        authentication_config: spec.use_authentication_config,
        extra: values(&spec.extra_args),
    })?;
    context.modify::<APIServerConfigSpec>(NAMESPACE, FINAL, |present| {
        present.clone_from(spec);
        present.args.clone_from(&arguments);
    })?;
    Ok(Next::OnChange)
}

fn controller_manager(context: &Context) -> Result<Next, ControllerError> {
    const FINAL: &str = "final-kube-controller-manager";
    let config = context.get::<ControllerManagerConfigSpec>(NAMESPACE, "kube-controller-manager");
    let Some(config) = config else {
        context.remove::<ControllerManagerConfigSpec>(NAMESPACE, FINAL)?;
        return Ok(Next::OnChange);
    };
    let spec = &config.spec;
    let mask = |mask: i64| u8::try_from(mask).ok().filter(|mask| *mask != 0);
    let arguments = control_plane::controller_manager(&ControllerManager {
        pod_cidrs: spec.pod_cidrs.clone(),
        service_cidrs: spec.service_cidrs.clone(),
        node_mask_v4: mask(spec.node_cidr_mask_size_ipv4),
        node_mask_v6: mask(spec.node_cidr_mask_size_ipv6),
        extra: values(&spec.extra_args),
    })?;
    context.modify::<ControllerManagerConfigSpec>(NAMESPACE, FINAL, |present| {
        present.clone_from(spec);
        present.args.clone_from(&arguments);
    })?;
    Ok(Next::OnChange)
}

fn scheduler(context: &Context) -> Result<Next, ControllerError> {
    const FINAL: &str = "final-kube-scheduler";
    let Some(config) = context.get::<SchedulerConfigSpec>(NAMESPACE, "kube-scheduler") else {
        context.remove::<SchedulerConfigSpec>(NAMESPACE, FINAL)?;
        return Ok(Next::OnChange);
    };
    let arguments = control_plane::scheduler(&values(&config.spec.extra_args))?;
    context.modify::<SchedulerConfigSpec>(NAMESPACE, FINAL, |present| {
        present.clone_from(&config.spec);
        present.args.clone_from(&arguments);
    })?;
    Ok(Next::OnChange)
}

/// The controllers of this module.
pub(super) fn controllers() -> [Plain<Run>; 3] {
    [
        plain(
            "k8s.ControlPlaneAPIServerFinalController",
            vec![
                Input::weak::<APIServerConfigSpec>(NAMESPACE).with_id("kube-apiserver"),
                Input::weak::<KubernetesRootSpec>("secrets").with_id("k8s"),
            ],
            vec![Output::shared::<APIServerConfigSpec>()],
            Box::new(api_server) as Run,
        ),
        plain(
            "k8s.ControlPlaneControllerManagerFinalController",
            vec![
                Input::weak::<ControllerManagerConfigSpec>(NAMESPACE)
                    .with_id("kube-controller-manager"),
            ],
            vec![Output::shared::<ControllerManagerConfigSpec>()],
            Box::new(controller_manager) as Run,
        ),
        plain(
            "k8s.ControlPlaneSchedulerFinalController",
            vec![Input::weak::<SchedulerConfigSpec>(NAMESPACE).with_id("kube-scheduler")],
            vec![Output::shared::<SchedulerConfigSpec>()],
            Box::new(scheduler) as Run,
        ),
    ]
}
