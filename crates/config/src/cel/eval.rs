//! Evaluation, with a bounded number of steps.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::environment::Environment;
use super::syntax::{Expr, Kind, Macro};
use super::{Type, Value};
use crate::scalar::Duration;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvalError(pub String);

/// The most steps of one evaluation.
const STEPS: usize = 1_000_000;

pub(crate) fn eval(
    root: &Expr,
    environment: Environment,
    variables: &BTreeMap<String, Value>,
) -> Result<Value, EvalError> {
    Evaluator { environment, variables, scope: Vec::new(), steps: 0 }.eval(root)
}

struct Evaluator<'a> {
    environment: Environment,
    variables: &'a BTreeMap<String, Value>,
    scope: Vec<(&'a str, Value)>,
    steps: usize,
}

fn error<T>(message: impl Into<String>) -> Result<T, EvalError> {
    Err(EvalError(message.into()))
}

impl<'a> Evaluator<'a> {
    fn eval(&mut self, expr: &'a Expr) -> Result<Value, EvalError> {
        self.steps += 1;
        if self.steps > STEPS {
            return error("operation cancelled: actual cost limit exceeded");
        }
        match &expr.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Ident(name) => self.lookup(name),
            Kind::Select { operand, field, optional } => {
                let operand = self.eval(operand)?;
                let (operand, lifted) = match operand {
                    Value::Optional(None) => return Ok(Value::Optional(None)),
                    Value::Optional(Some(value)) => (*value, true),
                    other => (other, *optional),
                };
                let found = select(&operand, field);
                match (found, lifted) {
                    (found, true) => Ok(Value::Optional(found.map(Box::new))),
                    (Some(found), false) => Ok(found),
                    (None, false) => error(format!("no such key: {field}")),
                }
            }
            Kind::Has { operand, field } => Ok(Value::Bool(match self.eval(operand)? {
                Value::Object(object, values) => {
                    let of = object.fields.iter().find(|(name, _)| name == field);
                    let zero = of.map(|(_, of)| Value::zero(of));
                    values.get(field.as_str()).is_some_and(|value| Some(value) != zero.as_ref())
                }
                other => select(&other, field).is_some(),
            })),
            Kind::Index { operand, index, optional } => {
                let (operand, index) = (self.eval(operand)?, self.eval(index)?);
                match (self::index(&operand, &index), optional) {
                    (found, true) => Ok(Value::Optional(found.map(Box::new))),
                    (Some(found), false) => Ok(found),
                    (None, false) => error(format!("no such key or index: {}", index.shown())),
                }
            }
            Kind::Call { target, name, args } => self.call(target.as_deref(), name, args),
            Kind::And(left, right) => self.logic(left, right, false),
            Kind::Or(left, right) => self.logic(left, right, true),
            Kind::Choice(condition, yes, no) => match self.eval(condition)? {
                Value::Bool(true) => self.eval(yes),
                Value::Bool(false) => self.eval(no),
                _ => error("no such overload"),
            },
            Kind::List(items) => {
                items.iter().map(|item| self.eval(item)).collect::<Result<_, _>>().map(Value::List)
            }
            Kind::Map(entries) => {
                let mut out: Vec<(Value, Value)> = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let (key, value) = (self.eval(key)?, self.eval(value)?);
                    if out.iter().any(|(other, _)| *other == key) {
                        return error(format!("Failed with repeated key: {}", key.shown()));
                    }
                    out.push((key, value));
                }
                Ok(Value::Map(out))
            }
            Kind::Macro { kind, range, variable, body } => {
                let items = match self.eval(range)? {
                    Value::List(items) => items,
                    Value::Map(entries) => entries.into_iter().map(|(key, _)| key).collect(),
                    _ => return error("no such overload"),
                };
                self.expand(*kind, items, variable, body)
            }
        }
    }

    fn lookup(&self, name: &str) -> Result<Value, EvalError> {
        if let Some((_, value)) = self.scope.iter().rev().find(|(variable, _)| *variable == name) {
            return Ok(value.clone());
        }
        if let Some(value) = self.environment.constant(name).or(self.variables.get(name).cloned()) {
            return Ok(value);
        }
        error(format!("no such attribute: {name}"))
    }

    /// `&&` and `||`: an error on one side does not matter when the other side decides.
    fn logic(
        &mut self,
        left: &'a Expr,
        right: &'a Expr,
        decides: bool,
    ) -> Result<Value, EvalError> {
        let left = self.eval(left);
        if left == Ok(Value::Bool(decides)) {
            return left;
        }
        let right = self.eval(right);
        if right == Ok(Value::Bool(decides)) {
            return right;
        }
        match (left?, right?) {
            (Value::Bool(_), Value::Bool(_)) => Ok(Value::Bool(!decides)),
            _ => error("no such overload"),
        }
    }

    fn expand(
        &mut self,
        kind: Macro,
        items: Vec<Value>,
        variable: &'a str,
        body: &'a [Expr],
    ) -> Result<Value, EvalError> {
        let (mut out, mut count) = (Vec::new(), 0_usize);
        let mut failed = None;
        for item in items {
            self.scope.push((variable, item.clone()));
            let result = match body {
                [condition, value] => match self.eval(condition) {
                    Ok(Value::Bool(true)) => self.eval(value).map(Some),
                    Ok(Value::Bool(false)) => Ok(None),
                    Ok(_) => error("no such overload"),
                    Err(problem) => Err(problem),
                },
                [only] => self.eval(only).map(Some),
                _ => error("no such overload"),
            };
            self.scope.pop();
            match (kind, result) {
                (Macro::Map, Ok(value)) => out.extend(value),
                (Macro::Filter, Ok(Some(Value::Bool(true)))) => out.push(item),
                (Macro::Filter, Ok(Some(Value::Bool(false)))) => {}
                (Macro::All, Ok(Some(Value::Bool(false)))) => return Ok(Value::Bool(false)),
                (Macro::All, Ok(Some(Value::Bool(true)))) => {}
                (Macro::Exists, Ok(Some(Value::Bool(true)))) => return Ok(Value::Bool(true)),
                (Macro::Exists, Ok(Some(Value::Bool(false)))) => {}
                (Macro::ExistsOne, Ok(Some(Value::Bool(yes)))) => count += usize::from(yes),
                (Macro::All | Macro::Exists, Err(problem)) => failed = Some(problem),
                (_, Err(problem)) => return Err(problem),
                _ => return error("no such overload"),
            }
        }
        if let Some(problem) = failed {
            return Err(problem);
        }
        Ok(match kind {
            Macro::Map | Macro::Filter => Value::List(out),
            Macro::All => Value::Bool(true),
            Macro::Exists => Value::Bool(false),
            Macro::ExistsOne => Value::Bool(count == 1),
        })
    }

    fn call(
        &mut self,
        target: Option<&'a Expr>,
        name: &str,
        args: &'a [Expr],
    ) -> Result<Value, EvalError> {
        if let Some(Expr { kind: Kind::Ident(space), .. }) = target
            && space == "optional"
        {
            let value = args.first().map(|arg| self.eval(arg)).transpose()?;
            return Ok(Value::Optional(match (name, value) {
                ("ofNonZeroValue", Some(value)) if is_zero(&value) => None,
                (_, value) => value.map(Box::new),
            }));
        }
        let values: Result<Vec<Value>, EvalError> =
            target.into_iter().chain(args).map(|arg| self.eval(arg)).collect();
        apply(name, &values?)
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Int(value) | Value::Duration(value) => *value == 0,
        Value::Uint(value) => *value == 0,
        Value::Double(value) => *value == 0.0,
        Value::String(value) => value.is_empty(),
        Value::Bytes(value) => value.is_empty(),
        Value::List(value) => value.is_empty(),
        Value::Map(value) => value.is_empty(),
        Value::Optional(value) => value.is_none(),
        Value::Object(_, values) => values.is_empty(),
    }
}

