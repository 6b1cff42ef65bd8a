//! The machine's stage and whether it is ready, with the reasons why not.

use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use ::runtime::event::{self, Bus, Payload};
use ::runtime::service::{Registry, Service};
use futures::future::BoxFuture;
use resource::config::MachineTypeSpec;
use resource::enums::{MachineStage, MachineType};
use resource::k8s::{NodeStatusSpec, NodenameSpec, StaticPodSpec, StaticPodStatusSpec};
use resource::network;
use resource::runtime::{MachineStatusSpec, MachineStatusStatus, UnmetCondition};
use resource::time;
use resource::types::Object;
use tokio::sync::watch;
use yaml::Value;

use crate::Node;
use crate::role::is_control_plane;

/// What readiness is judged by.
#[derive(Debug, Default)]
pub struct Observed {
    /// What the machine is, once the configuration is known.
    pub machine_type: MachineType,
    /// Whether the clock is in sync.
    pub time: Option<time::StatusSpec>,
    /// What of the network is there.
    pub network: Option<network::StatusSpec>,
    /// The services.
    pub services: Vec<Service>,
    /// Static pods by id with their conditions.
    pub static_pods: Vec<(String, bool)>,
    /// The node's name in Kubernetes; `None` while not known or not registered.
    pub nodename: Option<String>,
    /// Whether Kubernetes says Ready.
    pub node_ready: Option<bool>,
}

/// The conditions that are not met at this stage, in the contract's order.
#[must_use]
pub fn plan(stage: MachineStage, observed: &Observed) -> Vec<UnmetCondition> {
    if stage != MachineStage::BOOTING && stage != MachineStage::RUNNING {
        return Vec::new();
    }
    let checks: [(&str, Option<String>); 5] = [
        ("time", time_reason(observed)),
        ("network", network_reason(observed)),
        ("services", services_reason(observed)),
        ("staticPods", static_pods_reason(observed)),
        ("nodeReady", node_reason(observed)),
    ];
    checks
        .into_iter()
        .filter_map(|(name, reason)| {
            reason.map(|reason| UnmetCondition { name: name.to_owned(), reason })
        })
        .collect()
}

fn time_reason(observed: &Observed) -> Option<String> {
    match &observed.time {
        Some(time) if time.synced => None,
        _ => Some("time is not synced".to_owned()),
    }
}

fn network_reason(observed: &Observed) -> Option<String> {
    let Some(network) = &observed.network else {
        return Some("network is not ready".to_owned());
    };
    let parts = [
        ("address", network.address_ready),
        ("connectivity", network.connectivity_ready),
        ("etc-files", network.etc_files_ready),
        ("hostname", network.hostname_ready),
    ];
    let missing: Vec<&str> =
        parts.iter().filter(|(_, ready)| !ready).map(|(name, _)| *name).collect();
    (!missing.is_empty()).then(|| format!("waiting on: {}", missing.join(", ")))
}

fn services_reason(observed: &Observed) -> Option<String> {
    let mut required = vec!["apid", "machined", "kubelet"];
    if is_control_plane(observed.machine_type) {
        required.extend(["etcd", "trustd"]);
    }
    let mut problems = Vec::new();
    for id in required {
        match observed.services.iter().find(|service| service.id == id) {
            None => problems.push(format!("{id} not running")),
            Some(service) if service.is_up() => {}
            Some(service) if service.state == ::runtime::service::State::Running => {
                problems.push(format!("{id} not healthy"));
            }
            Some(_) => problems.push(format!("{id} not running")),
        }
    }
    (!problems.is_empty()).then(|| problems.join(", "))
}

fn static_pods_reason(observed: &Observed) -> Option<String> {
    let waiting: Vec<String> = observed
        .static_pods
        .iter()
        .filter(|(_, ready)| !ready)
        .map(|(id, _)| format!("{id} not ready"))
        .collect();
    (!waiting.is_empty()).then(|| waiting.join(", "))
}

fn node_reason(observed: &Observed) -> Option<String> {
    let name = match &observed.nodename {
        Some(name) => name,
        None => return Some("nodename is not known".to_owned()),
    };
    match observed.node_ready {
        Some(true) => None,
        Some(false) => Some(format!("node \"{name}\" is not ready")),
        None => Some(format!("node \"{name}\" status is not available yet")),
    }
}

/// Whether a pod's status says Ready.
fn pod_is_ready(status: &Object) -> bool {
    let Some(Value::Seq(conditions)) = status.value("conditions") else { return false };
    conditions.iter().any(|condition| {
        let Value::Map(fields) = condition else { return false };
        let field = |name: &str| {
            fields.iter().find_map(|(key, value)| match value {
                Value::String(text) if key == name => Some(text.as_str()),
                _ => None,
            })
        };
        field("type") == Some("Ready") && field("status") == Some("True")
    })
}

