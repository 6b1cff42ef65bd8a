//! Checks of the kinds about the running system.

use super::{at_least, expression, named};
use crate::cel::{Environment, Type};
use crate::document::Validate;
use crate::finding::Findings;
use crate::kinds::runtime::{
    EnvironmentConfig, EtcFileConfig, EventSinkConfig, ExtensionServiceConfig, KernelModuleConfig,
    KmsgLogConfig, OomConfig, PciDriverRebindConfig, SecurityProfileConfig, SysctlConfig,
    SysfsConfig, TrustedRootsConfig, UdevRulesConfig, UnattendedInstallConfig, WatchdogTimerConfig,
};
use crate::scalar::Duration;
use crate::v1alpha1::V1Alpha1;
use crate::validate::shared;

impl Validate for EnvironmentConfig {
    fn validate(&self, findings: &mut Findings) {
        for name in self.variables.keys() {
            let mut letters = name.bytes();
            let good = letters.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
                && letters.all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !good {
                findings.error(
                    "variables",
                    format!("invalid environment variable name {name:?}: want letters, digits and '_', not beginning with a digit"),
                );
            }
        }
    }
}

/// Files below `/etc` that belong to the system.
const ETC_FILES: [&str; 7] = [
    "resolv.conf",
    "hosts",
    "machine-id",
    "extensions.yaml",
    "localtime",
    "os-release",
    "xattr.conf",
];

/// Directories below `/etc` that belong to the system.
const ETC_TREES: [&str; 12] = [
    "apparmor.d",
    "apparmor",
    "ca-certificates",
    "cni",
    "cri",
    "iscsi",
    "kubernetes",
    "lvm",
    "nvme",
    "pki",
    "selinux",
    "ssl",
];

impl Validate for EtcFileConfig {
    fn validate(&self, findings: &mut Findings) {
        let name = self.name.as_str();
        if name.is_empty() {
            named(name, findings);
            return;
        }
        let mut parts = name.split('/');
        let local = !name.starts_with('/')
            && parts.clone().all(|part| !part.is_empty() && part != ".." && part != ".");
        if !local || name.starts_with('.') {
            findings.error(
                "name",
                format!("name {name:?} must be a path below /etc that does not begin with '.'"),
            );
            return;
        }
        let tree = parts.next().unwrap_or_default();
        if ETC_FILES.contains(&name) || ETC_TREES.contains(&tree) {
            findings
                .error("name", format!("/etc/{name} belongs to the system and can't be changed"));
        }
    }
}

impl Validate for EventSinkConfig {
    fn validate(&self, findings: &mut Findings) {
        if !shared::is_host_port(&self.endpoint) {
            findings.error(
                "endpoint",
                format!("event sink endpoint {:?} must be host:port", self.endpoint),
            );
        }
    }
}

impl Validate for KmsgLogConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        let url = &self.url;
        if url.is_unset() {
            findings.error("url", "url is required");
            return;
        }
        if !matches!(url.scheme.as_str(), "tcp" | "udp") {
            findings.error("url", "url scheme must be tcp:// or udp://");
        }
        if !matches!(url.path.as_str(), "" | "/") {
            findings.error("url", "url path must be empty");
        }
        if url.port().is_empty() {
            findings.error("url", "url port is required");
        }
    }
}

impl Validate for KernelModuleConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
    }
}

impl Validate for OomConfig {
    fn validate(&self, findings: &mut Findings) {
        expression(
            &self.trigger_expression,
            Environment::OomTrigger,
            Type::Bool,
            "triggerExpression",
            findings,
        );
        expression(
            &self.cgroup_ranking_expression,
            Environment::OomRanking,
            Type::Double,
            "cgroupRankingExpression",
            findings,
        );
        at_least(self.sample_interval, Duration::default(), "sampleInterval", findings);
    }
}

impl Validate for SecurityProfileConfig {}

impl Validate for SysctlConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.params.keys().any(String::is_empty) {
            findings.error("params", "params: a key must not be empty");
        }
    }
}

impl Validate for SysfsConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.params.keys().any(String::is_empty) {
            findings.error("params", "params: a key must not be empty");
        }
    }
}

impl Validate for UdevRulesConfig {}

impl Validate for PciDriverRebindConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        if self.target_driver.is_empty() {
            findings.error("targetDriver", "targetDriver must be specified");
        }
    }
}

impl Validate for UnattendedInstallConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.installer.image.is_empty() {
            findings.warning(
                "installer.image",
                "installer.image is empty: the system that is running is installed",
            );
        }
        let condition = &self.provisioning.disk_selector.condition;
        // The contract names the field by another word here.
        if condition.0.is_empty() {
            findings.error(
                "provisioning.diskSelector.match",
                "provisioning.volumeSelector.match must be specified",
            );
        } else if let Err(error) = crate::cel::check(&condition.0, Environment::Disk, Type::Bool) {
            findings.error(
                "provisioning.diskSelector.match",
                format!("provisioning.volumeSelector.match is invalid: {error}"),
            );
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        if legacy.machine.as_ref().is_some_and(|machine| machine.install.is_some()) {
            findings.error("", "UnattendedInstallConfig conflicts with .machine.install of the v1alpha1 document: keep one of them");
        }
    }
}

impl Validate for TrustedRootsConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
    }
}

impl Validate for WatchdogTimerConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.device.is_empty() {
            findings.error("device", "watchdog device is required");
        }
        let given = (self.timeout != Duration::default()).then_some(self.timeout);
        at_least(given, Duration::from_secs(10), "timeout", findings);
    }
}

impl Validate for ExtensionServiceConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.name.is_empty() {
            findings.error("name", "name is required");
        }
        if self.config_files.is_empty() && self.environment.is_empty() {
            findings.error("", "either configFiles or environment must be specified");
        }
        for (number, file) in self.config_files.iter().enumerate() {
            if file.content.is_empty() {
                findings.error(
                    &format!("configFiles.{number}"),
                    format!("configFiles[{number}].content is required"),
                );
            }
            if file.mount_path.is_empty() {
                findings.error(
                    &format!("configFiles.{number}"),
                    format!("configFiles[{number}].mountPath is required"),
                );
            }
        }
    }
}
