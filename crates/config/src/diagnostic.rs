//! Errors for people: file, line, column, the line itself and a caret, beside the contract's message.

use std::collections::HashMap;
use std::fmt::Write as _;

use yaml::{Node, Position};

use crate::Config;
use crate::document::Identity;
use crate::error::{DocumentError, LoadError, LoadErrors};
use crate::finding::Severity;
use crate::validate::Report;

/// One thing to tell, with its place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where, when it has a place.
    pub at: Option<Position>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// The diagnostic as text; `source` is the text it is about, `file` its name.
    #[must_use]
    pub fn render(&self, file: &str, source: &str) -> String {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut out = format!("{word}: {}\n", shortened(self.message.trim_end()));
        let line = self.at.and_then(|at| source.lines().nth(at.line.checked_sub(1)? as usize));
        if let (Some(at), Some(line)) = (self.at, line) {
            let margin = at.line.to_string().len();
            let (line, column) = excerpt(line, at.column.saturating_sub(1) as usize);
            let rest: String = line.chars().skip(column).collect();
            let word = rest.find([':', ' ', ',', '}', ']']).unwrap_or(rest.len());
            let carets = "^".repeat(rest.get(..word).map_or(1, |w| w.chars().count()).max(1));
            // Tabs keep the caret under its character.
            let indent: String =
                line.chars().take(column).map(|c| if c == '\t' { c } else { ' ' }).collect();
            let blank = " ".repeat(margin);
            let _ = writeln!(out, "{blank}--> {file}:{}:{}", at.line, at.column);
            let _ = writeln!(out, "{blank} |\n{} | {line}\n{blank} | {indent}{carets}", at.line);
        } else if !file.is_empty() {
            let _ = writeln!(out, " --> {file}");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "help: {help}");
        }
        out
    }
}

/// The most characters of a message that are shown: a value in it may be a whole file.
const LONGEST: usize = 1000;

fn shortened(message: &str) -> String {
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… ({} bytes)", &message[..end], message.len()),
        None => message.to_owned(),
    }
}

/// The most characters of a line that are shown.
const WIDTH: usize = 160;

/// The part of a line around a column, and the column within that part.
fn excerpt(line: &str, column: usize) -> (String, usize) {
    if line.chars().nth(WIDTH).is_none() {
        return (line.to_owned(), column);
    }
    let start = column.saturating_sub(WIDTH / 2);
    let mut rest = line.chars().skip(start);
    let mut part: String = rest.by_ref().take(WIDTH).collect();
    if rest.next().is_some() {
        part.push('…');
    }
    if start == 0 { (part, column) } else { (format!("…{part}"), column - start + 1) }
}

/// The most diagnostics of one text: who makes more mistakes has another file in mind.
const MOST: usize = 100;

/// What the loader has to tell, one diagnostic per problem; a hundred at most.
#[must_use]
pub fn of_load(errors: &LoadErrors) -> Vec<Diagnostic> {
    let count = |error: &LoadError| match error {
        LoadError::Document { cause: DocumentError::Types { errors, unknown }, .. } => {
            errors.len() + unknown.len()
        }
        LoadError::Document { cause: DocumentError::UnknownKeys { places, .. }, .. } => {
            places.len()
        }
        _ => 1,
    };
    let mut left = MOST;
    let mut out = Vec::new();
    let mut rest = 0;
    for error in &errors.errors {
        let told = of_load_error(error, left);
        rest += count(error) - told.len();
        left -= told.len();
        out.extend(told);
    }
    out.extend(others(rest));
    out
}

/// A message about a document; one that does not say what it is has no identity.
fn about(identity: &str, message: &str) -> String {
    if identity.is_empty() { message.to_owned() } else { format!("{identity}: {message}") }
}

/// The diagnostics of one error, as many as are left.
fn of_load_error(error: &LoadError, left: usize) -> Vec<Diagnostic> {
    if left == 0 {
        return Vec::new();
    }
    let plain =
        |message: String, at, help| Diagnostic { severity: Severity::Error, message, at, help };
    let LoadError::Document { identity, cause, .. } = error else {
        return vec![plain(error.to_string(), error.position(), None)];
    };
    let identity = identity.trim_matches('/');
    let unknown_key = |(key, at): &(String, Position)| {
        let help = nearest(key).map(|name| format!("did you mean {name:?}?"));
        plain(about(identity, &format!("unknown key {key:?}")), Some(*at), help)
    };
    match cause {
        DocumentError::Types { errors, unknown } => {
            let types = errors
                .iter()
                .map(|error| plain(about(identity, &error.message), Some(error.at), None));
            types.chain(unknown.iter().map(unknown_key)).take(left).collect()
        }
        DocumentError::UnknownKeys { places, .. } => {
            places.iter().take(left).map(unknown_key).collect()
        }
        DocumentError::NotRegistered { kind, .. } => {
            let kinds = crate::catalog::KINDS.iter().map(|info| info.kind);
            let help = closest(kind, kinds).map(|name| format!("did you mean {name:?}?"));
            vec![plain(about(identity, &cause.to_string()), error.position(), help)]
        }
        DocumentError::MissingKind | DocumentError::MissingApiVersion => {
            let help = "a document begins with apiVersion and kind, or with version: v1alpha1 and machine or cluster";
            vec![plain(
                about(identity, &cause.to_string()),
                error.position(),
                Some(help.to_owned()),
            )]
        }
    }
}

