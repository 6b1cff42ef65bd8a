//! Static pods: when the control plane's exist, and as files that the kubelet notices at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::runtime::condition::Condition;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::future::BoxFuture;
use manifests::static_pod::{Component, ExtraVolume, Resources, StaticPod};
use resource::k8s::{
    APIServerConfigSpec, ConfigStatusSpec, ControllerManagerConfigSpec, SchedulerConfigSpec,
    SecretsStatusSpec, StaticPodSpec,
};
use resource::v1alpha1::ServiceSpec;

use super::api::{Clients, ready};
use super::object;
use crate::{Node, Plain, Run, plain};

fn volumes(volumes: &[resource::k8s::ExtraVolume]) -> Vec<ExtraVolume> {
    let volume = |volume: &resource::k8s::ExtraVolume| ExtraVolume {
        name: volume.name.clone(),
        host_path: volume.host_path.clone(),
        mount_path: volume.mount_path.clone(),
        read_only: volume.readonly,
    };
    volumes.iter().map(volume).collect()
}

fn resources(resources: &resource::k8s::Resources) -> Resources {
    Resources { requests: resources.requests.clone(), limits: resources.limits.clone() }
}

/// What the pods are made of.
#[derive(Clone, Debug, Default)]
struct Inputs {
    etcd_healthy: bool,
    api_ready: bool,
    secrets: Option<String>,
    config: Option<String>,
    api_server: Option<APIServerConfigSpec>,
    controller_manager: Option<ControllerManagerConfigSpec>,
    scheduler: Option<SchedulerConfigSpec>,
}

/// The pods that are to exist, by id. None before etcd is healthy and all files are there; none of one component
/// while its settings are missing. The API server's clients wait for the API server: started with it they would only
/// take processor time from it, fail, and sit out a back-off.
fn plan(inputs: &Inputs, present: &[String]) -> BTreeMap<&'static str, manifests::Object> {
    let mut pods = BTreeMap::new();
    let (Some(secrets), Some(config)) = (&inputs.secrets, &inputs.config) else { return pods };
    // What runs already is not stopped because something it waited for has a moment of trouble.
    let started = |component: Component, condition: bool| {
        condition || present.iter().any(|id| id == component.name())
    };
    if !started(Component::ApiServer, inputs.etcd_healthy) {
        return pods;
    }
    let annotations = |own_files: bool| {
        let mut annotations =
            BTreeMap::from([("talos.dev/secrets-version".to_owned(), secrets.clone())]);
        if own_files {
            annotations.insert("talos.dev/config-file-version".to_owned(), config.clone());
        }
        annotations
    };
    if let Some(spec) = &inputs.api_server {
        let pod = StaticPod {
            component: Component::ApiServer,
            image: spec.image.clone(),
            arguments: spec.args.clone(),
            api_port: u16::try_from(spec.local_port).unwrap_or(6443),
            probes: spec.startup_probes_enabled,
            environment: spec.environment_variables.clone(),
            extra_volumes: volumes(&spec.extra_volumes),
            resources: resources(&spec.resources),
            annotations: annotations(true),
        };
        pods.insert(Component::ApiServer.name(), pod.object());
    }
    let manager = inputs.controller_manager.as_ref().filter(|spec| spec.enabled);
    if let Some(spec) = manager.filter(|_| started(Component::ControllerManager, inputs.api_ready))
    {
        let pod = StaticPod {
            component: Component::ControllerManager,
            image: spec.image.clone(),
            arguments: spec.args.clone(),
            api_port: 0,
            probes: true,
            environment: spec.environment_variables.clone(),
            extra_volumes: volumes(&spec.extra_volumes),
            resources: resources(&spec.resources),
            annotations: annotations(false),
        };
        pods.insert(Component::ControllerManager.name(), pod.object());
    }
    let scheduler = inputs.scheduler.as_ref().filter(|spec| spec.enabled);
    if let Some(spec) = scheduler.filter(|_| started(Component::Scheduler, inputs.api_ready)) {
        let pod = StaticPod {
            component: Component::Scheduler,
            image: spec.image.clone(),
            arguments: spec.args.clone(),
            api_port: 0,
            probes: true,
            environment: spec.environment_variables.clone(),
            extra_volumes: volumes(&spec.extra_volumes),
            resources: resources(&spec.resources),
            annotations: annotations(true),
        };
        pods.insert(Component::Scheduler.name(), pod.object());
    }
    pods
}

