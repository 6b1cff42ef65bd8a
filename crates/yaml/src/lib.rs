//! YAML as the machine configuration contract reads and writes it.
//!
//! Reading gives a [`Node`] tree that knows where every key and value stands in the text; writing
//! takes a [`Value`] and follows the contract's emission rules byte for byte (four-space steps,
//! unlimited width, quoting of everything an older YAML reader would take for a bool or a number).
//!
//! This crate must never do I/O and never give up on hostile input: size, depth and alias
//! expansion are bounded, and every failure is a [`ParseError`] with a line and a column.
#![forbid(unsafe_code)]

mod comment;
mod emit;
mod node;
mod number;
mod order;
mod parse;
pub mod path;
mod scalar;
mod value;

pub use comment::{Comment, Comments};
pub use emit::{stream_to_string, to_string, to_string_compact, to_string_with};
pub use node::{Duplicate, Entry, Node, NodeKind, Position, Scalar, ScalarStyle};
pub use order::natural;
pub use parse::{Document, Limits, ParseError, parse, parse_with};
pub use scalar::{Resolved, resolve};
pub use value::Value;
