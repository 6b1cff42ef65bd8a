//! `completion`: a script for the shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{cli::Cli, files};

/// Arguments of `completion`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Shell to print the script for
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(arguments: &Args) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "ichorctl", &mut script);
    files::print_bytes(&script)
}
