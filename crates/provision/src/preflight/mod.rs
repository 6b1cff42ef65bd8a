//! Whether this host can run a cluster, found out before anything is started.
//!
//! [`host`] looks at the kernel, mostly by really trying things in namespaces that vanish; this
//! module judges what was seen, and says everything that is missing at once.

mod host;
mod trial;

use std::fmt;
use std::path::Path;

pub use host::Host;

use crate::spec::{ClusterSpec, Provisioner, Role, RootImage};

const GIB: u64 = 1 << 30;
/// What the processes of an idle control plane and of an idle worker were measured to use, and a
/// little to work with.
const CONTROL_PLANE_MEMORY: u64 = GIB + GIB / 4;
const WORKER_MEMORY: u64 = GIB / 2;
/// What an emulator and a guest's own kernel use besides.
const MACHINE_MEMORY: u64 = GIB / 2;
/// Unpacked images, etcd and logs of one node.
const NODE_DISK: u64 = 2 * GIB;
/// Below this share of free space, the nodes' kubelets take the disk for full and evict pods.
const FREE_PERCENT: u64 = 1;
/// Each node's kubelet, containerd and proxy watch files; half of these exhaust a small limit.
const NODE_INOTIFY: u64 = 24;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The cluster cannot work.
    Missing,
    /// It works, but not as well.
    Warning,
}

/// Something about the host that the user must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.cure)
    }
}

