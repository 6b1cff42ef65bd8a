//! A document of every kind with every field set, made from the field tables: it loads, comes out
//! unchanged, merges into itself as the rules say, and keeps no secret when redacted.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod sample;

use config::field::Shape;
use config::patch;
use config::reference::sections;
use config::section::SectionInfo;
use sample::SECRET;
use yaml::Value;

/// What a section is after it was merged into itself.
fn doubled(section: SectionInfo, value: &Value) -> Value {
    let fields = section.flat();
    let entries = value.as_map().expect("a mapping").iter();
    entries
        .map(|(key, value)| {
            let Some(field) = fields.iter().find(|field| field.name == key) else {
                return (key.clone(), value.clone());
            };
            let shape = (field.shape)();
            (key.clone(), doubled_value(&shape, value, field.replace, field.keyed))
        })
        .collect()
}

fn doubled_value(shape: &Shape, value: &Value, replace: bool, keyed: bool) -> Value {
    match (shape, value) {
        _ if replace => value.clone(),
        (Shape::Section(section), value) => doubled(*section, value),
        (Shape::List(item), Value::Seq(items)) => {
            // A selector by `physical` is never the same, an image rule is replaced.
            let inner = |item: &Shape, value: &Value| match item {
                Shape::Section(section) if value.entry("image").is_none() => {
                    doubled(*section, value)
                }
                _ => value.clone(),
            };
            if keyed {
                Value::Seq(items.iter().map(|value| inner(item, value)).collect())
            } else {
                Value::Seq(items.iter().chain(items).cloned().collect())
            }
        }
        (Shape::Map(item), Value::Map(entries)) => entries
            .iter()
            .map(|(key, value)| (key.clone(), doubled_value(item, value, false, false)))
            .collect(),
        (Shape::Free, Value::Map(entries)) => entries
            .iter()
            .map(|(key, value)| (key.clone(), doubled_value(&Shape::Free, value, false, false)))
            .collect(),
        (Shape::Free, Value::Seq(items)) => {
            Value::Seq(items.iter().chain(items).cloned().collect())
        }
        _ => value.clone(),
    }
}

/// The whole document of every kind, the v1alpha1 document first.
fn documents() -> Vec<(&'static str, SectionInfo, Value)> {
    sections()
        .map(|(kind, section)| (kind, section, sample::document(kind, section, &mut || true)))
        .collect()
}

fn load(kind: &str, text: &str) -> config::Config {
    config::load(text.as_bytes()).unwrap_or_else(|errors| panic!("{kind}: {errors}\n{text}"))
}

#[test]
fn every_field_is_read_and_written() {
    for (kind, _, value) in documents() {
        let text = yaml::to_string(&value);
        assert_eq!(load(kind, &text).encode(), text, "{kind}");
    }
}

#[test]
fn merging_a_document_into_itself() {
    for (kind, section, value) in documents() {
        let text = yaml::to_string(&value);
        let patch = patch::load(text.as_bytes()).expect("a patch");
        let merged = patch::apply_to(&load(kind, &text), &[patch]).expect("merges");
        assert_eq!(merged.encode(), yaml::to_string(&doubled(section, &value)), "{kind}");
    }
}

#[test]
fn redaction_leaves_no_secret() {
    for (kind, _, value) in documents() {
        let text = yaml::to_string(&value);
        let had = text.matches(SECRET).count();
        let redacted = load(kind, &text).redacted("******").encode();
        assert!(!redacted.contains(SECRET), "{kind}:\n{redacted}");
        // Keys of legacy pairs are written in base64, the marker as it is.
        let marks = redacted.matches("******").count();
        assert_eq!(marks, had, "{kind}:\n{redacted}");
        load(kind, &redacted);
    }
    let secrets = documents().iter().filter(|d| yaml::to_string(&d.2).contains(SECRET)).count();
    assert_eq!(secrets, 16, "the number of documents with secrets");
}

#[test]
fn every_field_can_be_deleted() {
    for (kind, section, value) in documents() {
        let config = load(kind, &yaml::to_string(&value));
        for field in section.flat() {
            if matches!(field.name, "name" | "version") {
                continue;
            }
            let mark = Value::Map(vec![("$patch".to_owned(), "delete".into())]);
            let mut entries: Vec<(String, Value)> = value
                .as_map()
                .expect("a mapping")
                .iter()
                .filter(|(key, _)| matches!(key.as_str(), "apiVersion" | "kind" | "name"))
                .cloned()
                .collect();
            entries.push((field.name.to_owned(), mark));
            let text = yaml::to_string(&Value::Map(entries));
            let patch =
                patch::load(text.as_bytes()).unwrap_or_else(|e| panic!("{kind}: {e}\n{text}"));
            let after =
                patch::apply_to(&config, &[patch]).unwrap_or_else(|e| panic!("{kind}: {e}"));
            assert_ne!(after.encode(), config.encode(), "{kind}.{}", field.name);
        }
    }
}