fn select(operand: &Value, field: &str) -> Option<Value> {
    match operand {
        Value::Object(object, values) => values.get(field).cloned().or_else(|| {
            let of = object.fields.iter().find(|(name, _)| *name == field);
            of.map(|(_, of): &(_, Type)| Value::zero(of))
        }),
        Value::Map(entries) => {
            let key = Value::String(field.to_owned());
            entries.iter().find(|(candidate, _)| *candidate == key).map(|(_, value)| value.clone())
        }
        _ => None,
    }
}

fn index(operand: &Value, index: &Value) -> Option<Value> {
    match (operand, index) {
        (Value::List(items), Value::Int(at)) => items.get(usize::try_from(*at).ok()?).cloned(),
        (Value::List(items), Value::Uint(at)) => items.get(usize::try_from(*at).ok()?).cloned(),
        (Value::Map(entries), key) => {
            entries.iter().find(|(candidate, _)| candidate == key).map(|(_, value)| value.clone())
        }
        _ => None,
    }
}

fn apply(name: &str, args: &[Value]) -> Result<Value, EvalError> {
    let overflow = || EvalError("integer overflow".to_owned());
    let none = || EvalError(format!("no such overload: {name}"));
    match args {
        [a, b] => match name {
            "_==_" => Ok(Value::Bool(a == b)),
            "_!=_" => Ok(Value::Bool(a != b)),
            "_<_" | "_<=_" | "_>_" | "_>=_" => {
                let Some(order) = a.order(b) else {
                    // Nothing is below or above a number that is none.
                    let nan = matches!(a, Value::Double(_)) || matches!(b, Value::Double(_));
                    return if nan { Ok(Value::Bool(false)) } else { Err(none()) };
                };
                Ok(Value::Bool(match name {
                    "_<_" => order == Ordering::Less,
                    "_<=_" => order != Ordering::Greater,
                    "_>_" => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }))
            }
            "@in" => Ok(Value::Bool(match b {
                Value::List(items) => items.contains(a),
                Value::Map(entries) => entries.iter().any(|(key, _)| key == a),
                _ => return Err(none()),
            })),
            "_+_" | "_-_" | "_*_" | "_/_" | "_%_" => arithmetic(name, a, b),
            _ => text(name, a, b).ok_or_else(none),
        },
        [a] => match (name, a) {
            ("!_", Value::Bool(value)) => Ok(Value::Bool(!value)),
            ("-_", Value::Int(value)) => value.checked_neg().map(Value::Int).ok_or_else(overflow),
            ("-_", Value::Double(value)) => Ok(Value::Double(-value)),
            ("size", value) => {
                let size = match value {
                    Value::String(text) => text.chars().count(),
                    Value::Bytes(bytes) => bytes.len(),
                    Value::List(items) => items.len(),
                    Value::Map(entries) => entries.len(),
                    _ => return Err(none()),
                };
                i64::try_from(size).map(Value::Int).map_err(|_| overflow())
            }
            ("mac", Value::Bytes(bytes)) => {
                let digits: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
                Ok(Value::String(digits.join(":")))
            }
            ("hasValue", Value::Optional(value)) => Ok(Value::Bool(value.is_some())),
            ("value", Value::Optional(value)) => match value {
                Some(value) => Ok((**value).clone()),
                None => error("optional.none() dereference"),
            },
            ("getHours", Value::Duration(nanos)) => Ok(Value::Int(nanos / 3_600_000_000_000)),
            ("getMinutes", Value::Duration(nanos)) => Ok(Value::Int(nanos / 60_000_000_000)),
            ("getSeconds", Value::Duration(nanos)) => Ok(Value::Int(nanos / 1_000_000_000)),
            ("getMilliseconds", Value::Duration(nanos)) => {
                Ok(Value::Int(nanos / 1_000_000 % 1_000))
            }
            _ => convert(name, a),
        },
        _ => Err(none()),
    }
}

