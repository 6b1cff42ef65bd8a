//! YAML values as JSON and as one cell of a table.

use serde_json::{Map, Number, Value as Json};
use yaml::{Value, path};

/// The value as JSON.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::Number((*value).into()),
        Value::Uint(value) => Json::Number((*value).into()),
        Value::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::Plain(text) => match yaml::resolve(text) {
            yaml::Resolved::Int(value) => Json::Number(value.into()),
            yaml::Resolved::Uint(value) => Json::Number(value.into()),
            yaml::Resolved::Float(value) => {
                Number::from_f64(value).map_or(Json::Null, Json::Number)
            }
            _ => Json::String(text.clone()),
        },
        Value::String(text) => Json::String(text.clone()),
        Value::Seq(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(entries) => Json::Object(
            entries.iter().map(|(key, value)| (key.clone(), to_json(value))).collect::<Map<_, _>>(),
        ),
    }
}

/// The value as a cell: text as it is, lists and mappings as JSON.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) | Value::Plain(text) => text.clone(),
        other => to_json(other).to_string(),
    }
}

/// JSON with an indent of four.
pub(crate) fn pretty(value: &Json) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(value, &mut serializer)?;
    bytes.push(b'\n');
    Ok(String::from_utf8(bytes)?)
}

/// A template evaluated on a value, several results of one expression separated by a space.
pub(crate) fn render(template: &path::Template, root: &Value) -> String {
    template
        .evaluate(root)
        .into_iter()
        .map(|piece| match piece {
            path::Piece::Text(text) => text.to_owned(),
            path::Piece::Values(values) => {
                values.into_iter().map(cell).collect::<Vec<_>>().join(" ")
            }
        })
        .collect()
}

/// JSON as a YAML value.
pub(crate) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value),
            (_, Some(value)) => Value::Uint(value),
            _ => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Seq(items.iter().map(from_json).collect()),
        Json::Object(entries) => {
            entries.iter().map(|(key, value)| (key.clone(), from_json(value))).collect()
        }
    }
}