/// Says which pods exist.
struct ControlPlane {
    node: Node,
    clients: Clients,
    api_ready: Arc<AtomicBool>,
    asking: Option<tokio::task::JoinHandle<()>>,
}

impl ControlPlane {
    fn inputs(&self, context: &Context) -> Inputs {
        let etcd = context.get::<ServiceSpec>("runtime", "etcd");
        let secrets = context.get::<SecretsStatusSpec>("controlplane", "static-pods");
        let config = context.get::<ConfigStatusSpec>("controlplane", "static-pods");
        Inputs {
            etcd_healthy: etcd.as_ref().is_some_and(|etcd| etcd.spec.running && etcd.spec.healthy),
            api_ready: self.api_ready.load(Ordering::Acquire),
            secrets: secrets
                .filter(|status| status.spec.ready)
                .map(|status| status.spec.version.clone()),
            config: config
                .filter(|status| status.spec.ready)
                .map(|status| status.spec.version.clone()),
            api_server: context
                .get::<APIServerConfigSpec>("controlplane", "final-kube-apiserver")
                .map(|r| (**r.spec).clone()),
            controller_manager: context
                .get::<ControllerManagerConfigSpec>("controlplane", "final-kube-controller-manager")
                .map(|r| (**r.spec).clone()),
            scheduler: context
                .get::<SchedulerConfigSpec>("controlplane", "final-kube-scheduler")
                .map(|r| (**r.spec).clone()),
        }
    }

    /// Says what is missing.
    fn waiting(context: &Context, inputs: &Inputs) {
        if inputs.api_server.is_none() {
            return;
        }
        if inputs.secrets.is_none() {
            context.waiting(&Condition::resource_state::<SecretsStatusSpec>(
                "controlplane",
                "static-pods",
                "ready",
            ));
        }
        if inputs.config.is_none() {
            context.waiting(&Condition::resource_state::<ConfigStatusSpec>(
                "controlplane",
                "static-pods",
                "ready",
            ));
        }
        if !inputs.etcd_healthy {
            context.waiting(&Condition::Service { id: "etcd".into(), state: "healthy".to_owned() });
        } else if !inputs.api_ready {
            context.waiting(&Condition::Event {
                what: "the API server of this node to be ready".to_owned(),
            });
        }
    }

    /// Asks the API server, once it is to run, until it is ready.
    fn ask(&mut self, context: &Context) -> Result<(), ControllerError> {
        if self.asking.is_some() {
            return Ok(());
        }
        let Some(client) = self.clients.admin(&self.node.store)? else { return Ok(()) };
        let (api_ready, waker) = (Arc::clone(&self.api_ready), context.waker());
        self.asking = Some(tokio::spawn(async move {
            ready(&client).await;
            api_ready.store(true, Ordering::Release);
            waker.wake();
        }));
        Ok(())
    }
}

impl Controller for ControlPlane {
    fn name(&self) -> &'static str {
        "k8s.ControlPlaneStaticPodController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<ServiceSpec>("runtime").with_id("etcd"),
            Input::weak::<SecretsStatusSpec>("controlplane").with_id("static-pods"),
            Input::weak::<ConfigStatusSpec>("controlplane").with_id("static-pods"),
            Input::weak::<APIServerConfigSpec>("controlplane"),
            Input::weak::<ControllerManagerConfigSpec>("controlplane"),
            Input::weak::<SchedulerConfigSpec>("controlplane"),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::shared::<StaticPodSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let inputs = self.inputs(context);
            Self::waiting(context, &inputs);
            let present: Vec<String> = context
                .list::<StaticPodSpec>("k8s")
                .iter()
                .map(|pod| pod.id().to_owned())
                .collect();
            let pods = plan(&inputs, &present);
            for (id, pod) in &pods {
                let pod = object::object(pod);
                context.modify::<StaticPodSpec>("k8s", id, |spec| spec.pod.clone_from(&pod))?;
            }
            context.cleanup::<StaticPodSpec>("k8s", |pod| pods.contains_key(pod.id()))?;
            if pods.contains_key(Component::ApiServer.name()) {
                self.ask(context)?;
            }
            Ok(Next::OnChange)
        })
    }
}

/// A manifest could not be put in place.
#[derive(Debug, thiserror::Error)]
#[error("cannot put static pod {id} in place at {path}")]
struct FileError {
    id: String,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Files of static pods: written beside the directory and moved in whole, for the kubelet reads what appears there.
struct Files {
    directory: PathBuf,
    staging: PathBuf,
}

/// Files of this name belong to the node; others were put there by somebody else and stay.
const PREFIX: &str = "ichor-";

impl Files {
    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{PREFIX}{}.yaml", id.replace('/', "-")))
    }

