//! Static pods: when the control plane's exist, and as files that the kubelet notices at once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ::runtime::condition::Condition;
use ::runtime::controller::{Context, ControllerError, Input, Next, Output};
use manifests::static_pod::{Component, ExtraVolume, Resources, StaticPod};
use resource::k8s::{
    APIServerConfigSpec, ConfigStatusSpec, ControllerManagerConfigSpec, SchedulerConfigSpec,
    SecretsStatusSpec, StaticPodSpec,
};
use resource::v1alpha1::ServiceSpec;

use super::object;
use crate::{Node, Plain, plain};

type Run = Box<dyn FnMut(&Context) -> Result<Next, ControllerError> + Send>;

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
    secrets: Option<String>,
    config: Option<String>,
    api_server: Option<APIServerConfigSpec>,
    controller_manager: Option<ControllerManagerConfigSpec>,
    scheduler: Option<SchedulerConfigSpec>,
}

/// The pods that are to exist, by id. None before etcd is healthy and all files are there; none of one component
/// while its settings are missing.
fn plan(inputs: &Inputs, present: bool) -> BTreeMap<&'static str, manifests::Object> {
    let mut pods = BTreeMap::new();
    let (Some(secrets), Some(config)) = (&inputs.secrets, &inputs.config) else { return pods };
    // An API server that runs already is not stopped because etcd has a moment of trouble.
    if !inputs.etcd_healthy && !present {
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
    if let Some(spec) = inputs.controller_manager.as_ref().filter(|spec| spec.enabled) {
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
    if let Some(spec) = inputs.scheduler.as_ref().filter(|spec| spec.enabled) {
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

fn control_plane(context: &Context) -> Result<Next, ControllerError> {
    let etcd = context.get::<ServiceSpec>("runtime", "etcd");
    let secrets = context.get::<SecretsStatusSpec>("controlplane", "static-pods");
    let config = context.get::<ConfigStatusSpec>("controlplane", "static-pods");
    let inputs = Inputs {
        etcd_healthy: etcd.as_ref().is_some_and(|etcd| etcd.spec.running && etcd.spec.healthy),
        secrets: secrets
            .filter(|status| status.spec.ready)
            .map(|status| status.spec.version.clone()),
        config: config.filter(|status| status.spec.ready).map(|status| status.spec.version.clone()),
        api_server: context
            .get::<APIServerConfigSpec>("controlplane", "final-kube-apiserver")
            .map(|r| (*r.spec).clone()),
        controller_manager: context
            .get::<ControllerManagerConfigSpec>("controlplane", "final-kube-controller-manager")
            .map(|r| (*r.spec).clone()),
        scheduler: context
            .get::<SchedulerConfigSpec>("controlplane", "final-kube-scheduler")
            .map(|r| (*r.spec).clone()),
    };
    if inputs.api_server.is_some() {
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
        }
    }
    let present = context.get::<StaticPodSpec>("k8s", Component::ApiServer.name()).is_some();
    let pods = plan(&inputs, present);
    for (id, pod) in &pods {
        let pod = object::object(pod);
        context.modify::<StaticPodSpec>("k8s", id, |spec| spec.pod.clone_from(&pod))?;
    }
    context.cleanup::<StaticPodSpec>("k8s", |pod| pods.contains_key(pod.id()))?;
    Ok(Next::OnChange)
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

    fn retain(&self, keep: &[PathBuf]) -> Result<(), FileError> {
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(PREFIX) && !keep.contains(&entry.path()) {
                fs::remove_file(entry.path()).map_err(|source| FileError {
                    id: name,
                    path: entry.path(),
                    source,
                })?;
            }
        }
        Ok(())
    }
}

fn files(node: &Node) -> Run {
    let files = Files {
        directory: node.paths.at(Path::new(manifests::kubelet::STATIC_POD_DIR)),
        staging: node.paths.at("/etc/kubernetes/.staging"),
    };
    let timeline = node.timeline.clone();
    Box::new(move |context| {
        let mut keep = Vec::new();
        for pod in context.list::<StaticPodSpec>("k8s") {
            let text = manifests::document(&object::document(&pod.spec.pod));
            if files.write(pod.id(), &text)? {
                timeline.mark(pod.id(), "static pod written");
            }
            keep.push(files.path(pod.id()));
        }
        files.retain(&keep)?;
        Ok(Next::OnChange)
    })
}

/// The controllers of this module.
pub(crate) fn controllers(node: &Node) -> [Plain<Run>; 2] {
    [
        plain(
            "k8s.ControlPlaneStaticPodController",
            vec![
                Input::weak::<ServiceSpec>("runtime").with_id("etcd"),
                Input::weak::<SecretsStatusSpec>("controlplane").with_id("static-pods"),
                Input::weak::<ConfigStatusSpec>("controlplane").with_id("static-pods"),
                Input::weak::<APIServerConfigSpec>("controlplane"),
                Input::weak::<ControllerManagerConfigSpec>("controlplane"),
                Input::weak::<SchedulerConfigSpec>("controlplane"),
            ],
            vec![Output::shared::<StaticPodSpec>()],
            Box::new(control_plane),
        ),
        plain(
            "k8s.StaticPodFileController",
            vec![Input::weak::<StaticPodSpec>("k8s")],
            vec![],
            files(node),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        Inputs {
            etcd_healthy: true,
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
        let ids = |inputs: &Inputs, present| plan(inputs, present).into_keys().collect::<Vec<_>>();
        assert_eq!(ids(&inputs(), false), ["kube-apiserver", "kube-controller-manager"]);
        assert!(ids(&Inputs { etcd_healthy: false, ..inputs() }, false).is_empty());
        assert_eq!(
            ids(&Inputs { etcd_healthy: false, ..inputs() }, true).len(),
            2,
            "they outlive trouble"
        );
        assert!(ids(&Inputs { secrets: None, ..inputs() }, true).is_empty());
        assert!(ids(&Inputs { config: None, ..inputs() }, true).is_empty());
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
        files.retain(&[files.path("a")]).unwrap();
        let mut names: Vec<_> = fs::read_dir(&files.directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["ichor-a.yaml", "own.yaml"]);
    }
}
