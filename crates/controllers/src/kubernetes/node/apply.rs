//! Labels, annotations, taints and cordon of this node's object.
//!
//! What the node has put there it remembers in annotations, so that what is no longer wanted is taken off again and what
//! others put there stays.

use std::collections::{BTreeMap, BTreeSet};

use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::future::BoxFuture;
use kubernetes::{Kind, Object};
use manifests::kubelet::KUBECONFIG_PATH;
use resource::enums::MachineStage;
use resource::k8s::{
    KubeletKubeconfigSpec, NodeAnnotationSpecSpec, NodeCordonedSpecSpec, NodeLabelSpecSpec,
    NodeTaintSpecSpec, NodenameSpec,
};
use resource::runtime::MachineStatusSpec;
use resource::secrets::KubernetesCertsSpec;
use serde_json::{Map, Value, json};

use crate::kubernetes::api::{Clients, Follower, Selection};
use crate::{Node, Plain, Run, plain};

const OWNED_LABELS: &str = "talos.dev/owned-labels";
const OWNED_ANNOTATIONS: &str = "talos.dev/owned-annotations";
const OWNED_TAINTS: &str = "talos.dev/owned-taints";
const CORDONED: &str = "talos.dev/cordoned";

/// What the node's object is to carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    /// Value and effect by key.
    taints: BTreeMap<String, (String, String)>,
    cordoned: bool,
}

/// The keys that an annotation of ownership names.
fn owned(node: &Object, annotation: &str) -> BTreeSet<String> {
    let text = node["metadata"]["annotations"][annotation].as_str().unwrap_or("[]");
    serde_json::from_str(text).unwrap_or_default()
}

/// Changes to a map of strings: wanted entries that are missing or differ, and owned ones that are not wanted.
fn entries(
    present: &Value,
    wanted: &BTreeMap<String, String>,
    owned: &BTreeSet<String>,
) -> Map<String, Value> {
    let mut changes = Map::new();
    for (key, value) in wanted {
        if present[key].as_str() != Some(value) {
            changes.insert(key.clone(), value.as_str().into());
        }
    }
    for key in owned {
        if !wanted.contains_key(key) && !present[key].is_null() {
            changes.insert(key.clone(), Value::Null);
        }
    }
    changes
}

fn list(keys: &BTreeSet<String>) -> Option<String> {
    (!keys.is_empty()).then(|| json!(keys).to_string())
}