/// What validation has to tell; a hundred things at most.
#[must_use]
pub fn of_report(report: &Report, config: &Config) -> Vec<Diagnostic> {
    let places = config.source.iter().flat_map(|source| source.places.iter());
    let places: HashMap<&Identity, &Node> =
        places.map(|(identity, root)| (identity, root)).collect();
    let place =
        |document: Option<&Identity>, path: &[String]| Some(locate(places.get(document?)?, path));
    let mut told: Vec<Diagnostic> = report
        .findings
        .iter()
        .take(MOST)
        .map(|located| {
            let shown = match &located.document {
                Some(identity) if identity.kind.is_empty() => "v1alpha1: ".to_owned(),
                Some(identity) if identity.name.is_empty() => format!("{}: ", identity.kind),
                Some(identity) => format!("{}/{}: ", identity.kind, identity.name),
                None => String::new(),
            };
            Diagnostic {
                severity: located.finding.severity,
                message: format!("{shown}{}", located.finding.message),
                at: place(located.document.as_ref(), &located.finding.path),
                help: None,
            }
        })
        .collect();
    told.extend(others(report.findings.len() - told.len()));
    told
}

/// A note about what is not told.
fn others(count: usize) -> Option<Diagnostic> {
    let message = format!("and {count} more problems");
    (count > 0).then_some(Diagnostic { severity: Severity::Error, message, at: None, help: None })
}

/// What the search for deprecated fields has to tell.
#[must_use]
pub fn of_lint(found: &[crate::lint::Lint], config: &Config) -> Vec<Diagnostic> {
    let places = config.source.as_ref().map(|source| &source.places);
    let root = places.and_then(|places| places.iter().find(|(id, _)| id.kind.is_empty()));
    found
        .iter()
        .map(|lint| {
            let path = lint.path.replace('[', ".").replace(']', "");
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            Diagnostic {
                severity: Severity::Warning,
                message: lint.message(),
                at: root.map(|(_, root)| locate(root, &path)),
                help: None,
            }
        })
        .collect()
}

/// The place of the deepest part of a path that the text has.
fn locate(root: &Node, path: &[String]) -> Position {
    let mut node = root;
    let mut at = root.at;
    for step in path {
        if let Some(entry) = node.find(step) {
            at = entry.at;
            node = &entry.value;
        } else if let Some(item) =
            node.items().and_then(|items| items.get(step.parse::<usize>().ok()?))
        {
            at = item.at;
            node = item;
        } else {
            break;
        }
    }
    at
}

/// The field name that is nearest to a key, when one is near.
fn nearest(key: &str) -> Option<&'static str> {
    let fields = crate::reference::all_fields();
    closest(key, fields.into_iter().map(|(_, field)| field.name))
}

fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // No name of the language is nearly that long.
    if word.len() > 100 {
        return None;
    }
    let most = (word.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must change to make one word of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (number, l) in left.chars().enumerate() {
        let mut corner = number;
        let mut before = number + 1;
        for (at, r) in right.iter().enumerate() {
            let above = row.get(at + 1).copied().unwrap_or(usize::MAX);
            let value = (corner + usize::from(l != *r)).min(before + 1).min(above + 1);
            corner = above;
            if let Some(slot) = row.get_mut(at) {
                *slot = before;
            }
            before = value;
        }
        if let Some(last) = row.last_mut() {
            *last = before;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_point_and_suggest() {
        let text = "machine:\n    type: worker\n    nettwork: {}\n";
        let errors = crate::load(text.as_bytes()).expect_err("unknown key");
        let [diagnostic] = of_load(&errors).try_into().expect("one");
        assert_eq!(
            diagnostic.render("worker.yaml", text),
            "error: v1alpha1: unknown key \"nettwork\"\n --> worker.yaml:3:5\n  |\n3 |     nettwork: {}\n  |     ^^^^^^^^\nhelp: did you mean \"network\"?\n"
        );
    }

    #[test]
    fn wrong_types_and_unknown_keys_are_told_together() {
        let text = "machine:\n    type: [a]\n    nettwork: {}\n";
        let errors = crate::load(text.as_bytes()).expect_err("two problems");
        let told = of_load(&errors);
        let lines: Vec<_> = told.iter().filter_map(|d| d.at).map(|at| at.line).collect();
        assert_eq!(lines, [2, 3], "{told:?}");
    }

    #[test]
    fn what_is_told_is_bounded() {
        let keys: String = (0..1000).map(|n| format!("    k{n}: v\n")).collect();
        let errors = crate::load(format!("machine:\n{keys}").as_bytes()).expect_err("unknown keys");
        let told = of_load(&errors);
        assert_eq!(told.len(), MOST + 1);
        assert_eq!(told.last().map(|d| d.message.as_str()), Some("and 900 more problems"));
    }

    #[test]
    fn findings_point_at_their_field() {
        let text = "version: v1alpha1\nmachine: {type: worker, ca: {crt: YQ==}}\ncluster: {}\n---\napiVersion: v1alpha1\nkind: KubePrismConfig\nport: 70000\n";
        let config = crate::load(text.as_bytes()).expect("loads");
        let report = crate::validate::validate(
            &config,
            crate::validate::Options::local(crate::validate::Mode::Metal),
        );
        let [diagnostic] = of_report(&report, &config).try_into().expect("one");
        assert_eq!(diagnostic.at, Some(Position { line: 7, column: 1 }));
    }

    #[test]
    fn distances() {
        assert_eq!(distance("nettwork", "network"), 1);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
