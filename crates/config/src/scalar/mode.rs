//! File modes, read in any base and written as `0o644`.

use yaml::{Node, Value};

use crate::decode::Decoder;
use crate::field::{Field, Shape, integer};

/// A file mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Field for FileMode {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        if node.is_null() {
            return None;
        }
        match integer(node).and_then(|value| u32::try_from(value).ok()) {
            Some(mode) => self.0 = mode,
            None => cx.mismatch(node, "a file mode"),
        }
        None
    }

    fn encode(&self) -> Value {
        Value::Plain(format!("0o{:o}", self.0))
    }

    fn is_empty(&self) -> bool {
        self.0 == 0
    }

    fn shape() -> Shape {
        Shape::Integer { min: 0, max: 0o7777 }
    }
}
