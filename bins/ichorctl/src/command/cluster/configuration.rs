//! The machine configuration of a local cluster's node.

use anyhow::Context as _;
use config::generate::{self, Options, parse_endpoint};
use config::view::MachineType;
use config::{patch, validate};
use provision::native::PROXY_PORT;
use provision::qemu::Emulation;
use provision::spec::{ClusterSpec, KUBERNETES_API_PORT, NodeSpec, Role};

use crate::command::generate::secrets_of;
use crate::command::patches;

/// What users can change about it.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigurationArgs {
    /// Version of Kubernetes
    #[arg(long, value_name = "VERSION", default_value = config::defaults::KUBERNETES_VERSION)]
    kubernetes_version: String,
    /// Patch the configurations of all nodes: a text, or @FILE; may repeat
    #[arg(long, value_name = "PATCH")]
    config_patch: Vec<String>,
    /// Patch the configurations of control planes
    #[arg(long, value_name = "PATCH", visible_alias = "config-patch-controlplanes")]
    config_patch_control_plane: Vec<String>,
    /// Patch the configurations of workers
    #[arg(long, value_name = "PATCH", visible_alias = "config-patch-workers")]
    config_patch_worker: Vec<String>,
}

/// What a virtual machine calls its links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Links {
    /// The one to the world, where DHCP answers.
    pub(super) uplink: String,
    /// The one to the other machines.
    pub(super) segment: String,
}

impl Default for Links {
    /// The kernel's own names, for a configuration that is only checked.
    fn default() -> Self {
        Self { uplink: "eth0".to_owned(), segment: "eth1".to_owned() }
    }
}

/// Where a node is, which its configuration must say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Surroundings<'a> {
    /// A namespace whose network has a gateway.
    Namespace,
    /// A virtual machine.
    Machine(&'a Emulation, &'a Links),
}

impl Surroundings<'_> {
    /// What a node in them takes a configuration for.
    fn mode(self) -> validate::Mode {
        match self {
            Self::Namespace => validate::Mode::Container,
            Self::Machine(..) => validate::Mode::Metal,
        }
    }
}

/// The configuration of `node` as a text.
pub(super) fn of(
    arguments: &ConfigurationArgs,
    spec: &ClusterSpec,
    node: &NodeSpec,
    secrets: &pki::Secrets,
    surroundings: Surroundings<'_>,
) -> anyhow::Result<String> {
    let first = spec.control_planes().next().context("a cluster needs a control plane")?;
    let endpoint = parse_endpoint(&format!("https://{}:{KUBERNETES_API_PORT}", first.address))?;
    let mut options = Options::new(&spec.name, endpoint);
    options.kubernetes_version = arguments.kubernetes_version.trim_start_matches('v').to_owned();
    // Both APIs are also reached through ports of this host.
    options.additional_sans = vec!["127.0.0.1".to_owned()];
    // There is no disk to install on, and no way for a discovery service to reach the nodes.
    options.install_disk = String::new();
    options.skip_unattended_install = true;
    options.discovery = false;
    // Without a worker nothing else could run what a user deploys.
    options.allow_scheduling_on_control_planes =
        spec.nodes.iter().all(|node| node.role == Role::ControlPlane);
    let machine = match node.role {
        Role::ControlPlane => MachineType::ControlPlane,
        Role::Worker => MachineType::Worker,
    };
    let mut text = generate::generate(&options, &secrets_of(secrets), machine).encode();
    let mut patches = Vec::new();
    match surroundings {
        Surroundings::Namespace => {
            let proxy = format!("{}:{PROXY_PORT}", spec.gateway());
            text.push_str(&way_out(spec, &options, &proxy));
        }
        Surroundings::Machine(emulation, links) => {
            let own = in_machine(spec, node, &options, emulation, links);
            patches.push(patch::load(own.as_bytes()).context("describing the machine")?);
        }
    }
    // What is handed to a node must be what a node accepts.
    let loaded = config::load(text.as_bytes()).context("checking the generated configuration")?;
    patches.extend(patches::read(&arguments.config_patch)?);
    patches.extend(patches::read(match node.role {
        Role::ControlPlane => &arguments.config_patch_control_plane,
        Role::Worker => &arguments.config_patch_worker,
    })?);
    if patches.is_empty() {
        return Ok(text);
    }
    let patched = patch::apply_to(&loaded, &patches)
        .with_context(|| format!("patching the configuration of {}", node.name))?;
    validate::validate(&patched, validate::Options::local(surroundings.mode()))
        .result()
        .with_context(|| format!("checking the patched configuration of {}", node.name))?;
    Ok(patched.encode())
}

