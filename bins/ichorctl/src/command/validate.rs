//! `validate`: check a configuration file.

use anyhow::Context;
use config::validate::{self, Mode, Options};

use crate::{
    files,
    output::{failure, style},
    remote::RemoteArgs,
};

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration; - for standard input
    #[arg(short, long, value_name = "FILE")]
    config: String,
    /// Where it is to run: metal, cloud or container
    #[arg(short, long)]
    mode: Mode,
    /// Take warnings for errors
    #[arg(long)]
    strict: bool,
}

/// Checks the file.
pub(crate) fn run(arguments: Args, _before: &RemoteArgs) -> anyhow::Result<()> {
    let Args { config: file, mode, strict } = arguments;
    let text = files::read(&file)?;
    let config = config::load(&text).with_context(|| format!("loading {file}"))?;
    let report = validate::validate(&config, Options { strict, ..Options::local(mode) });
    for warning in report.warnings() {
        eprintln!("{} {warning}", style::warning("warning:"));
    }
    if let Err(error) = report.result() {
        eprintln!("{} {file} is not valid for {mode} mode", style::error("error:"));
        eprintln!("{error}");
        return Err(failure::Told.into());
    }
    files::print(&format!("{file} is valid for {mode} mode\n"))
}
