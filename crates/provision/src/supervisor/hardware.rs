//! What the nodes of a cluster are made of, behind one face: process trees or virtual machines.

use sys::process::{Child, Exit};
use thiserror::Error;
use tokio::sync::mpsc;

use super::Next;
use super::run::Event;
use crate::native::{self, Native, NativeError};
use crate::qemu::{Machines, MachinesError};
use crate::spec::{ClusterSpec, NodeSpec, Provisioner};
use crate::state::ClusterDirectory;

/// Why a node has no power.
#[derive(Debug, Error)]
pub(crate) enum HardwareError {
    #[error(transparent)]
    Native(#[from] NativeError),
    #[error(transparent)]
    Machines(#[from] MachinesError),
}

/// Everything that a cluster's nodes need besides themselves.
pub(crate) enum Hardware {
    /// Nodes in namespaces.
    Native(Native),
    /// Nodes in virtual machines.
    Machines(Box<Machines>),
}

impl Hardware {
    /// Makes what the nodes share.
    pub(crate) async fn open(
        directory: &ClusterDirectory,
        spec: &ClusterSpec,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, HardwareError> {
        Ok(match &spec.provisioner {
            Provisioner::Native { root } => {
                Self::Native(Native::open(directory, spec, root.clone()).await?)
            }
            Provisioner::Qemu(machine) => Self::Machines(Box::new(
                Machines::open(directory, spec, machine.clone(), events).await?,
            )),
        })
    }

    /// Starts the node at `index`. The thread that calls this must live as long as the node may.
    pub(crate) async fn launch(
        &self,
        directory: &ClusterDirectory,
        spec: &ClusterSpec,
        index: usize,
        node: &NodeSpec,
    ) -> Result<Child, HardwareError> {
        Ok(match self {
            Self::Native(native) => native.launch(directory, spec, index, node).await?,
            Self::Machines(machines) => machines.launch(spec, index, node).await?,
        })
    }

    /// What the end of a node's process means.
    pub(crate) fn after(&self, exit: Exit) -> Next {
        match self {
            Self::Native(_) => native::after(exit),
            Self::Machines(_) => crate::qemu::after(exit),
        }
    }

    /// The virtual machines, or why a request that needs them is refused.
    pub(crate) fn machines(&self) -> Result<&Machines, String> {
        match self {
            Self::Native(_) => {
                Err("the nodes of this cluster have no screen and no reset button: \
                                    only virtual machines do (cluster create --provisioner qemu)"
                    .to_owned())
            }
            Self::Machines(machines) => Ok(machines),
        }
    }

    /// Removes what was made; all nodes have ended.
    pub(crate) fn close(&self) -> Result<(), HardwareError> {
        match self {
            Self::Native(native) => Ok(native.close()?),
            Self::Machines(machines) => {
                machines.close();
                Ok(())
            }
        }
    }
}
