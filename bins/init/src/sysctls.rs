//! Kernel settings of a node that shares its kernel: those that belong to the whole machine cannot
//! be changed from inside, and those that the kubelet insists on look as it wants them.

use std::path::{Path, PathBuf};

use sys::mount::{self, MountFlags};

use crate::console::Console;
use crate::mounts::{TreeError, directory};

/// What the kubelet requires before it starts (`vm.panic_on_oom` and the key quotas included).
const REQUIRED: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

const SETTINGS: &str = "/proc/sys";
/// Settings of the network namespace, which is the node's own.
const OWN_SETTINGS: &str = "/proc/sys/net";
/// Other files of `/proc` through which the whole machine is controlled.
const PROTECTED: [&str; 4] = ["/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"];
/// Where the stand-ins lie.
const STAND_INS: &str = "/run/ichor/sysctls";

pub(crate) fn protect(console: &mut Console) -> Result<(), TreeError> {
    directory(Path::new(STAND_INS), 0o755)?;
    let stand_ins = required(|name| {
        let value = std::fs::read_to_string(Path::new(SETTINGS).join(name)).ok()?;
        Some(value.trim().to_owned())
    });
    mount::bind(SETTINGS, SETTINGS, false)?;
    mount::bind(OWN_SETTINGS, OWN_SETTINGS, false)?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount::set_flags(SETTINGS, flags)?;
    for path in PROTECTED.into_iter().filter(|path| Path::new(path).exists()) {
        mount::bind(path, path, false)?;
        mount::set_flags(path, flags)?;
    }
    for (name, value) in stand_ins {
        let file = PathBuf::from(STAND_INS).join(name.replace('/', "."));
        std::fs::write(&file, format!("{value}\n"))
            .map_err(|source| TreeError::File { path: file.clone(), source })?;
        mount::bind(&file, Path::new(SETTINGS).join(name), false)?;
        console
            .say(&format!("{} stays as the host has it, shown as {value}", name.replace('/', ".")));
    }
    Ok(())
}

/// The required settings that exist and differ.
fn required(now: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, &'static str)> {
    REQUIRED
        .into_iter()
        .filter(|(name, value)| now(name).is_some_and(|now| now != *value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_that_exist_and_differ_get_a_stand_in() {
        let now = |name: &str| match name {
            "vm/overcommit_memory" => Some("0".to_owned()),
            "kernel/panic" => Some("10".to_owned()),
            "kernel/panic_on_oops" => Some("0".to_owned()),
            _ => None,
        };
        assert_eq!(required(now), [("vm/overcommit_memory", "1"), ("kernel/panic_on_oops", "1")]);
    }
}
