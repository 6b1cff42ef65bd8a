//! The runtime specification of a container, from what its service needs.
//!
//! Pure: everything about the machine (its capabilities, its seccomp profile) comes in as an argument.

use serde_json::{Value, json};

/// All capabilities in the order of their numbers in the kernel's interface.
pub const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The names of the capabilities in a mask as `/proc/<pid>/status` shows it.
pub fn capability_names(mask: u64) -> Vec<&'static str> {
    CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(bit, _)| mask & (1 << bit) != 0)
        .map(|(_, name)| *name)
        .collect()
}

/// A mount inside the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Path in the container.
    pub destination: String,
    /// File system, or `bind`.
    pub kind: String,
    /// Path on the node, for bind mounts.
    pub source: String,
    /// Mount options.
    pub options: Vec<String>,
}

impl Mount {
    /// A directory or file of the node at the same path in the container.
    pub fn bind(path: &str, options: &[&str]) -> Self {
        Self::bind_at(path, path, options)
    }

    /// A directory or file of the node at another path in the container.
    pub fn bind_at(source: &str, destination: &str, options: &[&str]) -> Self {
        Self {
            destination: destination.to_owned(),
            kind: "bind".to_owned(),
            source: source.to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        }
    }

    fn file_system(kind: &str, destination: &str, options: &[&str]) -> Self {
        Self { kind: kind.to_owned(), ..Self::bind_at(kind, destination, options) }
    }

    fn object(&self) -> Value {
        json!({
            "destination": self.destination,
            "type": self.kind,
            "source": self.source,
            "options": self.options,
        })
    }
}

/// What a container needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Specification {
    /// Command and arguments; the image's where empty.
    pub arguments: Vec<String>,
    /// Environment, `NAME=value`, after the image's.
    pub environment: Vec<String>,
    /// User and group.
    pub user: (u32, u32),
    /// Capabilities; none is a fine number.
    pub capabilities: Vec<&'static str>,
    /// Whether the root file system can be written.
    pub writable_root: bool,
    /// Mounts besides the standard ones; one at a standard path takes its place.
    pub mounts: Vec<Mount>,
    /// Whether the node's process ids are the container's.
    pub host_pid: bool,
    /// Whether the node's cgroups, devices and kernel interfaces are open to the container.
    pub host_kernel: bool,
    /// Propagation of the root mount.
    pub root_propagation: Option<&'static str>,
    /// Path of the cgroup below the node's.
    pub cgroup: String,
    /// How soon the kernel kills it when memory runs out; the node's own where nothing is said.
    pub oom_score: Option<i32>,
    /// Limit of open files.
    pub open_files: Option<u64>,
    /// Seccomp profile.
    pub seccomp: Option<Value>,
}

