//! The system itself: environment, files, logs, installation, memory pressure, trust, watchdog.

use config_derive::Section;

use crate::Map;
use crate::scalar::{Duration, Expression, FileMode, Url};

/// Environment variables of the system and its services.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "EnvironmentConfig",
    group = "runtime",
    since = "1.13",
    effect = "processes see it when they start again"
)]
pub struct EnvironmentConfig {
    /// Values by name.
    pub variables: Map<String>,
}

/// A file below `/etc`.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "EtcFileConfig", group = "runtime", since = "1.14", named)]
pub struct EtcFileConfig {
    /// The path below `/etc`.
    #[field(keep, required)]
    pub name: String,
    /// The mode of the file.
    pub mode: FileMode,
    /// What the file holds.
    pub contents: String,
}

/// Where machine events are sent.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "EventSinkConfig", group = "runtime", since = "1.8")]
pub struct EventSinkConfig {
    /// The receiver, as `host:port`.
    #[field(keep, required)]
    pub endpoint: String,
}

/// Where the kernel log is sent.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "KmsgLogConfig", group = "runtime", since = "1.8", named)]
pub struct KmsgLogConfig {
    /// A name for the document.
    #[field(keep, required)]
    pub name: String,
    /// The receiver: `tcp://host:port` or `udp://host:port`.
    #[field(required)]
    pub url: Url,
}

/// What happens when memory runs out.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "OOMConfig", group = "runtime", since = "1.12")]
pub struct OomConfig {
    /// Says when something must be ended.
    pub trigger_expression: Expression,
    /// Ranks control groups; the highest is ended first.
    pub cgroup_ranking_expression: Expression,
    /// Ends nothing of a higher class while a lower class has something left.
    #[field(default = "true", since = "1.14")]
    pub strict_cgroup_class_ordering: Option<bool>,
    /// How often pressure is measured.
    #[field(default = "500ms")]
    pub sample_interval: Option<Duration>,
}

/// How strictly workloads are kept from the system.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "SecurityProfileConfig", group = "runtime", since = "1.14")]
pub struct SecurityProfileConfig {
    /// Keeps workloads away from the system's own processes and files.
    #[field(default = "false")]
    pub workload_isolation: Option<bool>,
}

/// Installs the system on a disk without being asked.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "UnattendedInstallConfig",
    group = "runtime",
    since = "1.14",
    effect = "used when the system is installed"
)]
pub struct UnattendedInstallConfig {
    /// Starts anew after the installation; by default only when an image is named.
    pub reboot: Option<bool>,
    /// The installer.
    pub installer: Installer,
    /// The disk.
    #[field(required)]
    pub provisioning: InstallProvisioning,
}

/// The installer.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Installer {
    /// The image.
    pub image: String,
}

/// The disk on which the system is installed.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct InstallProvisioning {
    /// Finds the disk.
    #[field(required)]
    pub disk_selector: super::super::storage::DiskSelector,
    /// Wipes the disk first.
    #[field(default = "true")]
    pub wipe: Option<bool>,
}

/// Further certificate authorities that the system trusts.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "TrustedRootsConfig", group = "runtime", since = "1.8", named)]
pub struct TrustedRootsConfig {
    /// A name for the document.
    #[field(keep, required)]
    pub name: String,
    /// Certificates, as PEM one after another.
    #[field(required)]
    pub certificates: String,
}

/// A watchdog that restarts the machine when the system hangs.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "WatchdogTimerConfig", group = "runtime", since = "1.8")]
pub struct WatchdogTimerConfig {
    /// The watchdog device.
    #[field(required)]
    pub device: String,
    /// How long the system may be silent.
    #[field(default = "1m")]
    pub timeout: Duration,
}