/// A pod's namespace and name, as its status names it up to the node.
fn name(pod: &Object) -> Option<String> {
    let Some(Value::Map(metadata)) = pod.value("metadata") else { return None };
    let field = |name: &str| {
        metadata.iter().find_map(|(key, value)| match value {
            Value::String(text) if key == name => Some(text.as_str()),
            _ => None,
        })
    };
    Some(format!("{}/{}", field("namespace")?, field("name")?))
}

/// The pods that Kubernetes knows, and those it does not know yet: without an API server it knows none.
fn static_pods(
    wanted: impl Iterator<Item = String>,
    mut known: Vec<(String, bool)>,
) -> Vec<(String, bool)> {
    for name in wanted {
        let own = |id: &str| id.strip_prefix(&name).is_some_and(|rest| rest.starts_with('-'));
        if !known.iter().any(|(id, _)| own(id)) {
            known.push((name, false));
        }
    }
    known
}

fn observe(context: &Context, services: &Registry) -> Observed {
    let nodename =
        context.get::<NodenameSpec>("k8s", "nodename").map(|name| name.spec.nodename.clone());
    let node_ready = nodename
        .as_ref()
        .and_then(|name| context.get::<NodeStatusSpec>("k8s", name))
        .map(|status| status.spec.node_ready);
    Observed {
        machine_type: context
            .get::<MachineTypeSpec>("config", "machine-type")
            .map(|spec| spec.spec.machine_type)
            .unwrap_or_default(),
        time: context.get::<time::StatusSpec>("runtime", "node").map(|spec| (*spec.spec).clone()),
        network: context
            .get::<network::StatusSpec>("network", "status")
            .map(|spec| (*spec.spec).clone()),
        services: services.list().iter().map(|service| (**service).clone()).collect(),
        static_pods: static_pods(
            context.list::<StaticPodSpec>("k8s").iter().filter_map(|pod| name(&pod.spec.pod)),
            context
                .list::<StaticPodStatusSpec>("k8s")
                .iter()
                .map(|pod| (pod.id().to_owned(), pod_is_ready(&pod.spec.podstatus)))
                .collect(),
        ),
        nodename,
        node_ready,
    }
}

fn event_stage(stage: MachineStage) -> event::MachineStage {
    match stage {
        MachineStage::BOOTING => event::MachineStage::Booting,
        MachineStage::INSTALLING => event::MachineStage::Installing,
        MachineStage::MAINTENANCE => event::MachineStage::Maintenance,
        MachineStage::RUNNING => event::MachineStage::Running,
        MachineStage::REBOOTING => event::MachineStage::Rebooting,
        MachineStage::SHUTTING_DOWN => event::MachineStage::ShuttingDown,
        MachineStage::RESETTING => event::MachineStage::Resetting,
        MachineStage::UPGRADING => event::MachineStage::Upgrading,
        _ => event::MachineStage::Unknown,
    }
}

/// Where the sequencer says which stage the machine is in.
pub type Stage = watch::Sender<MachineStage>;

struct Status {
    services: Registry,
    events: Bus,
    stage: watch::Receiver<MachineStage>,
    followed: bool,
    told: Option<MachineStatusSpec>,
}

/// Adds the controller of the machine's status.
///
/// # Errors
/// See [`crate::register`].
pub fn register(
    controllers: &mut Runtime,
    node: &Node,
    stage: watch::Receiver<MachineStage>,
) -> Result<(), RegisterError> {
    controllers.register(Status {
        services: node.services.clone(),
        events: node.events.clone(),
        stage,
        followed: false,
        told: None,
    })?;
    Ok(())
}

impl Controller for Status {
    fn name(&self) -> &'static str {
        "runtime.MachineStatusController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<MachineTypeSpec>("config"),
            Input::weak::<time::StatusSpec>("runtime"),
            Input::weak::<network::StatusSpec>("network"),
            Input::weak::<StaticPodSpec>("k8s"),
            Input::weak::<StaticPodStatusSpec>("k8s"),
            Input::weak::<NodenameSpec>("k8s"),
            Input::weak::<NodeStatusSpec>("k8s"),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<MachineStatusSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            if !std::mem::replace(&mut self.followed, true) {
                let (mut services, mut stage) = (self.services.subscribe(), self.stage.clone());
                let waker = context.waker();
                tokio::spawn(async move {
                    loop {
                        tokio::select! {
                            changed = services.changed() => if changed.is_err() { return },
                            changed = stage.changed() => if changed.is_err() { return },
                        }
                        waker.wake();
                    }
                });
            }
            let stage = *self.stage.borrow();
            let unmet = plan(stage, &observe(context, &self.services));
            let ready =
                unmet.is_empty() && matches!(stage, MachineStage::BOOTING | MachineStage::RUNNING);
            let wanted = MachineStatusSpec {
                stage,
                status: MachineStatusStatus { ready, unmet_conditions: unmet },
            };
            context.modify::<MachineStatusSpec>("runtime", "machine", |spec| {
                spec.clone_from(&wanted);
            })?;
            if self.told.as_ref() != Some(&wanted) {
                self.events.publish(Payload::MachineStatus {
                    stage: event_stage(stage),
                    ready,
                    unmet: wanted
                        .status
                        .unmet_conditions
                        .iter()
                        .map(|unmet| event::UnmetCondition {
                            name: unmet.name.clone(),
                            reason: unmet.reason.clone(),
                        })
                        .collect(),
                });
                self.told = Some(wanted);
            }
            Ok(Next::OnChange)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::runtime::service::{Declaration, State};