/// The change that makes the object what is wanted; none when it is.
fn plan(node: &Object, wanted: &Wanted) -> Option<Value> {
    let mut change = json!({});
    let labels = entries(&node["metadata"]["labels"], &wanted.labels, &owned(node, OWNED_LABELS));
    let present = &node["metadata"]["annotations"];
    let mut annotations = entries(present, &wanted.annotations, &owned(node, OWNED_ANNOTATIONS));

    // Taints are a list, which is replaced as a whole.
    let owned_taints = owned(node, OWNED_TAINTS);
    let current: Vec<Value> = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let mut taints: Vec<Value> = current
        .iter()
        .filter(|taint| {
            let key = taint["key"].as_str().unwrap_or_default();
            !owned_taints.contains(key) && !wanted.taints.contains_key(key)
        })
        .cloned()
        .collect();
    for (key, (value, effect)) in &wanted.taints {
        let mut taint = json!({ "key": key, "effect": effect });
        if !value.is_empty() {
            taint["value"] = value.as_str().into();
        }
        // A taint that is there already keeps what else it says, such as since when.
        let same = current.iter().find(|present| {
            present["key"] == taint["key"]
                && present["effect"] == taint["effect"]
                && present["value"].as_str().unwrap_or_default() == value
        });
        taints.push(same.cloned().unwrap_or(taint));
    }
    let sorted = |list: &[Value]| {
        let mut texts: Vec<String> = list.iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    if sorted(&taints) != sorted(&current) {
        change["spec"]["taints"] = taints.into();
    }

    for (annotation, keys) in [
        (OWNED_LABELS, wanted.labels.keys().cloned().collect::<BTreeSet<_>>()),
        (OWNED_ANNOTATIONS, wanted.annotations.keys().cloned().collect()),
        (OWNED_TAINTS, wanted.taints.keys().cloned().collect()),
    ] {
        let text = list(&keys);
        if present[annotation].as_str() != text.as_deref() {
            annotations.insert(annotation.to_owned(), text.map_or(Value::Null, Value::String));
        }
    }

    let marked = present[CORDONED].as_str() == Some("true");
    if wanted.cordoned && !marked {
        annotations.insert(CORDONED.to_owned(), "true".into());
        change["spec"]["unschedulable"] = true.into();
    } else if !wanted.cordoned && marked {
        // Only a cordon that this node made is taken off by it.
        annotations.insert(CORDONED.to_owned(), Value::Null);
        change["spec"]["unschedulable"] = Value::Null;
    }

    if !labels.is_empty() {
        change["metadata"]["labels"] = labels.into();
    }
    if !annotations.is_empty() {
        change["metadata"]["annotations"] = annotations.into();
    }
    let empty = change.as_object().is_some_and(Map::is_empty);
    (!empty).then_some(change)
}

/// The object of one node as a selection.
pub(super) fn selection(nodename: &str) -> Selection {
    Selection {
        kind: Kind::core("Node"),
        namespace: "",
        query: format!("fieldSelector=metadata.name%3D{nodename}"),
    }
}

struct Apply {
    node: Node,
    clients: Clients,
    follower: Option<Follower>,
}

impl Controller for Apply {
    fn name(&self) -> &'static str {
        "k8s.NodeApplyController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<NodenameSpec>("k8s").with_id("nodename"),
            Input::weak::<NodeLabelSpecSpec>("k8s"),
            Input::weak::<NodeAnnotationSpecSpec>("k8s"),
            Input::weak::<NodeTaintSpecSpec>("k8s"),
            Input::weak::<NodeCordonedSpecSpec>("k8s"),
            Input::weak::<KubernetesCertsSpec>("secrets"),
            Input::weak::<KubeletKubeconfigSpec>("k8s"),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
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
            if nodename.spec.skip_node_registration {
                self.follower = None;
                return Ok(Next::OnChange);
            }
            let name = nodename.spec.nodename.as_str();
            let selection = selection(name);
            if self.follower.as_ref().is_none_or(|follower| *follower.selection() != selection) {
                self.follower = Some(Follower::start(client.clone(), selection, context.waker()));
            }
            let objects = self.follower.as_ref().and_then(Follower::objects);
            let Some(object) = objects.and_then(|objects| objects.into_iter().next()) else {
                return Ok(Next::OnChange);
            };
            let wanted = Wanted {
                labels: context
                    .list::<NodeLabelSpecSpec>("k8s")
                    .into_iter()
                    .map(|r| (r.spec.key.clone(), r.spec.value.clone()))
                    .collect(),
                annotations: context
                    .list::<NodeAnnotationSpecSpec>("k8s")
                    .into_iter()
                    .map(|r| (r.spec.key.clone(), r.spec.value.clone()))
                    .collect(),
                taints: context
                    .list::<NodeTaintSpecSpec>("k8s")
                    .into_iter()
                    .map(|r| (r.spec.key.clone(), (r.spec.value.clone(), r.spec.effect.clone())))
                    .collect(),
                cordoned: context.get::<NodeCordonedSpecSpec>("k8s", "cordoned").is_some(),
            };
            if let Some(change) = plan(&object, &wanted) {
                client.merge(Kind::core("Node"), "", name, &change).await?;
            }
            Ok(Next::OnChange)
        })
    }
}

