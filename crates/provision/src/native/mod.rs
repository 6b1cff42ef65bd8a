//! Clusters in Linux namespaces: one process tree per node on this host's kernel.
//!
//! Everything that is made lives in namespaces, in cgroups of its own and in the cluster's
//! directory; nothing of the host is changed, so nothing has to be changed back.

pub(crate) mod egress;
mod fabric;
mod forward;
pub(crate) mod launch;
mod node;

use std::os::linux::fs::MetadataExt as _;

use sys::cgroup::{CgroupError, Group};
use sys::process::{Child, Exit};
use thiserror::Error;
use tokio::runtime::Handle;

pub use egress::PROXY_PORT;

use crate::spec::{ClusterSpec, NodeSpec, RootImage};
use crate::state::{ClusterDirectory, GROUP, GroupRecord, StateError};
use crate::supervisor::{Next, Power};
use egress::{EgressError, Uplink};
use fabric::{Fabric, FabricError};
use forward::ForwardError;
use node::{NodeError, Place};

/// Why the nodes have no place to be.
#[derive(Debug, Error)]
pub(crate) enum NativeError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error(
        "no cgroup above this process lets new groups use the controllers cpu, memory and pids"
    )]
    NoParent,
    #[error("cannot look at the cluster's directory")]
    Directory(#[source] std::io::Error),
    #[error(transparent)]
    Fabric(#[from] FabricError),
    #[error(transparent)]
    Forward(#[from] ForwardError),
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error("node {name}")]
    Node {
        name: String,
        #[source]
        source: Box<NodeError>,
    },
}

/// The network and the cgroup of a running cluster.
pub(crate) struct Native {
    root: RootImage,
    group: Group,
    fabric: Fabric,
}

impl Native {
    /// Makes the cluster's network and cgroup.
    pub(crate) async fn open(
        directory: &ClusterDirectory,
        spec: &ClusterSpec,
        root: RootImage,
    ) -> Result<Self, NativeError> {
        let group = cluster_group(directory, spec)?;
        let fabric = Fabric::start(spec.network, spec.gateway(), spec.mtu).await?;
        let outside = Handle::current();
        egress::start(spec.gateway(), Uplink::of_host(), fabric.handle(), outside).await?;
        for wanted in &spec.forwards {
            forward::start(wanted, fabric.handle().clone()).await?;
        }
        Ok(Self { root, group, fabric })
    }

    /// Starts the first process of the node at `index`.
    pub(crate) async fn launch(
        &self,
        directory: &ClusterDirectory,
        spec: &ClusterSpec,
        index: usize,
        node: &NodeSpec,
    ) -> Result<Child, NativeError> {
        let place = Place {
            cluster: spec,
            root: &self.root,
            directory,
            group: self.group.child(&node.name),
            fabric: &self.fabric,
        };
        node::start(&place, index + 1, node).await.map_err(|source| NativeError::Node {
            name: node.name.clone(),
            source: Box::new(source),
        })
    }

    /// Removes what was made; all nodes have ended.
    pub(crate) fn close(&self) -> Result<(), NativeError> {
        Ok(self.group.remove()?)
    }
}

/// The cluster's own cgroup, recorded before it exists.
fn cluster_group(directory: &ClusterDirectory, spec: &ClusterSpec) -> Result<Group, NativeError> {
    let parent = Group::current()?.nearest_parent().ok_or(NativeError::NoParent)?;
    // Clusters of the same name in different directories are different clusters.
    let inode = directory.path().metadata().map_err(NativeError::Directory)?.st_ino();
    let group = parent.child(format!("ichor-{}-{inode}", spec.name));
    directory.write(GROUP, &GroupRecord::of(&group))?;
    group.create()?;
    group.delegate()?;
    Ok(group)
}

const HANGUP: i32 = 1;
const INTERRUPT: i32 = 2;
const KILL: i32 = 9;

/// What the end of a node's first process means. The kernel turns `reboot(2)` inside a PID
/// namespace into such signals (pid_namespaces(7)).
pub(crate) fn after(exit: Exit) -> Next {
    match exit {
        Exit::Signal(HANGUP) => Next::Start,
        // Power off and halt; and a power cut, which whoever cuts must end.
        Exit::Signal(INTERRUPT | KILL) => Next::Stay(Power::Off),
        other => Next::Stay(Power::Failed(format!("its first process ended with {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_end_means_what_a_machines_would() {
        assert_eq!(after(Exit::Signal(1)), Next::Start);
        assert_eq!(after(Exit::Signal(2)), Next::Stay(Power::Off));
        assert_eq!(after(Exit::Signal(9)), Next::Stay(Power::Off));
        assert!(matches!(after(Exit::Code(1)), Next::Stay(Power::Failed(_))));
        assert!(matches!(after(Exit::Signal(11)), Next::Stay(Power::Failed(_))));
    }
}
