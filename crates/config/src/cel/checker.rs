//! Type checking.

use super::environment::Environment;
use super::syntax::{Expr, Kind, Macro, Problem};
use super::{Type, Value, functions};

/// The type of an expression.
pub(crate) fn check(expr: &Expr, environment: Environment) -> Result<Type, Problem> {
    Checker { environment, scope: Vec::new() }.check(expr)
}

struct Checker {
    environment: Environment,
    /// Variables of macros, the innermost last.
    scope: Vec<(String, Type)>,
}

fn problem<T>(at: usize, message: String) -> Result<T, Problem> {
    Err(Problem { at, message })
}

impl Checker {
    fn check(&mut self, expr: &Expr) -> Result<Type, Problem> {
        let at = expr.at;
        match &expr.kind {
            Kind::Literal(value) => Ok(literal(value)),
            Kind::Ident(name) => match self.lookup(name) {
                Some(found) => Ok(found),
                None => problem(at, format!("undeclared reference to '{name}' (in container '')")),
            },
            Kind::Select { operand, field, optional } => {
                let found = self.field(at, operand, field)?;
                Ok(if *optional { Type::Optional(Box::new(found)) } else { found })
            }
            Kind::Has { operand, field } => self.field(at, operand, field).map(|_| Type::Bool),
            Kind::Index { operand, index, optional } => {
                let (range, index) = (self.check(operand)?, self.check(index)?);
                let found = match &range {
                    Type::Dyn => Some(Type::Dyn),
                    Type::Map(key, value) if index.fits(key) => Some((**value).clone()),
                    _ if index.fits(&Type::Int) => range.item(),
                    _ => None,
                };
                let Some(found) = found else {
                    return problem(at, overload("_[_]", false, &[range, index]));
                };
                Ok(if *optional { Type::Optional(Box::new(found)) } else { found })
            }
            Kind::Call { target, name, args } => self.call(at, target.as_deref(), name, args),
            Kind::And(left, right) => self.logic("_&&_", at, left, right),
            Kind::Or(left, right) => self.logic("_||_", at, left, right),
            Kind::Choice(condition, yes, no) => {
                let condition = self.check(condition)?;
                let (yes, no) = (self.check(yes)?, self.check(no)?);
                if !condition.fits(&Type::Bool) || !yes.fits(&no) {
                    return problem(at, overload("_?_:_", false, &[condition, yes, no]));
                }
                Ok(if yes == Type::Dyn { no } else { yes })
            }
            Kind::List(items) => {
                let mut joined = None;
                for item in items {
                    joined = Some(join(joined, self.check(item)?));
                }
                Ok(Type::list(joined.unwrap_or(Type::Dyn)))
            }
            Kind::Map(entries) => {
                let (mut keys, mut values) = (None, None);
                for (key, value) in entries {
                    keys = Some(join(keys, self.check(key)?));
                    values = Some(join(values, self.check(value)?));
                }
                let (key, value) = (keys.unwrap_or(Type::Dyn), values.unwrap_or(Type::Dyn));
                Ok(Type::Map(Box::new(key), Box::new(value)))
            }
            Kind::Macro { kind, range, variable, body } => {
                self.expand(at, *kind, range, variable, body)
            }
        }
    }

    fn lookup(&self, name: &str) -> Option<Type> {
        let local = self.scope.iter().rev().find(|(variable, _)| variable == name);
        local.map(|(_, found)| found.clone()).or_else(|| self.environment.variable(name))
    }

    fn field(&mut self, at: usize, operand: &Expr, field: &str) -> Result<Type, Problem> {
        let operand = self.check(operand)?;
        let inner = match &operand {
            Type::Optional(inner) => inner,
            other => other,
        };
        match inner {
            Type::Dyn => Ok(Type::Dyn),
            Type::Map(key, value) if Type::String.fits(key) => Ok((**value).clone()),
            Type::Object(object) => match object.fields.iter().find(|(name, _)| *name == field) {
                Some((_, found)) => Ok(found.clone()),
                None => problem(at, format!("undefined field '{field}'")),
            },
            other => problem(at, format!("type '{other}' does not support field selection")),
        }
    }

