//! `logs` and `dmesg`: bytes as they come, each line under its node's name.

use std::future::Future;

use api::{
    common::{ContainerDriver, Data},
    machine::{DmesgRequest, LogsRequest},
};
use client::{CallError, Named, Node};
use tonic::Streaming;

use crate::{
    files,
    remote::{self, InsecureArgs, RemoteArgs},
};

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// Service, or with --kubernetes a container as `ichorctl containers --kubernetes` names it
    service: String,
    /// Go on printing what is added
    #[arg(short, long)]
    follow: bool,
    /// Only the last lines; -1 prints all
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    tail: i32,
    /// The log of a Kubernetes container
    #[arg(short, long)]
    kubernetes: bool,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    insecure: InsecureArgs,
}

/// Arguments of `dmesg`.
#[derive(Debug, clap::Args)]
pub(crate) struct DmesgArgs {
    /// Go on printing what is added
    #[arg(short, long)]
    follow: bool,
    /// Only what is added from now on (with --follow)
    #[arg(long)]
    tail: bool,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    insecure: InsecureArgs,
}

/// Namespace and driver of containers: the system's or Kubernetes'.
pub(crate) fn containers_of(kubernetes: bool) -> (String, ContainerDriver) {
    if kubernetes {
        ("k8s.io".to_owned(), ContainerDriver::Cri)
    } else {
        ("system".to_owned(), ContainerDriver::Containerd)
    }
}

/// Prints the log of a service.
pub(crate) fn logs(arguments: LogsArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(Some(&arguments.insecure))?;
    let (namespace, driver) = containers_of(arguments.kubernetes);
    let request = LogsRequest {
        namespace,
        id: arguments.service,
        driver: driver.into(),
        follow: arguments.follow,
        tail_lines: arguments.tail,
    };
    remote::block_on(print(&nodes, "MachineService/Logs", |node| {
        let request = request.clone();
        async move { node.machine().logs(request).await.named(node, "MachineService/Logs") }
    }))
}

/// Prints the kernel's log.
pub(crate) fn dmesg(arguments: DmesgArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(Some(&arguments.insecure))?;
    let request = DmesgRequest { follow: arguments.follow, tail: arguments.tail };
    remote::block_on(print(&nodes, "MachineService/Dmesg", |node| async move {
        node.machine().dmesg(request).await.named(node, "MachineService/Dmesg")
    }))
}

async fn print<'a, F>(
    nodes: &'a [Node],
    call: &'static str,
    open: impl Fn(&'a Node) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = Result<Streaming<Data>, CallError>>,
{
    remote::follow(nodes, |node| {
        let opened = open(node);
        async move { follow(node, call, opened.await?).await }
    })
    .await
}

/// Prints a stream line by line; what follows the last line break is printed at the end.
async fn follow(
    node: &Node,
    call: &'static str,
    mut stream: Streaming<Data>,
) -> Result<anyhow::Result<()>, CallError> {
    let mut pending = Vec::new();
    loop {
        let chunk = stream.message().await.map_err(|status| CallError::new(node, call, status))?;
        let ended = chunk.is_none();
        pending.extend_from_slice(&chunk.map(|chunk| chunk.bytes).unwrap_or_default());
        let complete = if ended {
            pending.len()
        } else {
            pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
        };
        let rest = pending.split_off(complete);
        if let Err(error) = files::print_bytes(&prefixed(node.name(), &pending)) {
            return Ok(Err(error));
        }
        pending = rest;
        if ended {
            return Ok(Ok(()));
        }
    }
}

/// Lines with their node's name before each.
pub(crate) fn prefixed(node: &str, lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.len() + lines.len() / 4);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(node.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            out.push(b'\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_names_its_node() {
        let text = prefixed("n1", b"one\n\ntwo");
        assert_eq!(String::from_utf8(text).unwrap(), "n1: one\nn1: \nn1: two\n");
    }
}
