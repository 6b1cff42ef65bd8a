//! JSONPath over a [`Value`], in the dialect of Kubernetes' clients: expressions in braces, text around them.
//!
//! `{.a.b[0]}`, `{.a[*].b}`, `{..b}`, `{.a[?(@.b=="c")].d}`, `{.a[1:3]}`, `{.a['b.c']}`, `{range .a[*]}{.b}{"\n"}{end}`.
//! A path that leads nowhere gives nothing; a malformed one is an error with its place.

use crate::Value;

/// A malformed expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reading the JSONPath {text:?} at character {at}: {reason}")]
pub struct PathError {
    text: String,
    at: usize,
    reason: &'static str,
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Path(Path),
    Range(Path, Vec<Part>),
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Keys(Vec<String>),
    Index(Vec<i64>),
    Slice { from: Option<i64>, to: Option<i64>, step: i64 },
    All,
    Recursive,
    Filter { left: Operand, test: Option<(Comparison, Operand)> },
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Path(Path),
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// One piece of a rendered template.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece<'a> {
    /// Text of the template.
    Text(&'a str),
    /// What one expression selected.
    Values(Vec<&'a Value>),
}

impl Template {
    /// Parses a template. An expression without any braces is taken as one in braces.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let braced;
        let source = if text.contains('{') {
            text
        } else {
            let dot = if text.starts_with(['.', '[', '@', '$']) { "" } else { "." };
            braced = format!("{{{dot}{text}}}");
            &braced
        };
        let mut parser = Parser { text: source, characters: source.chars().collect(), at: 0 };
        let parts = parser.parts(false)?;
        Ok(Self(parts))
    }

    /// Evaluates the template on a value.
    pub fn evaluate<'a>(&'a self, root: &'a Value) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        render(&self.0, root, &mut pieces);
        pieces
    }

    /// Everything that the expressions of the template select.
    pub fn select<'a>(&'a self, root: &'a Value) -> Vec<&'a Value> {
        self.evaluate(root)
            .into_iter()
            .flat_map(|piece| match piece {
                Piece::Values(values) => values,
                Piece::Text(_) => Vec::new(),
            })
            .collect()
    }
}

fn render<'a>(parts: &'a [Part], root: &'a Value, pieces: &mut Vec<Piece<'a>>) {
    for part in parts {
        match part {
            Part::Text(text) => pieces.push(Piece::Text(text)),
            Part::Path(path) => pieces.push(Piece::Values(path.walk(root))),
            Part::Range(path, body) => {
                for value in path.walk(root) {
                    render(body, value, pieces);
                }
            }
        }
    }
}

impl Path {
    fn walk<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let mut current = vec![root];
        for step in &self.0 {
            current = current.into_iter().flat_map(|value| step.walk(value)).collect();
        }
        current
    }
}

impl Step {
    fn walk<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Key(key) => value.entry(key).into_iter().collect(),
            Self::Keys(keys) => keys.iter().filter_map(|key| value.entry(key)).collect(),
            Self::Index(indices) => {
                let items = value.as_seq().unwrap_or_default();
                indices
                    .iter()
                    .filter_map(|index| items.get(absolute(*index, items.len())?))
                    .collect()
            }
            Self::Slice { from, to, step } => {
                let items = value.as_seq().unwrap_or_default();
                let edge = |index: Option<i64>, default| match index {
                    None => default,
                    Some(index) if index < 0 => absolute(index, items.len()).unwrap_or(0),
                    Some(index) => {
                        usize::try_from(index).map_or(items.len(), |i| i.min(items.len()))
                    }
                };
                let (from, to) = (edge(*from, 0), edge(*to, items.len()));
                let step = usize::try_from(*step).unwrap_or(1).max(1);
                items.get(from..to.max(from)).unwrap_or_default().iter().step_by(step).collect()
            }
            Self::All => children(value),
            Self::Recursive => {
                let mut all = Vec::new();
                descend(value, &mut all);
                all
            }
            Self::Filter { left, test } => children(value)
                .into_iter()
                .filter(|item| passes(item, left, test.as_ref()))
                .collect(),
        }
    }
}

fn absolute(index: i64, length: usize) -> Option<usize> {
    if index >= 0 {
        usize::try_from(index).ok()
    } else {
        length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Seq(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    }
}

fn descend<'a>(value: &'a Value, all: &mut Vec<&'a Value>) {
    all.push(value);
    for child in children(value) {
        descend(child, all);
    }
}

fn passes(item: &Value, left: &Operand, test: Option<&(Comparison, Operand)>) -> bool {
    let left = left.value(item);
    match test {
        None => left.is_some_and(|value| *value != Value::Null && *value != Value::Bool(false)),
        Some((comparison, right)) => match (left, right.value(item)) {
            (Some(left), Some(right)) => compare(left, *comparison, right),
            _ => false,
        },
    }
}

impl Operand {
    fn value<'a>(&'a self, item: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Literal(value) => Some(value),
            Self::Path(path) => path.walk(item).into_iter().next(),
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    // Comparing needs no more digits than these.
    #[allow(clippy::cast_precision_loss)]
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::Uint(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Plain(text) => text.parse().ok(),
        _ => None,
    }
}

