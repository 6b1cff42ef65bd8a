//! The glue between types that parse from text and fields, and the CEL expression type.

use yaml::{Node, Value};

use crate::decode::Decoder;
use crate::field::{Field, Shape};
use crate::merge::MergeError;

/// Gives a type that parses from text the behaviour of a field. `merge` stays as the trait has it:
/// a patch's value counts when it is set.
macro_rules! text_field {
    ($type:ty, $form:literal) => {
        impl crate::field::Field for $type {
            fn decode(
                &mut self,
                node: &yaml::Node,
                cx: &mut crate::decode::Decoder,
            ) -> Option<yaml::Value> {
                match node.scalar() {
                    Some(scalar) if scalar.resolved() == yaml::Resolved::Null => {}
                    Some(scalar) => match scalar.text.parse() {
                        Ok(value) => *self = value,
                        Err(error) => cx.refused(node, error),
                    },
                    None => cx.mismatch(node, $form),
                }
                None
            }

            fn encode(&self) -> yaml::Value {
                yaml::Value::String(self.to_string())
            }

            fn is_empty(&self) -> bool {
                *self == Self::default()
            }

            fn shape() -> crate::field::Shape {
                crate::field::Shape::Format($form)
            }
        }
    };
}

pub(crate) use text_field;

/// A CEL expression, kept as text; it is compiled when the document is validated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expression(pub String);

impl Expression {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Expression {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Field for Expression {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        self.0.decode(node, cx)
    }

    fn encode(&self) -> Value {
        Value::String(self.0.clone())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    // The contract takes the patch's expression even when the patch has none.
    fn merge(&mut self, right: &Self) -> Result<(), MergeError> {
        self.clone_from(right);
        Ok(())
    }

    fn shape() -> Shape {
        Shape::Format("CEL expression")
    }
}
