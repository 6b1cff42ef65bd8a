//! What a local cluster consists of, as data.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The port of the machine API on every node.
pub const MACHINE_API_PORT: u16 = 50000;
/// The port of the Kubernetes API on every control plane.
pub const KUBERNETES_API_PORT: u16 = 6443;

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs etcd and the Kubernetes control plane.
    ControlPlane,
    /// Runs workloads.
    Worker,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ControlPlane => "controlplane",
            Self::Worker => "worker",
        })
    }
}

/// How much of the host a node may use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// Processors, in thousandths.
    pub millicpus: u32,
    /// Bytes of memory.
    pub memory: u64,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// Its host name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its address.
    pub address: Ipv4Addr,
    /// How much of the host it may use.
    pub size: Size,
}

/// Where the root file system of nodes comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RootImage {
    /// A squashfs file.
    Squashfs(PathBuf),
    /// A directory with the same content, for hosts without loop devices or squashfs.
    Directory(PathBuf),
}

/// What runs the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provisioner {
    /// Namespaces of this host's kernel.
    Native {
        /// The nodes' root file system.
        root: RootImage,
    },
    /// Virtual machines.
    Qemu(MachineSpec),
}

impl Provisioner {
    /// The name that users know it by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Native { .. } => "native",
            Self::Qemu(_) => "qemu",
        }
    }

    /// How long the cluster may run before its power is taken; `None` without a limit.
    #[must_use]
    pub fn time_limit(&self) -> Option<Duration> {
        match self {
            Self::Native { .. } => None,
            Self::Qemu(machine) => Some(machine.time_limit),
        }
    }

    /// The virtual machines' hardware, when the nodes are such.
    #[must_use]
    pub fn machine(&self) -> Option<&MachineSpec> {
        match self {
            Self::Native { .. } => None,
            Self::Qemu(machine) => Some(machine),
        }
    }
}

/// Who executes the code of virtual machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acceleration {
    /// The processor if a trial shows that it can, else the emulator.
    #[default]
    Auto,
    /// The processor.
    Kvm,
    /// The emulator.
    Tcg,
}

/// The hardware of virtual machines, besides processors and memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineSpec {
    /// The disk image that machines start from: raw, raw compressed with zstd, or qcow2. It is copied.
    pub image: PathBuf,
    /// Bytes of each machine's disk.
    pub disk: u64,
    /// The kernel that trials of acceleration start; without one, only emulation can be chosen.
    pub kernel: Option<PathBuf>,
    /// Who executes the code.
    pub acceleration: Acceleration,
    /// Whether machines have a TPM 2.0.
    pub tpm: bool,
    /// Whether machines have a watchdog that resets them.
    pub watchdog: bool,
    /// Words added to the kernel's command line. They are a part of the image, so whoever starts the
    /// cluster makes one that has them.
    pub kernel_arguments: String,
    /// How long the machines may run before their power is taken.
    pub time_limit: Duration,
}

/// A port of the host that leads into the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The host's address.
    pub listen: std::net::SocketAddr,
    /// The nodes' port.
    pub port: u16,
    /// The nodes that are tried, in this order.
    pub nodes: Vec<Ipv4Addr>,
}

/// A local cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// Its name, which is also its directory's.
    pub name: String,
    /// The network of its nodes; the first address is the gateway's.
    pub network: Ipv4Net,
    /// The largest packet of that network.
    pub mtu: u32,
    /// What runs the nodes.
    pub provisioner: Provisioner,
    /// A directory with container images that nodes ask first.
    pub image_cache: Option<PathBuf>,
    /// Control planes first.
    pub nodes: Vec<NodeSpec>,
    /// Ports of the host that lead into the cluster.
    pub forwards: Vec<Forward>,
}

/// Why a request cannot be a cluster.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SpecError {
    /// The name cannot be a host name's beginning.
    #[error(
        "cluster name {0:?} is not usable: it must be 1 to 40 lower-case letters, digits and \
         hyphens, and begin and end with a letter or digit"
    )]
    Name(String),
    /// There must be a control plane.
    #[error("a cluster needs at least one control plane")]
    NoControlPlane,
    /// The network is too small.
    #[error("network {network} has no room for {nodes} nodes and a gateway: use a larger one")]
    Network {
        /// The network asked for.
        network: Ipv4Net,
        /// The nodes asked for.
        nodes: usize,
    },
}

