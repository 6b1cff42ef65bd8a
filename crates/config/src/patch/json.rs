//! JSON patches: lists of operations on a single document.

use yaml::Value;

use super::pointer::{Pointer, index};

/// A JSON patch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonPatch(pub Vec<Operation>);

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Adds or sets a value.
    Add {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Removes a value.
    Remove {
        /// Where.
        path: String,
    },
    /// Replaces a value that is there.
    Replace {
        /// Where.
        path: String,
        /// By what.
        value: Value,
    },
    /// Moves a value.
    Move {
        /// From where.
        from: String,
        /// To where.
        path: String,
    },
    /// Copies a value.
    Copy {
        /// From where.
        from: String,
        /// To where.
        path: String,
    },
    /// Goes on only when a value is as expected.
    Test {
        /// Where.
        path: String,
        /// What is expected.
        value: Value,
    },
}

/// Why a JSON patch is none, or does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchError {
    /// An item is not an operation.
    #[error("patch operation {number} is not valid: {reason}")]
    Operation {
        /// The number of the operation, from one.
        number: usize,
        /// What is wrong.
        reason: String,
    },
    /// A path leads nowhere.
    #[error("{operation} operation does not apply: doc is missing path: {path:?}")]
    Missing {
        /// The operation.
        operation: &'static str,
        /// The path.
        path: String,
    },
    /// A value is not as expected.
    #[error("testing value {path:?} failed: the value is not the expected one")]
    Test {
        /// The path.
        path: String,
    },
    /// A value would be moved into itself.
    #[error("move operation does not apply: {path:?} is inside {from:?}")]
    IntoItself {
        /// From where.
        from: String,
        /// To where.
        path: String,
    },
}

impl JsonPatch {
    /// Reads the operations of a list.
    ///
    /// # Errors
    /// Names the first item that is not an operation.
    pub fn from_value(value: &Value) -> Result<Self, JsonPatchError> {
        let items = value.as_seq().unwrap_or_default();
        let operations = items.iter().enumerate().map(|(at, item)| {
            operation(item).map_err(|reason| JsonPatchError::Operation { number: at + 1, reason })
        });
        operations.collect::<Result<_, _>>().map(Self)
    }

    /// Applies the operations in order.
    ///
    /// # Errors
    /// The first operation that does not apply; the value is then half changed.
    pub fn apply(&self, root: &mut Value) -> Result<(), JsonPatchError> {
        self.0.iter().try_for_each(|operation| operation.apply(root))
    }
}

fn operation(item: &Value) -> Result<Operation, String> {
    let text = |key: &str| {
        let value = item.entry(key).and_then(Value::as_str).map(str::to_owned);
        value.ok_or_else(|| format!("{key:?} is missing"))
    };
    let pointer = |key: &str| {
        let text = text(key)?;
        let valid = Pointer::parse(&text).is_some();
        if valid { Ok(text) } else { Err(format!("{key} {text:?} must begin with a slash")) }
    };
    let value = || item.entry("value").cloned().ok_or_else(|| "\"value\" is missing".to_owned());
    let path = pointer("path")?;
    Ok(match text("op")?.as_str() {
        "add" => Operation::Add { path, value: value()? },
        "remove" => Operation::Remove { path },
        "replace" => Operation::Replace { path, value: value()? },
        "move" => Operation::Move { from: pointer("from")?, path },
        "copy" => Operation::Copy { from: pointer("from")?, path },
        "test" => Operation::Test { path, value: value()? },
        other => return Err(format!("unexpected kind: {other}")),
    })
}

impl Operation {
    fn apply(&self, root: &mut Value) -> Result<(), JsonPatchError> {
        let missing = |operation: &'static str, path: &str| {
            let path = path.to_owned();
            JsonPatchError::Missing { operation, path }
        };
        let find = |root: &Value, operation, path: &str| {
            let pointer = Pointer::parse(path).ok_or_else(|| missing(operation, path))?;
            pointer.find(root).cloned().ok_or_else(|| missing(operation, path))
        };
        match self {
            Self::Add { path, value } => {
                add(root, path, value.clone()).ok_or_else(|| missing("add", path))
            }
            Self::Remove { path } => {
                remove(root, path).map(drop).ok_or_else(|| missing("remove", path))
            }
            Self::Replace { path, value } => {
                replace(root, path, value.clone()).ok_or_else(|| missing("replace", path))
            }
            Self::Copy { from, path } => {
                let value = find(root, "copy", from)?;
                add(root, path, value).ok_or_else(|| missing("copy", path))
            }
            Self::Move { from, path } => {
                if let (Some(source), Some(target)) = (Pointer::parse(from), Pointer::parse(path))
                    && target.is_below(&source)
                {
                    let (from, path) = (from.clone(), path.clone());
                    return Err(JsonPatchError::IntoItself { from, path });
                }
                let value = remove(root, from).ok_or_else(|| missing("move", from))?;
                add(root, path, value).ok_or_else(|| missing("move", path))
            }
            Self::Test { path, value } => {
                let found = Pointer::parse(path).and_then(|pointer| pointer.find(root).cloned());
                // A missing value equals null.
                if same(&found.unwrap_or_default(), value) {
                    Ok(())
                } else {
                    Err(JsonPatchError::Test { path: path.clone() })
                }
            }
        }
    }
}

