//! `etcd`: members and their status.

use api::machine::{EtcdMemberListRequest, EtcdMemberStatus};
use client::Named;

use crate::{
    files,
    output::{size, table::Table},
    remote::{self, GroupArgs, RemoteArgs},
};

/// Arguments of `etcd`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    remote: GroupArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
enum Command {
    /// List the members
    Members,
    /// Show the status of the members on the nodes
    Status,
}

/// Runs the command.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = RemoteArgs::from(arguments.remote).over(before).open(None)?;
    remote::block_on(async {
        let (table, failures) = match arguments.command {
            Command::Members => {
                let (answers, failures) = remote::each(&nodes, |node| async move {
                    node.machine()
                        .etcd_member_list(EtcdMemberListRequest { query_local: true })
                        .await
                        .named(node, "MachineService/EtcdMemberList")
                })
                .await;
                let mut table =
                    Table::new(["NODE", "ID", "HOSTNAME", "PEER URLS", "CLIENT URLS", "LEARNER"]);
                for (node, answer) in answers {
                    for member in answer.messages.into_iter().flat_map(|message| message.members) {
                        table.row(vec![
                            node.name().to_owned(),
                            format!("{:016x}", member.id),
                            member.hostname,
                            member.peer_urls.join(","),
                            member.client_urls.join(","),
                            member.is_learner.to_string(),
                        ]);
                    }
                }
                (table, failures)
            }
            Command::Status => {
                let (answers, failures) = remote::each(&nodes, |node| async move {
                    node.machine().etcd_status(()).await.named(node, "MachineService/EtcdStatus")
                })
                .await;
                let mut table = Table::new([
                    "NODE",
                    "MEMBER",
                    "DB SIZE",
                    "IN USE",
                    "LEADER",
                    "RAFT INDEX",
                    "RAFT TERM",
                    "RAFT APPLIED INDEX",
                    "LEARNER",
                    "PROTOCOL",
                    "STORAGE",
                    "ERRORS",
                ]);
                for (node, answer) in answers {
                    for status in
                        answer.messages.into_iter().filter_map(|message| message.member_status)
                    {
                        let mut row = vec![node.name().to_owned()];
                        row.extend(cells(&status));
                        table.row(row);
                    }
                }
                (table, failures)
            }
        };
        files::print(&table.to_string())?;
        failures.into_result()
    })
}

fn cells(status: &EtcdMemberStatus) -> [String; 11] {
    let bytes = |value: i64| u64::try_from(value).unwrap_or(0);
    // A percentage with two digits does not need every bit of the sizes.
    #[allow(clippy::cast_precision_loss)]
    let share = if status.db_size == 0 {
        0.0
    } else {
        status.db_size_in_use as f64 / status.db_size as f64 * 100.0
    };
    [
        format!("{:016x}", status.member_id),
        size::decimal(bytes(status.db_size)),
        format!("{} ({share:.2}%)", size::decimal(bytes(status.db_size_in_use))),
        format!("{:016x}", status.leader),
        status.raft_index.to_string(),
        status.raft_term.to_string(),
        status.raft_applied_index.to_string(),
        status.is_learner.to_string(),
        status.protocol_version.clone(),
        status.storage_version.clone(),
        status.errors.join(", "),
    ]
}
