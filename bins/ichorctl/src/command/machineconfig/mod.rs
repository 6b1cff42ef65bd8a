//! `machineconfig`: configurations as files, and what can stand in them.

mod explain;
mod lint;

use std::path::PathBuf;

use anyhow::Context;
use config::{patch, reference};

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
    /// Explain a document or a field: what it takes, what it means, what a change does
    Explain(explain::Args),
    /// Generate the configurations of a new cluster, as `gen config` does
    Gen(Box<generate::ConfigArgs>),
    /// Find deprecated fields, and rewrite them into the documents that replace them
    Lint(lint::Args),
    /// Patch a configuration file
    Patch(PatchArgs),
    /// Print the JSON schema of the documents, for editors
    Schema(SchemaArgs),
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

#[derive(Debug, clap::Args)]
struct SchemaArgs {
    /// File to write to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(arguments: Args, _before: &RemoteArgs) -> anyhow::Result<()> {
    match arguments.command {
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Gen(arguments) => generate::config(&arguments),
        Command::Lint(arguments) => lint::run(&arguments),
        Command::Patch(arguments) => {
            let patches = patches::read(&arguments.patch)?;
            let text = files::read(&arguments.file)?;
            let patched = patch::apply(&text, &patches)
                .with_context(|| format!("patching {}", arguments.file))?;
            write(arguments.output, &patched)
        }
        Command::Schema(arguments) => {
            let mut text = serde_json::to_string_pretty(&reference::schema())
                .context("writing the schema as JSON")?;
            text.push('\n');
            write(arguments.output, text.as_bytes())
        }
    }
}

fn write(output: Option<PathBuf>, content: &[u8]) -> anyhow::Result<()> {
    match output.filter(|path| path.as_os_str() != "-") {
        Some(path) => files::write(&path, content, 0o644),
        None => files::print_bytes(content),
    }
}