    fn logic(&mut self, name: &str, at: usize, left: &Expr, right: &Expr) -> Result<Type, Problem> {
        let (left, right) = (self.check(left)?, self.check(right)?);
        if left.fits(&Type::Bool) && right.fits(&Type::Bool) {
            return Ok(Type::Bool);
        }
        problem(at, overload(name, false, &[left, right]))
    }

    fn call(
        &mut self,
        at: usize,
        target: Option<&Expr>,
        name: &str,
        args: &[Expr],
    ) -> Result<Type, Problem> {
        // `optional.of(x)` and `optional.none()` look like methods of a variable.
        if let Some(Expr { kind: Kind::Ident(space), .. }) = target
            && space == "optional"
        {
            return match (name, args) {
                ("of" | "ofNonZeroValue", [value]) => {
                    Ok(Type::Optional(Box::new(self.check(value)?)))
                }
                ("none", []) => Ok(Type::Optional(Box::new(Type::Dyn))),
                _ => problem(
                    at,
                    format!("undeclared reference to 'optional.{name}' (in container '')"),
                ),
            };
        }
        let mut types = Vec::with_capacity(args.len() + 1);
        for arg in target.into_iter().chain(args) {
            types.push(self.check(arg)?);
        }
        match functions::result(self.environment, name, target.is_some(), &types) {
            Some(found) => Ok(found),
            None if functions::exists(self.environment, name)
                || !name.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                problem(at, overload(name, target.is_some(), &types))
            }
            None => problem(at, format!("undeclared reference to '{name}' (in container '')")),
        }
    }

    fn expand(
        &mut self,
        at: usize,
        kind: Macro,
        range: &Expr,
        variable: &str,
        body: &[Expr],
    ) -> Result<Type, Problem> {
        let range = self.check(range)?;
        let item = match &range {
            Type::Dyn => Type::Dyn,
            Type::Map(key, _) => (**key).clone(),
            other => match other.item() {
                Some(item) => item,
                None => {
                    return problem(
                        at,
                        format!(
                            "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                        ),
                    );
                }
            },
        };
        self.scope.push((variable.to_owned(), item.clone()));
        let types: Result<Vec<Type>, Problem> = body.iter().map(|part| self.check(part)).collect();
        self.scope.pop();
        let types = types?;
        let wants_bool = match (kind, types.as_slice()) {
            (Macro::Map, [_]) => None,
            (_, [first, ..]) => Some(first),
            (_, []) => None,
        };
        if let Some(condition) = wants_bool
            && !condition.fits(&Type::Bool)
        {
            let at = body.first().map_or(at, |part| part.at);
            return problem(at, format!("expected type 'bool' but found '{condition}'"));
        }
        Ok(match (kind, types.last()) {
            (Macro::All | Macro::Exists | Macro::ExistsOne, _) => Type::Bool,
            (Macro::Filter, _) => Type::list(item),
            (Macro::Map, Some(last)) => Type::list(last.clone()),
            (Macro::Map, None) => Type::list(Type::Dyn),
        })
    }
}

fn literal(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Uint(_) => Type::Uint,
        Value::Double(_) => Type::Double,
        Value::String(_) => Type::String,
        Value::Bytes(_) => Type::Bytes,
        _ => Type::Dyn,
    }
}

/// The type of items of both types.
fn join(before: Option<Type>, item: Type) -> Type {
    match before {
        None => item,
        Some(before) if before == item => item,
        Some(_) => Type::Dyn,
    }
}

fn overload(name: &str, method: bool, args: &[Type]) -> String {
    let shown: Vec<String> = args.iter().map(ToString::to_string).collect();
    let signature = match (method, shown.split_first()) {
        (true, Some((target, rest))) => format!("{target}.({})", rest.join(", ")),
        _ => format!("({})", shown.join(", ")),
    };
    format!("found no matching overload for '{name}' applied to '{signature}'")
}
