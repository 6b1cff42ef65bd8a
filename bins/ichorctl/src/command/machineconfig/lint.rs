//! `machineconfig lint`: deprecated fields, and their rewriting into the documents that replace them.

use std::path::PathBuf;

use anyhow::Context;
use config::{diagnostic, lint};

use crate::{command::validate, files, output::failure};

/// Arguments of `machineconfig lint`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration; - for standard input
    file: String,
    /// Rewrite the fields into documents of the same meaning, in the file itself
    #[arg(long)]
    fix: bool,
    /// With --fix, file to write to instead; - for standard output
    #[arg(short, long, value_name = "FILE", requires = "fix")]
    output: Option<PathBuf>,
}

/// Tells what is deprecated, or rewrites it.
pub(crate) fn run(arguments: &Args) -> anyhow::Result<()> {
    let file = &arguments.file;
    let text = files::read(file)?;
    let source = String::from_utf8_lossy(&text);
    let config = validate::load(file, &text)?;
    let found = lint::lint(&config);
    if !arguments.fix {
        if found.is_empty() {
            return files::print(&format!("{file} has no deprecated fields\n"));
        }
        validate::tell(&diagnostic::of_lint(&found, &config), file, &source);
        let fields = if found.len() == 1 { "field" } else { "fields" };
        eprintln!(
            "{file} has {} deprecated {fields}; --fix rewrites what a document can say",
            found.len()
        );
        return Err(failure::Told.into());
    }
    let fixed = lint::fix(&config);
    let left = lint::lint(&fixed);
    // Without a change the text stays, comments included.
    let content = if fixed == config { text.clone() } else { fixed.encode().into_bytes() };
    let output = arguments.output.clone().unwrap_or_else(|| file.into());
    let to_stdout = output.as_os_str() == "-";
    if to_stdout {
        files::print_bytes(&content)?;
    } else {
        files::write(&output, &content, 0o644).context("writing the rewritten configuration")?;
    }
    for lint in &left {
        eprintln!("{} stays: {}", lint.path, lint.stays());
    }
    Ok(())
}
