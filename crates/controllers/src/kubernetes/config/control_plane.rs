//! Settings of the control plane's components and of their policy documents.

use std::collections::BTreeMap;

use ::config::v1alpha1::ExtraVolume as ConfigVolume;
use ::config::view::{Component, View};
use ::runtime::controller::{ControllerError, Output};
use manifests::policy;
use resource::k8s::{
    APIServerConfigSpec, AdmissionControlConfigSpec, AdmissionPluginSpec, ArgValues,
    AuditPolicyConfigSpec, AuthenticationConfigSpec, AuthorizationAuthorizersSpec,
    AuthorizationConfigSpec, ControllerManagerConfigSpec, ExtraVolume, Resources,
    SchedulerConfigSpec,
};
use resource::types::Object;

use super::{Run, derived};
use crate::kubernetes::object;
use crate::{Node, Plain};

pub(super) fn arguments(arguments: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, ArgValues> {
    arguments
        .iter()
        .map(|(name, values)| (name.clone(), ArgValues { values: values.clone() }))
        .collect()
}

/// Extra volumes get names by their place; the configuration gives them none.
fn volumes(volumes: &[ConfigVolume]) -> Vec<ExtraVolume> {
    let named = volumes.iter().enumerate();
    named
        .map(|(index, volume)| ExtraVolume {
            name: format!("extra-volume-{index}"),
            host_path: volume.host_path.clone(),
            mount_path: volume.mount_path.clone(),
            readonly: volume.readonly,
        })
        .collect()
}

fn resources(component: &Component) -> Resources {
    Resources { requests: component.requests.clone(), limits: component.limits.clone() }
}

fn api_server(view: View<'_>) -> Result<Option<APIServerConfigSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let server = view.api_server();
    let component = &server.component;
    Ok(Some(APIServerConfigSpec {
        image: component.image.clone(),
        cloud_provider: if view.external_cloud_provider() {
            "external".into()
        } else {
            String::new()
        },
        control_plane_endpoint: view
            .cluster_endpoint()
            .map(ToString::to_string)
            .unwrap_or_default(),
        etcd_servers: vec!["https://127.0.0.1:2379".to_owned()],
        local_port: i64::from(server.port),
        service_cidr: view.service_subnets(),
        extra_args: arguments(&component.extra_args),
        args: Vec::new(),
        extra_volumes: volumes(&component.extra_volumes),
        environment_variables: component.env.clone(),
        advertised_address: "$(POD_IP)".to_owned(),
        resources: resources(component),
        startup_probes_enabled: server.startup_probes,
        use_authentication_config: true,
    }))
}

fn controller_manager(
    view: View<'_>,
) -> Result<Option<ControllerManagerConfigSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let component = view.controller_manager();
    let pods = view.pod_subnets();
    let (v4, v6) = view.node_cidr_masks();
    let mask = |v6: bool, mask: u8| {
        if pods.iter().any(|cidr| cidr.contains(':') == v6) { i64::from(mask) } else { 0 }
    };
    Ok(Some(ControllerManagerConfigSpec {
        enabled: component.enabled,
        image: component.image.clone(),
        cloud_provider: if view.external_cloud_provider() {
            "external".into()
        } else {
            String::new()
        },
        node_cidr_mask_size_ipv4: mask(false, v4),
        node_cidr_mask_size_ipv6: mask(true, v6),
        pod_cidrs: pods,
        service_cidrs: view.service_subnets(),
        extra_args: arguments(&component.extra_args),
        args: Vec::new(),
        extra_volumes: volumes(&component.extra_volumes),
        resources: resources(&component),
        environment_variables: component.env,
    }))
}

fn scheduler(view: View<'_>) -> Result<Option<SchedulerConfigSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let scheduler = view.scheduler();
    let component = scheduler.component;
    Ok(Some(SchedulerConfigSpec {
        enabled: component.enabled,
        image: component.image.clone(),
        extra_args: arguments(&component.extra_args),
        args: Vec::new(),
        config: scheduler.config.and_then(Object::from_value).unwrap_or_default(),
        extra_volumes: volumes(&component.extra_volumes),
        resources: resources(&component),
        environment_variables: component.env,
    }))
}

fn admission(view: View<'_>) -> Result<Option<AdmissionControlConfigSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let config = view
        .api_server()
        .admission
        .into_iter()
        .map(|plugin| AdmissionPluginSpec {
            name: plugin.name,
            configuration: Object::from_value(plugin.configuration).unwrap_or_default(),
        })
        .collect();
    Ok(Some(AdmissionControlConfigSpec { config }))
}

fn audit(view: View<'_>) -> Result<Option<AuditPolicyConfigSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let own = view.api_server().audit_policy.and_then(Object::from_value);
    Ok(Some(AuditPolicyConfigSpec {
        config: own.unwrap_or_else(|| object::object(&policy::audit())),
    }))
}

fn authentication(view: View<'_>) -> Result<Option<AuthenticationConfigSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let own = view.api_server().authentication.and_then(Object::from_value);
    let config = own.unwrap_or_else(|| object::object(&policy::authentication()));
    Ok(Some(AuthenticationConfigSpec { config }))
}

fn authorization(view: View<'_>) -> Result<Option<AuthorizationConfigSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let server = view.api_server();
    let config = server
        .authorizers
        .into_iter()
        .map(|authorizer| AuthorizationAuthorizersSpec {
            r#type: authorizer.kind,
            name: authorizer.name,
            webhook: authorizer.webhook.and_then(Object::from_value).unwrap_or_default(),
        })
        .collect();
    Ok(Some(AuthorizationConfigSpec { image: server.component.image, config }))
}

/// The controllers of this module.
pub(super) fn controllers(node: &Node) -> [Plain<Run>; 7] {
    const NAMESPACE: &str = "controlplane";
    let active = &node.config;
    [
        derived(
            "k8s.ControlPlaneAPIServerController",
            active,
            NAMESPACE,
            "kube-apiserver",
            Output::shared::<APIServerConfigSpec>(),
            api_server,
        ),
        derived(
            "k8s.ControlPlaneControllerManagerController",
            active,
            NAMESPACE,
            "kube-controller-manager",
            Output::shared::<ControllerManagerConfigSpec>(),
            controller_manager,
        ),
        derived(
            "k8s.ControlPlaneSchedulerController",
            active,
            NAMESPACE,
            "kube-scheduler",
            Output::shared::<SchedulerConfigSpec>(),
            scheduler,
        ),
        derived(
            "k8s.ControlPlaneAdmissionControlController",
            active,
            NAMESPACE,
            "admission-control",
            Output::exclusive::<AdmissionControlConfigSpec>(),
            admission,
        ),
        derived(
            "k8s.ControlPlaneAuditPolicyController",
            active,
            NAMESPACE,
            "audit-policy",
            Output::exclusive::<AuditPolicyConfigSpec>(),
            audit,
        ),
        derived(
            "k8s.ControlPlaneAuthenticationController",
            active,
            NAMESPACE,
            "authentication-config",
            Output::exclusive::<AuthenticationConfigSpec>(),
            authentication,
        ),
        derived(
            "k8s.ControlPlaneAuthorizationController",
            active,
            NAMESPACE,
            "authorization",
            Output::exclusive::<AuthorizationConfigSpec>(),
            authorization,
        ),
    ]
}