fn cordon(context: &Context) -> Result<Next, ControllerError> {
    let stage =
        context.get::<MachineStatusSpec>("runtime", "machine").map(|status| status.spec.stage);
    match stage {
        Some(MachineStage::SHUTTING_DOWN | MachineStage::UPGRADING | MachineStage::RESETTING) => {
            context.modify::<NodeCordonedSpecSpec>("k8s", "cordoned", |_| {})?;
        }
        Some(MachineStage::BOOTING | MachineStage::RUNNING) => {
            context.remove::<NodeCordonedSpecSpec>("k8s", "cordoned")?;
        }
        _ => {}
    }
    Ok(Next::OnChange)
}

/// The controllers of this module.
pub(in crate::kubernetes) fn controllers(
    node: &Node,
    clients: Clients,
) -> (impl Controller + use<>, Plain<Run>) {
    (
        Apply { node: node.clone(), clients, follower: None },
        plain(
            "k8s.NodeCordonedSpecController",
            vec![Input::weak::<MachineStatusSpec>("runtime").with_id("machine")],
            vec![Output::exclusive::<NodeCordonedSpecSpec>()],
            Box::new(cordon) as Run,
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            labels: BTreeMap::from([("role".to_owned(), String::new())]),
            taints: BTreeMap::from([("role".to_owned(), (String::new(), "NoSchedule".to_owned()))]),
            ..Wanted::default()
        }
    }

    /// Applies a merge patch.
    fn merged(mut object: Value, change: &Value) -> Value {
        fn merge(target: &mut Value, change: &Value) {
            let Some(fields) = change.as_object() else {
                *target = change.clone();
                return;
            };
            for (key, value) in fields {
                if value.is_null() {
                    target.as_object_mut().map(|fields| fields.remove(key));
                } else {
                    merge(&mut target[key], value);
                }
            }
        }
        merge(&mut object, change);
        object
    }

    fn node() -> Value {
        json!({
            "metadata": { "labels": { "other": "x" }, "annotations": {} },
            "spec": { "taints": [{ "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" }] },
        })
    }

    #[test]
    fn what_is_wanted_is_put_there_once_and_what_others_did_stays() {
        let change = plan(&node(), &wanted()).unwrap();
        let after = merged(node(), &change);
        assert_eq!(after["metadata"]["labels"], json!({ "other": "x", "role": "" }));
        assert_eq!(after["spec"]["taints"].as_array().unwrap().len(), 2);
        assert_eq!(after["metadata"]["annotations"][OWNED_LABELS], "[\"role\"]");
        assert_eq!(plan(&after, &wanted()), None, "nothing is left to do");
    }

    #[test]
    fn what_is_no_longer_wanted_goes_with_its_mark() {
        let after = merged(node(), &plan(&node(), &wanted()).unwrap());
        let bare = merged(after.clone(), &plan(&after, &Wanted::default()).unwrap());
        assert_eq!(bare["metadata"]["labels"], json!({ "other": "x" }));
        assert_eq!(bare["metadata"]["annotations"], json!({}));
        assert_eq!(bare["spec"]["taints"].as_array().unwrap().len(), 1);
        assert_eq!(plan(&bare, &Wanted::default()), None);
    }

    #[test]
    fn only_an_own_cordon_is_taken_off() {
        let cordoned = Wanted { cordoned: true, ..Wanted::default() };
        let after = merged(node(), &plan(&node(), &cordoned).unwrap());
        assert_eq!(after["spec"]["unschedulable"], true);
        assert_eq!(plan(&after, &cordoned), None);
        let off = merged(
            after,
            &plan(&merged(node(), &plan(&node(), &cordoned).unwrap()), &Wanted::default()).unwrap(),
        );
        assert!(off["spec"].get("unschedulable").is_none());
        let mut foreign = node();
        foreign["spec"]["unschedulable"] = true.into();
        assert_eq!(plan(&foreign, &Wanted::default()), None);
    }
}
