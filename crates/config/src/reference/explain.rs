//! `explain`: everything the language says about one field.

use yaml::Value;

use super::{shape_name, v1alpha1};
use crate::catalog;
use crate::field::Shape;
use crate::section::{FieldInfo, SectionInfo};

/// What the language says about a document or a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The full path.
    pub path: String,
    /// What values it takes.
    pub kind: String,
    /// What it means.
    pub docs: String,
    /// What its absence means.
    pub default: Option<String>,
    /// The accepted words.
    pub values: Option<String>,
    /// The first release that knows it.
    pub since: String,
    /// What replaces it, when it is deprecated.
    pub instead: Option<String>,
    /// What changing it does to a running node.
    pub effect: String,
    /// How it can look, as YAML.
    pub example: Option<String>,
    /// The fields below it: name and the first line of their meaning.
    pub fields: Vec<(String, String)>,
}

/// A path that leads to no field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// The first word is no document.
    #[error("there is no document {0:?}: want machine, cluster or one of the kinds")]
    Document(String),
    /// No such field.
    #[error("{parent} has no field {field:?}: it has {fields}")]
    Field {
        /// Where it was looked for.
        parent: String,
        /// The field.
        field: String,
        /// What is there.
        fields: String,
    },
    /// The parent has no fields with names of their own.
    #[error("{parent} is {kind}: no field below it has a name of its own")]
    Leaf {
        /// Where it was looked for.
        parent: String,
        /// What it is.
        kind: String,
    },
}

/// Explains a path such as `machine.network`, `HostnameConfig` or `VolumeConfig.provisioning.minSize`.
/// Items of lists may be written `[]` or with a number, free keys as they are.
///
/// # Errors
/// When the path leads to no field.
pub fn explain(path: &str) -> Result<Explanation, ExplainError> {
    let cleaned = path.trim_start_matches('.').replace("[]", "").replace(['[', ']'], ".");
    let mut steps = cleaned.split('.').filter(|step| !step.is_empty());
    let first = steps.next().unwrap_or("v1alpha1");
    let info = catalog::KINDS.iter().find(|info| info.kind.eq_ignore_ascii_case(first));
    let mut effect = info.map_or("", |info| info.effect);
    let (mut section, since, example, mut shown, mut rest) = match info {
        Some(info) => {
            let rest: Vec<&str> = steps.collect();
            (info.section, info.since, info.example, info.kind.to_owned(), rest)
        }
        None => {
            let mut rest: Vec<&str> = steps.collect();
            if first != "v1alpha1" {
                if !super::v1alpha1().flat().iter().any(|field| field.name == first) {
                    return Err(ExplainError::Document(first.to_owned()));
                }
                rest.insert(0, first);
            }
            (v1alpha1(), "1.0", crate::v1alpha1::EXAMPLE, String::new(), rest)
        }
    };
    let value = yaml::parse(example.as_bytes()).ok();
    let mut value = value.and_then(|documents| Some(documents.first()?.root.to_value()));
    if rest.is_empty() {
        let name = if shown.is_empty() { "v1alpha1".to_owned() } else { shown };
        return Ok(Explanation {
            path: name,
            kind: "document".to_owned(),
            docs: section.docs.to_owned(),
            default: None,
            values: None,
            since: since.to_owned(),
            instead: None,
            effect: given(effect).unwrap_or_else(|| EFFECT.to_owned()),
            example: Some(example.to_owned()),
            fields: summaries(section),
        });
    }
    let mut since = since.to_owned();
    let mut field: Option<&'static FieldInfo> = None;
    // What replaces a field replaces everything below it.
    let mut instead = "";
    let mut shape = Shape::Section(section);
    rest.reverse();
    while let Some(step) = rest.pop() {
        // A list is looked through, and so is a number that stands for one of its items.
        while let Shape::List(item) = shape {
            shape = *item;
            value = value.and_then(|value| value.as_seq().and_then(|items| items.first().cloned()));
        }
        if step.bytes().all(|b| b.is_ascii_digit()) && field.is_some() {
            continue;
        }
        match shape {
            Shape::Section(inner) => section = inner,
            Shape::Map(item) => {
                shape = *item;
                value = value.and_then(|value| {
                    value.as_map().and_then(|m| m.first()).map(|(_, v)| v.clone())
                });
                continue;
            }
            other => {
                return Err(ExplainError::Leaf { parent: shown, kind: shape_name(&other) });
            }
        }
        let Some(found) = section.flat().into_iter().find(|field| field.name == step) else {
            let names: Vec<&str> = section.flat().iter().map(|field| field.name).collect();
            let parent = if shown.is_empty() { "the v1alpha1 document".to_owned() } else { shown };
            return Err(ExplainError::Field {
                parent,
                field: step.to_owned(),
                fields: names.join(", "),
            });
        };
        shown = if shown.is_empty() { step.to_owned() } else { format!("{shown}.{step}") };
        value = value.and_then(|value| value.entry(step).cloned());
        if !found.since.is_empty() {
            found.since.clone_into(&mut since);
        }
        if !found.instead.is_empty() {
            instead = found.instead;
        }
        if !found.effect.is_empty() {
            effect = found.effect;
        }
        shape = (found.shape)();
        field = Some(found);
    }
    let (kind, fields) = (shape_name(&shape), fields_of(&shape));
    Ok(field.map_or_else(
        || Explanation {
            path: shown.clone(),
            kind: kind.clone(),
            docs: String::new(),
            default: None,
            values: None,
            since: since.clone(),
            instead: None,
            effect: given(effect).unwrap_or_else(|| EFFECT.to_owned()),
            example: None,
            fields: fields.clone(),
        },
        |field| Explanation {
            path: shown.clone(),
            kind: kind.clone(),
            docs: field.docs.to_owned(),
            default: given(field.default),
            values: given(field.values),
            since: since.clone(),
            instead: if field.ignored {
                Some("nothing: it has no effect any more".to_owned())
            } else {
                given(instead)
            },
            effect: given(effect).unwrap_or_else(|| EFFECT.to_owned()),
            example: value.as_ref().map(|value| {
                yaml::to_string(&Value::Map(vec![(field.name.to_owned(), value.clone())]))
            }),
            fields: fields.clone(),
        },
    ))
}

