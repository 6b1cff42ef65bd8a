//! `ichorctl`: the command line of Ichor.
//!
//! This file parses, dispatches and turns failures into messages and exit codes: 0 for success, 1 when a command failed, 2 when it
//! was called in a wrong way. Each command is a module below `command`; nothing else prints.

mod cli;
mod command;
#[cfg(test)]
mod documented;
mod files;
mod output;
mod remote;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // The processes of a local cluster are this program too.
    if let Some(code) = provision::supervisor::hidden_role(std::env::args_os()) {
        return code;
    }
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::failure::report(&error),
    }
}
