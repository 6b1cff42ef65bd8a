//! Makes the volumes that are missing, and says how far each is. Closes them all when the machine goes down.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ::runtime::Condition;
use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use futures::future::BoxFuture;
use resource::Phase;
use resource::block::{
    DiscoveredVolumeSpec, DiskSpec, MountStatusSpec, VolumeConfigSpec, VolumeLifecycleSpec,
    VolumeStatusSpec,
};
use resource::enums::VolumePhase;
use resource::runtime::DevicesStatusSpec;
use storage::volume::{Plan, plan};
use tokio::task::spawn_blocking;

use super::{NAMESPACE, OnChange, discovery, perform};
use crate::Node;

const NAME: &str = "block.VolumeManagerController";
/// The id of the one life cycle.
const LIFECYCLE: &str = "volumes";
/// A volume that failed is tried again after this time, or when a disk changes.
const RETRY: Duration = Duration::from_secs(30);
/// More steps than any start takes: a step that does not change what is seen must not run for ever.
const MOST_STEPS: usize = 64;

/// Adds the controller.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    controllers.register(Manager {
        node: node.clone(),
        changes: OnChange::of(node),
        begun: false,
        told: BTreeSet::new(),
    })?;
    Ok(())
}

struct Manager {
    node: Node,
    changes: OnChange,
    begun: bool,
    /// The failures that are in the log already.
    told: BTreeSet<String>,
}

impl Controller for Manager {
    fn name(&self) -> &'static str {
        NAME
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<VolumeConfigSpec>(NAMESPACE),
            Input::weak::<DiskSpec>(NAMESPACE),
            Input::weak::<DiscoveredVolumeSpec>(NAMESPACE),
            Input::weak::<DevicesStatusSpec>("runtime").with_id("devices"),
            Input::weak::<MountStatusSpec>(NAMESPACE),
            Input::weak::<VolumeLifecycleSpec>(NAMESPACE).with_id(LIFECYCLE),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<VolumeStatusSpec>(), Output::exclusive::<VolumeLifecycleSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            self.changes.begin(context);
            if !self.begun {
                context.modify::<VolumeLifecycleSpec>(NAMESPACE, LIFECYCLE, |_| {})?;
                context.store().add_finalizer::<VolumeLifecycleSpec>(NAMESPACE, LIFECYCLE, NAME)?;
                self.begun = true;
            }
            let lifecycle = context.get::<VolumeLifecycleSpec>(NAMESPACE, LIFECYCLE);
            if lifecycle.is_none_or(|lifecycle| lifecycle.metadata.phase == Phase::TearingDown) {
                close(context)?;
                return Ok(Next::OnChange);
            }
            let plan = self.provision(context).await?;
            self.tell(&plan);
            let failed = plan.statuses.values().any(|status| status.phase == VolumePhase::FAILED);
            Ok(if failed { Next::After(RETRY) } else { Next::OnChange })
        })
    }
}

impl Manager {
    /// Takes steps until there are none.
    async fn provision(&self, context: &Context) -> Result<Plan, ControllerError> {
        for _ in 0..MOST_STEPS {
            let wishes: Vec<(String, VolumeConfigSpec)> = context
                .list::<VolumeConfigSpec>(NAMESPACE)
                .iter()
                .map(|wish| (wish.id().to_owned(), VolumeConfigSpec::clone(&wish.spec)))
                .collect();
            let observed = discovery::observe(&self.node, discovery::settled(context)).await?;
            let plan = plan(&wishes, &observed);
            publish(context, &plan)?;
            if plan.steps.is_empty() {
                return Ok(plan);
            }
            let _step = self.node.timeline.work("machine", "make volumes");
            let paths = Arc::clone(&self.node.paths);
            let steps = plan.steps;
            spawn_blocking(move || {
                steps.iter().try_for_each(|step| {
                    tracing::info!(?step, "a volume is made");
                    perform::perform(&paths, step, &observed)
                })
            })
            .await??;
            // The kernel tells of new partitions, but not of new content.
            self.node.block_changes.send_modify(|count| *count += 1);
        }
        Err(ControllerError::message("steps to make volumes do not come to an end"))
    }

    /// Logs each failure once.
    fn tell(&mut self, plan: &Plan) {
        let failures: BTreeSet<String> = plan
            .statuses
            .values()
            .filter(|status| status.phase == VolumePhase::FAILED)
            .map(|status| status.error_message.clone())
            .collect();
        for failure in failures.difference(&self.told) {
            tracing::error!("{failure}");
        }
        self.told = failures;
    }
}

fn publish(context: &Context, plan: &Plan) -> Result<(), ControllerError> {
    for (id, status) in &plan.statuses {
        context.modify::<VolumeStatusSpec>(NAMESPACE, id, |spec| spec.clone_from(status))?;
    }
    for (id, wait) in &plan.waits {
        context.waiting(&Condition::Event { what: format!("volume {id}: {wait}") });
    }
    context
        .cleanup::<VolumeStatusSpec>(NAMESPACE, |status| plan.statuses.contains_key(status.id()))?;
    Ok(())
}

/// Closes all volumes once none is mounted, and lets go of the life cycle.
fn close(context: &Context) -> Result<(), ControllerError> {
    let mounted = context.list::<MountStatusSpec>(NAMESPACE);
    let mounted: BTreeSet<&str> =
        mounted.iter().map(|mount| mount.spec.spec.volume_id.as_str()).collect();
    for status in context.list::<VolumeStatusSpec>(NAMESPACE) {
        if mounted.contains(status.id()) {
            let what = format!("volume {} to be unmounted", status.id());
            context.waiting(&Condition::Event { what });
            continue;
        }
        context.modify::<VolumeStatusSpec>(NAMESPACE, status.id(), |spec| {
            spec.phase = VolumePhase::CLOSED;
        })?;
    }
    if mounted.is_empty() {
        context.store().remove_finalizer::<VolumeLifecycleSpec>(NAMESPACE, LIFECYCLE, NAME)?;
    }
    Ok(())
}
