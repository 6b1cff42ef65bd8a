//! Reading: from text to documents, in bounded time and memory.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle as Style, Span, Tag};

use crate::{Duplicate, Entry, Node, NodeKind, Position, Scalar, ScalarStyle};

/// What the reader refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest text, in bytes.
    pub bytes: usize,
    /// The deepest nesting of lists and mappings.
    pub depth: usize,
    /// The most nodes that aliases may add.
    pub alias_nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 20, depth: 200, alias_nodes: 100_000 }
    }
}

/// One document of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The root node; an empty document is a null scalar.
    pub root: Node,
    /// Keys that a mapping of the document defines twice.
    pub duplicates: Vec<Duplicate>,
}

/// Why a text is not YAML that this reader takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text breaks YAML's grammar.
    #[error("yaml: line {}: {message}", at.line)]
    Syntax {
        /// Where.
        at: Position,
        /// What the grammar has against it.
        message: String,
    },
    /// The bytes are not UTF-8.
    #[error("yaml: invalid UTF-8 after byte {offset}")]
    Encoding {
        /// How many bytes are good.
        offset: usize,
    },
    /// A character that YAML forbids, such as NUL.
    #[error("yaml: line {}: control characters are not allowed", at.line)]
    Control {
        /// Where.
        at: Position,
    },
    /// More bytes than the limit.
    #[error("yaml: document of {size} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// The size given.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Nested deeper than the limit.
    #[error("yaml: line {}: exceeded max depth of {limit}", at.line)]
    TooDeep {
        /// Where the limit was passed.
        at: Position,
        /// The limit.
        limit: usize,
    },
    /// Aliases expand to more nodes than the limit.
    #[error("yaml: line {}: document contains excessive aliasing", at.line)]
    Aliasing {
        /// The alias that passed the limit.
        at: Position,
    },
    /// An alias without its anchor, or an anchor that contains itself.
    #[error("yaml: line {}: alias refers to an anchor that is not complete", at.line)]
    UnknownAlias {
        /// The alias.
        at: Position,
    },
    /// A key that is a list or a mapping.
    #[error("yaml: line {}: invalid map key: {tag}", at.line)]
    Key {
        /// Where.
        at: Position,
        /// What the key is.
        tag: &'static str,
    },
    /// A merge key whose value is not a mapping or a list of mappings.
    #[error("yaml: line {}: map merge requires map or sequence of maps as the value", at.line)]
    Merge {
        /// Where.
        at: Position,
    },
}

impl ParseError {
    /// Where the error is, when it has a place.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Syntax { at, .. }
            | Self::Control { at }
            | Self::TooDeep { at, .. }
            | Self::Aliasing { at }
            | Self::UnknownAlias { at }
            | Self::Key { at, .. }
            | Self::Merge { at } => Some(*at),
            Self::Encoding { .. } | Self::TooLarge { .. } => None,
        }
    }
}

/// Parses a stream of documents within the default limits.
///
/// # Errors
/// The first thing that makes the text unreadable.
pub fn parse(bytes: &[u8]) -> Result<Vec<Document>, ParseError> {
    parse_with(bytes, Limits::default())
}

/// Parses a stream of documents within `limits`.
///
/// # Errors
/// The first thing that makes the text unreadable.
pub fn parse_with(bytes: &[u8], limits: Limits) -> Result<Vec<Document>, ParseError> {
    if bytes.len() > limits.bytes {
        return Err(ParseError::TooLarge { size: bytes.len(), limit: limits.bytes });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ParseError::Encoding { offset: error.valid_up_to() })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check_characters(text)?;
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder { limits, ..Builder::default() };
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| ParseError::Syntax {
            at: position(error.marker()),
            message: error.info().to_owned(),
        })?;
        builder.event(event, span)?;
    }
    Ok(builder.documents)
}

/// Refuses the characters outside YAML's printable set.
fn check_characters(text: &str) -> Result<(), ParseError> {
    let bad = |c: char| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\x7f' | '\u{fffe}' | '\u{ffff}');
    let Some(offset) = text.find(bad) else { return Ok(()) };
    let before = text.get(..offset).unwrap_or_default();
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    Err(ParseError::Control { at: Position { line: saturate(line), column: saturate(column) } })
}

fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn position(marker: &saphyr_parser::Marker) -> Position {
    Position { line: saturate(marker.line()), column: saturate(marker.col() + 1) }
}

/// An anchored node and the number of nodes it holds.
type Anchor = (Node, usize);

