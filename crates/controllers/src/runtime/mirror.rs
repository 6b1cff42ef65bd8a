//! The node's tables as resources: services, their processes, and the timeline of the start.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use ::runtime::service::{Registry, Service, State};
use ::runtime::timeline::{Step, Timeline};
use futures::future::BoxFuture;
use resource::Timestamp;
use resource::ichor::TimelineStepSpec;
use resource::runtime::ServicePIDSpec;
use resource::v1alpha1::ServiceSpec;
use tokio::sync::watch;

use crate::Node;

/// Adds the controllers that publish tables.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    controllers.register(Services { services: node.services.clone(), followed: false })?;
    controllers.register(ServicePids {
        services: node.services.clone(),
        proc: node.paths.at("/proc"),
        followed: false,
    })?;
    controllers.register(Steps { timeline: node.timeline.clone(), followed: false })?;
    Ok(())
}

/// Wakes the controller whenever the table changes, from its first run on.
fn follow(context: &Context, mut changes: watch::Receiver<u64>) {
    let waker = context.waker();
    tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            waker.wake();
        }
    });
}

struct Services {
    services: Registry,
    followed: bool,
}

/// What the resource of a service says; `None` while it has not been started.
fn service_spec(service: &Service) -> Option<ServiceSpec> {
    (service.state == State::Running).then_some(ServiceSpec {
        running: true,
        healthy: service.health.healthy,
        unknown: service.health.unknown,
    })
}

impl Controller for Services {
    fn name(&self) -> &'static str {
        "v1alpha1.ServiceController"
    }

    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<ServiceSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            if !std::mem::replace(&mut self.followed, true) {
                follow(context, self.services.subscribe());
            }
            let mut running = BTreeSet::new();
            for service in self.services.list() {
                let Some(wanted) = service_spec(&service) else { continue };
                context.modify::<ServiceSpec>("runtime", &service.id, |spec| {
                    spec.clone_from(&wanted);
                })?;
                running.insert(service.id.clone());
            }
            context.cleanup::<ServiceSpec>("runtime", |spec| running.contains(spec.id()))?;
            Ok(Next::OnChange)
        })
    }
}

struct ServicePids {
    services: Registry,
    proc: PathBuf,
    followed: bool,
}

impl Controller for ServicePids {
    fn name(&self) -> &'static str {
        "runtime.ServicePIDController"
    }

    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<ServicePIDSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            if !std::mem::replace(&mut self.followed, true) {
                follow(context, self.services.subscribe());
            }
            let mut present = BTreeSet::new();
            for service in self.services.list() {
                let Some(pid) = service.pid.and_then(|pid| i32::try_from(pid).ok()) else {
                    continue;
                };
                // A process that has just ended has no namespace any more; the next change says so.
                let namespace = std::fs::read_link(self.proc.join(format!("{pid}/ns/mnt")))
                    .map(|link| link.display().to_string())
                    .unwrap_or_default();
                context.modify::<ServicePIDSpec>("runtime", &service.id, |spec| {
                    spec.pid = pid;
                    spec.mount_namespace.clone_from(&namespace);
                })?;
                present.insert(service.id.clone());
            }
            context.cleanup::<ServicePIDSpec>("runtime", |spec| present.contains(spec.id()))?;
            Ok(Next::OnChange)
        })
    }
}

struct Steps {
    timeline: Timeline,
    followed: bool,
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: since.subsec_nanos(),
    }
}

fn step_spec(step: &Step) -> TimelineStepSpec {
    let length = step.ended.and_then(|ended| ended.duration_since(step.begun).ok());
    TimelineStepSpec {
        subject: step.subject.clone(),
        kind: step.kind.as_str().to_owned(),
        step: step.what.clone(),
        begun: timestamp(step.begun),
        ended: step.ended.map(timestamp).unwrap_or_default(),
        milliseconds: length
            .map_or(0, |length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX)),
    }
}

impl Controller for Steps {
    fn name(&self) -> &'static str {
        "runtime.TimelineController"
    }

    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<TimelineStepSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            if !std::mem::replace(&mut self.followed, true) {
                follow(context, self.timeline.subscribe());
            }
            let mut present = BTreeSet::new();
            for step in self.timeline.steps() {
                let id = format!("{:06}", step.number);
                let wanted = step_spec(&step);
                context.modify::<TimelineStepSpec>("runtime", &id, |spec| {
                    spec.clone_from(&wanted);
                })?;
                present.insert(id);
            }
            context.cleanup::<TimelineStepSpec>("runtime", |step| present.contains(step.id()))?;
            Ok(Next::OnChange)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, Paths, Platform};
    use ::runtime::service::Declaration;

    fn node() -> Node {
        let platform = Platform {
            name: "container".into(),
            mode: Mode::Container,
            instance_type: String::new(),
            user_data: None,
        };
        Node::new(platform, Paths::new("/"), [0; 5])
    }

    #[tokio::test]
    async fn tables_appear_as_resources_and_go_with_their_rows() {
        let node = node();
        let mut controllers = Runtime::new(node.store.clone());
        register(&mut controllers, &node).unwrap();
        let running = tokio::spawn(controllers.run(std::future::pending()));
        node.services.declare("a", Declaration { checked: true, ..Declaration::default() });
        node.services.transition("a", State::Running, "runs");
        node.services.attach("a", Some(std::process::id()));
        let step = node.timeline.wait("service/a", "the moon");
        let is = |healthy| {
            move |spec: Option<&resource::Resource<ServiceSpec>>| {
                spec.is_some_and(|spec| spec.spec.running && spec.spec.healthy == healthy)
            }
        };
        node.store.wait_for::<ServiceSpec>("runtime", "a", is(false)).await;
        node.services.report("a", true, "");
        node.store.wait_for::<ServiceSpec>("runtime", "a", is(true)).await;
        let pid = node.store.wait_for::<ServicePIDSpec>("runtime", "a", |pid| pid.is_some()).await;
        assert!(pid.unwrap().spec.mount_namespace.starts_with("mnt:["));
        drop(step);
        node.store
            .wait_for::<TimelineStepSpec>("runtime", "000000", |step| {
                step.is_some_and(|step| step.spec.ended != Timestamp::default())
            })
            .await;
        node.services.transition("a", State::Finished, "over");
        node.store.wait_for::<ServiceSpec>("runtime", "a", |spec| spec.is_none()).await;
        running.abort();
    }
}