fn add(root: &mut Value, path: &str, value: Value) -> Option<()> {
    let pointer = Pointer::parse(path)?;
    if pointer.is_root() {
        *root = value;
        return Some(());
    }
    match pointer.parent(root)? {
        (Value::Map(entries), key) => match entries.iter_mut().find(|(name, _)| name == key) {
            Some((_, slot)) => *slot = value,
            None => entries.push((key.to_owned(), value)),
        },
        (Value::Seq(items), "-") => items.push(value),
        (Value::Seq(items), token) => {
            // Counting from the end, -1 is the place after the last item.
            let len = if token.starts_with('-') { items.len() + 1 } else { items.len() };
            let at = index(token, len).filter(|at| *at <= items.len())?;
            items.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(root: &mut Value, path: &str) -> Option<Value> {
    let pointer = Pointer::parse(path)?;
    match pointer.parent(root)? {
        (Value::Map(entries), key) => {
            let at = entries.iter().position(|(name, _)| name == key)?;
            Some(entries.remove(at).1)
        }
        (Value::Seq(items), token) => {
            let at = index(token, items.len()).filter(|at| *at < items.len())?;
            Some(items.remove(at))
        }
        _ => None,
    }
}

fn replace(root: &mut Value, path: &str, value: Value) -> Option<()> {
    let pointer = Pointer::parse(path)?;
    if pointer.is_root() {
        *root = value;
        return Some(());
    }
    let slot = match pointer.parent(root)? {
        (Value::Map(entries), key) => &mut entries.iter_mut().find(|(name, _)| name == key)?.1,
        (Value::Seq(items), token) => {
            let at = index(token, items.len())?;
            items.get_mut(at)?
        }
        _ => return None,
    };
    *slot = value;
    Some(())
}

/// Equality as JSON sees it: the order of keys and the spelling of numbers do not matter.
fn same(left: &Value, right: &Value) -> bool {
    let number = |value: &Value| match value {
        #[expect(clippy::cast_precision_loss, reason = "only compared with a float")]
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    };
    match (left, right) {
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| right.entry(key).is_some_and(|other| same(value, other)))
        }
        (Value::Seq(a), Value::Seq(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Float(_), _) | (_, Value::Float(_)) => {
            number(left).is_some() && number(left) == number(right)
        }
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        yaml::parse(text.as_bytes()).expect("yaml").remove(0).root.to_value()
    }

    #[track_caller]
    fn check(document: &str, patch: &str, want: Result<&str, &str>) {
        let mut root = value(document);
        let patch = JsonPatch::from_value(&value(patch));
        let result = patch.and_then(|patch| patch.apply(&mut root)).map(|()| root);
        match (result, want) {
            (Ok(root), Ok(want)) => assert_eq!(root, value(want)),
            (Err(error), Err(want)) => assert_eq!(error.to_string(), want),
            (result, want) => panic!("{result:?} instead of {want:?}"),
        }
    }

    #[test]
    fn operations() {
        check("{a: 1}", "[{op: add, path: /b, value: 2}]", Ok("{a: 1, b: 2}"));
        check("{a: [1, 3]}", "[{op: add, path: /a/1, value: 2}]", Ok("{a: [1, 2, 3]}"));
        check("{a: [1]}", "[{op: add, path: /a/-, value: 2}]", Ok("{a: [1, 2]}"));
        check("{a: [1, 2]}", "[{op: add, path: /a/-1, value: 3}]", Ok("{a: [1, 2, 3]}"));
        check("{a: [1, 2]}", "[{op: remove, path: /a/-1}]", Ok("{a: [1]}"));
        check("{a: {b: 1}}", "[{op: replace, path: /a/b, value: 2}]", Ok("{a: {b: 2}}"));
        check("{a: 1}", "[{op: move, from: /a, path: /b}]", Ok("{b: 1}"));
        check("{a: 1}", "[{op: copy, from: /a, path: /b}]", Ok("{a: 1, b: 1}"));
        check(
            "{a/b: 1, c~d: 2}",
            "[{op: remove, path: /a~1b}, {op: remove, path: /c~0d}]",
            Ok("{}"),
        );
        check("{a: 1}", "[{op: test, path: /a, value: 1.0}]", Ok("{a: 1}"));
    }

    #[test]
    fn failures() {
        check(
            "{a: 1}",
            "[{op: remove, path: /b}]",
            Err("remove operation does not apply: doc is missing path: \"/b\""),
        );
        check(
            "{a: 1}",
            "[{op: add, path: /b/c, value: 1}]",
            Err("add operation does not apply: doc is missing path: \"/b/c\""),
        );
        check(
            "{a: [1]}",
            "[{op: add, path: /a/5, value: 1}]",
            Err("add operation does not apply: doc is missing path: \"/a/5\""),
        );
        check(
            "{a: 1}",
            "[{op: test, path: /a, value: 2}]",
            Err("testing value \"/a\" failed: the value is not the expected one"),
        );
        check(
            "{a: 1}",
            "[{op: frob, path: /a}]",
            Err("patch operation 1 is not valid: unexpected kind: frob"),
        );
        check(
            "{a: {}}",
            "[{op: move, from: /a, path: /a/b}]",
            Err("move operation does not apply: \"/a/b\" is inside \"/a\""),
        );
    }
}
