//! The configurations of a local cluster's machines.

use anyhow::Context;
use config::{generate, view::MachineType};
use pki::Secrets;
use provision::spec::{ClusterSpec, KUBERNETES_API_PORT, Role};

/// Choices about the configurations.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Version of Kubernetes
    #[arg(long, value_name = "VERSION", default_value = config::defaults::KUBERNETES_VERSION)]
    kubernetes_version: String,
}

/// The configuration of every machine, by its name.
pub(crate) fn configurations(
    spec: &ClusterSpec,
    secrets: &Secrets,
    arguments: &Args,
) -> anyhow::Result<Vec<(String, String)>> {
    let first = spec.control_planes().next().context("the cluster has no control plane")?;
    let endpoint = format!("https://{}:{KUBERNETES_API_PORT}", first.address);
    let endpoint = generate::parse_endpoint(&endpoint)?;
    let options = generate::Options {
        kubernetes_version: arguments.kubernetes_version.trim_start_matches('v').to_owned(),
        // The machines are reached from this host through a port of it.
        additional_sans: vec!["127.0.0.1".to_owned()],
        // Nothing is installed: there is no disk, and the members of a cluster on one host find each other in Kubernetes.
        skip_unattended_install: true,
        discovery: false,
        ..generate::Options::new(&spec.name, endpoint)
    };
    let secrets = crate::command::generate::secrets_of(secrets);
    Ok(spec
        .nodes
        .iter()
        .map(|node| {
            let machine = match node.role {
                Role::ControlPlane => MachineType::ControlPlane,
                Role::Worker => MachineType::Worker,
            };
            (node.name.clone(), generate::generate(&options, &secrets, machine).encode())
        })
        .collect())
}
