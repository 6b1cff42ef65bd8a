//! Documents made from the field tables: every field, or any choice of fields, with a value of its form.

use config::field::Shape;
use config::section::SectionInfo;
use yaml::Value;

/// Stands in every secret field.
pub(crate) const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQ=";

fn value(shape: &Shape, secret: bool, take: &mut dyn FnMut() -> bool) -> Value {
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
        Shape::Section(section) => some(*section, take),
        Shape::List(item) => Value::Seq(vec![value(item, false, take)]),
        Shape::Map(item) => Value::Map(vec![("key".to_owned(), value(item, false, take))]),
        Shape::Free => Value::Map(vec![
            ("list".to_owned(), Value::Seq(vec![Value::Int(1)])),
            ("map".to_owned(), Value::Map(vec![("a".to_owned(), "b".into())])),
        ]),
        Shape::TextOrList => Value::Seq(vec!["a".into(), "b".into()]),
    }
}

/// A mapping with the fields of a section that are taken.
pub(crate) fn some(section: SectionInfo, take: &mut dyn FnMut() -> bool) -> Value {
    let mut out = Vec::new();
    for field in section.flat() {
        // What is always written and what tells documents apart is always there.
        if field.keep || field.name == "name" || take() {
            out.push((field.name.to_owned(), value(&(field.shape)(), field.secret, take)));
        }
    }
    Value::Map(out)
}

/// A document of a kind with its header.
pub(crate) fn document(kind: &str, section: SectionInfo, take: &mut dyn FnMut() -> bool) -> Value {
    let mut entries = if kind == "v1alpha1" {
        Vec::new()
    } else {
        vec![("apiVersion".to_owned(), "v1alpha1".into()), ("kind".to_owned(), kind.into())]
    };
    entries.extend(some(section, take).as_map().expect("a mapping").to_vec());
    Value::Map(entries)
}
