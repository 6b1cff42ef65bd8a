//! `machineconfig`: configurations as files.

use std::path::PathBuf;

use anyhow::Context;
use config::patch;

use super::{generate, patches};
use crate::{files, remote::RemoteArgs};

/// Arguments of `machineconfig`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Generate the configurations of a new cluster, as `gen config` does
    Gen(Box<generate::ConfigArgs>),
    /// Patch a configuration file
    Patch(PatchArgs),
}

#[derive(Debug, clap::Args)]
struct PatchArgs {
    /// Configuration; - for standard input
    file: String,
    /// Patch: a text, or @FILE; repeatable
    #[arg(short, long, value_name = "PATCH", required = true)]
    patch: Vec<String>,
    /// File to write to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(arguments: Args, _before: &RemoteArgs) -> anyhow::Result<()> {
    match arguments.command {
        Command::Gen(arguments) => generate::config(&arguments),
        Command::Patch(arguments) => {
            let patches = patches::read(&arguments.patch)?;
            let text = files::read(&arguments.file)?;
            let patched = patch::apply(&text, &patches)
                .with_context(|| format!("patching {}", arguments.file))?;
            match arguments.output {
                Some(path) => files::write(&path, &patched, 0o644),
                None => files::print_bytes(&patched),
            }
        }
    }
}
