//! The checks of the kinds and of the v1alpha1 document: `checks/*.txt` are tables of documents and what is wrong with them.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use config::finding::Severity;
use config::validate::{Mode, Options, validate};

/// The messages of one severity.
fn messages(text: &str, severity: Severity) -> Vec<String> {
    let config = config::load(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    let report = validate(&config, Options::local(Mode::Metal));
    let found = report.findings.into_iter().filter(|located| located.finding.severity == severity);
    // A document alone belongs to no control plane.
    found
        .map(|located| located.finding.message)
        .filter(|message| !message.starts_with("documents are only"))
        .collect()
}

/// Whether validation says of a text what the last column of a table says; what it says otherwise.
fn differs(text: &str, want: &str) -> Option<String> {
    let (severity, part) = match want.split_once(": ") {
        Some(("error", part)) => (Severity::Error, part),
        Some(("warning", part)) => (Severity::Warning, part),
        _ => {
            assert_eq!(want, "taken", "a table has another word");
            let found = messages(text, Severity::Error);
            return (!found.is_empty()).then(|| format!("{text}is taken, not {found:?}"));
        }
    };
    let found = messages(text, severity);
    let said = found.iter().any(|message| message.contains(part));
    (!said).then(|| format!("{text}gives {want:?}, not {found:?}"))
}

/// Goes through a table of so many columns.
fn table<const N: usize>(table: &str, text: impl Fn(&[&str; N]) -> String) {
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let (want, columns) = columns.split_last().expect("a row has columns");
        let columns: &[&str; N] =
            columns.try_into().unwrap_or_else(|_| panic!("a row has {} columns: {line}", N + 1));
        wrong.extend(differs(&text(columns), want));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn kinds() {
    table(include_str!("checks/kinds.txt"), |[kind, fields]| {
        let fields = if fields.is_empty() { String::new() } else { format!(", {fields}") };
        format!("{{apiVersion: v1alpha1, kind: {kind}{fields}}}\n")
    });
}

#[test]
fn v1alpha1() {
    table(include_str!("checks/v1alpha1.txt"), |[kind, machine, cluster]| {
        let (key, etcd) = match *kind {
            "worker" => ("''", ""),
            _ => ("YQ==", "etcd: {ca: {crt: YQ==, key: YQ==}}"),
        };
        let joined = |parts: [&str; 2]| {
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
        };
        let good = format!("type: {kind}, token: t, ca: {{crt: YQ==, key: {key}}}");
        let (machine, cluster) = (joined([&good, machine]), joined([etcd, cluster]));
        format!("version: v1alpha1\nmachine: {{{machine}}}\ncluster: {{{cluster}}}\n")
    });
}
