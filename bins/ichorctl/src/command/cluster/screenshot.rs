//! `cluster screenshot`: a picture of a virtual machine's screen.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use provision::qemu;
use provision::state::ClusterDirectory;
use provision::supervisor::{self, Command};

use crate::files;

/// Arguments of `cluster screenshot`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The node's name; the first control plane's without
    machine: Option<String>,
    /// Where the picture goes (PNG) [default: NODE.png]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Args, directory: &ClusterDirectory) -> anyhow::Result<()> {
    let spec = directory.spec()?;
    let first = spec.nodes.first().map(|node| node.name.clone());
    let Some(node) = arguments.machine.clone().or(first) else {
        bail!("the cluster has no node");
    };
    supervisor::ask(directory.path(), &Command::Screenshot(node.clone()))?;
    let picture = qemu::screenshot(directory, &node);
    let content =
        std::fs::read(&picture).with_context(|| format!("reading {}", picture.display()))?;
    let output = arguments.output.clone().unwrap_or_else(|| format!("{node}.png").into());
    files::write(&output, &content, 0o644)?;
    files::print(&format!("{}\n", output.display()))
}