/// A list or a mapping that is not closed yet.
struct Open {
    at: Position,
    anchor: usize,
    nodes: usize,
    content: Content,
}

enum Content {
    Seq(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Position)> },
}

/// Builds documents from the parser's events, without recursion.
#[derive(Default)]
struct Builder {
    limits: Limits,
    documents: Vec<Document>,
    stack: Vec<Open>,
    root: Option<Node>,
    duplicates: Vec<Duplicate>,
    anchors: HashMap<usize, Anchor>,
    alias_nodes: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), ParseError> {
        let at = position(&span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {
                Ok(())
            }
            Event::DocumentEnd => {
                let empty = || Node {
                    at,
                    kind: NodeKind::Scalar(Scalar {
                        text: String::new(),
                        style: ScalarStyle::Plain,
                        tag: None,
                    }),
                };
                self.documents.push(Document {
                    root: self.root.take().unwrap_or_else(empty),
                    duplicates: std::mem::take(&mut self.duplicates),
                });
                self.anchors.clear();
                self.alias_nodes = 0;
                Ok(())
            }
            Event::Alias(id) => {
                let (node, nodes) =
                    self.anchors.get(&id).cloned().ok_or(ParseError::UnknownAlias { at })?;
                self.alias_nodes = self.alias_nodes.saturating_add(nodes);
                if self.alias_nodes > self.limits.alias_nodes {
                    return Err(ParseError::Aliasing { at });
                }
                self.node(node, nodes, 0)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let style = match style {
                    Style::Plain => ScalarStyle::Plain,
                    Style::SingleQuoted | Style::DoubleQuoted => ScalarStyle::Quoted,
                    Style::Literal | Style::Folded => ScalarStyle::Block,
                };
                let tag = tag
                    .as_deref()
                    .filter(|t| Tag::is_yaml_core_schema(t))
                    .map(|t| t.suffix.clone());
                let scalar = Scalar { text: text.into_owned(), style, tag };
                self.node(Node { at, kind: NodeKind::Scalar(scalar) }, 1, anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(at, anchor, Content::Seq(Vec::new())),
            Event::MappingStart(anchor, _) => {
                self.open(at, anchor, Content::Map { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.stack.pop() else { return Ok(()) };
                let kind = match open.content {
                    Content::Seq(items) => NodeKind::Seq(items),
                    Content::Map { entries, .. } => NodeKind::Map(self.close_map(entries)?),
                };
                self.node(Node { at: open.at, kind }, open.nodes, open.anchor)
            }
        }
    }

    fn open(&mut self, at: Position, anchor: usize, content: Content) -> Result<(), ParseError> {
        if self.stack.len() >= self.limits.depth {
            return Err(ParseError::TooDeep { at, limit: self.limits.depth });
        }
        self.stack.push(Open { at, anchor, nodes: 1, content });
        Ok(())
    }

    /// Puts a finished node into its parent.
    fn node(&mut self, node: Node, nodes: usize, anchor: usize) -> Result<(), ParseError> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), nodes));
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.nodes = open.nodes.saturating_add(nodes);
        match &mut open.content {
            Content::Seq(items) => items.push(node),
            Content::Map { entries, key } => match key.take() {
                Some((text, at)) => entries.push(Entry { key: text, at, value: node }),
                None => {
                    let tag = node.tag();
                    let at = node.at;
                    let NodeKind::Scalar(scalar) = node.kind else {
                        return Err(ParseError::Key { at, tag });
                    };
                    let text = match tag {
                        "!!merge" => MERGE.to_owned(),
                        "!!null" if scalar.text == "~" => String::new(),
                        _ => scalar.text,
                    };
                    *key = Some((text, at));
                }
            },
        }
        Ok(())
    }

    /// Applies merge keys and notes duplicates.
    fn close_map(&mut self, entries: Vec<Entry>) -> Result<Vec<Entry>, ParseError> {
        let mut merges = Vec::new();
        let mut own: Vec<Entry> = Vec::with_capacity(entries.len());
        let mut seen: HashMap<String, Position> = HashMap::new();
        let many = entries.len() > 8;
        for entry in entries {
            if entry.key == MERGE {
                merges.push(entry);
                continue;
            }
            // Small mappings, which nearly all are, are searched without hashing.
            let first = if many {
                seen.insert(entry.key.clone(), entry.at)
            } else {
                own.iter().find(|e| e.key == entry.key).map(|e| e.at)
            };
            if let Some(first) = first
                && self.duplicates.len() < DUPLICATES
            {
                self.duplicates.push(Duplicate { key: entry.key.clone(), at: entry.at, first });
            }
            own.push(entry);
        }
        let mut known: HashSet<String> = if merges.is_empty() {
            HashSet::new()
        } else {
            own.iter().map(|entry| entry.key.clone()).collect()
        };
        for merge in merges {
            let sources = match merge.value.kind {
                NodeKind::Map(entries) => vec![entries],
                NodeKind::Seq(items) => items
                    .into_iter()
                    .map(|item| match item.kind {
                        NodeKind::Map(entries) => Ok(entries),
                        _ => Err(ParseError::Merge { at: item.at }),
                    })
                    .collect::<Result<_, _>>()?,
                NodeKind::Scalar(_) => return Err(ParseError::Merge { at: merge.at }),
            };
            for entry in sources.into_iter().flatten() {
                if known.insert(entry.key.clone()) {
                    own.push(entry);
                }
            }
        }
        Ok(own)
    }
}

