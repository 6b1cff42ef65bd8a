//! Checks of the containers that the system runs itself.

use std::collections::BTreeSet;

use crate::document::Validate;
use crate::finding::Findings;
use crate::kinds::runtime::{ContainerCapabilities, ContainerConfig, ContainerMount};

/// Options that a mount takes.
const OPTIONS: [&str; 8] = ["ro", "rw", "noexec", "nosuid", "nodev", "noatime", "rbind", "rshared"];

/// Conditions of the network that a container can wait for.
const NETWORKS: [&str; 4] = ["addresses", "connectivity", "hostname", "etcfiles"];

impl Validate for ContainerConfig {
    fn validate(&self, findings: &mut Findings) {
        let name = self.name.as_str();
        let good = (1..=63).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !good {
            findings.error(
                "name",
                format!("name {name:?} must be 1 to 63 lower-case letters, digits and '-'"),
            );
        }
        if self.image.is_empty() {
            findings.error("image", "image must be specified");
        } else if !self.image.contains("@sha256:") {
            findings.warning(
                "image",
                format!("image {:?} has no digest: what runs can change", self.image),
            );
        }
        if let Some(user) = &self.run_as {
            for (field, id) in [("uid", user.uid), ("gid", user.gid)] {
                if id.is_some_and(|id| id < 0) {
                    findings.error(
                        &format!("runAs.{field}"),
                        format!("runAs.{field} must not be negative"),
                    );
                }
            }
        }
        for variable in self
            .environment
            .iter()
            .filter(|text| text.split_once('=').is_none_or(|(name, _)| name.is_empty()))
        {
            findings.error(
                "environment",
                format!("environment variable {variable:?} must be NAME=value"),
            );
        }
        self.check_mounts(findings);
        if let Some(capabilities) = self.security.as_ref().and_then(|s| s.capabilities.as_ref()) {
            self::capabilities(capabilities, findings);
        }
        if let Some(limits) = self.resources.as_ref().and_then(|r| r.limits.as_ref()) {
            let cpu = limits
                .cpu
                .strip_suffix('m')
                .is_some_and(|digits| digits.parse::<u32>().is_ok_and(|millis| millis > 0));
            if !limits.cpu.is_empty() && !cpu {
                findings.error(
                    "resources.limits.cpu",
                    format!(
                        "resources.limits.cpu {:?} must be thousandths of a processor such as 500m",
                        limits.cpu
                    ),
                );
            }
            if limits.memory.is_negative() {
                findings.error(
                    "resources.limits.memory",
                    "resources.limits.memory must not be negative",
                );
            }
        }
        if let Some(depends) = &self.depends_on {
            for path in depends.paths.iter().filter(|path| !path.starts_with('/')) {
                findings.error(
                    "dependsOn.paths",
                    format!("dependsOn.paths: {path:?} must be absolute"),
                );
            }
            for word in depends.networks.iter().filter(|word| !NETWORKS.contains(&word.as_str())) {
                findings.error(
                    "dependsOn.networks",
                    format!(
                        "dependsOn.networks: {word:?} is unknown: want one of {}",
                        NETWORKS.join(", ")
                    ),
                );
            }
        }
    }
}

impl ContainerConfig {
    fn check_mounts(&self, findings: &mut Findings) {
        let mut destinations = BTreeSet::new();
        for (number, mount) in self.mounts.iter().enumerate() {
            let path = format!("mounts.{number}");
            let mut error =
                |message: String| findings.error(&path, format!("mounts[{number}]: {message}"));
            let Some((destination, options)) = only(mount) else {
                error("exactly one of userVolume, tmpfs and hostPath is required".to_owned());
                continue;
            };
            if let Some(volume) = &mount.user_volume
                && volume.name.is_empty()
            {
                error("userVolume.name must be specified".to_owned());
            }
            if let Some(host) = &mount.host_path
                && !host.source.starts_with('/')
            {
                error(format!("hostPath.source {:?} must be absolute", host.source));
            }
            if let Some(memory) = &mount.tmpfs
                && memory.size.is_negative()
            {
                error("tmpfs.size must not be negative".to_owned());
            }
            if !destination.starts_with('/') {
                error(format!("destination {destination:?} must be absolute"));
            } else if !destinations.insert(destination) {
                error(format!("destination {destination:?} is used twice"));
            }
            for option in options.iter().filter(|option| !OPTIONS.contains(&option.as_str())) {
                error(format!(
                    "option {option:?} is not allowed: want one of {}",
                    OPTIONS.join(", ")
                ));
            }
            let has = |word: &str| options.iter().any(|option| option == word);
            if has("ro") && has("rw") {
                error("options ro and rw exclude each other".to_owned());
            }
        }
    }
}

/// The destination and the options of a mount that is of exactly one sort.
fn only(mount: &ContainerMount) -> Option<(&str, &[String])> {
    match (&mount.user_volume, &mount.tmpfs, &mount.host_path) {
        (Some(volume), None, None) => Some((&volume.destination, &volume.options)),
        (None, Some(memory), None) => Some((&memory.destination, &memory.options)),
        (None, None, Some(host)) => Some((&host.destination, &host.options)),
        _ => None,
    }
}

fn capabilities(capabilities: &ContainerCapabilities, findings: &mut Findings) {
    let path = "security.capabilities";
    for (field, list) in [("add", &capabilities.add), ("drop", &capabilities.drop)] {
        for word in list {
            let upper =
                word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            if !upper || word.is_empty() || word.starts_with("CAP_") {
                findings.error(
                    &format!("{path}.{field}"),
                    format!("capability {word:?} must be in upper case and without CAP_"),
                );
            }
            if field == "add" && word == "ALL" {
                findings.error(&format!("{path}.add"), "capability ALL is allowed only in drop");
            }
        }
    }
    for word in capabilities.add.iter().filter(|word| capabilities.drop.contains(word)) {
        findings.error(path, format!("capability {word:?} is both added and dropped"));
    }
}
