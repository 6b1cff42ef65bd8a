//! The language as data: every field of every document, what it means, and an example. From here
//! come `explain`, the JSON schema and the reference documentation.

mod docs;
mod explain;
mod schema;

pub use docs::{index, page};
pub use explain::{ExplainError, Explanation, explain};
pub use schema::schema;

use crate::catalog;
use crate::field::Shape;
use crate::section::{FieldInfo, Section, SectionInfo};
use crate::v1alpha1::V1Alpha1;

/// The fields of the v1alpha1 document.
#[must_use]
pub fn v1alpha1() -> SectionInfo {
    SectionInfo { docs: V1Alpha1::DOCS, fields: V1Alpha1::FIELDS }
}

/// Every document with its fields; the v1alpha1 document first.
pub fn sections() -> impl Iterator<Item = (&'static str, SectionInfo)> {
    let others = catalog::KINDS.iter().map(|info| (info.kind, info.section));
    std::iter::once(("v1alpha1", v1alpha1())).chain(others)
}

/// Every field with its path from the root of its document; `[]` stands for an item of a list and
/// `<key>` for a free key.
#[must_use]
pub fn all_fields() -> Vec<(String, &'static FieldInfo)> {
    let mut out = Vec::new();
    for (kind, section) in sections() {
        walk(kind, section, &mut out);
    }
    out
}

fn walk(path: &str, section: SectionInfo, out: &mut Vec<(String, &'static FieldInfo)>) {
    for field in section.flat() {
        let path = format!("{path}.{}", field.name);
        out.push((path.clone(), field));
        below(&path, &(field.shape)(), out);
    }
}

fn below(path: &str, shape: &Shape, out: &mut Vec<(String, &'static FieldInfo)>) {
    match shape {
        Shape::Section(section) => walk(path, *section, out),
        Shape::List(item) => below(&format!("{path}[]"), item, out),
        Shape::Map(item) => below(&format!("{path}.<key>"), item, out),
        _ => {}
    }
}

/// What values a shape takes, in words.
#[must_use]
pub fn shape_name(shape: &Shape) -> String {
    match shape {
        Shape::Bool => "bool".to_owned(),
        Shape::Integer { .. } => "integer".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Format(name) | Shape::NumberOrFormat(name) => (*name).to_owned(),
        Shape::Choice(words) => words.join(" | "),
        Shape::Section(_) => "mapping".to_owned(),
        Shape::List(item) => format!("list of {}", shape_name(item)),
        Shape::Map(item) => format!("mapping of {}", shape_name(item)),
        Shape::Free => "any mapping".to_owned(),
        Shape::TextOrList => "text or list of text".to_owned(),
    }
}