/// What a user asks for, before addresses are given out.
#[derive(Clone, Debug)]
pub struct Request {
    /// The cluster's name.
    pub name: String,
    /// The nodes' network.
    pub network: Ipv4Net,
    /// The largest packet of that network.
    pub mtu: u32,
    /// How many control planes.
    pub control_planes: usize,
    /// How many workers.
    pub workers: usize,
    /// The size of each control plane.
    pub control_plane_size: Size,
    /// The size of each worker.
    pub worker_size: Size,
    /// What runs the nodes.
    pub provisioner: Provisioner,
    /// A directory with container images that nodes ask first.
    pub image_cache: Option<PathBuf>,
}

impl Request {
    /// Names and addresses the nodes: control planes first, from the second address on.
    ///
    /// # Errors
    /// When the name is unusable or the network too small.
    pub fn plan(self) -> Result<ClusterSpec, SpecError> {
        if !is_name(&self.name) {
            return Err(SpecError::Name(self.name));
        }
        if self.control_planes == 0 {
            return Err(SpecError::NoControlPlane);
        }
        let count = self.control_planes + self.workers;
        let addresses: Vec<_> = self.network.hosts().skip(1).take(count).collect();
        if addresses.len() < count {
            return Err(SpecError::Network { network: self.network, nodes: count });
        }
        let nodes = addresses
            .into_iter()
            .enumerate()
            .map(|(index, address)| {
                let (role, number, size) = match index.checked_sub(self.control_planes) {
                    None => (Role::ControlPlane, index + 1, self.control_plane_size),
                    Some(index) => (Role::Worker, index + 1, self.worker_size),
                };
                NodeSpec { name: format!("{}-{role}-{number}", self.name), role, address, size }
            })
            .collect();
        Ok(ClusterSpec {
            name: self.name,
            network: self.network,
            mtu: self.mtu,
            provisioner: self.provisioner,
            image_cache: self.image_cache,
            nodes,
            forwards: Vec::new(),
        })
    }
}

impl ClusterSpec {
    /// The address of the gateway, where name resolution and the way out are.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        self.network.hosts().next().unwrap_or_else(|| self.network.addr())
    }

    /// The control planes.
    pub fn control_planes(&self) -> impl Iterator<Item = &NodeSpec> {
        self.nodes.iter().filter(|node| node.role == Role::ControlPlane)
    }

    /// The node called `name`.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeSpec> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The address on the host that leads to `port` of the control planes.
    #[must_use]
    pub fn forwarded(&self, port: u16) -> Option<std::net::SocketAddr> {
        self.forwards.iter().find(|forward| forward.port == port).map(|forward| forward.listen)
    }

    /// The address on the host that leads to `port` of this node.
    #[must_use]
    pub fn forwarded_to(&self, node: Ipv4Addr, port: u16) -> Option<std::net::SocketAddr> {
        let mut forwards = self.forwards.iter();
        forwards
            .find(|forward| forward.port == port && forward.nodes.contains(&node))
            .map(|f| f.listen)
    }
}

fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty()
        && name.len() <= 40
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        let size = Size { millicpus: 2000, memory: 2 << 30 };
        Request {
            name: "ichor".into(),
            network: "10.5.0.0/24".parse().unwrap(),
            mtu: 1500,
            control_planes: 1,
            workers: 2,
            control_plane_size: size,
            worker_size: size,
            provisioner: Provisioner::Native { root: RootImage::Directory("/image".into()) },
            image_cache: None,
        }
    }

    #[test]
    fn nodes_are_named_and_addressed_in_order() {
        let spec = request().plan().unwrap();
        let nodes: Vec<_> =
            spec.nodes.iter().map(|n| format!("{} {} {}", n.name, n.role, n.address)).collect();
        assert_eq!(
            nodes,
            [
                "ichor-controlplane-1 controlplane 10.5.0.2",
                "ichor-worker-1 worker 10.5.0.3",
                "ichor-worker-2 worker 10.5.0.4"
            ]
        );
        assert_eq!(spec.gateway(), Ipv4Addr::new(10, 5, 0, 1));
    }

    #[test]
    fn impossible_requests_are_refused_with_the_reason() {
        for name in ["", "-a", "a-", "A", "a.b", &"a".repeat(41)] {
            let request = Request { name: name.into(), ..request() };
            assert_eq!(request.plan(), Err(SpecError::Name(name.into())));
        }
        let request_none = Request { control_planes: 0, ..request() };
        assert_eq!(request_none.plan(), Err(SpecError::NoControlPlane));
        let network: Ipv4Net = "10.5.0.0/30".parse().unwrap();
        let small = Request { network, ..request() };
        assert_eq!(small.plan(), Err(SpecError::Network { network, nodes: 3 }));
        assert!(Request { network, workers: 0, ..request() }.plan().is_ok());
    }
}
