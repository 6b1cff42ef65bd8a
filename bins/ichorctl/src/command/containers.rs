//! `containers` and `stats`.

use api::machine::{ContainerInfo, ContainersRequest, RestartRequest, Stat, StatsRequest};
use client::Named;

use super::logs::containers_of;
use crate::{
    output::table::Table,
    remote::{self, RemoteArgs},
};

/// Arguments of both.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Kubernetes' containers instead of the system's
    #[arg(short, long)]
    kubernetes: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Arguments of `restart`.
#[derive(Debug, clap::Args)]
pub(crate) struct RestartArgs {
    /// Container, as `ichorctl containers` names it
    id: String,
    /// One of Kubernetes' containers
    #[arg(short, long)]
    kubernetes: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Restarts a container.
pub(crate) fn restart(arguments: RestartArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(None)?;
    let (namespace, driver) = containers_of(arguments.kubernetes);
    remote::block_on(async {
        let (_, failures) =
            remote::each(&nodes, |node| {
                let request = RestartRequest {
                    namespace: namespace.clone(),
                    id: arguments.id.clone(),
                    driver: driver.into(),
                };
                async move {
                    node.machine().restart(request).await.named(node, "MachineService/Restart")
                }
            })
            .await;
        failures.into_result()
    })
}

/// A container stands indented below its pod.
fn shown(id: &str, pod: &str) -> String {
    if pod.is_empty() || id == pod { id.to_owned() } else { format!("└─ {id}") }
}

/// Lists containers.
pub(crate) fn containers(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(None)?;
    let (namespace, driver) = containers_of(arguments.kubernetes);
    remote::block_on(async {
        let (answers, failures) = remote::each(&nodes, |node| {
            let request = ContainersRequest { namespace: namespace.clone(), driver: driver.into() };
            async move {
                node.machine().containers(request).await.named(node, "MachineService/Containers")
            }
        })
        .await;
        let mut table = Table::new(["NODE", "NAMESPACE", "ID", "IMAGE", "PID", "STATUS"]);
        for (node, answer) in answers {
            let mut containers: Vec<ContainerInfo> =
                answer.messages.into_iter().flat_map(|message| message.containers).collect();
            containers.sort_by(|left, right| left.id.cmp(&right.id));
            for container in containers {
                table.row(vec![
                    node.name().to_owned(),
                    container.namespace,
                    shown(&container.id, &container.pod_id),
                    container.image,
                    container.pid.to_string(),
                    container.status,
                ]);
            }
        }
        table.print(failures)
    })
}

/// Lists what containers use.
pub(crate) fn stats(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(None)?;
    let (namespace, driver) = containers_of(arguments.kubernetes);
    remote::block_on(async {
        let (answers, failures) = remote::each(&nodes, |node| {
            let request = StatsRequest { namespace: namespace.clone(), driver: driver.into() };
            async move { node.machine().stats(request).await.named(node, "MachineService/Stats") }
        })
        .await;
        let mut table = Table::new(["NODE", "NAMESPACE", "ID", "MEMORY(MB)", "CPU"]);
        for (node, answer) in answers {
            let mut stats: Vec<Stat> =
                answer.messages.into_iter().flat_map(|message| message.stats).collect();
            stats.sort_by(|left, right| left.id.cmp(&right.id));
            for stat in stats {
                table.row(vec![
                    node.name().to_owned(),
                    stat.namespace,
                    shown(&stat.id, &stat.pod_id),
                    megabytes(stat.memory_usage),
                    stat.cpu_usage.to_string(),
                ]);
            }
        }
        table.print(failures)
    })
}

fn megabytes(bytes: u64) -> String {
    let hundredths = bytes / 10_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_stand_above_their_containers() {
        assert_eq!(shown("kube-system/a", "kube-system/a"), "kube-system/a");
        assert_eq!(shown("kube-system/a:b", "kube-system/a"), "└─ kube-system/a:b");
        assert_eq!(shown("apid", ""), "apid");
        assert_eq!(megabytes(12_345_678), "12.34");
    }
}
