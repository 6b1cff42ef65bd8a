//! The JSON schema of the language, for editors.

use serde_json::{Map, Value, json};

use super::{sections, v1alpha1};
use crate::catalog;
use crate::field::Shape;
use crate::section::{FieldInfo, SectionInfo};

/// The schema of one document of a configuration, of any kind. Editors choose the branch by `kind`.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Map::new();
    for (kind, section) in sections() {
        let info = catalog::kind(kind);
        let mut object = object(section);
        if let (Some(info), Value::Object(fields)) = (info, &mut object) {
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                properties.insert("apiVersion".to_owned(), json!({ "const": "v1alpha1" }));
                properties.insert("kind".to_owned(), json!({ "const": info.kind }));
            }
            if let Some(Value::Array(required)) = fields.get_mut("required") {
                required.extend([json!("apiVersion"), json!("kind")]);
            }
        }
        definitions.insert(kind.to_owned(), object);
    }
    let branches: Vec<Value> = catalog::KINDS
        .iter()
        .map(|info| {
            json!({
                "if": { "required": ["kind"], "properties": { "kind": { "const": info.kind } } },
                "then": { "$ref": format!("#/$defs/{}", info.kind) },
            })
        })
        .chain([json!({
            "if": { "not": { "required": ["kind"] } },
            "then": { "$ref": "#/$defs/v1alpha1" },
        })])
        .collect();
    let kinds: Vec<&str> = catalog::KINDS.iter().map(|info| info.kind).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Ichor machine configuration",
        "description": v1alpha1().docs,
        "type": "object",
        "properties": { "kind": { "enum": kinds } },
        "allOf": branches,
        "$defs": definitions,
    })
}

fn object(section: SectionInfo) -> Value {
    let fields = section.flat();
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({
        "type": "object",
        "description": section.docs,
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    })
}

fn property(field: &FieldInfo) -> Value {
    let mut value = shape(&(field.shape)());
    if let Value::Object(fields) = &mut value {
        let mut docs = field.docs.to_owned();
        if !field.default.is_empty() {
            docs = format!("{docs}\nDefault: {}.", field.default);
        }
        if !field.instead.is_empty() {
            docs = format!("{docs}\nDeprecated: use {}.", field.instead);
        }
        fields.insert("description".to_owned(), docs.into());
        if !field.instead.is_empty() || field.ignored {
            fields.insert("deprecated".to_owned(), true.into());
        }
        if !field.values.is_empty() && fields.get("type") == Some(&json!("string")) {
            let words: Vec<&str> = field.values.split(", ").collect();
            fields.insert("enum".to_owned(), json!(words));
        }
    }
    value
}

fn shape(of: &Shape) -> Value {
    match of {
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Text => json!({ "type": "string" }),
        Shape::Format("certificate and key") => pem(&["crt", "key"]),
        Shape::Format("certificate") => pem(&["crt"]),
        Shape::Format("key") => pem(&["key"]),
        // YAML readers take some of these for numbers, such as the size 100.
        Shape::Format("byte size" | "byte size or percentage" | "routing table") => {
            json!({ "type": ["string", "integer"] })
        }
        Shape::Format(_) => json!({ "type": "string" }),
        Shape::NumberOrFormat(_) => json!({ "type": ["string", "integer"] }),
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::Section(section) => object(*section),
        Shape::List(item) => json!({ "type": "array", "items": shape(item) }),
        Shape::Map(item) => json!({ "type": "object", "additionalProperties": shape(item) }),
        Shape::Free => json!({ "type": "object" }),
        Shape::TextOrList => {
            json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
        }
    }
}

fn pem(keys: &[&str]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| {
            ((*key).to_owned(), json!({ "type": "string", "description": "PEM in base64." }))
        })
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}
