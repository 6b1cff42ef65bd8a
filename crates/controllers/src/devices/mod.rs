//! Devices of a machine: the modules that they need, when they have settled, and the power button.
//!
//! Start reading at [`manager`]. A container's devices are its host's: there is nothing to do.

mod coldplug;
mod loads;
mod manager;
mod modules;
mod power;
mod requested;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::runtime::Condition;
use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use futures::future::BoxFuture;
use resource::network::NodeAddressSpec;
use resource::runtime::DevicesStatusSpec;
use resource::v1alpha1::ServiceSpec;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};

use crate::runtime::service::error_chain;
use crate::{Node, Paths};
use manager::Manager;

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    if node.platform.in_container() {
        return Ok(());
    }
    controllers.register(Devices::begin(node))?;
    requested::register(controllers, node)
}

/// Where the modules of the running kernel are.
fn directory(paths: &Paths) -> PathBuf {
    paths.at("/usr/lib/modules").join(sys::system::kernel().release)
}

/// Says when the devices have settled.
struct Devices {
    settled: Arc<watch::Sender<bool>>,
    /// Whether there is time for drivers that nobody waits for.
    leisure: watch::Sender<bool>,
    /// Whether the store's controllers hear when the devices have settled.
    heard: bool,
}

/// The service that whoever starts a machine waits for.
const API: &str = "apid";
/// A machine on which this runs is in use, whether its API can be reached or not.
const CONTAINERS: &str = "cri";

/// Whether the API can be reached, or the machine does its work without.
fn has_leisure(context: &Context) -> bool {
    let runs = |id| {
        let service = context.get::<ServiceSpec>("runtime", id);
        service.is_some_and(|service| service.spec.running && service.spec.healthy)
    };
    let addresses = context.get::<NodeAddressSpec>("network", "current");
    let reached = addresses.is_some_and(|addresses| !addresses.spec.addresses.is_empty());
    runs(CONTAINERS) || (reached && runs(API))
}

impl Devices {
    /// Begins to manage the devices of `node`, on a thread of its own: drivers take their time, and are loaded while the
    /// rest of the node still starts.
    fn begin(node: &Node) -> Self {
        let paths = &node.paths;
        let settled = Arc::new(watch::Sender::new(false));
        let leisure = watch::Sender::new(false);
        // The sequencer takes the power button from here, see `Node::power_button`.
        let (pressed, mut presses) = mpsc::channel(1);
        let manager = Manager {
            modules: directory(paths),
            sys: paths.at("/sys"),
            settle_time: settle_time(node.arguments.settle_time.as_deref()),
            leisure: leisure.subscribe(),
            settled: Arc::clone(&settled),
            block_changes: Arc::clone(&node.block_changes),
            pressed,
        };
        let button = Arc::clone(&node.power_button);
        let presses = async move {
            while presses.recv().await.is_some() {
                tracing::info!("the power button was pressed");
                button.notify_one();
            }
        };
        let step = node.timeline.work("machine", "load the modules that devices need");
        let mut changes = settled.subscribe();
        let told = async move {
            if changes.wait_for(|settled| *settled).await.is_ok() {
                drop(step);
            }
        };
        let managed = {
            let settled = Arc::clone(&settled);
            async move {
                let listening = tokio::spawn(presses);
                tokio::spawn(told);
                let error = manager.run().await;
                tracing::error!("devices are not managed: {}", error_chain(&error));
                // Whoever waits for devices gets those that the kernel has built in.
                settled.send_replace(true);
                // What was found of buttons is still listened to.
                let _ = listening.await;
            }
        };
        if let Err(error) = apart("devices", managed) {
            tracing::error!(%error, "devices are not managed: no thread can be started for them");
            settled.send_replace(true);
        }
        Self { settled, leisure, heard: false }
    }
}

/// Runs `work` on a thread of its own.
fn apart(name: &str, work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().thread_name(name).build()?;
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(move || runtime.block_on(work)).map(drop)
}

/// The extra time of the kernel's command line, in the words of the configuration; none when it does not read.
fn settle_time(argument: Option<&str>) -> Duration {
    let Some(text) = argument else { return Duration::ZERO };
    match text.parse::<::config::scalar::Duration>() {
        Ok(time) => time.to_std(),
        Err(error) => {
            tracing::warn!(%error, "talos.device.settle_time is ignored");
            Duration::ZERO
        }
    }
}

impl Controller for Devices {
    fn name(&self) -> &'static str {
        "runtime.DevicesStatusController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<ServiceSpec>("runtime").with_id(API),
            Input::weak::<ServiceSpec>("runtime").with_id(CONTAINERS),
            Input::weak::<NodeAddressSpec>("network").with_id("current"),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<DevicesStatusSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            if !std::mem::replace(&mut self.heard, true) {
                let (mut changes, waker) = (self.settled.subscribe(), context.waker());
                tokio::spawn(async move {
                    if changes.wait_for(|settled| *settled).await.is_ok() {
                        waker.wake();
                    }
                });
            }
            if has_leisure(context) {
                // It may be busy again, but then it is in use.
                self.leisure.send_replace(true);
            }
            if *self.settled.borrow() {
                context.modify::<DevicesStatusSpec>("runtime", "devices", |status| {
                    status.ready = true;
                })?;
            } else {
                let what = "the drivers of the devices to be loaded".to_owned();
                context.waiting(&Condition::Event { what });
            }
            Ok(Next::OnChange)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settle_time_is_a_duration() {
        assert_eq!(settle_time(None), Duration::ZERO);
        assert_eq!(settle_time(Some("10s")), Duration::from_secs(10));
        assert_eq!(settle_time(Some("1m30s")), Duration::from_secs(90));
        assert_eq!(settle_time(Some("soon")), Duration::ZERO);
    }
}
