//! Machine configuration: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;
use crate::enums::MachineType;

/// Machine configuration documents: active and persisted; ids: `v1alpha1` `persistent`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "MachineConfigs.config.talos.dev", namespace = "config", sensitive, bare)]
pub struct MachineConfigSpec {
    #[field(1)]
    pub yaml_marshalled: String,
}

/// Init / controlplane / worker; ids: `machine-type`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MachineTypes.config.talos.dev",
    namespace = "config",
    columns = [("Type", "{@}")],
    bare,
)]
pub struct MachineTypeSpec {
    #[field(1)]
    pub machine_type: MachineType,
}
