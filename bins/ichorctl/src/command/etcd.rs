//! `etcd`: members and their status.

use std::path::{Path, PathBuf};

use anyhow::bail;
use api::machine::{EtcdMemberAlarm, EtcdMemberListRequest, EtcdMemberStatus, EtcdSnapshotRequest};
use client::{CallError, Named, Node};
use sha2::{Digest, Sha256};

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

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Look at alarms and clear them
    #[command(subcommand)]
    Alarm(Alarm),
    /// Give unused room of the database back to the file system
    Defrag,
    /// List the members
    Members,
    /// Store a snapshot of the database in a file
    Snapshot {
        /// File to write
        path: PathBuf,
    },
    /// Show the status of the members on the nodes
    Status,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
enum Alarm {
    /// Clear the alarms
    Disarm,
    /// List the alarms
    List,
}

/// What a block of the database holds; a snapshot is whole blocks and a checksum.
const BLOCK: usize = 512;
const CHECKSUM: usize = 32;

/// Runs the command.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let remote = RemoteArgs::from(arguments.remote).over(before);
    match &arguments.command {
        Command::Snapshot { path } => return snapshot(&remote.open_one(None)?, path),
        Command::Defrag => return defrag(&remote.open_one(None)?),
        _ => {}
    }
    let nodes = remote.open(None)?;
    remote::block_on(async {
        let (table, failures) = match arguments.command {
            Command::Snapshot { .. } | Command::Defrag => return Ok(()),
            Command::Alarm(alarm) => {
                let (answers, failures) = remote::each(&nodes, |node| alarms(node, alarm)).await;
                let mut table = Table::new(["NODE", "MEMBER", "ALARM"]);
                for (node, alarms) in answers {
                    for alarm in alarms {
                        table.row(vec![
                            node.name().to_owned(),
                            format!("{:016x}", alarm.member_id),
                            alarm.alarm().as_str_name().to_owned(),
                        ]);
                    }
                }
                (table, failures)
            }
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
        table.print(failures)
    })
}

async fn alarms(node: &Node, alarm: Alarm) -> Result<Vec<EtcdMemberAlarm>, CallError> {
    let mut machine = node.machine();
    Ok(match alarm {
        Alarm::List => machine
            .etcd_alarm_list(())
            .await
            .named(node, "MachineService/EtcdAlarmList")?
            .messages
            .into_iter()
            .flat_map(|message| message.member_alarms)
            .collect(),
        Alarm::Disarm => machine
            .etcd_alarm_disarm(())
            .await
            .named(node, "MachineService/EtcdAlarmDisarm")?
            .messages
            .into_iter()
            .flat_map(|message| message.member_alarms)
            .collect(),
    })
}

fn defrag(node: &Node) -> anyhow::Result<()> {
    remote::block_on(async {
        node.machine().etcd_defragment(()).await.named(node, "MachineService/EtcdDefragment")?;
        Ok(())
    })
}

/// Stores a snapshot; it has its name only when it is whole and its checksum fits.
fn snapshot(node: &Node, path: &Path) -> anyhow::Result<()> {
    const CALL: &str = "MachineService/EtcdSnapshot";
    let content = remote::block_on(async {
        let mut stream =
            node.machine().etcd_snapshot(EtcdSnapshotRequest {}).await.named(node, CALL)?;
        let mut content = Vec::new();
        while let Some(chunk) =
            stream.message().await.map_err(|status| CallError::new(node, CALL, status))?
        {
            content.extend_from_slice(&chunk.bytes);
        }
        Ok(content)
    })?;
    let size = content.len();
    if size % BLOCK != CHECKSUM {
        bail!("{} sent {size} bytes, which is not a whole snapshot; try again", node.name());
    }
    let (database, checksum) = content.split_at(size - CHECKSUM);
    if Sha256::digest(database).as_slice() != checksum {
        bail!("{} sent a snapshot whose checksum does not fit; try again", node.name());
    }
    files::write(path, &content, 0o600)?;
    files::print(&format!("etcd snapshot saved to {} ({size} bytes)\n", path.display()))
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
