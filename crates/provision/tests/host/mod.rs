//! A picture of everything host-wide that a cluster could have touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What is looked at, by name.
pub(crate) struct Picture(BTreeMap<String, String>);

impl Picture {
    pub(crate) fn take() -> Self {
        let mut seen = BTreeMap::new();
        for line in fs::read_to_string("/proc/self/mountinfo").unwrap().lines() {
            seen.insert(format!("mount {line}"), String::new());
        }
        for name in ["cgroup", "loop", "net"] {
            let (root, depth) = match name {
                "cgroup" => ("/sys/fs/cgroup", 2),
                "loop" => ("/sys/block", 0),
                _ => ("/sys/class/net", 0),
            };
            entries(Path::new(root), depth, &mut |path| {
                let path = path.display().to_string();
                // Hosts make groups of their own all the time; what counts is a cluster's.
                if name == "cgroup" && !path.contains("/ichor-") {
                    return;
                }
                let backing = fs::read_to_string(format!("{path}/loop/backing_file"));
                seen.insert(format!("{name} {path}"), backing.unwrap_or_default());
            });
        }
        for name in [
            "kernel/panic",
            "kernel/panic_on_oops",
            "kernel/keys/root_maxkeys",
            "vm/overcommit_memory",
            "vm/panic_on_oom",
            "net/ipv4/ip_forward",
            "net/ipv4/conf/all/forwarding",
            "kernel/hostname",
        ] {
            let value = fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default();
            seen.insert(format!("setting {name}"), value);
        }
        for name in ["cgroup.subtree_control", "unified/cgroup.subtree_control"] {
            let value = fs::read_to_string(Path::new("/sys/fs/cgroup").join(name));
            seen.insert(format!("cgroup root {name}"), value.unwrap_or_default());
        }
        for name in ["route", "dev_mcast", "if_inet6"] {
            let text = fs::read_to_string(format!("/proc/self/net/{name}")).unwrap_or_default();
            seen.insert(format!("network table {name}"), text);
        }
        Self(seen)
    }

    /// What differs, except kernel-internal loop devices that merely exist unused.
    pub(crate) fn differences(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (name, value) in &self.0 {
            match before.0.get(name) {
                None if name.starts_with("loop") && value.is_empty() => {}
                None => changes.push(format!("new: {name}")),
                Some(old) if old != value => {
                    changes.push(format!("{name}: {old:?} became {value:?}"));
                }
                Some(_) => {}
            }
        }
        let gone = before.0.keys().filter(|name| !self.0.contains_key(*name));
        changes.extend(gone.map(|name| format!("gone: {name}")));
        changes
    }
}

fn entries(directory: &Path, depth: u32, see: &mut dyn FnMut(&Path)) {
    let Ok(list) = fs::read_dir(directory) else { return };
    for entry in list.flatten() {
        let path = entry.path();
        if path.is_dir() {
            see(&path);
            if depth > 0 {
                entries(&path, depth - 1, see);
            }
        }
    }
}
