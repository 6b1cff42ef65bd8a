//! Between the unstructured objects of resources and the JSON documents of Kubernetes.

use resource::types::Object;
use serde_json::{Map, Number, Value as Json};
use yaml::Value as Yaml;

/// A value of a resource as JSON. Numbers that JSON does not have become null.
pub(crate) fn json(value: &Yaml) -> Json {
    match value {
        Yaml::Null => Json::Null,
        Yaml::Bool(value) => Json::Bool(*value),
        Yaml::Int(value) => Json::from(*value),
        Yaml::Uint(value) => Json::from(*value),
        Yaml::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Yaml::String(value) | Yaml::Plain(value) => Json::String(value.clone()),
        Yaml::Seq(items) => Json::Array(items.iter().map(json).collect()),
        Yaml::Map(entries) => {
            entries.iter().map(|(key, value)| (key.clone(), json(value))).collect()
        }
    }
}

/// A JSON value as resources hold it.
pub(crate) fn yaml(value: &Json) -> Yaml {
    match value {
        Json::Null => Yaml::Null,
        Json::Bool(value) => Yaml::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Yaml::Int(value),
            (None, Some(value)) => Yaml::Uint(value),
            (None, None) => Yaml::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(value) => Yaml::String(value.clone()),
        Json::Array(items) => Yaml::Seq(items.iter().map(yaml).collect()),
        Json::Object(entries) => {
            Yaml::Map(entries.iter().map(|(key, value)| (key.clone(), yaml(value))).collect())
        }
    }
}

/// A document as a resource holds it; anything but a map becomes the empty object.
pub(crate) fn object(document: &Json) -> Object {
    Object::from_value(yaml(document)).unwrap_or_default()
}

/// The fields of a resource's object.
pub(crate) fn fields(object: &Object) -> Map<String, Json> {
    object.0.iter().map(|(key, value)| (key.clone(), json(value))).collect()
}

/// A resource's object as a document.
pub(crate) fn document(object: &Object) -> Json {
    Json::Object(fields(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let original = serde_json::json!({
            "a": [1, -2, 1.5, true, null, "x"], "big": u64::MAX, "nested": { "z": {}, "b": [] },
        });
        assert_eq!(document(&object(&original)), original);
    }
}
