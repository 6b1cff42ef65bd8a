//! Disks, volumes and mounts of a machine: found, made, mounted for whoever asks, and let go of in order.
//!
//! [`discovery`] publishes what is there, [`manager`] makes what is missing, [`mounts`] mounts it. What to do is
//! planned by the crate `storage`; here are the hands. A container's volumes are directories that exist already, so
//! there is nothing to do for one.

mod discovery;
mod inventory;
mod manager;
mod meta;
mod mounts;
mod perform;
mod wishes;

use ::runtime::controller::{Context, RegisterError, Runtime};
use tokio::sync::watch;

use crate::Node;

/// The namespace of everything about disks.
const NAMESPACE: &str = "runtime";

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    if node.platform.in_container() {
        return Ok(());
    }
    discovery::register(controllers, node)?;
    wishes::register(controllers, node)?;
    manager::register(controllers, node)?;
    mounts::register(controllers, node)?;
    meta::register(controllers, node)
}

/// Wakes a controller whenever block devices change, from its first run on.
#[derive(Debug)]
struct OnChange {
    changes: Option<watch::Receiver<u64>>,
}

impl OnChange {
    fn of(node: &Node) -> Self {
        Self { changes: Some(node.block_changes.subscribe()) }
    }

    /// Begins to wake the controller of `context`; later calls do nothing.
    fn begin(&mut self, context: &Context) {
        let Some(mut changes) = self.changes.take() else { return };
        let waker = context.waker();
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                waker.wake();
            }
        });
    }
}
