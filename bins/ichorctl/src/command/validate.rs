//! `validate`: check a configuration file.

use config::{
    Config,
    diagnostic::{self, Diagnostic},
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
    let config = load(&file, &text)?;
    let report = validate::validate(&config, Options { strict, ..Options::local(mode) });
    tell(&diagnostic::of_report(&report, &config), &file, &String::from_utf8_lossy(&text));
    if !report.is_valid() {
        eprintln!("{file} is not valid for {mode} mode: {}", report.message.trim_end());
        return Err(failure::Told.into());
    }
    files::print(&format!("{file} is valid for {mode} mode\n"))
}

/// Loads the text of a file and tells everything that is wrong with it: with places for people, then
/// in the words of the contract.
pub(crate) fn load(file: &str, text: &[u8]) -> anyhow::Result<Config> {
    config::load(text).map_err(|errors| {
        tell(&diagnostic::of_load(&errors), file, &String::from_utf8_lossy(text));
        eprintln!("{file} is not a machine configuration: {}", errors.to_string().trim_end());
        failure::Told.into()
    })
}

/// Prints what was found, each with its place.
pub(crate) fn tell(diagnostics: &[Diagnostic], file: &str, source: &str) {
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