fn text(name: &str, a: &Value, b: &Value) -> Option<Value> {
    let result = match (name, a, b) {
        ("orValue", Value::Optional(Some(value)), _) => return Some((**value).clone()),
        ("orValue", Value::Optional(None), other) => return Some(other.clone()),
        ("or", Value::Optional(None), other) => return Some(other.clone()),
        ("or", some @ Value::Optional(Some(_)), _) => return Some(some.clone()),
        ("multiply_qos_vectors", Value::Map(left), Value::Map(right)) => {
            let product = left.iter().filter_map(|(key, value)| {
                let (_, other) = right.iter().find(|(candidate, _)| candidate == key)?;
                match (value, other) {
                    (Value::Double(a), Value::Double(b)) => Some(a * b),
                    _ => None,
                }
            });
            return Some(Value::Double(product.sum()));
        }
        ("contains", Value::String(a), Value::String(b)) => a.contains(b.as_str()),
        ("startsWith", Value::String(a), Value::String(b)) => a.starts_with(b.as_str()),
        ("endsWith", Value::String(a), Value::String(b)) => a.ends_with(b.as_str()),
        ("glob", Value::String(pattern), Value::String(subject)) => glob(pattern, subject),
        ("matches", Value::String(subject), Value::String(pattern)) => {
            let pattern = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build().ok()?;
            pattern.is_match(subject)
        }
        _ => return None,
    };
    Some(Value::Bool(result))
}

/// Whether a text has the form of a pattern in which `*` stands for anything.
pub(crate) fn glob(pattern: &str, subject: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == subject };
    let Some(mut subject) = subject.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match subject.find(part) {
            Some(at) => subject = subject.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    subject.ends_with(last)
}

