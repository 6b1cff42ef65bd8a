//! What the API knows about this node: its readiness, and the state of its static pods.

use std::collections::BTreeMap;

use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::future::BoxFuture;
use kubernetes::{Kind, Object};
use manifests::kubelet::KUBECONFIG_PATH;
use resource::k8s::{KubeletKubeconfigSpec, NodeStatusSpec, NodenameSpec, StaticPodStatusSpec};
use resource::secrets::KubernetesCertsSpec;

use super::apply::selection;
use crate::Node;
use crate::kubernetes::addresses::prefixes;
use crate::kubernetes::api::{Clients, Follower, Selection};
use crate::kubernetes::object;

fn inputs() -> Vec<Input> {
    vec![
        Input::weak::<NodenameSpec>("k8s").with_id("nodename"),
        Input::weak::<KubernetesCertsSpec>("secrets"),
        Input::weak::<KubeletKubeconfigSpec>("k8s"),
    ]
}

fn strings(map: &serde_json::Value) -> BTreeMap<String, String> {
    let entries = map.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Whether a list of conditions holds `Ready`.
fn is_ready(status: &Object) -> bool {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn node_status(nodename: &str, node: &Object) -> NodeStatusSpec {
    let cidrs = node["spec"]["podCIDRs"].as_array().into_iter().flatten();
    NodeStatusSpec {
        nodename: nodename.to_owned(),
        node_ready: is_ready(&node["status"]),
        unschedulable: node["spec"]["unschedulable"].as_bool().unwrap_or_default(),
        labels: strings(&node["metadata"]["labels"]),
        annotations: strings(&node["metadata"]["annotations"]),
        pod_cidrs: prefixes(cidrs.filter_map(|cidr| cidr.as_str())),
    }
}

/// Which of the two things a follower follows.
#[derive(Clone, Copy)]
enum What {
    Node,
    Pods,
}

struct Status {
    name: &'static str,
    what: What,
    node: Node,
    clients: Clients,
    follower: Option<Follower>,
    ready: bool,
}

impl Status {
    fn selection(&self, nodename: &str) -> Selection {
        match self.what {
            What::Node => selection(nodename),
            What::Pods => Selection {
                kind: Kind::core("Pod"),
                namespace: "",
                query: format!("fieldSelector=spec.nodeName%3D{nodename}"),
            },
        }
    }

    fn publish_node(
        &mut self,
        context: &Context,
        nodename: &str,
        objects: &[Object],
    ) -> Result<(), ControllerError> {
        if let Some(node) = objects.first() {
            let status = node_status(nodename, node);
            if status.node_ready != self.ready {
                let event = if status.node_ready { "node Ready" } else { "node not Ready" };
                self.node.timeline.mark("kubernetes", event);
                self.ready = status.node_ready;
            }
            context.modify::<NodeStatusSpec>("k8s", nodename, |spec| spec.clone_from(&status))?;
        }
        context.cleanup::<NodeStatusSpec>("k8s", |status| {
            status.id() == nodename && !objects.is_empty()
        })?;
        Ok(())
    }

    fn publish_pods(context: &Context, objects: &[Object]) -> Result<(), ControllerError> {
        let mut present = Vec::new();
        for pod in objects {
            // The API's image of a static pod is marked by the kubelet that made it.
            if pod["metadata"]["annotations"]["kubernetes.io/config.source"].as_str()
                != Some("file")
            {
                continue;
            }
            let field = |name: &str| pod["metadata"][name].as_str().unwrap_or_default();
            let id = format!("{}/{}", field("namespace"), field("name"));
            let status = object::object(&pod["status"]);
            context.modify::<StaticPodStatusSpec>("k8s", &id, |spec| {
                spec.podstatus.clone_from(&status)
            })?;
            present.push(id);
        }
        context.cleanup::<StaticPodStatusSpec>("k8s", |status| {
            present.iter().any(|id| id == status.id())
        })?;
        Ok(())
    }
}

impl Controller for Status {
    fn name(&self) -> &'static str {
        self.name
    }

    fn inputs(&self) -> Vec<Input> {
        inputs()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![match self.what {
            What::Node => Output::exclusive::<NodeStatusSpec>(),
            What::Pods => Output::exclusive::<StaticPodStatusSpec>(),
        }]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let nodename = context.get::<NodenameSpec>("k8s", "nodename");
            let client =
                self.clients.any(&self.node.store, &self.node.paths.at(KUBECONFIG_PATH))?;
            let (Some(nodename), Some(client)) = (nodename, client) else {
                self.follower = None;
                return Ok(Next::OnChange);
            };
            let name = nodename.spec.nodename.clone();
            let selection = self.selection(&name);
            if self.follower.as_ref().is_none_or(|follower| *follower.selection() != selection) {
                self.follower = Some(Follower::start(client, selection, context.waker()));
            }
            if let Some(objects) = self.follower.as_ref().and_then(Follower::objects) {
                match self.what {
                    What::Node => self.publish_node(context, &name, &objects)?,
                    What::Pods => Self::publish_pods(context, &objects)?,
                }
            }
            Ok(Next::OnChange)
        })
    }
}

/// The controllers of this module.
pub(in crate::kubernetes) fn controllers(
    node: &Node,
    clients: &Clients,
) -> [impl Controller + use<>; 2] {
    let status = |name, what| Status {
        name,
        what,
        node: node.clone(),
        clients: clients.clone(),
        follower: None,
        ready: false,
    };
    [
        status("k8s.NodeStatusController", What::Node),
        status("k8s.KubeletStaticPodController", What::Pods),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_and_ranges() {
        let node = serde_json::json!({
            "metadata": { "labels": { "a": "b" } },
            "spec": { "podCIDRs": ["10.244.0.0/24"], "unschedulable": true },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        let status = node_status("cp-1", &node);
        assert!(status.node_ready && status.unschedulable);
        assert_eq!(status.labels["a"], "b");
        assert_eq!(status.pod_cidrs.len(), 1);
        assert!(!is_ready(
            &serde_json::json!({ "conditions": [{ "type": "Ready", "status": "Unknown" }] })
        ));
    }
}
