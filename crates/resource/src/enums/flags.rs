//! Flag sets: a bit mask on the wire, names joined by commas in YAML.

use std::fmt;

use yaml::Value;

use crate::{DecodeError, Element, Wire, element_field};

macro_rules! flags {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $bit:literal => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        #[allow(missing_docs)] // The bits are the contract's.
        impl $name {
            $(pub const $variant: Self = Self($bit);)+

            /// Whether all bits of `other` are set.
            #[must_use]
            pub fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The set with this text; `None` when a name is unknown.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                let mut bits = 0;
                for name in text.split(',').filter(|name| !name.is_empty()) {
                    bits |= match name { $($text => $bit,)+ _ => return None };
                }
                Some(Self(bits))
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl fmt::Display for $name {
            /// Bits without a name are not shown.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let names: &[(u32, &str)] = &[$(($bit, $text)),+];
                let mut first = true;
                for (_, name) in names.iter().filter(|(bit, _)| self.0 & bit != 0) {
                    if !first {
                        f.write_str(",")?;
                    }
                    first = false;
                    f.write_str(name)?;
                }
                Ok(())
            }
        }

        impl Element for $name {
            fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
                self.0.encode_element(number, out);
            }
            fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
                self.0.merge_element(wire)
            }
            fn element_yaml(&self) -> Value {
                Value::String(self.to_string())
            }
        }

        element_field!($name);
    };
}

flags! {
    /// `AddressFlag` of the contract: `IFA_F_*` of the kernel.
    AddressFlags {
        TEMPORARY = 1 => "temporary",
        NO_DAD = 2 => "nodad",
        OPTIMISTIC = 4 => "optimistic",
        DAD_FAILED = 8 => "dadfailed",
        HOME = 16 => "homeaddress",
        DEPRECATED = 32 => "deprecated",
        TENTATIVE = 64 => "tentative",
        PERMANENT = 128 => "permanent",
        MANAGEMENT_TEMP = 256 => "mngmtmpaddr",
        NO_PREFIX_ROUTE = 512 => "noprefixroute",
        MC_AUTO_JOIN = 1024 => "mcautojoin",
        STABLE_PRIVACY = 2048 => "stableprivacy",
    }
}

flags! {
    /// Link flags: `IFF_*` of the kernel.
    LinkFlags {
        UP = 0x1 => "UP",
        BROADCAST = 0x2 => "BROADCAST",
        DEBUG = 0x4 => "DEBUG",
        LOOPBACK = 0x8 => "LOOPBACK",
        POINT_TO_POINT = 0x10 => "POINTTOPOINT",
        NO_TRAILERS = 0x20 => "NOTRAILERS",
        RUNNING = 0x40 => "RUNNING",
        NO_ARP = 0x80 => "NOARP",
        PROMISC = 0x100 => "PROMISC",
        ALL_MULTI = 0x200 => "ALLMULTI",
        MASTER = 0x400 => "MASTER",
        SLAVE = 0x800 => "SLAVE",
        MULTICAST = 0x1000 => "MULTICAST",
        PORT_SEL = 0x2000 => "PORTSEL",
        AUTO_MEDIA = 0x4000 => "AUTOMEDIA",
        DYNAMIC = 0x8000 => "DYNAMIC",
        LOWER_UP = 0x10000 => "LOWER_UP",
        DORMANT = 0x20000 => "DORMANT",
        ECHO = 0x40000 => "ECHO",
    }
}

flags! {
    /// `RouteFlag` of the contract: `RTM_F_*` of the kernel.
    RouteFlags {
        NOTIFY = 0x100 => "notify",
        CLONED = 0x200 => "cloned",
        EQUALIZE = 0x400 => "equalize",
        PREFIX = 0x800 => "prefix",
        LOOKUP_TABLE = 0x1000 => "lookup_table",
        FIB_MATCH = 0x2000 => "fib_match",
        OFFLOAD = 0x4000 => "offload",
        TRAP = 0x8000 => "trap",
    }
}
