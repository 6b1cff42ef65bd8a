//! A document of every kind with every field set, made from the field tables: it loads, comes out
//! unchanged, merges into itself as the rules say, and keeps no secret when redacted.

use config::catalog::KINDS;
use config::field::Shape;
use config::patch;
use config::reference::v1alpha1;
use config::section::SectionInfo;
use yaml::Value;

/// Stands in every secret field.
const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQ=";

fn value(shape: &Shape, secret: bool) -> Value {
    if secret {
        match shape {
            Shape::Text | Shape::Format("base64") => return SECRET.into(),
            Shape::Format("URL") => return format!("https://{SECRET}@h/?{SECRET}").into(),
            Shape::Free => return Value::Map(vec![("a".to_owned(), SECRET.into())]),
            Shape::Map(_) => return Value::Map(vec![("a".to_owned(), SECRET.into())]),
            other => panic!("a secret of the shape {other:?}"),
        }
    }
    let pair = |keys: &[&str]| {
        keys.iter()
            .map(|key| {
                let text = if *key == "key" { SECRET } else { "YWJj" };
                ((*key).to_owned(), text.into())
            })
            .collect()
    };
    match shape {
        Shape::Bool => true.into(),
        Shape::Integer { max: 0o7777, .. } => Value::Plain("0o640".to_owned()),
        Shape::Integer { .. } => Value::Int(7),
        Shape::Text => "text".into(),
        Shape::Format(name) => match *name {
            "duration" => "1m0s".into(),
            "URL" => "https://host/path".into(),
            "IP address" => "10.0.0.1".into(),
            "IP prefix" => "10.0.0.0/8".into(),
            "ip:port" => "10.0.0.1:80".into(),
            "hardware address" => "02:00:00:00:00:01".into(),
            "byte size" => "1GiB".into(),
            "byte size or percentage" => "50%".into(),
            "routing table" => "100".into(),
            "disk size condition" => ">= 1GB".into(),
            "CEL expression" => "1 == 1".into(),
            "base64" => "YWJj".into(),
            "certificate and key" => pair(&["crt", "key"]),
            "certificate" => pair(&["crt"]),
            "key" => pair(&["key"]),
            other => panic!("no value for the form {other:?}"),
        },
        Shape::NumberOrFormat("byte size") => "10GB".into(),
        Shape::NumberOrFormat("port range") => Value::Int(80),
        Shape::NumberOrFormat(other) => panic!("no value for the form {other:?}"),
        Shape::Choice(words) => words.last().copied().unwrap_or_default().into(),
        Shape::Section(section) => whole(*section),
        Shape::List(item) => Value::Seq(vec![value(item, false)]),
        Shape::Map(item) => Value::Map(vec![("key".to_owned(), value(item, false))]),
        Shape::Free => Value::Map(vec![
            ("list".to_owned(), Value::Seq(vec![Value::Int(1)])),
            ("map".to_owned(), Value::Map(vec![("a".to_owned(), "b".into())])),
        ]),
        Shape::TextOrList => Value::Seq(vec!["a".into(), "b".into()]),
    }
}

/// A mapping with every field of a section.
fn whole(section: SectionInfo) -> Value {
    let fields = section.flat().into_iter();
    fields.map(|field| (field.name.to_owned(), value(&(field.shape)(), field.secret))).collect()
}

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
    let header = |kind: &str| {
        vec![("apiVersion".to_owned(), "v1alpha1".into()), ("kind".to_owned(), kind.into())]
    };
    let others = KINDS.iter().map(|info| {
        let mut entries = header(info.kind);
        entries.extend(whole(info.section).as_map().expect("a mapping").to_vec());
        (info.kind, info.section, Value::Map(entries))
    });
    let first = ("v1alpha1", v1alpha1(), whole(v1alpha1()));
    std::iter::once(first).chain(others).collect()
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
