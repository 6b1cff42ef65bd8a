//! A controller's connection to the kernel: opened when it first runs, its events wake it.

use ::runtime::controller::{Context, ControllerError};
use netlink::{Change, Events, Netlink};
use tokio::task::JoinHandle;

/// A connection and the task that listens to changes.
#[derive(Default)]
pub(super) struct Kernel {
    open: Option<(Netlink, JoinHandle<()>)>,
}

impl Kernel {
    /// The connection; changes that `concerns` picks wake the controller. A connection whose
    /// events ended is opened anew.
    pub(super) fn connection(
        &mut self,
        context: &Context,
        concerns: fn(Change) -> bool,
    ) -> Result<Netlink, ControllerError> {
        if let Some((netlink, task)) = self.open.as_ref().filter(|(_, task)| !task.is_finished()) {
            let _ = task;
            return Ok(netlink.clone());
        }
        // Listening begins before anything is read, so that no change falls in between.
        let mut events = Events::open()?;
        let netlink = Netlink::open()?;
        let waker = context.waker();
        let task = tokio::spawn(async move {
            while let Some(change) = events.next().await {
                if change == Change::Everything || concerns(change) {
                    waker.wake();
                }
            }
            waker.wake();
        });
        self.open = Some((netlink.clone(), task));
        Ok(netlink)
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        if let Some((_, task)) = self.open.take() {
            task.abort();
        }
    }
}
