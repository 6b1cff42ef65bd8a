//! Builds Ichor: its programs, the components, the image cache and the root image.
//!
//! `cargo xtask help` lists the commands; the Makefile names the ones a user needs.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod backports;
mod build;
mod check;
mod cluster;
mod failures;
mod machine;
mod pin;
mod progress;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::progress::Progress;

const HELP: &str = "\
cargo xtask COMMAND

  up           build everything and start the local cluster; --provisioner native or qemu
               (default native), --workers N (default 1, with qemu 0), --merge adds it
               to the user's own configuration
  down         remove the local cluster
  all          programs, components, cache and image
  programs     build init, machined and ichorctl, or [NAME …]         -> out/bin
  components   build the pinned parts [NAME …] and kubectl            -> out/bin/kubectl
  cache        make the image cache                                   -> out/image/cache
  image        make the root image and the bill of materials          -> out/image
  machine      make what machines of a profile start from, [PROFILE]  -> out/image
  check-cache  check every blob of the image cache against its digest
  where        print the path of a component's program, COMPONENT/FILE, or of a kernel's modules/PROFILE
  test         build everything and run every test
  bench        run the benchmarks [NAME …]                            -> out/bench.md
  fuzz         run each fuzz target for a minute
  pin          take the versions of Debian packages that are offered now
  tools        install what building needs
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
    let progress = Progress::new(1);
    match command {
        "up" => cluster::up(&cluster::Wanted::parse(rest)?),
        "down" => cluster::down(),
        "all" => build::all(&Progress::new(4)),
        "programs" => progress.phase("programs", || build::programs(rest)),
        "components" => progress.phase("components", || build::components(&progress, rest)),
        "cache" => progress.phase("image cache", || build::cache(&progress)),
        "image" => progress.phase("root image", || build::image(&progress)),
        "machine" => progress.phase("machine images", || machine::build(&progress, rest)),
        "where" => build::locate(rest),
        "check-cache" => build::check_cache(),
        "pin" => pin::renew(),
        "test" => check::test(),
        "bench" => check::bench(rest),
        "fuzz" => check::fuzz(),
        "tools" => tools::install(false),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("there is no command `{other}`; `cargo xtask help` lists them"),
    }
}
