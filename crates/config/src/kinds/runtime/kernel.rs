//! Kernel modules, parameters, device rules and drivers.

use config_derive::Section;

use crate::{List, Map};

/// A kernel module that is loaded.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KernelModuleConfig",
    group = "runtime",
    since = "1.14",
    effect = "a new module is loaded at once, one that is left out stays loaded until the next start",
    named
)]
pub struct KernelModuleConfig {
    /// The module.
    #[field(keep, required)]
    pub name: String,
    /// Its parameters.
    pub parameters: List<String>,
}

/// Kernel parameters below `/proc/sys`.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "SysctlConfig", group = "runtime", since = "1.14")]
pub struct SysctlConfig {
    /// Values by parameter, with dots between the parts.
    pub params: Map<String>,
}

/// Kernel parameters below `/sys`.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "SysfsConfig", group = "runtime", since = "1.14")]
pub struct SysfsConfig {
    /// Values by parameter, with dots between the parts.
    pub params: Map<String>,
}

/// Rules for device events.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "UdevRulesConfig", group = "runtime", since = "1.14")]
pub struct UdevRulesConfig {
    /// One rule per item.
    pub rules: List<String>,
}

/// Gives a PCI device to another driver.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "PCIDriverRebindConfig", group = "runtime", since = "1.10", named)]
pub struct PciDriverRebindConfig {
    /// The address of the device, such as `0000:04:00.0`.
    #[field(keep, required)]
    pub name: String,
    /// The driver.
    #[field(required)]
    pub target_driver: String,
}