/// The most duplicates of a document that are told.
const DUPLICATES: usize = 1_000;

/// Stands for the merge key while a mapping is open; NUL cannot occur in a real key.
const MERGE: &str = "\0merge";

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Node {
        let mut documents = parse(text.as_bytes()).expect("parses");
        assert_eq!(documents.len(), 1, "{documents:?}");
        documents.remove(0).root
    }

    #[test]
    fn positions_count_from_one() {
        let node = one("a: 1\nb:\n    - x\n    - key: value\n");
        let b = node.find("b").expect("b");
        assert_eq!(b.at, Position { line: 2, column: 1 });
        let items = b.value.items().expect("list");
        assert_eq!(items[0].at, Position { line: 3, column: 7 });
        assert_eq!(items[1].find("key").expect("key").at, Position { line: 4, column: 7 });
        assert_eq!(items[1].find("key").expect("key").value.at, Position { line: 4, column: 12 });
    }

    #[test]
    fn a_stream_has_many_documents() {
        let documents = parse(b"---\na: 1\n---\nb: 2\n...\n---\n").expect("parses");
        assert_eq!(documents.len(), 3);
        assert_eq!(documents[0].root.at.line, 2);
        assert!(documents[2].root.is_null());
        assert_eq!(parse(b"").expect("parses").len(), 0);
    }

    #[test]
    fn anchors_and_merge_keys() {
        let node =
            one("base: &b {x: 1, w: 2}\nuse:\n  <<: *b\n  w: 3\nlist:\n  <<: [*b, {z: 4}]\n");
        let value = node.to_value();
        assert_eq!(crate::to_string(value.entry("use").expect("use")), "w: 3\nx: 1\n");
        assert_eq!(crate::to_string(value.entry("list").expect("list")), "x: 1\nw: 2\nz: 4\n");
    }

    #[test]
    fn duplicates_are_kept_for_the_caller() {
        let documents = parse(b"a: 1\nb: 2\na: 3\n").expect("parses");
        let duplicate = &documents[0].duplicates[0];
        assert_eq!((duplicate.key.as_str(), duplicate.at.line, duplicate.first.line), ("a", 3, 1));
    }

    #[test]
    fn hostile_input_is_bounded() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for i in 1..12 {
            let list = vec![format!("*a{}", i - 1); 9].join(",");
            bomb.push_str(&format!("a{i}: &a{i} [{list}]\n"));
        }
        assert!(matches!(parse(bomb.as_bytes()), Err(ParseError::Aliasing { .. })));
        let deep = parse("- ".repeat(1_000).as_bytes());
        assert!(matches!(deep, Err(ParseError::TooDeep { limit: 200, .. })), "{deep:?}");
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        assert!(matches!(
            parse(b"a: \0"),
            Err(ParseError::Control { at: Position { line: 1, column: 4 } })
        ));
        assert!(matches!(parse(b"a: \xff"), Err(ParseError::Encoding { offset: 3 })));
        assert!(parse(b"a: &a [*a]").is_err());
        let limits = Limits { bytes: 3, ..Limits::default() };
        assert!(matches!(
            parse_with(b"a: b", limits),
            Err(ParseError::TooLarge { size: 4, limit: 3 })
        ));
    }

    #[test]
    fn line_ends_and_byte_order_mark() {
        assert_eq!(
            one("\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n").entry("b").and_then(Node::text),
            Some("x\ny\n")
        );
    }

    #[test]
    fn tabs_are_an_error_with_a_place() {
        let error = parse(b"a:\n\tb: 1\n").expect_err("tabs");
        assert_eq!(error.position().map(|p| p.line), Some(2), "{error}");
    }
}
