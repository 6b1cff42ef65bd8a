//! What is applied when a cluster starts: settings of the bootstrap manifests, the user's own manifests, and the
//! manifests themselves.

use std::collections::BTreeMap;

use ::config::view::View;
use ::runtime::controller::{Context, ControllerError, Input, Next, Output};
use manifests::bootstrap::{Bootstrap, CoreDns, Flannel, Proxy, manifests, proxy_arguments};
use manifests::static_pod::Resources as ManifestResources;
use resource::k8s::{
    BootstrapManifestsConfigSpec, ExtraManifest, ExtraManifestsConfigSpec, ManifestSpec, Resources,
    SingleManifest,
};
use resource::secrets::KubernetesRootSpec;
use resource::types::Object;
use sha2::{Digest, Sha256};

use super::{Run, derived, local_endpoint, nth_address};
use crate::kubernetes::object;
use crate::secrets::kubernetes::host_of;
use crate::{Node, Plain, plain};

const NAMESPACE: &str = "controlplane";

fn port_of(url: &str) -> &str {
    url.rsplit_once(':').map_or("443", |(_, port)| port.trim_end_matches('/'))
}

fn settings(view: View<'_>) -> Result<Option<BootstrapManifestsConfigSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let server = local_endpoint(&view);
    let pods = view.pod_subnets();
    let proxy = view.proxy();
    let dns = view.core_dns();
    let flannel = view.flannel();
    let tenth: Vec<String> = view
        .service_subnets()
        .iter()
        .filter_map(|cidr| nth_address(cidr, 10))
        .map(|ip| ip.to_string())
        .collect();
    let family =
        |v6: bool| tenth.iter().find(|ip| ip.contains(':') == v6).cloned().unwrap_or_default();
    let proxy_config =
        proxy.config.clone().map(|config| proxy_document(&config, &proxy.mode, &pods));
    let checksum = proxy_config.as_ref().map(|config| {
        let digest = Sha256::digest(config.to_string());
        digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    });
    let mut spec = BootstrapManifestsConfigSpec {
        string: server.clone(),
        cluster_domain: view.dns_domain().to_owned(),
        proxy_enabled: proxy.component.enabled,
        proxy_image: proxy.component.image.clone(),
        proxy_args: proxy_arguments(&pods, &proxy.mode, &proxy.component.extra_args),
        proxy_config: proxy_config.as_ref().map(object::object).unwrap_or_default(),
        proxy_config_checksum: checksum.unwrap_or_default(),
        proxy_resources: Resources {
            requests: proxy.component.requests.clone(),
            limits: proxy.component.limits.clone(),
        },
        core_dns_enabled: dns.enabled,
        core_dns_image: dns.image,
        dns_service_ip: family(false),
        dns_service_ipv6: family(true),
        talos_api_service_enabled: view.api_access().is_some(),
        pod_cidrs: pods,
        ..BootstrapManifestsConfigSpec::default()
    };
    if let Some(flannel) = flannel {
        spec.cni_name = "flannel".to_owned();
        spec.flannel_enabled = true;
        spec.flannel_image = flannel.image;
        spec.flannel_extra_args = flannel.extra_args;
        spec.flannel_kube_service_host = host_of(&server).to_owned();
        spec.flannel_kube_service_port = port_of(&server).to_owned();
        spec.flannel_kube_network_policies_enabled = flannel.network_policies;
        spec.flannel_kube_network_policies_image =
            ::config::defaults::NETWORK_POLICIES_IMAGE.to_owned();
        spec.flannel_backend_type = flannel.backend;
        spec.flannel_backend_port = flannel.port.map_or(4789, u32::from);
        spec.flannel_backend_mtu = flannel.mtu.unwrap_or_default();
        spec.flannel_backend_extra_config =
            flannel.extra_config.and_then(Object::from_value).unwrap_or_default();
        spec.flannel_resources = Resources { requests: flannel.requests, limits: flannel.limits };
    }
    Ok(Some(spec))
}

/// The user's kube-proxy document with what it must hold.
fn proxy_document(config: &yaml::Value, mode: &str, pods: &[String]) -> serde_json::Value {
    let mut document = object::json(config);
    if !document.is_object() {
        document = serde_json::json!({});
    }
    for (key, value) in [
        ("apiVersion", "kubeproxy.config.k8s.io/v1alpha1".to_owned()),
        ("kind", "KubeProxyConfiguration".to_owned()),
    ] {
        document[key] = value.into();
    }
    let mut default = |key: &str, value: serde_json::Value| {
        if document[key].is_null() {
            document[key] = value;
        }
    };
    default("mode", mode.into());
    default("clusterCIDR", pods.join(",").into());
    default("clientConnection", serde_json::json!({ "kubeconfig": "/etc/kubernetes/kubeconfig" }));
    default("conntrack", serde_json::json!({ "maxPerCore": 0 }));
    document
}

fn resources(resources: &Resources) -> ManifestResources {
    ManifestResources { requests: resources.requests.clone(), limits: resources.limits.clone() }
}

