//! `cluster show`: what a cluster consists of and how it is.

use anyhow::bail;
use provision::spec::{ClusterSpec, KUBERNETES_API_PORT, Provisioner};
use provision::state::ClusterDirectory;
use provision::supervisor::{self, Command, NodeState};

use super::Kind;
use crate::files;
use crate::output::table::Table;

/// Arguments of `cluster show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Kind of cluster [default: what it is]
    #[arg(long, value_enum, value_name = "KIND")]
    provisioner: Option<Kind>,
}

pub(super) fn run(arguments: &Args, directory: &ClusterDirectory) -> anyhow::Result<()> {
    let spec = directory.spec()?;
    let kind = match &spec.provisioner {
        Provisioner::Native { .. } => Kind::Native,
        Provisioner::Qemu(_) => Kind::Qemu,
    };
    if arguments.provisioner.is_some_and(|wanted| wanted != kind) {
        bail!("the cluster {:?} is of the kind {}", spec.name, spec.provisioner.name());
    }
    let states = supervisor::ask(directory.path(), &Command::Status).unwrap_or_default();
    files::print(&text(&spec, &states))
}

/// Everything about a cluster. Nodes without a state are off: their supervisor does not run.
pub(super) fn text(spec: &ClusterSpec, states: &[NodeState]) -> String {
    let endpoint = spec
        .forwarded(KUBERNETES_API_PORT)
        .map_or_else(|| "-".to_owned(), |address| format!("https://{address}"));
    let facts = [
        ("PROVISIONER", spec.provisioner.name().to_owned()),
        ("NAME", spec.name.clone()),
        ("NETWORK NAME", spec.name.clone()),
        ("NETWORK CIDR", spec.network.to_string()),
        ("NETWORK GATEWAY", spec.gateway().to_string()),
        ("NETWORK MTU", spec.mtu.to_string()),
        ("KUBERNETES ENDPOINT", endpoint),
    ];
    let mut text = String::new();
    for (name, value) in facts {
        text.push_str(&format!("{name:<21}{value}\n"));
    }
    text.push_str("\nNODES:\n\n");
    let mut table = Table::new(["NAME", "TYPE", "IP", "CPU", "RAM", "DISK", "POWER"]);
    let disk =
        spec.provisioner.machine().map_or_else(|| "-".to_owned(), |machine| memory(machine.disk));
    for node in &spec.nodes {
        let state = states.iter().find(|state| state.name == node.name);
        table.row(vec![
            node.name.clone(),
            node.role.to_string(),
            node.address.to_string(),
            format!("{:.2}", f64::from(node.size.millicpus) / 1000.0),
            memory(node.size.memory),
            disk.clone(),
            state.map_or_else(|| "off".to_owned(), |state| state.power.to_string()),
        ]);
    }
    text + &table.to_string()
}

fn memory(bytes: u64) -> String {
    const GB: u64 = 1_000_000_000;
    let tenths = bytes.saturating_mul(10) / GB;
    format!("{}.{} GB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision::supervisor::Power;

    #[test]
    fn a_cluster_is_shown_with_its_nodes() {
        let spec = super::super::example();
        let states = [NodeState {
            name: "x-controlplane-1".into(),
            power: Power::On,
            pid: Some(1),
            starts: 1,
        }];
        let text = text(&spec, &states);
        assert!(text.contains("NETWORK GATEWAY      10.5.0.1\n"), "{text}");
        assert!(
            text.contains("x-controlplane-1   controlplane   10.5.0.2   2.00   2.1 GB   -      on"),
            "{text}"
        );
        assert!(text.contains("x-worker-1         worker         10.5.0.3"), "{text}");
        assert!(text.trim_end().ends_with("off"), "{text}");
    }
}
