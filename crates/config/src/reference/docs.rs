//! The reference documentation: one page per kind, in Markdown.

use std::fmt::Write as _;

use super::{shape_name, v1alpha1};
use crate::catalog;
use crate::field::Shape;
use crate::section::{FieldInfo, SectionInfo};

/// The list of all pages.
#[must_use]
pub fn index() -> String {
    let mut out = String::from(
        "# Configuration reference\n\n\
         A configuration is a stream of YAML documents: one `v1alpha1` document and any number of documents with a kind.\n\
         These pages are generated from the program; `ichorctl machineconfig explain KIND.FIELD` shows the same.\n\n\
         * [v1alpha1](v1alpha1.md): the machine, its role and its trust\n",
    );
    let mut groups: Vec<&str> = catalog::KINDS.iter().map(|info| info.group).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let _ = writeln!(out, "\n## {}\n", title(group));
        let _ = writeln!(out, "| kind | since | what it configures |\n|---|---|---|");
        for info in catalog::KINDS.iter().filter(|info| info.group == group) {
            let docs = info.section.docs.lines().next().unwrap_or_default();
            let _ = writeln!(out, "| [{0}]({0}.md) | {1} | {docs} |", info.kind, info.since);
        }
    }
    out
}

fn title(group: &str) -> String {
    let mut letters = group.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The page of a kind, or of the v1alpha1 document.
#[must_use]
pub fn page(kind: &str) -> Option<String> {
    let info = catalog::kind(kind);
    let (section, example) = match info {
        Some(info) => (info.section, info.example),
        None if kind == "v1alpha1" => (v1alpha1(), crate::v1alpha1::EXAMPLE),
        None => return None,
    };
    let mut out = format!("# {kind}\n\n{}\n\n", section.docs);
    if let Some(info) = info {
        let many = if info.named {
            "There may be several, told apart by `name`."
        } else {
            "There is at most one."
        };
        let _ = writeln!(out, "Known since {}. {many}", info.since);
        if info.control_plane {
            out.push_str("Control planes only.\n");
        }
        if !info.effect.is_empty() {
            let _ = writeln!(out, "A change: {}.", info.effect);
        }
        out.push('\n');
    }
    let _ = writeln!(out, "## Example\n\n```yaml\n{example}```\n\n## Fields\n");
    table(section, "", &mut out);
    Some(out)
}

/// The fields of a section, then the sections below it.
fn table(section: SectionInfo, prefix: &str, out: &mut String) {
    let _ = writeln!(out, "| field | takes | meaning |\n|---|---|---|");
    let fields = section.flat();
    for field in &fields {
        let shape = (field.shape)();
        let name = format!("{prefix}{}", field.name);
        let _ =
            writeln!(out, "| `{name}` | {} | {} |", escape(&shape_name(&shape)), meaning(field));
    }
    out.push('\n');
    for field in fields {
        let name = format!("{prefix}{}", field.name);
        if let Some((inner, path)) = inner((field.shape)(), name)
            && !inner.flat().is_empty()
        {
            let _ = writeln!(out, "### `{path}`\n\n{}\n", inner.docs);
            table(inner, &format!("{path}."), out);
        }
    }
}

fn inner(shape: Shape, path: String) -> Option<(SectionInfo, String)> {
    match shape {
        Shape::Section(section) => Some((section, path)),
        Shape::List(item) => inner(*item, format!("{path}[]")),
        Shape::Map(item) => inner(*item, format!("{path}.<key>")),
        _ => None,
    }
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|")
}

fn meaning(field: &FieldInfo) -> String {
    let mut out = field.docs.replace('\n', " ");
    let mut add = |text: String| {
        out.push(' ');
        out.push_str(&text);
    };
    if field.required {
        add("Required.".to_owned());
    }
    if !field.default.is_empty() {
        add(format!("Default: `{}`.", field.default));
    }
    if !field.values.is_empty() {
        add(format!("One of: {}.", field.values));
    }
    if !field.since.is_empty() {
        add(format!("Since {}.", field.since));
    }
    if field.replace {
        add("A patch replaces the value.".to_owned());
    }
    if field.secret {
        add("Secret.".to_owned());
    }
    if !field.instead.is_empty() {
        add(format!("Deprecated: use {}.", field.instead));
    }
    if !field.effect.is_empty() {
        add(format!("A change: {}.", field.effect));
    }
    escape(&out)
}
