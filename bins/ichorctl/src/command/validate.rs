//! `validate`: check a configuration file.

use config::{
    diagnostic,
    finding::Severity,
    validate::{self, Mode, Options},
};

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
    let source = String::from_utf8_lossy(&text);
    let config = match config::load(&text) {
        Ok(config) => config,
        Err(errors) => {
            tell(&diagnostic::of_load(&errors), &file, &source);
            eprintln!("{file} is not a machine configuration");
            return Err(failure::Told.into());
        }
    };
    let report = validate::validate(&config, Options { strict, ..Options::local(mode) });
    tell(&diagnostic::of_report(&report, &config), &file, &source);
    if !report.is_valid() {
        eprintln!("{file} is not valid for {mode} mode");
        return Err(failure::Told.into());
    }
    files::print(&format!("{file} is valid for {mode} mode\n"))
}

/// Prints what was found, each with its place.
fn tell(diagnostics: &[diagnostic::Diagnostic], file: &str, source: &str) {
    for diagnostic in diagnostics {
        let text = diagnostic.render(file, source);
        let (word, rest) = text.split_once(':').unwrap_or((&text, ""));
        let word = match diagnostic.severity {
            Severity::Error => style::error(&format!("{word}:")),
            Severity::Warning => style::warning(&format!("{word}:")),
        };
        eprint!("{word}{rest}");
    }
}