impl Specification {
    fn standard_mounts(&self) -> Vec<Mount> {
        let mut mounts = vec![
            Mount::file_system("proc", "/proc", &["nosuid", "noexec", "nodev"]),
            Mount::file_system(
                "tmpfs",
                "/dev",
                &["nosuid", "strictatime", "mode=755", "size=65536k"],
            ),
            Mount::file_system(
                "devpts",
                "/dev/pts",
                &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            ),
            Mount::file_system(
                "tmpfs",
                "/dev/shm",
                &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
            ),
            Mount::file_system("mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"]),
            Mount::file_system("sysfs", "/sys", &["nosuid", "noexec", "nodev", "ro"]),
            Mount::file_system(
                "tmpfs",
                "/run",
                &["nosuid", "strictatime", "mode=755", "size=65536k"],
            ),
        ];
        let replaced = |path: &str| {
            self.mounts.iter().any(|own| {
                // A mount over /dev brings everything below it along.
                own.destination == path || (path.starts_with("/dev/") && own.destination == "/dev")
            })
        };
        mounts.retain(|mount| !replaced(&mount.destination));
        mounts
    }

    /// The document, completed with what the image's configuration says.
    pub fn document(&self, image: &Value) -> Value {
        let strings = |value: &Value| -> Vec<String> {
            let items = value.as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let arguments = if self.arguments.is_empty() {
            let mut all = strings(&image["Entrypoint"]);
            all.extend(strings(&image["Cmd"]));
            all
        } else {
            self.arguments.clone()
        };
        let mut environment = strings(&image["Env"]);
        if !environment.iter().any(|entry| entry.starts_with("PATH=")) {
            environment.push(
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            );
        }
        environment.extend(self.environment.iter().cloned());
        let directory = image["WorkingDir"].as_str().filter(|path| !path.is_empty()).unwrap_or("/");

        let mut process = json!({
            "user": { "uid": self.user.0, "gid": self.user.1 },
            "args": arguments,
            "env": environment,
            "cwd": directory,
            "capabilities": {
                "bounding": self.capabilities,
                "effective": self.capabilities,
                "permitted": self.capabilities,
            },
            "noNewPrivileges": !self.host_kernel,
        });
        if let Some(score) = self.oom_score {
            process["oomScoreAdj"] = score.into();
        }
        if let Some(limit) = self.open_files {
            process["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "hard": limit, "soft": limit }]);
        }
        let mut namespaces = vec![json!({ "type": "mount" })];
        if !self.host_pid {
            namespaces.push(json!({ "type": "pid" }));
        }
        if !self.host_kernel {
            namespaces.push(json!({ "type": "ipc" }));
            namespaces.push(json!({ "type": "cgroup" }));
        }
        let mounts: Vec<Value> =
            self.standard_mounts().iter().chain(&self.mounts).map(Mount::object).collect();
        let mut linux = json!({
            "cgroupsPath": self.cgroup,
            "namespaces": namespaces,
            "resources": { "devices": [{ "allow": self.host_kernel, "access": "rwm" }] },
        });
        if !self.host_kernel {
            linux["maskedPaths"] = json!([
                "/proc/acpi",
                "/proc/asound",
                "/proc/kcore",
                "/proc/keys",
                "/proc/latency_stats",
                "/proc/timer_list",
                "/proc/timer_stats",
                "/proc/sched_debug",
                "/proc/scsi",
                "/sys/firmware",
                "/sys/devices/virtual/powercap",
            ]);
            linux["readonlyPaths"] =
                json!(["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",]);
        }
        if let Some(propagation) = self.root_propagation {
            linux["rootfsPropagation"] = propagation.into();
        }
        if let Some(profile) = &self.seccomp {
            linux["seccomp"] = profile.clone();
        }
        json!({
            "ociVersion": "1.2.0",
            "process": process,
            "root": { "path": "rootfs", "readonly": !self.writable_root },
            "mounts": mounts,
            "linux": linux,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capability_masks() {
        assert_eq!(capability_names(0), Vec::<&str>::new());
        assert_eq!(capability_names(1 << 21 | 1), ["CAP_CHOWN", "CAP_SYS_ADMIN"]);
        assert_eq!(capability_names(u64::MAX).len(), 41);
    }

    #[test]
    fn an_unprivileged_container() {
        let specification = Specification {
            user: (60, 60),
            cgroup: "/podruntime/etcd".to_owned(),
            open_files: Some(10240),
            ..Specification::default()
        };
        let image = json!({ "Entrypoint": ["/etcd"], "Cmd": ["--x"], "Env": ["A=1"] });
        let document = specification.document(&image);
        assert_eq!(document["process"]["args"], json!(["/etcd", "--x"]));
        assert_eq!(document["process"]["env"][0], "A=1");
        assert_eq!(document["process"]["noNewPrivileges"], true);
        assert_eq!(document["process"]["capabilities"]["bounding"], json!([]));
        assert_eq!(document["root"]["readonly"], true);
        assert_eq!(document["linux"]["resources"]["devices"][0]["allow"], false);
        let namespaces = document["linux"]["namespaces"].as_array().unwrap();
        assert!(!namespaces.iter().any(|namespace| namespace["type"] == "network"));
        assert!(namespaces.iter().any(|namespace| namespace["type"] == "pid"));
    }

    #[test]
    fn own_mounts_take_the_place_of_standard_ones() {
        let specification = Specification {
            mounts: vec![Mount::bind("/dev", &["rbind"]), Mount::bind("/proc", &["rbind"])],
            host_kernel: true,
            host_pid: true,
            ..Specification::default()
        };
        let document = specification.document(&Value::Null);
        let destinations: Vec<_> = document["mounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["destination"].as_str().unwrap())
            .collect();
        assert_eq!(destinations, ["/sys", "/run", "/dev", "/proc"]);
        assert!(document["linux"].get("maskedPaths").is_none());
    }
}
