//! Enumerations and flag sets of the contract: a number on the wire, a text in YAML.
//!
//! They are open: a number that is not known here survives decoding and encoding.

mod flags;
mod network;
mod runtime;
mod storage;
mod table;

pub use flags::{AddressFlags, LinkFlags, RouteFlags};
pub use network::*;
pub use runtime::*;
pub use storage::*;
pub use table::RoutingTable;

/// Defines an enumeration: constant, number, and text where the contract has one.
macro_rules! enumeration {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal $(=> $text:literal)?,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i32);

        impl $name {
            $(pub const $variant: Self = Self($number);)+

            /// The contract's text, if this number has one.
            #[must_use]
            pub fn text(self) -> Option<&'static str> {
                $($(if self.0 == $number { return Some($text); })?)+
                None
            }

            /// The value with this text.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                $($(if text == $text { return Some(Self($number)); })?)+
                let _ = text;
                None
            }
        }

        $crate::enums::number_element!($name, stringify!($name));
    };
}

/// Wire and YAML forms of a newtype over `i32` that has a `text`.
macro_rules! number_element {
    ($name:ident, $label:expr) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.text() {
                    Some(text) => f.write_str(text),
                    None => write!(f, "{}({})", $label, self.0),
                }
            }
        }

        impl $crate::Element for $name {
            const PACKED: bool = true;
            fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
                $crate::Element::encode_element(&self.0, number, out);
            }
            fn encode_packed(&self, out: &mut Vec<u8>) {
                $crate::Element::encode_packed(&self.0, out);
            }
            fn merge_element(&mut self, wire: $crate::Wire<'_>) -> Result<(), $crate::DecodeError> {
                $crate::Element::merge_element(&mut self.0, wire)
            }
            fn merge_packed(
                &mut self,
                reader: &mut $crate::Reader<'_>,
            ) -> Result<(), $crate::DecodeError> {
                $crate::Element::merge_packed(&mut self.0, reader)
            }
            fn element_yaml(&self) -> yaml::Value {
                yaml::Value::String(self.to_string())
            }
        }

        $crate::element_field!($name);
    };
}

use {enumeration, number_element};
