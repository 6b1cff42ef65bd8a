//! Routing tables: three have names, the others are their number.

use std::fmt;

use yaml::Value;

use crate::{DecodeError, Element, Reader, Wire, element_field};

/// `RoutingTable` of the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutingTable(pub i32);

impl RoutingTable {
    /// No table named.
    pub const UNSPEC: Self = Self(0);
    /// `default`
    pub const DEFAULT: Self = Self(253);
    /// `main`
    pub const MAIN: Self = Self(254);
    /// `local`
    pub const LOCAL: Self = Self(255);
}

impl fmt::Display for RoutingTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UNSPEC => f.write_str("unspec"),
            Self::DEFAULT => f.write_str("default"),
            Self::MAIN => f.write_str("main"),
            Self::LOCAL => f.write_str("local"),
            Self(number) => write!(f, "{number}"),
        }
    }
}

impl Element for RoutingTable {
    const PACKED: bool = true;
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        self.0.encode_element(number, out);
    }
    fn encode_packed(&self, out: &mut Vec<u8>) {
        self.0.encode_packed(out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        self.0.merge_element(wire)
    }
    fn merge_packed(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.0.merge_packed(reader)
    }
    fn element_yaml(&self) -> Value {
        Value::String(self.to_string())
    }
}

element_field!(RoutingTable);
