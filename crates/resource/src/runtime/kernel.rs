//! The running machine (kernel modules, parameters and logs): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;
use crate::enums::{KernelModuleState, KernelModuleType};
use crate::types::{Duration, Url};

/// /proc/cmdline; ids: `cmdline`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KernelCmdlines.runtime.talos.dev",
    namespace = "runtime",
    aliases = ["cmdline"],
    columns = [("Cmdline", "{.cmdline}")],
)]
pub struct KernelCmdlineSpec {
    #[field(1)]
    pub cmdline: String,
}

/// Every kernel module, built-in or loaded.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KernelModuleStatuses.runtime.talos.dev",
    namespace = "runtime",
    aliases = ["module", "modules"],
    columns = [("Type", "{.type}"), ("State", "{.state}")],
)]
pub struct KernelModuleStatusSpec {
    #[field(1)]
    pub r#type: KernelModuleType,
    #[field(2)]
    pub size: i64,
    #[field(3, yaml = "referenceCount")]
    pub reference_count: i64,
    #[field(4, omit)]
    pub dependencies: Vec<String>,
    #[field(5)]
    pub state: KernelModuleState,
    #[field(6)]
    pub address: String,
}

/// Module to load.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KernelModuleSpecs.runtime.talos.dev", namespace = "runtime")]
pub struct KernelModuleSpecSpec {
    #[field(1)]
    pub string: String,
    #[field(2)]
    pub parameters: Vec<String>,
}

/// Sysctl/sysfs value to set (id proc.sys.… or sys.…).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KernelParamSpecs.runtime.talos.dev", namespace = "runtime")]
pub struct KernelParamSpecSpec {
    #[field(1)]
    pub value: String,
    #[field(2, yaml = "ignoreErrors")]
    pub ignore_errors: bool,
}

/// Built-in sysctl default.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KernelParamDefaultSpecs.runtime.talos.dev", namespace = "runtime")]
pub struct KernelParamDefaultSpecSpec {
    #[field(1)]
    pub value: String,
    #[field(2, yaml = "ignoreErrors")]
    pub ignore_errors: bool,
}

/// Current and previous sysctl value.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KernelParamStatuses.runtime.talos.dev",
    namespace = "runtime",
    aliases = ["sysctls", "kernelparameters", "kernelparams"],
    columns = [("Current", "{.current}"), ("Default", "{.default}"), ("Unsupported", "{.unsupported}")],
)]
pub struct KernelParamStatusSpec {
    #[field(1)]
    pub current: String,
    #[field(2)]
    pub default: String,
    #[field(3)]
    pub unsupported: bool,
}

/// Kernel log destinations; ids: `kmsg-log`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KmsgLogConfigs.runtime.talos.dev", namespace = "runtime")]
pub struct KmsgLogConfigSpec {
    #[field(1)]
    pub destinations: Vec<Url>,
}

/// Deprecated predecessor of KernelModuleStatuses.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "LoadedKernelModules.runtime.talos.dev",
    namespace = "runtime",
    columns = [("State", "{.state}")],
)]
pub struct LoadedKernelModuleSpec {
    #[field(1)]
    pub size: i64,
    #[field(2, yaml = "referenceCount")]
    pub reference_count: i64,
    #[field(3, omit)]
    pub dependencies: Vec<String>,
    #[field(4)]
    pub state: String,
    #[field(5)]
    pub address: String,
}

/// What the user-space OOM handler killed.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "OOMActions.talos.dev",
    namespace = "runtime",
    columns = [("Time", "{.time}"), ("Score", "{.score}")],
    sensitive,
)]
pub struct OOMActionSpec {
    #[field(1, yaml = "triggerContext", omit)]
    pub trigger_context: String,
    #[field(2, omit)]
    pub score: f64,
    #[field(3, omit)]
    pub processes: Vec<String>,
}

/// Watchdog device and timeout; ids: `timer`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "WatchdogTimerConfigs.runtime.talos.dev",
    namespace = "runtime",
    columns = [("Device", "{.device}"), ("Timeout", "{.timeout}")],
)]
pub struct WatchdogTimerConfigSpec {
    #[field(1)]
    pub device: String,
    #[field(2)]
    pub timeout: Duration,
}

/// Active watchdog; ids: `timer`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "WatchdogTimerStatuses.runtime.talos.dev",
    namespace = "runtime",
    columns = [("Device", "{.device}"), ("Timeout", "{.timeout}")],
)]
pub struct WatchdogTimerStatusSpec {
    #[field(1)]
    pub device: String,
    #[field(2)]
    pub timeout: Duration,
    #[field(3, yaml = "feedInterval")]
    pub feed_interval: Duration,
}