    fn service(id: &str) -> Service {
        Service {
            id: id.into(),
            declaration: Declaration::default(),
            state: State::Running,
            health: ::runtime::service::Health::default(),
            events: std::collections::VecDeque::new(),
            pid: None,
        }
    }

    fn ready_worker() -> Observed {
        Observed {
            machine_type: MachineType::WORKER,
            time: Some(time::StatusSpec { synced: true, ..time::StatusSpec::default() }),
            network: Some(network::StatusSpec {
                address_ready: true,
                connectivity_ready: true,
                etc_files_ready: true,
                hostname_ready: true,
            }),
            services: ["apid", "machined", "kubelet"].map(service).to_vec(),
            static_pods: Vec::new(),
            nodename: Some("w1".into()),
            node_ready: Some(true),
        }
    }

    fn reasons(observed: &Observed) -> Vec<String> {
        plan(MachineStage::BOOTING, observed)
            .into_iter()
            .map(|unmet| format!("{}: {}", unmet.name, unmet.reason))
            .collect()
    }

    #[test]
    fn each_missing_thing_is_named() {
        assert_eq!(reasons(&ready_worker()), Vec::<String>::new());
        let mut observed = ready_worker();
        observed.machine_type = MachineType::CONTROL_PLANE;
        observed.time = None;
        observed.network.as_mut().unwrap().hostname_ready = false;
        observed.static_pods = vec![("kube-system/kube-apiserver-w1".into(), false)];
        observed.node_ready = None;
        observed.services.push(Service {
            declaration: Declaration { checked: true, ..Declaration::default() },
            ..service("etcd")
        });
        assert_eq!(
            reasons(&observed),
            [
                "time: time is not synced",
                "network: waiting on: hostname",
                "services: etcd not healthy, trustd not running",
                "staticPods: kube-system/kube-apiserver-w1 not ready",
                "nodeReady: node \"w1\" status is not available yet",
            ]
        );
    }

    #[test]
    fn a_pod_that_kubernetes_has_not_heard_of_is_not_ready() {
        let pod = |text: &str| {
            let documents = yaml::parse(text.as_bytes()).unwrap();
            name(&Object::from_value(documents[0].root.to_value()).unwrap())
        };
        let api_server = pod("metadata:\n    namespace: kube-system\n    name: kube-apiserver\n");
        assert_eq!(api_server.as_deref(), Some("kube-system/kube-apiserver"));
        assert_eq!(pod("kind: Pod\n"), None);
        let merged = |known: &[(&str, bool)]| {
            let known = known.iter().map(|(id, ready)| ((*id).to_owned(), *ready)).collect();
            static_pods(api_server.clone().into_iter(), known)
        };
        assert_eq!(merged(&[]), [("kube-system/kube-apiserver".to_owned(), false)]);
        let known = ("kube-system/kube-apiserver-w1".to_owned(), true);
        assert_eq!(merged(&[(&known.0, true)]), [known]);
    }

    #[test]
    fn other_stages_have_no_conditions() {
        assert_eq!(plan(MachineStage::MAINTENANCE, &Observed::default()), []);
        assert_eq!(plan(MachineStage::REBOOTING, &Observed::default()), []);
    }

    #[test]
    fn a_pod_is_ready_by_its_condition() {
        let condition = |kind: &str, status: &str| {
            Value::Map(vec![
                ("type".into(), Value::String(kind.into())),
                ("status".into(), Value::String(status.into())),
            ])
        };
        let pod = |conditions| Object(vec![("conditions".into(), Value::Seq(conditions))]);
        assert!(pod_is_ready(&pod(vec![
            condition("PodScheduled", "False"),
            condition("Ready", "True")
        ])));
        assert!(!pod_is_ready(&pod(vec![condition("Ready", "False")])));
        assert!(!pod_is_ready(&Object::default()));
    }
}
