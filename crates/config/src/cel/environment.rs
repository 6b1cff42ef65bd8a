//! The environments: which names an expression may use.

use super::{Object, Type, Value};

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Environment {
    /// A condition on a disk.
    Disk,
    /// A condition on a volume.
    Volume,
    /// A condition on a link.
    Link,
    /// Says when memory runs out.
    OomTrigger,
    /// Ranks control groups when memory runs out.
    OomRanking,
}

/// A disk.
pub static DISK: Object = Object {
    name: "talos.resource.definitions.block.DiskSpec",
    fields: &[
        ("size", Type::Uint),
        ("io_size", Type::Uint),
        ("sector_size", Type::Uint),
        ("readonly", Type::Bool),
        ("model", Type::String),
        ("serial", Type::String),
        ("modalias", Type::String),
        ("wwid", Type::String),
        ("bus_path", Type::String),
        ("sub_system", Type::String),
        ("transport", Type::String),
        ("rotational", Type::Bool),
        ("cdrom", Type::Bool),
        ("dev_path", Type::String),
        ("pretty_size", Type::String),
        ("secondary_disks", Type::Strings),
        ("uuid", Type::String),
        ("symlinks", Type::Strings),
        ("firmware_version", Type::String),
    ],
};

/// A volume.
pub static VOLUME: Object = Object {
    name: "talos.resource.definitions.block.DiscoveredVolumeSpec",
    fields: &[
        ("size", Type::Uint),
        ("sector_size", Type::Uint),
        ("io_size", Type::Uint),
        ("name", Type::String),
        ("uuid", Type::String),
        ("label", Type::String),
        ("block_size", Type::Uint),
        ("filesystem_block_size", Type::Uint),
        ("probed_size", Type::Uint),
        ("partition_uuid", Type::String),
        ("partition_type", Type::String),
        ("partition_label", Type::String),
        ("partition_index", Type::Uint),
        ("type", Type::String),
        ("device_path", Type::String),
        ("parent", Type::String),
        ("dev_path", Type::String),
        ("parent_dev_path", Type::String),
        ("pretty_size", Type::String),
        ("offset", Type::Uint),
    ],
};

/// A link.
pub static LINK: Object = Object {
    name: "talos.resource.definitions.network.LinkStatusSpec",
    fields: &[
        ("index", Type::Uint),
        ("type", Type::Int),
        ("link_index", Type::Uint),
        ("flags", Type::Uint),
        ("hardware_addr", Type::Bytes),
        ("permanent_addr", Type::Bytes),
        ("broadcast_addr", Type::Bytes),
        ("mtu", Type::Uint),
        ("queue_disc", Type::String),
        ("master_index", Type::Uint),
        ("operational_state", Type::Int),
        ("kind", Type::String),
        ("slave_kind", Type::String),
        ("bus_path", Type::String),
        ("pciid", Type::String),
        ("driver", Type::String),
        ("driver_version", Type::String),
        ("firmware_version", Type::String),
        ("product_id", Type::String),
        ("vendor_id", Type::String),
        ("product", Type::String),
        ("vendor", Type::String),
        ("link_state", Type::Bool),
        ("speed_megabits", Type::Int),
        ("port", Type::Int),
        ("duplex", Type::Int),
        ("alias", Type::String),
        ("alt_names", Type::Strings),
    ],
};

/// Multipliers of bytes.
const UNITS: [(&str, u64); 12] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("EiB", 1 << 60),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("EB", 1_000_000_000_000_000_000),
];

/// Classes of control groups, the first is ended first.
const CLASSES: [(&str, i64); 5] =
    [("Besteffort", 0), ("Burstable", 1), ("Guaranteed", 2), ("Podruntime", 3), ("System", 4)];

/// What pressure is measured over.
const WINDOWS: [&str; 4] = ["avg10", "avg60", "avg300", "total"];

impl Environment {
    fn is_oom(self) -> bool {
        matches!(self, Self::OomTrigger | Self::OomRanking)
    }

    /// The type of a variable or constant.
    pub(crate) fn variable(self, name: &str) -> Option<Type> {
        if let Some(value) = self.constant(name) {
            return Some(match value {
                Value::Int(_) => Type::Int,
                _ => Type::Uint,
            });
        }
        match (self, name) {
            (Self::Disk | Self::Volume, "disk") => Some(Type::Object(&DISK)),
            (Self::Disk, "system_disk") => Some(Type::Bool),
            (Self::Volume, "volume") => Some(Type::Object(&VOLUME)),
            (Self::Link, "link") => Some(Type::Object(&LINK)),
            (Self::OomRanking, "path") => Some(Type::String),
            (Self::OomRanking, "class") => Some(Type::Int),
            (Self::OomRanking, "memory_current" | "memory_max" | "memory_peak") => {
                Some(Type::Optional(Box::new(Type::Uint)))
            }
            (Self::OomTrigger, "time_since_trigger") => Some(Type::Duration),
            (Self::OomTrigger, name) => pressure(name),
            _ => None,
        }
    }

    /// The value of a constant.
    pub(crate) fn constant(self, name: &str) -> Option<Value> {
        if self != Self::Link
            && let Some((_, unit)) = UNITS.iter().find(|(unit, _)| *unit == name)
        {
            return Some(Value::Uint(*unit));
        }
        let class = CLASSES.iter().find(|(class, _)| self.is_oom() && *class == name)?;
        Some(Value::Int(class.1))
    }

    /// Whether the environment has a function of its own of that name.
    pub(crate) fn has_function(self, name: &str) -> bool {
        match name {
            "glob" => matches!(self, Self::Disk | Self::Volume | Self::Link),
            "mac" => self == Self::Link,
            "multiply_qos_vectors" => self == Self::OomTrigger,
            _ => false,
        }
    }
}

/// The type of a measurement: `memory_full_avg10`, its change `d_…`, its values by class `qos_…`.
fn pressure(name: &str) -> Option<Type> {
    let rest = name.strip_prefix("d_").unwrap_or(name);
    let (rest, by_class) = match rest.strip_prefix("qos_") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let rest = rest.strip_prefix("memory_")?;
    let window = rest.strip_prefix("some_").or(rest.strip_prefix("full_"))?;
    let known = WINDOWS.contains(&window);
    let vector = || Type::Map(Box::new(Type::Int), Box::new(Type::Double));
    known.then(|| if by_class { vector() } else { Type::Double })
}