fn bootstrap(spec: &BootstrapManifestsConfigSpec, root: &KubernetesRootSpec) -> Bootstrap {
    let own = |object: &Object| Some(object::document(object)).filter(|_| !object.0.is_empty());
    let ips = [&spec.dns_service_ip, &spec.dns_service_ipv6];
    Bootstrap {
        cluster_name: root.name.clone(),
        server: spec.string.clone(),
        token: (root.bootstrap_token_id.clone(), root.bootstrap_token_secret.clone()),
        pod_cidrs: spec.pod_cidrs.clone(),
        flannel: spec.flannel_enabled.then(|| Flannel {
            image: spec.flannel_image.clone(),
            extra_arguments: spec.flannel_extra_args.clone(),
            backend: spec.flannel_backend_type.clone(),
            port: spec.flannel_backend_port,
            mtu: spec.flannel_backend_mtu,
            extra_backend: own(&spec.flannel_backend_extra_config),
            api_host: spec.flannel_kube_service_host.clone(),
            api_port: spec.flannel_kube_service_port.clone(),
            resources: resources(&spec.flannel_resources),
            network_policies_image: spec
                .flannel_kube_network_policies_enabled
                .then(|| spec.flannel_kube_network_policies_image.clone()),
        }),
        proxy: spec.proxy_enabled.then(|| Proxy {
            image: spec.proxy_image.clone(),
            arguments: spec.proxy_args.clone(),
            config: own(&spec.proxy_config)
                .map(|config| (config, spec.proxy_config_checksum.clone())),
            resources: resources(&spec.proxy_resources),
        }),
        coredns: spec.core_dns_enabled.then(|| CoreDns {
            image: spec.core_dns_image.clone(),
            domain: spec.cluster_domain.clone(),
            service_ips: ips.into_iter().filter(|ip| !ip.is_empty()).cloned().collect(),
        }),
        api_access: spec.talos_api_service_enabled,
    }
}

fn render(context: &Context) -> Result<Next, ControllerError> {
    let spec = context.get::<BootstrapManifestsConfigSpec>(NAMESPACE, "manifests");
    let root = context.get::<KubernetesRootSpec>("secrets", "k8s");
    let mut all: BTreeMap<String, Vec<manifests::Object>> = BTreeMap::new();
    if let (Some(spec), Some(root)) = (spec, root) {
        for manifest in manifests(&bootstrap(&spec.spec, &root.spec)) {
            all.insert(manifest.id, manifest.objects);
        }
    }
    for (id, objects) in &all {
        context.modify::<ManifestSpec>(NAMESPACE, id, |manifest| {
            manifest.items = objects
                .iter()
                .map(|document| SingleManifest { object: object::object(document) })
                .collect();
        })?;
    }
    context.cleanup::<ManifestSpec>(NAMESPACE, |manifest| all.contains_key(manifest.id()))?;
    Ok(Next::OnChange)
}

fn extra(view: View<'_>) -> Result<Option<ExtraManifestsConfigSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let by_url = view.external_manifests().into_iter().map(|(name, url, headers)| ExtraManifest {
        name,
        url,
        priority: "30".to_owned(),
        extra_headers: headers.into_iter().collect(),
        ..ExtraManifest::default()
    });
    let inline = view.inline_manifests().into_iter().map(|manifest| ExtraManifest {
        name: manifest.name,
        priority: "99".to_owned(),
        inline_manifest: manifest.contents,
        ..ExtraManifest::default()
    });
    Ok(Some(ExtraManifestsConfigSpec { extra_manifests: by_url.chain(inline).collect() }))
}

/// The manifests that the configuration carries itself.
fn inline(context: &Context) -> Result<Next, ControllerError> {
    let config = context.get::<ExtraManifestsConfigSpec>(NAMESPACE, "extra-manifests");
    let mut all: BTreeMap<String, Vec<SingleManifest>> = BTreeMap::new();
    for manifest in config.iter().flat_map(|config| &config.spec.extra_manifests) {
        if manifest.inline_manifest.is_empty() {
            continue;
        }
        let documents = yaml::parse(manifest.inline_manifest.as_bytes()).map_err(|error| {
            ControllerError::message(format!(
                "inline manifest {:?} does not read: {error}",
                manifest.name
            ))
        })?;
        let items = documents
            .into_iter()
            .filter_map(|document| Object::from_value(document.root.to_value()))
            .filter(|object| !object.0.is_empty())
            .map(|object| SingleManifest { object })
            .collect();
        all.insert(format!("{}-{}", manifest.priority, manifest.name), items);
    }
    for (id, items) in &all {
        context
            .modify::<ManifestSpec>(NAMESPACE, id, |manifest| manifest.items.clone_from(items))?;
    }
    context.cleanup::<ManifestSpec>(NAMESPACE, |manifest| all.contains_key(manifest.id()))?;
    Ok(Next::OnChange)
}

/// The controllers of this module.
pub(super) fn controllers(node: &Node) -> [Plain<Run>; 4] {
    [
        derived(
            "k8s.ControlPlaneBootstrapManifestsController",
            &node.config,
            NAMESPACE,
            "manifests",
            Output::exclusive::<BootstrapManifestsConfigSpec>(),
            settings,
        ),
        derived(
            "k8s.ControlPlaneExtraManifestsController",
            &node.config,
            NAMESPACE,
            "extra-manifests",
            Output::exclusive::<ExtraManifestsConfigSpec>(),
            extra,
        ),
        plain(
            "k8s.ManifestController",
            vec![
                Input::weak::<BootstrapManifestsConfigSpec>(NAMESPACE).with_id("manifests"),
                Input::weak::<KubernetesRootSpec>("secrets").with_id("k8s"),
            ],
            vec![Output::shared::<ManifestSpec>()],
            Box::new(render) as Run,
        ),
        plain(
            "k8s.ExtraManifestController",
            vec![Input::weak::<ExtraManifestsConfigSpec>(NAMESPACE)],
            vec![Output::shared::<ManifestSpec>()],
            Box::new(inline) as Run,
        ),
    ]
}
