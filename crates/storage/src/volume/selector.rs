//! Conditions on disks and volumes: the configuration's expressions, with values of resources.

use std::collections::BTreeMap;

use config::cel::{CompileError, DISK, Environment, EvalError, Program, VOLUME, Value};
use resource::block::{DiscoveredVolumeSpec, DiskSpec};
use thiserror::Error;

/// Why a condition gives no answer.
#[derive(Clone, Debug, Error)]
pub enum SelectorError {
    /// It is not an expression of its kind.
    #[error("the condition {text:?} does not compile")]
    Compile {
        /// The condition.
        text: String,
        /// Why.
        #[source]
        source: CompileError,
    },
    /// It cannot be evaluated for a device.
    #[error("the condition {text:?} cannot be evaluated for {device}")]
    Evaluate {
        /// The condition.
        text: String,
        /// The device.
        device: String,
        /// Why.
        #[source]
        source: EvalError,
    },
}

/// A condition that compiled.
pub(super) struct Selector {
    text: String,
    program: Program,
}

impl Selector {
    /// A condition on `disk` and `system_disk`.
    pub(super) fn on_disk(text: &str) -> Result<Self, SelectorError> {
        Self::compile(text, Environment::Disk)
    }

    /// A condition on `volume` and the `disk` that it is on.
    pub(super) fn on_volume(text: &str) -> Result<Self, SelectorError> {
        Self::compile(text, Environment::Volume)
    }

    fn compile(text: &str, environment: Environment) -> Result<Self, SelectorError> {
        let program = Program::compile(text, environment)
            .map_err(|source| SelectorError::Compile { text: text.to_owned(), source })?;
        Ok(Self { text: text.to_owned(), program })
    }

    pub(super) fn disk(&self, disk: &DiskSpec, system: bool) -> Result<bool, SelectorError> {
        let values = [("disk", disk_value(disk)), ("system_disk", Value::Bool(system))];
        self.matches(&disk.dev_path, values)
    }

    pub(super) fn volume(
        &self,
        volume: &DiscoveredVolumeSpec,
        disk: &DiskSpec,
    ) -> Result<bool, SelectorError> {
        let values = [("volume", volume_value(volume)), ("disk", disk_value(disk))];
        self.matches(&volume.dev_path, values)
    }

    fn matches(&self, device: &str, values: [(&str, Value); 2]) -> Result<bool, SelectorError> {
        let values: BTreeMap<String, Value> =
            values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.program.matches(&values).map_err(|source| SelectorError::Evaluate {
            text: self.text.clone(),
            device: device.to_owned(),
            source,
        })
    }
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn fields<const N: usize>(values: [(&str, Value); N]) -> BTreeMap<String, Value> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn disk_value(disk: &DiskSpec) -> Value {
    let list = |items: &[String]| Value::List(items.iter().map(|item| text(item)).collect());
    Value::Object(
        &DISK,
        fields([
            ("size", Value::Uint(disk.size)),
            ("io_size", Value::Uint(disk.io_size)),
            ("sector_size", Value::Uint(disk.sector_size)),
            ("readonly", Value::Bool(disk.readonly)),
            ("model", text(&disk.model)),
            ("serial", text(&disk.serial)),
            ("modalias", text(&disk.modalias)),
            ("wwid", text(&disk.wwid)),
            ("bus_path", text(&disk.bus_path)),
            ("sub_system", text(&disk.sub_system)),
            ("transport", text(&disk.transport)),
            ("rotational", Value::Bool(disk.rotational)),
            ("cdrom", Value::Bool(disk.cdrom)),
            ("dev_path", text(&disk.dev_path)),
            ("pretty_size", text(&disk.pretty_size)),
            ("secondary_disks", list(&disk.secondary_disks)),
            ("uuid", text(&disk.uuid)),
            ("symlinks", list(&disk.symlinks)),
            ("firmware_version", text(&disk.firmware_version)),
        ]),
    )
}

fn volume_value(volume: &DiscoveredVolumeSpec) -> Value {
    Value::Object(
        &VOLUME,
        fields([
            ("size", Value::Uint(volume.size)),
            ("sector_size", Value::Uint(volume.sector_size)),
            ("io_size", Value::Uint(volume.io_size)),
            ("name", text(&volume.name)),
            ("uuid", text(&volume.uuid)),
            ("label", text(&volume.label)),
            ("block_size", Value::Uint(volume.block_size.into())),
            ("filesystem_block_size", Value::Uint(volume.filesystem_block_size.into())),
            ("probed_size", Value::Uint(volume.probed_size)),
            ("partition_uuid", text(&volume.partition_uuid)),
            ("partition_type", text(&volume.partition_type)),
            ("partition_label", text(&volume.partition_label)),
            ("partition_index", Value::Uint(volume.partition_index)),
            ("type", text(&volume.r#type)),
            ("device_path", text(&volume.device_path)),
            ("parent", text(&volume.parent)),
            ("dev_path", text(&volume.dev_path)),
            ("parent_dev_path", text(&volume.parent_dev_path)),
            ("pretty_size", text(&volume.pretty_size)),
            ("offset", Value::Uint(volume.offset)),
        ]),
    )
}