fn arithmetic(name: &str, a: &Value, b: &Value) -> Result<Value, EvalError> {
    let overflow = || EvalError("integer overflow".to_owned());
    let by_zero =
        || EvalError(if name == "_%_" { "modulus by zero" } else { "division by zero" }.to_owned());
    macro_rules! integers {
        ($kind:path, $a:expr, $b:expr) => {{
            let (a, b) = (*$a, *$b);
            if matches!(name, "_/_" | "_%_") && b == 0 {
                return Err(by_zero());
            }
            match name {
                "_+_" => a.checked_add(b),
                "_-_" => a.checked_sub(b),
                "_*_" => a.checked_mul(b),
                "_/_" => a.checked_div(b),
                _ => a.checked_rem(b),
            }
            .map($kind)
            .ok_or_else(overflow)
        }};
    }
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => integers!(Value::Int, a, b),
        (Value::Uint(a), Value::Uint(b)) => integers!(Value::Uint, a, b),
        (Value::Double(a), Value::Double(b)) => match name {
            "_+_" => Ok(Value::Double(a + b)),
            "_-_" => Ok(Value::Double(a - b)),
            "_*_" => Ok(Value::Double(a * b)),
            "_/_" => Ok(Value::Double(a / b)),
            _ => error(format!("no such overload: {name}")),
        },
        (Value::Duration(a), Value::Duration(b)) if matches!(name, "_+_" | "_-_") => {
            integers!(Value::Duration, a, b)
        }
        (Value::String(a), Value::String(b)) if name == "_+_" => {
            Ok(Value::String(format!("{a}{b}")))
        }
        (Value::Bytes(a), Value::Bytes(b)) if name == "_+_" => {
            Ok(Value::Bytes([a.as_slice(), b].concat()))
        }
        (Value::List(a), Value::List(b)) if name == "_+_" => {
            Ok(Value::List([a.as_slice(), b].concat()))
        }
        _ => error(format!("no such overload: {name}")),
    }
}

fn convert(name: &str, value: &Value) -> Result<Value, EvalError> {
    let failed = || EvalError(format!("{name}: cannot convert {}", value.shown()));
    let result = match (name, value) {
        ("dyn", value) => Some(value.clone()),
        ("int", Value::Int(_))
        | ("uint", Value::Uint(_))
        | ("double", Value::Double(_))
        | ("string", Value::String(_))
        | ("bytes", Value::Bytes(_))
        | ("bool", Value::Bool(_))
        | ("duration", Value::Duration(_)) => Some(value.clone()),
        ("int", Value::Uint(value)) => i64::try_from(*value).ok().map(Value::Int),
        #[expect(clippy::cast_possible_truncation, reason = "range checked")]
        ("int", Value::Double(value)) if value.abs() < 9.2e18 => Some(Value::Int(*value as i64)),
        ("int", Value::String(text)) => text.parse().ok().map(Value::Int),
        ("int", Value::Duration(nanos)) => Some(Value::Int(nanos / 1_000_000_000)),
        ("uint", Value::Int(value)) => u64::try_from(*value).ok().map(Value::Uint),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "range checked"
        )]
        ("uint", Value::Double(value)) if *value >= 0.0 && *value < 1.8e19 => {
            Some(Value::Uint(*value as u64))
        }
        ("uint", Value::String(text)) => text.parse().ok().map(Value::Uint),
        #[expect(clippy::cast_precision_loss, reason = "that is what the conversion means")]
        ("double", Value::Int(value)) => Some(Value::Double(*value as f64)),
        #[expect(clippy::cast_precision_loss, reason = "that is what the conversion means")]
        ("double", Value::Uint(value)) => Some(Value::Double(*value as f64)),
        ("double", Value::String(text)) => text.parse().ok().map(Value::Double),
        ("string", Value::Bool(value)) => Some(Value::String(value.to_string())),
        ("string", Value::Int(value)) => Some(Value::String(value.to_string())),
        ("string", Value::Uint(value)) => Some(Value::String(value.to_string())),
        ("string", Value::Double(value)) => Some(Value::String(value.to_string())),
        ("string", Value::Bytes(bytes)) => String::from_utf8(bytes.clone()).ok().map(Value::String),
        ("string", Value::Duration(nanos)) => {
            Some(Value::String(Duration::from_nanos(*nanos).to_string()))
        }
        ("bytes", Value::String(text)) => Some(Value::Bytes(text.clone().into_bytes())),
        ("bool", Value::String(text)) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Value::Bool(false)),
            _ => None,
        },
        ("duration", Value::Int(nanos)) => Some(Value::Duration(*nanos)),
        ("duration", Value::String(text)) => {
            text.parse::<Duration>().ok().map(|duration| Value::Duration(duration.as_nanos()))
        }
        _ => None,
    };
    result.ok_or_else(failed)
}
