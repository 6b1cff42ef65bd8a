//! `patch`: change a machine's configuration.

use anyhow::{Context, bail};
use api::cosi::resource::GetRequest;
use client::{Named, Node};
use config::patch;

use super::{
    apply::{self, ApplyArgs},
    get, patches,
};
use crate::{
    output::value,
    remote::{self, RemoteArgs},
};

/// Arguments of `patch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Patch the machine configuration
    #[command(visible_alias = "mc")]
    Machineconfig(Box<MachineconfigArgs>),
}

#[derive(Debug, clap::Args)]
struct MachineconfigArgs {
    /// Patch: a text, or @FILE; repeatable
    #[arg(short, long, value_name = "PATCH")]
    patch: Vec<String>,
    /// File with a patch
    #[arg(long, value_name = "FILE")]
    patch_file: Option<String>,
    /// Namespace of the configuration
    #[arg(long, default_value = "config")]
    namespace: String,
    #[command(flatten)]
    apply: ApplyArgs,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Runs the command.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let Command::Machineconfig(arguments) = arguments.command;
    let nodes = arguments.remote.over(before).open(None)?;
    let mut texts = arguments.patch.clone();
    texts.extend(arguments.patch_file.iter().map(|file| format!("@{file}")));
    if texts.is_empty() {
        bail!("there is nothing to do: name a patch with --patch or --patch-file");
    }
    let patches = patches::read(&texts)?;
    remote::block_on(async {
        for node in &nodes {
            let active = active(node, &arguments.namespace).await?;
            let patched = patch::apply(active.as_bytes(), &patches)
                .with_context(|| format!("patching the configuration of {}", node.name()))?;
            if is_same(&active, &patched) {
                eprintln!("{}: no changes detected", node.name());
            }
            // An unchanged configuration is sent all the same: it may be the staged one that changes.
            apply::send(node, patched, &arguments.apply).await?;
        }
        Ok(())
    })
}

/// Equal but for comments and layout.
fn is_same(active: &str, patched: &[u8]) -> bool {
    match (config::load(active.as_bytes()), config::load(patched)) {
        (Ok(active), Ok(patched)) => active == patched,
        _ => active.as_bytes() == patched,
    }
}

/// The text of the machine's active configuration.
async fn active(node: &Node, namespace: &str) -> anyhow::Result<String> {
    let request = GetRequest {
        namespace: namespace.to_owned(),
        r#type: "MachineConfigs.config.talos.dev".to_owned(),
        id: "v1alpha1".to_owned(),
        options: None,
    };
    let answer = node.state().get(request).await.named(node, "State/Get")?;
    let resource = answer
        .resource
        .with_context(|| format!("{} answered State/Get without a resource", node.name()))?;
    Ok(value::cell(&get::spec(&resource)?))
}
