//! `cluster show`.

use provision::{native, spec::ClusterSpec};

use super::Place;
use crate::{files, output::table::Table};

/// Shows the cluster.
pub(crate) fn run(place: &Place) -> anyhow::Result<()> {
    let directory = place.directory()?;
    let spec = directory.spec()?;
    // A cluster that is not running has nobody to ask; its nodes are off then.
    let states = native::ask(directory.path(), &native::Command::Status).unwrap_or_default();
    let endpoint = spec
        .forwarded(provision::spec::KUBERNETES_API_PORT)
        .map_or_else(|| "-".to_owned(), |address| format!("https://{address}"));
    let facts = [
        ("PROVISIONER", "native".to_owned()),
        ("NAME", spec.name.clone()),
        ("NETWORK NAME", spec.name.clone()),
        ("NETWORK CIDR", spec.network.to_string()),
        ("NETWORK GATEWAY", spec.gateway().to_string()),
        ("NETWORK MTU", spec.mtu.to_string()),
        ("KUBERNETES ENDPOINT", endpoint),
    ];
    let mut text = String::new();
    for (name, value) in facts {
        text.push_str(&format!("{name:<22}{value}\n"));
    }
    text.push_str("\nNODES:\n\n");
    text.push_str(&nodes(&spec, &states).to_string());
    files::print(&text)
}

fn nodes(spec: &ClusterSpec, states: &[native::NodeState]) -> Table {
    let mut table = Table::new(["NAME", "TYPE", "IP", "CPU", "RAM", "DISK", "POWER"]);
    for node in &spec.nodes {
        let cores = node.size.millicpus;
        // A size of memory is shown with one digit.
        #[allow(clippy::cast_precision_loss)]
        let memory = node.size.memory as f64 / f64::from(1 << 30);
        let power = states.iter().find(|state| state.name == node.name);
        table.row(vec![
            node.name.clone(),
            node.role.to_string(),
            node.address.to_string(),
            format!("{}.{:02}", cores / 1000, cores % 1000 / 10),
            format!("{memory:.1} GiB"),
            "-".to_owned(),
            power.map_or_else(|| "off".to_owned(), |state| state.power.to_string()),
        ]);
    }
    table
}