/// Judges a host for a cluster that is not running yet. `fallback` says whether a directory can
/// be used in place of a squashfs.
#[must_use]
pub fn judge(host: &Host, spec: &ClusterSpec) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    match &spec.provisioner {
        Provisioner::Native { root } => {
            findings.privilege(host);
            findings.kernel(host, root);
            findings.cgroups(host);
        }
        Provisioner::Qemu(_) => findings.programs(host),
    }
    findings.memory(host, spec);
    findings.disk(host, spec);
    for (address, reason) in &host.taken {
        findings.missing(
            format!("port {} of {} is not free ({reason})", address.port(), address.ip()),
            "stop the program that uses it, or choose another port",
        );
    }
    findings.files(host, spec);
    findings.0.sort_by_key(|finding| finding.severity);
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn missing(&mut self, what: impl Into<String>, cure: impl Into<String>) {
        let severity = Severity::Missing;
        self.0.push(Finding { severity, what: what.into(), cure: cure.into() });
    }

    fn warning(&mut self, what: impl Into<String>, cure: impl Into<String>) {
        let severity = Severity::Warning;
        self.0.push(Finding { severity, what: what.into(), cure: cure.into() });
    }

    fn privilege(&mut self, host: &Host) {
        if !host.root {
            self.missing(
                "this is not the root user, and nodes need namespaces, mounts and cgroups",
                "run the same command with sudo",
            );
        } else if !host.lacking.is_empty() {
            self.missing(
                format!("root lacks the capabilities {}", host.lacking.join(", ")),
                "run this on the host itself or in a privileged container",
            );
        }
    }

    fn programs(&mut self, host: &Host) {
        for (what, package) in &host.programs {
            self.missing(
                format!("{what} is not installed"),
                format!("install it: apt-get install {package}"),
            );
        }
    }

    fn kernel(&mut self, host: &Host, root: &RootImage) {
        for (feature, reason) in &host.refused {
            self.missing(
                format!("this kernel refuses {feature} ({reason})"),
                "use a kernel that has it built in, or load its module",
            );
        }
        if let (RootImage::Squashfs(_), Some(reason)) = (root, &host.no_squashfs) {
            self.missing(
                format!("a squashfs cannot be mounted here ({reason})"),
                "unpack the image and name the directory with --root-image",
            );
        }
    }

    fn cgroups(&mut self, host: &Host) {
        if let Some(reason) = &host.no_cgroups {
            self.missing(
                format!("no cgroup can be made for the nodes ({reason})"),
                "mount the cgroup hierarchies with cpu, memory and pids (systemd does), or delegate \
                 them to this session",
            );
        }
    }

    fn memory(&mut self, host: &Host, spec: &ClusterSpec) {
        let least = |role| match role {
            Role::ControlPlane => CONTROL_PLANE_MEMORY,
            Role::Worker => WORKER_MEMORY,
        };
        for node in spec.nodes.iter().filter(|node| node.size.memory < least(node.role)) {
            self.missing(
                format!(
                    "{} is given {} of memory, and a {} needs {}",
                    node.name,
                    size(node.size.memory),
                    node.role,
                    size(least(node.role))
                ),
                "give it more",
            );
        }
        let besides = spec.provisioner.machine().map_or(0, |_| MACHINE_MEMORY);
        let needed: u64 = spec.nodes.iter().map(|node| least(node.role) + besides).sum();
        if host.memory < needed {
            self.missing(
                format!(
                    "{} of memory are available, and the {} nodes need {}",
                    size(host.memory),
                    spec.nodes.len(),
                    size(needed)
                ),
                "stop other programs, or ask for fewer nodes",
            );
        }
        let inotify = NODE_INOTIFY * spec.nodes.len() as u64;
        if host.inotify < inotify {
            self.warning(
                format!(
                    "fs.inotify.max_user_instances is {}, and the nodes may use {inotify}",
                    host.inotify
                ),
                "raise it with sysctl if pods fail with \"too many open files\"",
            );
        }
    }

    fn disk(&mut self, host: &Host, spec: &ClusterSpec) {
        let needed = NODE_DISK * spec.nodes.len() as u64;
        let Some(space) = host.disk else { return };
        if space.available < needed {
            self.missing(
                format!(
                    "{} are free on the disk of the cluster's directory, and the {} nodes need {}",
                    size(space.available),
                    spec.nodes.len(),
                    size(needed)
                ),
                "free some, or choose a directory on another disk with --state",
            );
        } else if space.free.saturating_mul(100) < space.total.saturating_mul(FREE_PERCENT) {
            self.missing(
                format!(
                    "less than {FREE_PERCENT} % of the disk of the cluster's directory are free, \
                     which kubelets take for a full disk"
                ),
                "free some, or choose a directory on another disk with --state",
            );
        }
    }

    fn files(&mut self, host: &Host, spec: &ClusterSpec) {
        if let Some(reason) = &host.bad_image {
            let (path, kind, option) = match &spec.provisioner {
                Provisioner::Native {
                    root: RootImage::Squashfs(path) | RootImage::Directory(path),
                } => (path, "root", "--root-image"),
                Provisioner::Qemu(machine) => (&machine.image, "disk", "--disk-image-path"),
            };
            self.missing(
                format!("{} is no {kind} image ({reason})", path.display()),
                format!("build it with `make image`, or name another with {option}"),
            );
        }
        if let (Some(path), true) = (&spec.image_cache, host.no_cache) {
            self.missing(
                format!("the image cache {} is not there", Path::new(path).display()),
                "build it with `make image`, or leave --image-cache out to pull from the network",
            );
        }
    }
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / GIB;
    if tenths >= 10 {
        format!("{}.{} GiB", tenths / 10, tenths % 10)
    } else {
        format!("{} MiB", bytes >> 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Request, Size};

    fn spec() -> ClusterSpec {
        let size = Size { millicpus: 2000, memory: 2 * GIB };
        Request {
            name: "x".into(),
            network: "10.5.0.0/24".parse().unwrap(),
            mtu: 1500,
            control_planes: 1,
            workers: 1,
            control_plane_size: size,
            worker_size: size,
            provisioner: Provisioner::Native { root: RootImage::Squashfs("/root.sqfs".into()) },
            image_cache: Some("/cache".into()),
        }
        .plan()
        .unwrap()
    }

    fn good() -> Host {
        Host {
            root: true,
            lacking: vec![],
            refused: vec![],
            no_squashfs: None,
            no_cgroups: None,
            programs: vec![],
            memory: 8 * GIB,
            inotify: 128,
            disk: Some(sys::system::Space {
                total: 100 * GIB,
                free: 50 * GIB,
                available: 50 * GIB,
                files: 1,
                files_free: 1,
            }),
            taken: vec![],
            bad_image: None,
            no_cache: false,
        }
    }

    #[test]
    fn a_good_host_has_no_findings() {
        assert_eq!(judge(&good(), &spec()), []);
    }

    #[test]
    fn everything_missing_is_said_at_once_with_its_cure() {
        let space = |free| {
            Some(sys::system::Space {
                total: 1000 * GIB,
                free,
                available: free,
                files: 1,
                files_free: 1,
            })
        };
        let cases: [(&str, &str, Host); 10] = [
            ("not the root user", "sudo", Host { root: false, ..good() }),
            ("CAP_SYS_ADMIN", "privileged", Host { lacking: vec!["CAP_SYS_ADMIN"], ..good() }),
            (
                "refuses vxlan links (not supported)",
                "module",
                Host { refused: vec![("vxlan links", "not supported".into())], ..good() },
            ),
            (
                "squashfs cannot be mounted",
                "unpack",
                Host { no_squashfs: Some("no loop".into()), ..good() },
            ),
            ("no cgroup", "delegate", Host { no_cgroups: Some("x".into()), ..good() }),
            ("1.0 GiB of memory are available", "fewer nodes", Host { memory: GIB, ..good() }),
            ("3.0 GiB are free", "--state", Host { disk: space(3 * GIB), ..good() }),
            ("less than 1 %", "--state", Host { disk: space(9 * GIB), ..good() }),
            (
                "port 6443 of 127.0.0.1 is not free",
                "another port",
                Host {
                    taken: vec![("127.0.0.1:6443".parse().unwrap(), "in use".into())],
                    ..good()
                },
            ),
            (
                "/root.sqfs is no root image",
                "make image",
                Host { bad_image: Some("x".into()), ..good() },
            ),
        ];
        for (what, cure, host) in cases {
            let findings = judge(&host, &spec());
            let [finding] = findings.as_slice() else { panic!("{what}: {findings:?}") };
            assert_eq!(finding.severity, Severity::Missing);
            assert!(finding.what.contains(what), "{}", finding.what);
            assert!(finding.cure.contains(cure), "{}", finding.cure);
        }
        let bad = Host { root: false, memory: 0, no_cache: true, inotify: 1, ..good() };
        let findings = judge(&bad, &spec());
        assert_eq!(findings.len(), 4, "{findings:?}");
        assert_eq!(findings.last().unwrap().severity, Severity::Warning);
    }

    #[test]
    fn virtual_machines_need_programs_and_no_privilege() {
        let mut spec = spec();
        spec.provisioner = Provisioner::Qemu(crate::spec::MachineSpec {
            image: "/disk.raw.zst".into(),
            disk: 10 * GIB,
            kernel: None,
            acceleration: crate::spec::Acceleration::Auto,
            tpm: false,
            watchdog: false,
            kernel_arguments: String::new(),
            time_limit: std::time::Duration::from_secs(1),
        });
        let host = Host { root: false, no_cgroups: Some("x".into()), ..good() };
        assert_eq!(judge(&host, &spec), []);
        let programs = vec![("qemu-img", "qemu-utils")];
        let host = Host { programs, bad_image: Some("x".into()), memory: 2 * GIB, ..good() };
        let texts: Vec<_> = judge(&host, &spec).iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[0].contains("qemu-img") && texts[0].ends_with("install qemu-utils"));
        assert!(texts[2].contains("/disk.raw.zst is no disk image"), "{texts:?}");
    }

    #[test]
    fn a_node_too_small_for_its_role_is_refused() {
        let mut spec = spec();
        spec.nodes[0].size.memory = GIB;
        let findings = judge(&good(), &spec);
        assert!(findings[0].what.contains("x-controlplane-1 is given 1.0 GiB"), "{findings:?}");
    }
}
