//! Port ranges and routing tables: numbers that may be given as text.

use std::fmt;
use std::str::FromStr;

use yaml::{Node, Value};

use super::text::text_field;
use crate::decode::Decoder;
use crate::field::{Field, Shape};

/// A port or a range of ports, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortRange {
    /// The first port.
    pub low: u16,
    /// The last port.
    pub high: u16,
}

/// Why a text is not a port range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a port or a range of ports such as 8000-8100")]
pub struct PortRangeError(String);

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<u16>().ok()).flatten()
        };
        match (port(low.trim()), port(high.trim())) {
            (Some(low), Some(high)) => Ok(Self { low, high }),
            _ => Err(PortRangeError(text.to_owned())),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            write!(f, "{}", self.low)
        } else {
            write!(f, "{}-{}", self.low, self.high)
        }
    }
}

impl Field for PortRange {
    fn decode(&mut self, node: &Node, cx: &mut Decoder) -> Option<Value> {
        match node.scalar().map(|scalar| scalar.text.parse()) {
            Some(Ok(value)) => *self = value,
            Some(Err(error)) => cx.refused(node, error),
            None => cx.mismatch(node, "a port range"),
        }
        None
    }

    // A single port is a number.
    fn encode(&self) -> Value {
        if self.low == self.high {
            Value::Int(self.low.into())
        } else {
            Value::String(self.to_string())
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn shape() -> Shape {
        Shape::NumberOrFormat("port range")
    }
}

/// A routing table, by number or by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoutingTable(pub u8);

impl RoutingTable {
    /// No table given.
    pub const UNSPEC: Self = Self(0);
    /// The table `default`.
    pub const DEFAULT: Self = Self(253);
    /// The table `main`.
    pub const MAIN: Self = Self(254);
    /// The table `local`.
    pub const LOCAL: Self = Self(255);
}

/// Why a text is not a routing table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a routing table: want 1 to 252, unspec, default, main or local")]
pub struct RoutingTableError(String);

impl FromStr for RoutingTable {
    type Err = RoutingTableError;

    fn from_str(text: &str) -> Result<Self, RoutingTableError> {
        match text {
            "" | "unspec" => Ok(Self::UNSPEC),
            "default" => Ok(Self::DEFAULT),
            "main" => Ok(Self::MAIN),
            "local" => Ok(Self::LOCAL),
            _ => text.parse().map(Self).map_err(|_| RoutingTableError(text.to_owned())),
        }
    }
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

text_field!(RoutingTable, "routing table");