/// What a change does when nothing else is said.
const EFFECT: &str = "applied at once";

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn summaries(section: SectionInfo) -> Vec<(String, String)> {
    let first = |docs: &str| docs.lines().next().unwrap_or_default().to_owned();
    section.flat().into_iter().map(|field| (field.name.to_owned(), first(field.docs))).collect()
}

fn fields_of(shape: &Shape) -> Vec<(String, String)> {
    match shape {
        Shape::Section(section) => summaries(*section),
        Shape::List(item) | Shape::Map(item) => fields_of(item),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ExplainError, explain};

    #[test]
    fn paths() {
        let field = explain("machine.network.interfaces[].vlans[0].vlanId").expect("field");
        assert_eq!(
            (field.path.as_str(), field.kind.as_str()),
            ("machine.network.interfaces.vlans.vlanId", "integer")
        );
        let field = explain("HostnameConfig.auto").expect("field");
        assert_eq!(
            (field.kind.as_str(), field.since.as_str()),
            ("stable | off | talos-addr", "1.12")
        );
        assert_eq!(field.example.as_deref(), Some("auto: \"off\"\n"));
        let field = explain("machine.registries.mirrors.docker.endpoints").expect("field");
        assert_eq!(field.kind, "list of text");
        let document = explain("hostnameconfig").expect("document");
        assert_eq!(document.fields.len(), 2);
        assert_eq!(explain("machine.persist").map(|e| e.path).ok(), None);
        assert!(matches!(explain("nothing"), Err(ExplainError::Document(_))));
        assert!(matches!(explain("machine.type.x"), Err(ExplainError::Leaf { .. })));
        assert!(
            explain("machine.kubelet").is_ok_and(|e| e.instead.as_deref() == Some("KubeletConfig"))
        );
    }
}
