//! Writing: a value as text, by the contract's emission rules.
//!
//! A mapping directly inside a list item stands two columns in; every other step goes to the next
//! multiple of four. List dashes inside a mapping are indented like any child. Text with a line
//! break is a literal block, text that a reader could take for something else is quoted.

use crate::comment::{Comment, Comments};
use crate::number::write_float;
use crate::scalar::needs_quotes;
use crate::value::Value;

/// The longest key that is written as `key:`; longer ones take the `? key` form.
const SIMPLE_KEY: usize = 128;

/// Writes one document.
#[must_use]
pub fn to_string(value: &Value) -> String {
    to_string_with(value, &Comments::default())
}

/// Writes one document with comments.
#[must_use]
pub fn to_string_with(value: &Value, comments: &Comments) -> String {
    let mut emitter = Emitter { out: String::new(), comments, path: Vec::new(), compact: false };
    emitter.root(value);
    emitter.out
}

/// Writes one document the way JSON tools do: two-space steps, list dashes below their key.
#[must_use]
pub fn to_string_compact(value: &Value) -> String {
    let comments = Comments::default();
    let mut emitter =
        Emitter { out: String::new(), comments: &comments, path: Vec::new(), compact: true };
    emitter.root(value);
    emitter.out
}

/// Writes several documents, joined by `---`.
#[must_use]
pub fn stream_to_string<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    let documents: Vec<String> = values.into_iter().map(to_string).collect();
    documents.join("---\n")
}

struct Emitter<'a> {
    out: String,
    comments: &'a Comments,
    path: Vec<String>,
    /// Whether steps are two columns and lists stand below their key.
    compact: bool,
}

/// Where the lines of a block scalar stand, and the column they are indented from.
#[derive(Clone, Copy)]
struct Columns {
    parent: usize,
    content: usize,
}