    fn write(&self, id: &str, content: &str) -> Result<bool, FileError> {
        let path = self.path(id);
        if fs::read_to_string(&path).is_ok_and(|present| present == content) {
            return Ok(false);
        }
        let write = || {
            fs::create_dir_all(&self.directory)?;
            fs::create_dir_all(&self.staging)?;
            let staged = self.staging.join(format!("{}.yaml", id.replace('/', "-")));
            fs::write(&staged, content)?;
            fs::rename(&staged, &path)
        };
        write().map_err(|source| FileError { id: id.to_owned(), path: path.clone(), source })?;
        Ok(true)
    }

    fn remove(&self, id: &str) -> Result<(), FileError> {
        let path = self.path(id);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(FileError { id: id.to_owned(), path, source })
            }
            _ => Ok(()),
        }
    }
}

fn files(node: &Node) -> Run {
    let files = Files {
        directory: node.paths.at(Path::new(manifests::kubelet::STATIC_POD_DIR)),
        staging: node.paths.at("/etc/kubernetes/.staging"),
    };
    let timeline = node.timeline.clone();
    // After a crash of machined the pods of the run before go on until this run knows about them: only a pod that
    // this run has seen can be seen to be gone.
    let mut seen: BTreeSet<String> = BTreeSet::new();
    Box::new(move |context| {
        let pods = context.list::<StaticPodSpec>("k8s");
        for id in seen.iter().filter(|id| !pods.iter().any(|pod| pod.id() == id.as_str())) {
            files.remove(id)?;
        }
        seen = pods.iter().map(|pod| pod.id().to_owned()).collect();
        for pod in pods {
            let text = manifests::document(&object::document(&pod.spec.pod));
            if files.write(pod.id(), &text)? {
                timeline.mark(pod.id(), "static pod written");
            }
        }
        Ok(Next::OnChange)
    })
}

/// The controllers of this module.
pub(crate) fn controllers(node: &Node, clients: Clients) -> (impl Controller + use<>, Plain<Run>) {
    let control_plane =
        ControlPlane { node: node.clone(), clients, api_ready: Arc::default(), asking: None };
    let files = plain(
        "k8s.StaticPodFileController",
        vec![Input::weak::<StaticPodSpec>("k8s")],
        vec![],
        files(node),
    );
    (control_plane, files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        Inputs {
            etcd_healthy: true,
            api_ready: true,
            secrets: Some("1".to_owned()),
            config: Some("2".to_owned()),
            api_server: Some(APIServerConfigSpec { local_port: 6443, ..Default::default() }),
            controller_manager: Some(ControllerManagerConfigSpec {
                enabled: true,
                ..Default::default()
            }),
            scheduler: Some(SchedulerConfigSpec { enabled: false, ..Default::default() }),
        }
    }

    #[test]
    fn pods_exist_when_all_they_need_does() {
        let ids = |inputs: &Inputs, present: &[&str]| {
            let present: Vec<String> = present.iter().map(|id| (*id).to_owned()).collect();
            plan(inputs, &present).into_keys().collect::<Vec<_>>()
        };
        let both = ["kube-apiserver", "kube-controller-manager"];
        assert_eq!(ids(&inputs(), &[]), both);
        let starting = Inputs { api_ready: false, ..inputs() };
        assert_eq!(ids(&starting, &[]), ["kube-apiserver"], "clients wait for their server");
        let trouble = Inputs { etcd_healthy: false, api_ready: false, ..inputs() };
        assert!(ids(&trouble, &[]).is_empty());
        assert_eq!(ids(&trouble, &both), both, "they outlive trouble");
        assert!(ids(&Inputs { secrets: None, ..inputs() }, &both).is_empty());
        assert!(ids(&Inputs { config: None, ..inputs() }, &both).is_empty());
    }

    #[test]
    fn files_appear_whole_and_strangers_stay() {
        let root = tempfile::tempdir().unwrap();
        let files = Files {
            directory: root.path().join("manifests"),
            staging: root.path().join("staging"),
        };
        assert!(files.write("a", "one").unwrap());
        assert!(!files.write("a", "one").unwrap());
        assert!(files.write("b", "two").unwrap());
        fs::write(files.directory.join("own.yaml"), "x").unwrap();
        files.remove("b").unwrap();
        files.remove("b").unwrap();
        let mut names: Vec<_> = fs::read_dir(&files.directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["ichor-a.yaml", "own.yaml"]);
    }
}
