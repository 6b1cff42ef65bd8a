//! Builds Ichor: its programs, the components, the image cache and the root image.
//!
//! `cargo xtask help` lists the commands; the Makefile names the ones a user needs.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod build;
mod progress;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  programs     build init, machined and ichorctl for nodes and users  -> out/bin
  components   build the pinned parts [names …] and kubectl           -> out/bin/kubectl
  cache        make the image cache                                   -> out/image/cache
  image        make the root image and the bill of materials          -> out/image
  all          all of the above
  check-cache  check every blob of the image cache against its digest
  help         this text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    match run(command, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, rest: &[String]) -> Result<()> {
    match command {
        "programs" => build::programs(),
        "components" => build::components(rest),
        "cache" => build::cache(),
        "check-cache" => build::check_cache(),
        "image" => build::image(),
        "all" => {
            build::programs()?;
            build::components(&[])?;
            build::cache()?;
            build::image()
        }
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("there is no command `{other}`; `cargo xtask help` lists them"),
    }
}
