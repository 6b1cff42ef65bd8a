//! `apply-config`: give a machine its configuration.

use std::time::Duration;

use anyhow::Context;
use api::machine::{ApplyConfigurationRequest, apply_configuration_request::Mode as WireMode};
use client::{CallError, Named, Node};
use config::patch;

use super::patches;

use crate::{
    files,
    output::{age, style},
    remote::{self, InsecureArgs, RemoteArgs},
};

/// When a configuration becomes active.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Mode {
    /// As the machine sees fit
    Auto,
    /// At once
    NoReboot,
    /// At the next boot
    Staged,
    /// At once, and back after --timeout
    Try,
}

/// How to apply; the same for every command that does.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// When the configuration becomes active
    #[arg(short, long, value_enum, default_value = "auto")]
    mode: Mode,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// After how long the old configuration comes back, with --mode=try
    #[arg(long, value_name = "SPAN", default_value = "1m", value_parser = age::parse)]
    timeout: Duration,
}

/// Arguments of `apply-config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration; - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: String,
    /// Patch to apply first: a text, or @FILE; repeatable
    #[arg(short = 'p', long, value_name = "PATCH")]
    config_patch: Vec<String>,
    #[command(flatten)]
    apply: ApplyArgs,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    insecure: InsecureArgs,
}

/// Applies a file.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(Some(&arguments.insecure))?;
    let patches = patches::read(&arguments.config_patch)?;
    let data = patch::apply(&files::read(&arguments.file)?, &patches)
        .with_context(|| format!("patching {}", arguments.file))?;
    remote::block_on(async {
        let (_, failures) = remote::each(&nodes, |node| {
            let data = data.clone();
            let apply = arguments.apply.clone();
            async move { send(node, data, &apply).await }
        })
        .await;
        failures.into_result()
    })
}

/// Sends a configuration to one machine and tells what it said.
pub(crate) async fn send(node: &Node, data: Vec<u8>, apply: &ApplyArgs) -> Result<(), CallError> {
    let mode = match apply.mode {
        Mode::Auto => WireMode::Auto,
        Mode::NoReboot => WireMode::NoReboot,
        Mode::Staged => WireMode::Staged,
        Mode::Try => WireMode::Try,
    };
    let request = ApplyConfigurationRequest {
        data,
        mode: mode.into(),
        dry_run: apply.dry_run,
        try_mode_timeout: Some(age::to_wire(apply.timeout)),
    };
    let answer = node
        .machine()
        .apply_configuration(request)
        .await
        .named(node, "MachineService/ApplyConfiguration")?;
    for message in answer.messages {
        for warning in message.warnings {
            eprintln!("{} {}: {warning}", style::warning("warning from"), node.name());
        }
        if !message.mode_details.is_empty() {
            eprintln!("{}: {}", node.name(), message.mode_details.trim_end());
        }
    }
    Ok(())
}
