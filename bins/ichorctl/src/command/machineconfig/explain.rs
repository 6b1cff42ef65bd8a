//! `machineconfig explain`: everything the language says about one field.

use std::fmt::Write as _;

use config::reference::{self, Explanation};

use crate::files;

/// Arguments of `machineconfig explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to explain, such as machine.type, HostnameConfig or VolumeConfig.provisioning.maxSize [default: the list of all documents]
    #[arg(value_name = "KEY.PATH")]
    path: Option<String>,
}

/// Prints the explanation.
pub(crate) fn run(arguments: &Args) -> anyhow::Result<()> {
    match &arguments.path {
        Some(path) => files::print(&text(&reference::explain(path)?)),
        None => files::print(&documents()),
    }
}

/// Every document with what it is for.
fn documents() -> String {
    let rows: Vec<(String, String)> = reference::sections()
        .map(|(kind, section)| {
            (kind.to_owned(), section.docs.lines().next().unwrap_or_default().to_owned())
        })
        .collect();
    table(&rows, "")
}

fn table(rows: &[(String, String)], margin: &str) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, docs)| format!("{margin}{name:width$}  {docs}\n")).collect()
}

fn text(explanation: &Explanation) -> String {
    let Explanation { path, kind, docs, default, values, since, instead, effect, example, fields } =
        explanation;
    let mut out = format!("{path}\n\n");
    for line in docs.lines() {
        let _ = writeln!(out, "  {line}");
    }
    out.push('\n');
    let rows = [
        ("type", Some(kind)),
        ("default", default.as_ref()),
        ("values", values.as_ref()),
        ("since", Some(since)),
        ("deprecated", instead.as_ref()),
        ("a change", Some(effect)),
    ];
    let rows: Vec<(String, String)> = rows
        .into_iter()
        .filter_map(|(name, value)| {
            let value = value?;
            let shown = if name == "deprecated" && !value.starts_with("nothing") {
                format!("use {value}")
            } else {
                value.clone()
            };
            Some((format!("{name}:"), shown))
        })
        .collect();
    out.push_str(&table(&rows, "  "));
    if let Some(example) = example {
        out.push_str("\nexample:\n\n");
        for line in example.lines() {
            let _ = writeln!(out, "{}", format!("  {line}").trim_end());
        }
    }
    if !fields.is_empty() {
        out.push_str("\nfields:\n\n");
        out.push_str(&table(fields, "  "));
    }
    out
}
