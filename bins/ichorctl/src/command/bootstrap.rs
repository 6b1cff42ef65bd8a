//! `bootstrap`: begin etcd on the first control plane node.

use std::path::PathBuf;

use anyhow::Context;
use api::{common::Data, machine::BootstrapRequest};
use client::Named;

use crate::{
    files,
    remote::{self, RemoteArgs},
};

/// What a chunk of a snapshot holds at most.
const CHUNK: usize = 64 << 10;

/// Arguments of `bootstrap`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Begin from this etcd snapshot
    #[arg(long, value_name = "FILE")]
    recover_from: Option<PathBuf>,
    /// Take a snapshot that was copied from a data directory, which has no checksum
    #[arg(long, requires = "recover_from")]
    recover_skip_hash_check: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Begins etcd.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let node = arguments.remote.over(before).open_one(None)?;
    let snapshot = match &arguments.recover_from {
        Some(path) => {
            Some(std::fs::read(path).with_context(|| format!("reading {}", path.display()))?)
        }
        None => None,
    };
    remote::block_on(async {
        let request = BootstrapRequest {
            recover_etcd: snapshot.is_some(),
            recover_skip_hash_check: arguments.recover_skip_hash_check,
        };
        if let Some(snapshot) = snapshot {
            let chunks: Vec<Data> = snapshot
                .chunks(CHUNK)
                .map(|chunk| Data { metadata: None, bytes: chunk.to_vec().into() })
                .collect();
            node.machine()
                .etcd_recover(futures::stream::iter(chunks))
                .await
                .named(&node, "MachineService/EtcdRecover")?;
            files::print(&format!("{}: the snapshot is on the node\n", node.name()))?;
        }
        node.machine().bootstrap(request).await.named(&node, "MachineService/Bootstrap")?;
        Ok(())
    })
}
