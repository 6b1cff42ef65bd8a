//! The checks of the kinds, one file per part of the system.

mod cluster;
mod kubernetes;
mod link;
mod network;
mod registry;
mod runtime;
mod storage;
mod workload;

use crate::Free;
use crate::cel::{Environment, Type};
use crate::finding::Findings;
use crate::scalar::{Duration, Expression};

/// An error when a document that goes by name has none.
fn named(name: &str, findings: &mut Findings) {
    if name.is_empty() {
        findings.error("name", "name must be specified");
    }
}

/// An error when a duration is below a bound.
fn at_least(value: Option<Duration>, bound: Duration, path: &str, findings: &mut Findings) {
    if value.is_some_and(|value| value < bound) {
        let message = if bound == Duration::default() {
            format!("{path} must not be negative")
        } else {
            format!("{path} must be at least {bound}")
        };
        findings.error(path, message);
    }
}

/// Errors of an expression that must be there.
fn expression(
    expression: &Expression,
    environment: Environment,
    want: Type,
    path: &str,
    findings: &mut Findings,
) {
    if expression.0.is_empty() {
        return;
    }
    if let Err(error) = crate::cel::check(&expression.0, environment, want) {
        findings.error(path, format!("{path} is invalid: {error}"));
    }
}

/// What keeps free-form changes from being an OCI runtime specification.
pub(crate) fn runtime_spec(overrides: &Free) -> Result<(), String> {
    let Some(value) = overrides.value() else { return Ok(()) };
    let mut base = serde_json::to_value(oci_spec::runtime::Spec::default())
        .map_err(|error| error.to_string())?;
    merge_json(&mut base, json(value));
    serde_json::from_value::<oci_spec::runtime::Spec>(base)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn merge_json(base: &mut serde_json::Value, patch: serde_json::Value) {
    match (base, patch) {
        (serde_json::Value::Object(base), serde_json::Value::Object(patch)) => {
            for (key, value) in patch {
                merge_json(base.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (base, patch) => *base = patch,
    }
}

/// A value as JSON.
pub(crate) fn json(value: &yaml::Value) -> serde_json::Value {
    match value {
        yaml::Value::Null => serde_json::Value::Null,
        yaml::Value::Bool(value) => (*value).into(),
        yaml::Value::Int(value) => (*value).into(),
        yaml::Value::Uint(value) => (*value).into(),
        yaml::Value::Float(value) => (*value).into(),
        yaml::Value::String(text) | yaml::Value::Plain(text) => text.as_str().into(),
        yaml::Value::Seq(items) => items.iter().map(json).collect(),
        yaml::Value::Map(entries) => {
            entries.iter().map(|(key, value)| (key.clone(), json(value))).collect()
        }
    }
}
