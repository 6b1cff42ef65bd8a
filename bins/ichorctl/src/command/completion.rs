//! `completion`: a script for the shell.

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::{cli::Cli, files};

/// Arguments of `completion`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Shell to print the script for
    shell: Shell,
    /// Leave the descriptions of commands and flags out
    #[arg(long)]
    no_descriptions: bool,
}

/// Prints the script.
pub(crate) fn run(arguments: &Args) -> anyhow::Result<()> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    if arguments.no_descriptions {
        command.build();
        command = undescribed(command);
    }
    clap_complete::generate(arguments.shell, &mut command, "ichorctl", &mut script);
    files::print_bytes(&script)
}

/// A command tree without its descriptions.
fn undescribed(command: Command) -> Command {
    command.about("").mut_args(|argument| argument.help("")).mut_subcommands(undescribed)
}