fn compare(left: &Value, comparison: Comparison, right: &Value) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let order = match (number(left), number(right)) {
        (Some(left), Some(right)) => left.partial_cmp(&right),
        _ => match (left, right) {
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            _ if left == right => Some(Equal),
            _ => None,
        },
    };
    match comparison {
        Comparison::Equal => order == Some(Equal),
        Comparison::NotEqual => order != Some(Equal),
        Comparison::Less => order == Some(Less),
        Comparison::LessOrEqual => matches!(order, Some(Less | Equal)),
        Comparison::Greater => order == Some(Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Greater | Equal)),
    }
}

struct Parser<'a> {
    text: &'a str,
    characters: Vec<char>,
    at: usize,
}

impl Parser<'_> {
    fn error<T>(&self, reason: &'static str) -> Result<T, PathError> {
        Err(PathError { text: self.text.to_owned(), at: self.at, reason })
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: char, reason: &'static str) -> Result<(), PathError> {
        if self.take(wanted) { Ok(()) } else { self.error(reason) }
    }

    fn spaces(&mut self) {
        while self.take(' ') {}
    }

    fn word(&mut self, word: &str) -> bool {
        let found =
            word.chars().enumerate().all(|(i, c)| self.characters.get(self.at + i) == Some(&c));
        if found {
            self.at += word.chars().count();
        }
        found
    }

    fn parts(&mut self, in_range: bool) -> Result<Vec<Part>, PathError> {
        let mut parts = Vec::new();
        let mut text = String::new();
        while let Some(character) = self.peek() {
            self.at += 1;
            if character != '{' {
                text.push(character);
                continue;
            }
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            self.spaces();
            if self.word("end") {
                self.spaces();
                self.expect('}', "a brace is not closed")?;
                return if in_range { Ok(parts) } else { self.error("there is no range to end") };
            } else if self.word("range ") {
                self.spaces();
                let path = self.path()?;
                self.spaces();
                self.expect('}', "a brace is not closed")?;
                parts.push(Part::Range(path, self.parts(true)?));
            } else {
                if let Some(quote) = self.peek().filter(|c| "'\"".contains(*c)) {
                    self.at += 1;
                    parts.push(Part::Text(self.quoted(quote)?));
                } else {
                    parts.push(Part::Path(self.path()?));
                }
                self.spaces();
                self.expect('}', "a brace is not closed")?;
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        if in_range { self.error("a range is not ended") } else { Ok(parts) }
    }

    fn quoted(&mut self, quote: char) -> Result<String, PathError> {
        let mut text = String::new();
        while let Some(character) = self.peek() {
            self.at += 1;
            if character == quote {
                return Ok(text);
            }
            if character == '\\' {
                let escaped = self.peek();
                self.at += 1;
                match escaped {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(other) => text.push(other),
                    None => return self.error("a quote is not closed"),
                }
            } else {
                text.push(character);
            }
        }
        self.error("a quote is not closed")
    }

    fn path(&mut self) -> Result<Path, PathError> {
        let mut steps = Vec::new();
        if !self.take('$') {
            self.take('@');
        }
        loop {
            if self.word("..") {
                steps.push(Step::Recursive);
                if self.take('*') {
                    continue;
                }
                if self.peek() != Some('[') {
                    steps.push(Step::Key(self.name()?));
                }
            } else if self.take('.') {
                if self.take('*') {
                    steps.push(Step::All);
                } else if self.peek().is_none_or(|c| "} )".contains(c)) {
                    return Ok(Path(steps));
                } else if self.peek() != Some('[') {
                    steps.push(Step::Key(self.name()?));
                }
            } else if self.take('[') {
                steps.push(self.bracket()?);
            } else {
                return Ok(Path(steps));
            }
        }
    }

    fn name(&mut self) -> Result<String, PathError> {
        let mut name = String::new();
        while let Some(character) = self.peek() {
            if character == '\\' {
                self.at += 1;
                match self.peek() {
                    Some(escaped) => name.push(escaped),
                    None => return self.error("an escape ends the expression"),
                }
            } else if ".[]{}()=!<>, ".contains(character) {
                break;
            } else {
                name.push(character);
            }
            self.at += 1;
        }
        if name.is_empty() { self.error("a key is missing") } else { Ok(name) }
    }

    fn integer(&mut self) -> Result<Option<i64>, PathError> {
        let mut digits = String::new();
        if self.take('-') {
            digits.push('-');
        }
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.at += 1;
        }
        if digits.is_empty() {
            return Ok(None);
        }
        match digits.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => self.error("an index is not a number"),
        }
    }

    fn bracket(&mut self) -> Result<Step, PathError> {
        self.spaces();
        let step = if self.take('*') {
            Step::All
        } else if self.take('?') {
            self.expect('(', "a filter begins with ?(")?;
            let left = self.operand()?;
            self.spaces();
            let test = match self.comparison() {
                Some(comparison) => Some((comparison, self.operand()?)),
                None => None,
            };
            self.spaces();
            self.expect(')', "a filter is not closed")?;
            Step::Filter { left, test }
        } else if let Some(quote) = self.peek().filter(|c| "'\"".contains(*c)) {
            self.at += 1;
            let mut keys = vec![self.quoted(quote)?];
            self.spaces();
            while self.take(',') {
                self.spaces();
                let Some(quote) = self.peek().filter(|c| "'\"".contains(*c)) else {
                    return self.error("a key in brackets is in quotes");
                };
                self.at += 1;
                keys.push(self.quoted(quote)?);
                self.spaces();
            }
            Step::Keys(keys)
        } else {
            let first = self.integer()?;
            if self.take(':') {
                let to = self.integer()?;
                let step = if self.take(':') { self.integer()?.unwrap_or(1) } else { 1 };
                Step::Slice { from: first, to, step }
            } else {
                let Some(first) = first else {
                    return self
                        .error("brackets hold *, an index, a slice, a quoted key or a filter");
                };
                let mut indices = vec![first];
                while self.take(',') {
                    self.spaces();
                    match self.integer()? {
                        Some(index) => indices.push(index),
                        None => return self.error("an index is missing"),
                    }
                }
                Step::Index(indices)
            }
        };
        self.spaces();
        self.expect(']', "a bracket is not closed")?;
        Ok(step)
    }

    fn comparison(&mut self) -> Option<Comparison> {
        const TABLE: [(&str, Comparison); 6] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        TABLE.iter().find(|(text, _)| self.word(text)).map(|(_, comparison)| *comparison)
    }

    fn operand(&mut self) -> Result<Operand, PathError> {
        self.spaces();
        match self.peek() {
            Some('@' | '$' | '.') => Ok(Operand::Path(self.path()?)),
            Some(quote @ ('\'' | '"')) => {
                self.at += 1;
                Ok(Operand::Literal(Value::String(self.quoted(quote)?)))
            }
            _ => {
                let mut word = String::new();
                while let Some(character) = self.peek().filter(|c| !") ]=<>!".contains(*c)) {
                    word.push(character);
                    self.at += 1;
                }
                if word.is_empty() {
                    return self.error("a filter compares @ with a number or a quoted text");
                }
                Ok(Operand::Literal(match word.as_str() {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    _ => match (word.parse::<i64>(), word.parse::<f64>()) {
                        (Ok(number), _) => Value::Int(number),
                        (_, Ok(number)) => Value::Float(number),
                        _ => return self.error("a text in a filter is in quotes"),
                    },
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        crate::parse(text.as_bytes()).unwrap().remove(0).root.to_value()
    }

    fn check(path: &str, expected: &str) {
        let root = value(
            "{a: {b: [1, 2, 3], c.d: dot}, list: [{type: Ready, status: 'True', n: 1}, {type: Other, status: 'False', n: 2}], s: text}",
        );
        let template = Template::parse(path).unwrap();
        let text: Vec<String> = template
            .evaluate(&root)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Values(values) => values
                    .iter()
                    .map(|value| match value {
                        Value::String(text) => text.clone(),
                        Value::Int(number) => number.to_string(),
                        other => format!("{other:?}"),
                    })
                    .collect::<Vec<_>>()
                    .join(" "),
            })
            .collect();
        assert_eq!(text.concat(), expected, "{path}");
    }

    #[test]
    fn every_form_selects() {
        check("{.s}", "text");
        check(".s", "text");
        check("s", "text");
        check("{.a.b[0]} and {.a.b[-1]}", "1 and 3");
        check("{.a.b[1:]}", "2 3");
        check("{.a.b[:2]}", "1 2");
        check("{.a.b[0:3:2]}", "1 3");
        check("{.a.b[0,2]}", "1 3");
        check("{.a['c.d']}", "dot");
        check("{.a.c\\.d}", "dot");
        check("{.list[*].type}", "Ready Other");
        check("{.list[:].type}", "Ready Other");
        check("{..type}", "Ready Other");
        check("{.list[?(@.type==\"Ready\")].status}", "True");
        check("{.list[?(@.n > 1)].type}", "Other");
        check("{.list[?(@.missing)].type}", "");
        check("{range .list[*]}{.type}={.n}{\"\\n\"}{end}", "Ready=1\nOther=2\n");
        check("{.nothing.here}", "");
        check("{.a.b[9]}", "");
    }

    #[test]
    fn the_root_itself() {
        let root = Value::String("worker".into());
        for path in ["{@}", "@", "{$}", "{.}"] {
            assert_eq!(Template::parse(path).unwrap().select(&root), [&root], "{path}");
        }
    }

    #[test]
    fn malformed_expressions_name_their_place() {
        for (path, expected) in [
            ("{.a", "character 3: a brace is not closed"),
            ("{.a[}", "character 4: brackets hold"),
            ("{.a[?(@.b==c)]}", "a text in a filter is in quotes"),
            ("{range .a}", "a range is not ended"),
            ("{end}", "there is no range to end"),
            ("{'x}", "a quote is not closed"),
        ] {
            let error = Template::parse(path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