/// The document that sends what leaves the cluster through a proxy.
fn way_out(spec: &ClusterSpec, options: &Options, proxy: &str) -> String {
    let host = proxy.split(':').next().unwrap_or_default();
    let mut direct = vec!["127.0.0.1".to_owned(), "localhost".to_owned(), spec.network.to_string()];
    if host.parse().is_ok_and(|host: std::net::Ipv4Addr| !spec.network.contains(&host)) {
        direct.push(host.to_owned());
    }
    direct.extend(options.pod_subnets.iter().chain(&options.service_subnets).cloned());
    direct.extend([".svc".to_owned(), format!(".{}", options.dns_domain)]);
    format!(
        "---\napiVersion: v1alpha1\nkind: EnvironmentConfig\nvariables:\n    http_proxy: http://{proxy}\n    https_proxy: http://{proxy}\n    no_proxy: {}\n",
        direct.join(",")
    )
}

/// What a virtual machine must be told besides: its name, its address on the segment, where its
/// images come from. Every machine has the same address on its uplink, so nothing may use that one.
fn in_machine(
    spec: &ClusterSpec,
    node: &NodeSpec,
    options: &Options,
    emulation: &Emulation,
    links: &Links,
) -> String {
    let network = spec.network;
    let document =
        |kind: &str, body: &str| format!("---\napiVersion: v1alpha1\nkind: {kind}\n{body}");
    let mut text = String::new();
    if node.role == Role::ControlPlane {
        text.push_str(&format!("cluster:\n    etcd:\n        advertisedSubnets: [{network}]\n"));
        let reach = spec.gateway();
        let body = format!("extraArgs:\n    - --iface-can-reach={reach}\n");
        text.push_str(&document("KubeFlannelCNIConfig", &body));
    }
    text.push_str(&document("HostnameConfig", &format!("auto: off\nhostname: {}\n", node.name)));
    let body = format!("nodeIP:\n    validSubnets:\n        - {network}\n");
    text.push_str(&document("KubeNodeConfig", &body));
    // A machine has the host's clock from the start.
    text.push_str(&document("TimeSyncConfig", "enabled: false\n"));
    text.push_str(&document("DHCPv4Config", &format!("name: {}\n", links.uplink)));
    let prefix = network.prefix_len();
    let body = format!(
        "name: {}\nmtu: {}\naddresses:\n    - address: {}/{prefix}\n",
        links.segment, spec.mtu, node.address
    );
    text.push_str(&document("LinkConfig", &body));
    if let Some(port) = emulation.images {
        let url = format!("http://{}", Emulation::address(port));
        let body = format!("name: \"*\"\nendpoints:\n    - url: {url}\n");
        text.push_str(&document("RegistryMirrorConfig", &body));
    }
    if let Some(port) = emulation.proxy {
        text.push_str(&way_out(spec, options, &Emulation::address(port)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_get_configurations_that_load() {
        let spec = super::super::example();
        let secrets = pki::Secrets::generate(1_700_000_000, &mut pki::System).unwrap();
        let arguments = ConfigurationArgs {
            kubernetes_version: "v1.37.2".into(),
            config_patch: vec![],
            config_patch_control_plane: vec![],
            config_patch_worker: vec![
                "apiVersion: v1alpha1\nkind: EnvironmentConfig\nvariables:\n    ONLY: workers\n"
                    .into(),
            ],
        };
        let text = |node: usize| {
            of(&arguments, &spec, &spec.nodes[node], &secrets, Surroundings::Namespace).unwrap()
        };
        let (control_plane, worker) = (text(0), text(1));
        assert!(control_plane.contains("http_proxy: http://10.5.0.1:3128\n"), "{control_plane}");
        assert!(control_plane.contains("no_proxy: 127.0.0.1,localhost,10.5.0.0/24,"));
        let key = |text: &str| {
            config::load(text.as_bytes()).unwrap().view().machine_type() == MachineType::Worker
        };
        assert!(!key(&control_plane) && key(&worker));
        assert!(worker.contains("ONLY: workers") && worker.contains("http_proxy:"), "{worker}");
        assert!(!control_plane.contains("ONLY"), "{control_plane}");

        assert!(control_plane.contains("control-plane: NoSchedule"), "{control_plane}");
        let mut alone = spec.clone();
        alone.nodes.retain(|node| node.role == Role::ControlPlane);
        let text =
            of(&arguments, &alone, &alone.nodes[0], &secrets, Surroundings::Namespace).unwrap();
        assert!(!text.contains("NoSchedule"), "{text}");

        // A field that a generated document has taken the place of.
        let old = ConfigurationArgs {
            config_patch: vec![r#"{"machine": {"nodeLabels": {"a": "b"}}}"#.into()],
            ..arguments
        };
        let error = of(&old, &spec, &spec.nodes[1], &secrets, Surroundings::Namespace).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("x-worker-1") && error.contains("KubeNodeConfig"), "{error}");
    }

    #[test]
    fn machines_get_configurations_that_load_and_say_where_they_are() {
        let mut spec = super::super::example();
        spec.mtu = 1400;
        let secrets = pki::Secrets::generate(1_700_000_000, &mut pki::System).unwrap();
        let arguments = ConfigurationArgs {
            kubernetes_version: "v1.37.2".into(),
            config_patch: vec![
                "apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: other\n".into(),
            ],
            config_patch_control_plane: vec![],
            config_patch_worker: vec![],
        };
        let emulation: Emulation = serde_json::from_value(serde_json::json!({
            "program": "/q", "image_tool": "/i", "tpm": null, "firmware": "/f", "variables": "/v",
            "accelerator": "kvm", "refused": [], "segment": 1, "images": 5000, "proxy": 5001,
        }))
        .unwrap();
        let links = Links { uplink: "enp0s2".into(), segment: "enp0s3".into() };
        let surroundings = Surroundings::Machine(&emulation, &links);
        for node in &spec.nodes {
            let text = of(&arguments, &spec, node, &secrets, surroundings).unwrap();
            let config = config::load(text.as_bytes()).unwrap();
            let options = config::validate::Options::local(config::validate::Mode::Metal);
            let report = config::validate::validate(&config, options);
            assert!(report.is_valid(), "{report:?}\n{text}");
            assert_eq!(config.view().node().valid_subnets, ["10.5.0.0/24"]);
            for part in [
                format!(
                    "name: enp0s3\nmtu: 1400\naddresses:\n    - address: {}/24\n",
                    node.address
                ),
                "kind: DHCPv4Config\nname: enp0s2\n".to_owned(),
                "url: http://10.0.2.2:5000\n".to_owned(),
                "http_proxy: http://10.0.2.2:5001\n".to_owned(),
                "hostname: other\n".to_owned(),
            ] {
                assert!(text.contains(&part), "{part}\nis not in\n{text}");
            }
            let control_plane = node.role == Role::ControlPlane;
            assert_eq!(text.contains("--iface-can-reach=10.5.0.1"), control_plane, "{text}");
            assert_eq!(text.contains("advertisedSubnets"), control_plane, "{text}");
        }
    }
}