impl Emitter<'_> {
    /// The column of what stands inside a mapping at `column`: the next multiple of the step.
    fn step(&self, column: usize) -> usize {
        let width = if self.compact { 2 } else { 4 };
        (column / width + 1) * width
    }

    fn root(&mut self, value: &Value) {
        if value.is_block() {
            self.block(value, 0);
        } else {
            self.inline(value, Columns { parent: 0, content: 4 });
            self.out.push('\n');
        }
        let foot = self.comments.at(&self.path).map(|c| c.foot.clone()).unwrap_or_default();
        self.comment_lines(&foot, 0);
    }

    fn indent(&mut self, column: usize) {
        self.out.extend(std::iter::repeat_n(' ', column));
    }

    /// A non-empty list or mapping whose lines begin at `column`; the first line's indentation is
    /// the caller's when it follows a dash.
    fn block(&mut self, value: &Value, column: usize) {
        self.block_from(value, column, false);
    }

    fn block_from(&mut self, value: &Value, column: usize, mut indented: bool) {
        match value {
            Value::Map(entries) => {
                for (key, value) in entries {
                    self.entry(key, value, column, std::mem::take(&mut indented));
                }
            }
            Value::Seq(items) => {
                for (number, item) in items.iter().enumerate() {
                    if !std::mem::take(&mut indented) {
                        self.indent(column);
                    }
                    self.out.push_str("- ");
                    if !self.comments.is_empty() {
                        self.path.push(number.to_string());
                    }
                    if item.is_block() {
                        self.block_from(item, column + 2, true);
                    } else {
                        self.inline(item, Columns { parent: column, content: column + 2 });
                        self.out.push('\n');
                    }
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    fn entry(&mut self, key: &str, value: &Value, column: usize, mut indented: bool) {
        let comment = if self.comments.is_empty() {
            None
        } else {
            self.path.push(key.to_owned());
            self.comments.at(&self.path).cloned()
        };
        let Comment { head, line, foot } = comment.unwrap_or_default();
        if !head.is_empty() {
            // After a dash the first comment line is already at its column.
            let skip = std::mem::take(&mut indented);
            self.comment_lines_from(&head, column, skip);
        }
        if !indented {
            self.indent(column);
        }
        if key.len() > SIMPLE_KEY {
            self.out.push_str("? ");
            self.scalar(key, Columns { parent: column, content: self.step(column) }, true);
            self.out.push('\n');
            self.indent(column);
            self.out.push(':');
        } else {
            self.scalar(key, Columns { parent: column, content: self.step(column) }, true);
            self.out.push(':');
        }
        let line = line.map(|text| format!(" # {text}")).unwrap_or_default();
        if value.is_block() {
            self.out.push_str(&line);
            self.out.push('\n');
            let inside = match value {
                Value::Seq(_) if self.compact => column,
                _ => self.step(column),
            };
            self.block(value, inside);
        } else {
            self.out.push(' ');
            let start = self.out.len();
            self.inline(value, Columns { parent: column, content: self.step(column) });
            // The comment of a block scalar stands on its first line.
            let end = self.out.get(start..).and_then(|text| text.find('\n'));
            match end {
                Some(at) => self.out.insert_str(start + at, &line),
                None => self.out.push_str(&line),
            }
            self.out.push('\n');
        }
        self.comment_lines(&foot, column);
        if !self.comments.is_empty() {
            self.path.pop();
        }
    }

    fn comment_lines(&mut self, lines: &[String], column: usize) {
        self.comment_lines_from(lines, column, false);
    }

    fn comment_lines_from(&mut self, lines: &[String], column: usize, mut indented: bool) {
        for line in lines {
            if !std::mem::take(&mut indented) {
                self.indent(column);
            }
            self.out.push('#');
            if !line.is_empty() {
                self.out.push(' ');
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }

    /// A value on its key's line.
    fn inline(&mut self, value: &Value, columns: Columns) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Int(number) => self.out.push_str(&number.to_string()),
            Value::Uint(number) => self.out.push_str(&number.to_string()),
            Value::Float(number) => self.out.push_str(&write_float(*number)),
            Value::Plain(text) => self.out.push_str(text),
            Value::String(text) => self.scalar(text, columns, false),
            Value::Seq(_) => self.out.push_str("[]"),
            Value::Map(_) => self.out.push_str("{}"),
        }
    }

    fn scalar(&mut self, text: &str, columns: Columns, key: bool) {
        let shape = Shape::of(text);
        if text.contains('\n') {
            if shape.block && !key {
                self.literal(text, columns);
            } else {
                self.double_quoted(text);
            }
        } else if needs_quotes(text) || !shape.single_quoted {
            self.double_quoted(text);
        } else if shape.plain {
            self.out.push_str(text);
        } else {
            self.out.push('\'');
            self.out.push_str(&text.replace('\'', "''"));
            self.out.push('\'');
        }
    }

    fn literal(&mut self, text: &str, Columns { parent, content }: Columns) {
        self.out.push('|');
        if text.starts_with([' ', '\n']) {
            // A reader would count the first line's spaces as indentation. The number is relative
            // to the parent's column.
            self.out.push_str(&(content - parent).to_string());
        }
        let body = match text.strip_suffix('\n') {
            None => {
                self.out.push('-');
                text
            }
            Some(body) if body.is_empty() || body.ends_with('\n') => {
                self.out.push('+');
                body
            }
            Some(body) => body,
        };
        for line in body.split('\n') {
            self.out.push('\n');
            if !line.is_empty() {
                self.indent(content);
                self.out.push_str(line);
            }
        }
    }

    fn double_quoted(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\0' => self.out.push_str("\\0"),
                '\x07' => self.out.push_str("\\a"),
                '\x08' => self.out.push_str("\\b"),
                '\t' => self.out.push_str("\\t"),
                '\n' => self.out.push_str("\\n"),
                '\x0b' => self.out.push_str("\\v"),
                '\x0c' => self.out.push_str("\\f"),
                '\r' => self.out.push_str("\\r"),
                '\x1b' => self.out.push_str("\\e"),
                '\u{85}' => self.out.push_str("\\N"),
                '\u{a0}' => self.out.push_str("\\_"),
                '\u{2028}' => self.out.push_str("\\L"),
                '\u{2029}' => self.out.push_str("\\P"),
                c if printable(c) => self.out.push(c),
                c if u32::from(c) <= 0xff => self.out.push_str(&format!("\\x{:02X}", u32::from(c))),
                c if u32::from(c) <= 0xffff => {
                    self.out.push_str(&format!("\\u{:04X}", u32::from(c)))
                }
                c => self.out.push_str(&format!("\\U{:08X}", u32::from(c))),
            }
        }
        self.out.push('"');
    }
}

/// Whether a character may stand unescaped.
fn printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Which styles a text allows.
struct Shape {
    plain: bool,
    single_quoted: bool,
    block: bool,
}

impl Shape {
    fn of(text: &str) -> Self {
        let is_break = |c: char| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let mut shape = Self { plain: true, single_quoted: true, block: true };
        if text.starts_with("---") || text.starts_with("...") {
            shape.plain = false;
        }
        let mut before: Option<char> = None;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let next = rest.clone().next();
            let blank_next = next.is_none_or(|n| n == ' ' || n == '\t');
            match (before, c) {
                (
                    None,
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"'
                    | '%' | '@' | '`',
                ) => shape.plain = false,
                (None, '?' | '-') | (_, ':') if blank_next => shape.plain = false,
                (Some(b), '#') if b == ' ' || b == '\t' || is_break(b) => shape.plain = false,
                _ => {}
            }
            if c == '\t' {
                shape.plain = false;
                shape.single_quoted = false;
            } else if !printable(c) {
                shape.plain = false;
                shape.single_quoted = false;
                shape.block = false;
            }
            if c == ' ' {
                if before.is_none() {
                    shape.plain = false;
                }
                if next.is_none() {
                    shape.plain = false;
                    shape.block = false;
                }
                if before.is_some_and(is_break) {
                    shape.plain = false;
                    shape.single_quoted = false;
                }
            } else if is_break(c) {
                shape.plain = false;
                if before == Some(' ') {
                    shape.single_quoted = false;
                    shape.block = false;
                }
            }
            before = Some(c);
        }
        shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn value(text: &str) -> Value {
        parse(text.as_bytes()).expect("parses").remove(0).root.to_value()
    }

    #[track_caller]
    fn canonical(text: &str) {
        assert_eq!(to_string(&value(text)), text);
    }

    #[test]
    fn indentation() {
        canonical(
            "a:\n    b:\n        - c\n        - d: 1\n          e:\n            f: 2\n            g:\n                - h: 1\n",
        );
        canonical("- a\n- - b\n  - c\n- d: 1\n");
        canonical("a: {}\nb: []\nc: null\nd: \"\"\n");
        canonical(
            "inlineManifests:\n    - name: a\n      contents: |-\n        x\n          y\n    - name: b\n      contents: |\n        z\n",
        );
    }

    #[test]
    fn scalars() {
        canonical(
            "a: 'x: y'\nb: '- z'\nc: a:b\nd: '#c'\ne: a#b\nf: '''q'''\ng: \"1\"\nh: \"a\\tb\"\ni: ' lead'\nj: 'trail '\n",
        );
        canonical("a: é\nb: \"\\U0001F600\"\nc: \"a\\rb\"\n");
        canonical("a: |+\n    x\n\nb: |4-\n      x\n    y\n");
        canonical("- a: |2-\n       x\n    y\n- |2\n   z\n");
        canonical("a: 1\nb: true\nc: 1.5\nd: \"true\"\n");
        assert_eq!(to_string(&value("a: \"x \\ny\"")), "a: \"x \\ny\"\n");
    }

    #[test]
    fn compact() {
        let text = "a:\n  b:\n  - c\n  - d:\n      e: 1\n    f:\n    - g\nh: |\n  i\n";
        assert_eq!(super::to_string_compact(&value(text)), text);
    }

    #[test]
    fn long_keys() {
        let text = format!("? {}\n: 1\n", "k".repeat(129));
        canonical(&text);
    }

    #[test]
    fn documents_are_joined() {
        let documents = [value("a: 1"), value("b: 2")];
        assert_eq!(stream_to_string(&documents), "a: 1\n---\nb: 2\n");
    }

    #[test]
    fn comments_stand_where_they_belong() {
        let mut comments = Comments::default();
        let path = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
        comments.insert(path(&["a"]), Comment { line: Some("one".into()), ..Comment::default() });
        comments.insert(
            path(&["b"]),
            Comment {
                head: vec!["above".into()],
                foot: vec!["below".into()],
                ..Comment::default()
            },
        );
        let text = to_string_with(&value("a: 1\nb:\n  - c: 2\n"), &comments);
        assert_eq!(text, "a: 1 # one\n# above\nb:\n    - c: 2\n# below\n");
    }
}
