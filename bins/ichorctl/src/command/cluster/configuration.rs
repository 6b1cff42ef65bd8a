//! The machine configuration of a local cluster's node.

use anyhow::Context as _;
use config::generate::{self, Options, parse_endpoint};
use config::view::MachineType;
use config::{patch, validate};
use provision::native::PROXY_PORT;
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

/// The configuration of `node` as a text.
pub(super) fn of(
    arguments: &ConfigurationArgs,
    spec: &ClusterSpec,
    node: &NodeSpec,
    secrets: &pki::Secrets,
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
    let machine = match node.role {
        Role::ControlPlane => MachineType::ControlPlane,
        Role::Worker => MachineType::Worker,
    };
    let mut text = generate::generate(&options, &secrets_of(secrets), machine).encode();
    text.push_str(&way_out(spec, &options));
    // What is handed to a node must be what a node accepts.
    let loaded = config::load(text.as_bytes()).context("checking the generated configuration")?;
    let mut patches = patches::read(&arguments.config_patch)?;
    patches.extend(patches::read(match node.role {
        Role::ControlPlane => &arguments.config_patch_control_plane,
        Role::Worker => &arguments.config_patch_worker,
    })?);
    if patches.is_empty() {
        return Ok(text);
    }
    let patched = patch::apply_to(&loaded, &patches)
        .with_context(|| format!("patching the configuration of {}", node.name))?;
    validate::validate(&patched, validate::Options::local(validate::Mode::Container))
        .result()
        .with_context(|| format!("checking the patched configuration of {}", node.name))?;
    Ok(patched.encode())
}

/// The document that sends what leaves the cluster through the gateway's proxy.
fn way_out(spec: &ClusterSpec, options: &Options) -> String {
    let proxy = format!("http://{}:{PROXY_PORT}", spec.gateway());
    let mut direct = vec!["127.0.0.1".to_owned(), "localhost".to_owned(), spec.network.to_string()];
    direct.extend(options.pod_subnets.iter().chain(&options.service_subnets).cloned());
    direct.extend([".svc".to_owned(), format!(".{}", options.dns_domain)]);
    format!(
        "---\napiVersion: v1alpha1\nkind: EnvironmentConfig\nvariables:\n    http_proxy: {proxy}\n    https_proxy: {proxy}\n    no_proxy: {}\n",
        direct.join(",")
    )
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
        let text = |node: usize| of(&arguments, &spec, &spec.nodes[node], &secrets).unwrap();
        let (control_plane, worker) = (text(0), text(1));
        assert!(control_plane.contains("http_proxy: http://10.5.0.1:3128\n"), "{control_plane}");
        assert!(control_plane.contains("no_proxy: 127.0.0.1,localhost,10.5.0.0/24,"));
        let key = |text: &str| {
            config::load(text.as_bytes()).unwrap().view().machine_type() == MachineType::Worker
        };
        assert!(!key(&control_plane) && key(&worker));
        assert!(worker.contains("ONLY: workers") && worker.contains("http_proxy:"), "{worker}");
        assert!(!control_plane.contains("ONLY"), "{control_plane}");

        // A field that a generated document has taken the place of.
        let old = ConfigurationArgs {
            config_patch: vec![r#"{"machine": {"nodeLabels": {"a": "b"}}}"#.into()],
            ..arguments
        };
        let error = of(&old, &spec, &spec.nodes[1], &secrets).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("x-worker-1") && error.contains("KubeNodeConfig"), "{error}");
    }
}
