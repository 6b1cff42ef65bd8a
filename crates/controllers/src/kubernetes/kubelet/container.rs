//! The container that the kubelet runs in: the node's own kernel, network and processes, a file system of its own.

use std::path::{Path, PathBuf};

use containers::specification::{Mount, Specification};
use containers::{Container, Output};
use resource::k8s::KubeletSpecSpec;

use crate::container::Grants;

/// The kubelet's cgroup.
const CGROUP: &str = "/podruntime/kubelet";

/// Directories of the node as the kubelet sees them: path on the node, path in the container, options.
const MOUNTS: &[(&str, &str, &[&str])] = &[
    // The node's own view: a fresh mount would open kernel settings that the node keeps closed.
    ("/proc", "/proc", &["rbind", "rslave"]),
    ("/dev", "/dev", &["rbind", "rshared", "rw"]),
    ("/sys", "/sys", &["rbind", "rslave", "ro"]),
    ("/sys/fs/cgroup", "/sys/fs/cgroup", &["rbind", "rshared", "rw"]),
    ("/usr/lib/modules", "/lib/modules", &["bind", "ro"]),
    ("/etc/kubernetes", "/etc/kubernetes", &["bind", "rshared", "rw"]),
    (
        "/usr/local/lib/kubelet/credentialproviders",
        "/usr/local/lib/kubelet/credentialproviders",
        &["bind", "ro"],
    ),
    ("/etc/nfsmount.conf", "/etc/nfsmount.conf", &["bind", "ro"]),
    ("/etc/machine-id", "/etc/machine-id", &["bind", "ro"]),
    ("/etc/os-release", "/etc/os-release", &["bind", "ro"]),
    ("/etc/hosts", "/etc/hosts", &["bind", "ro"]),
    ("/etc/resolv.conf", "/etc/resolv.conf", &["bind", "ro"]),
    ("/system/resolved/resolv.conf", "/system/resolved/resolv.conf", &["bind", "ro"]),
    ("/etc/ssl/certs", "/etc/ssl/certs", &["bind", "ro"]),
    ("/etc/cni", "/etc/cni", &["bind", "ro"]),
    ("/run", "/run", &["rbind", "rslave", "rw"]),
    ("/run", "/var/run", &["rbind", "rslave", "rw"]),
    ("/var/lib/containerd", "/var/lib/containerd", &["rbind", "rslave", "rw"]),
    ("/var/lib/kubelet", "/var/lib/kubelet", &["rbind", "rshared", "rw"]),
    ("/var/log/containers", "/var/log/containers", &["rbind", "rslave", "rw"]),
    ("/var/log/pods", "/var/log/pods", &["rbind", "rslave", "rw"]),
    ("/var/mnt", "/var/mnt", &["rbind", "rslave", "ro"]),
    ("/sys/kernel/security", "/sys/kernel/security", &["bind", "ro"]),
];

/// Directories that must be there before the kubelet starts.
pub(super) const DIRECTORIES: [&str; 7] = [
    "/etc/kubernetes/manifests",
    "/etc/kubernetes/pki",
    "/etc/cni/net.d",
    "/var/lib/kubelet/seccomp",
    "/var/log/containers",
    "/var/log/pods",
    "/var/mnt",
];

/// The container of this specification on this node.
pub(super) fn container(spec: &KubeletSpecSpec, grants: &Grants, log: PathBuf) -> Container {
    // What a node does not have, the kubelet does not get.
    let present = |source: &str| Path::new(source).exists();
    let mut mounts: Vec<Mount> = MOUNTS
        .iter()
        .filter(|(source, _, _)| present(source))
        .map(|(source, destination, options)| Mount::bind_at(source, destination, options))
        .collect();
    for extra in &spec.extra_mounts {
        mounts.push(Mount {
            destination: extra.destination.clone(),
            kind: extra.r#type.clone(),
            source: extra.source.clone(),
            options: extra.options.clone(),
        });
    }
    let arguments =
        std::iter::once("/usr/local/bin/kubelet".to_owned()).chain(spec.args.iter().cloned());
    Container {
        id: "kubelet".to_owned(),
        image: spec.image.clone(),
        specification: Specification {
            arguments: arguments.collect(),
            capabilities: grants.capabilities.clone(),
            mounts,
            host_pid: true,
            host_kernel: true,
            writable_root: true,
            root_propagation: Some("shared"),
            cgroup: CGROUP.to_owned(),
            oom_score: grants.oom_score(-450),
            ..Specification::default()
        },
        output: Output::File(log),
        shim_cgroup: String::new(),
    }
}
