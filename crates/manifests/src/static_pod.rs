//! Static pods of the control plane.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::Object;
use crate::control_plane::{AUDIT_LOG_DIR, CONFIG_DIR, SECRETS_DIR};

/// Which of the three components a pod runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// kube-apiserver
    ApiServer,
    /// kube-controller-manager
    ControllerManager,
    /// kube-scheduler
    Scheduler,
}

impl Component {
    /// All of them, in order of start.
    pub const ALL: [Self; 3] = [Self::ApiServer, Self::ControllerManager, Self::Scheduler];

    /// The name of pod, container and binary.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        }
    }

    /// The user and group that the pod runs as and that owns its files.
    pub const fn uid(self) -> u32 {
        match self {
            Self::ApiServer => 65534,
            Self::ControllerManager => 65535,
            Self::Scheduler => 65536,
        }
    }

    const fn requests(self) -> (&'static str, &'static str) {
        match self {
            Self::ApiServer => ("200m", "512Mi"),
            Self::ControllerManager => ("50m", "256Mi"),
            Self::Scheduler => ("10m", "64Mi"),
        }
    }
}

/// A directory of the node given to a component besides its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtraVolume {
    /// Name of the volume.
    pub name: String,
    /// Path on the node.
    pub host_path: String,
    /// Path in the container.
    pub mount_path: String,
    /// Whether the component may only read.
    pub read_only: bool,
}

/// Resource requests and limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Requests by resource name; the component's default where empty.
    pub requests: BTreeMap<String, String>,
    /// Limits by resource name.
    pub limits: BTreeMap<String, String>,
}

/// The inputs of a control plane pod.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticPod {
    /// The component.
    pub component: Component,
    /// Image reference.
    pub image: String,
    /// Arguments after the binary.
    pub arguments: Vec<String>,
    /// Port of the API server (the others have fixed ports).
    pub api_port: u16,
    /// Whether the API server's health may be asked without credentials.
    pub probes: bool,
    /// Environment, sorted by name.
    pub environment: BTreeMap<String, String>,
    /// Extra volumes.
    pub extra_volumes: Vec<ExtraVolume>,
    /// Requests and limits.
    pub resources: Resources,
    /// Versions of rendered secrets, configuration and configuration files; a change restarts the pod.
    pub annotations: BTreeMap<String, String>,
}

/// The tag of an image reference, without a leading `v`, as a label value.
fn version_of(image: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let file = name.rsplit('/').next().unwrap_or(name);
    file.rsplit_once(':').map_or("", |(_, tag)| tag).to_owned()
}

/// 95 per cent of a memory quantity, as the Go runtime writes it.
pub fn go_memory_limit(quantity: &str) -> Option<String> {
    let digits = quantity.find(|c: char| !c.is_ascii_digit()).unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at(digits);
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1000,
        "Ki" => 1 << 10,
        "M" => 1_000_000,
        "Mi" => 1 << 20,
        "G" => 1_000_000_000,
        "Gi" => 1 << 30,
        _ => return None,
    };
    let bytes = number.parse::<u64>().ok()?.checked_mul(factor)?;
    Some((u128::from(bytes) * 95 / 100).to_string())
}

impl StaticPod {
    fn probe(&self, path: &str, port: u16, period: u32, failures: u32) -> Value {
        json!({
            "httpGet": { "host": "localhost", "path": path, "port": port, "scheme": "HTTPS" },
            "periodSeconds": period,
            "failureThreshold": failures,
            "successThreshold": 1,
            "timeoutSeconds": 15,
        })
    }

    fn add_probes(&self, container: &mut Value) {
        // The start probe asks every second for as long in all as a slow machine may need: the pod is reported
        // ready a moment after it is.
        let (port, live, ready) = match self.component {
            Component::ApiServer if self.probes => (self.api_port, "/livez", Some("/readyz")),
            Component::ApiServer => return,
            Component::ControllerManager => (10257, "/healthz", None),
            Component::Scheduler => (10259, "/livez", Some("/readyz")),
        };
        let (start, live_period) = match self.component {
            Component::ApiServer => (240, 10),
            Component::ControllerManager | Component::Scheduler => (60, 5),
        };
        container["startupProbe"] = self.probe(live, port, 1, start);
        container["livenessProbe"] = self.probe(live, port, live_period, 8);
        if let Some(path) = ready {
            container["readinessProbe"] = self.probe(path, port, 1, 3);
        }
    }

    fn environment(&self) -> Vec<Value> {
        let mut environment = vec![json!({
            "name": "POD_IP",
            "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } },
        })];
        // A dollar sign would be taken as the start of a variable reference.
        environment.extend(
            self.environment
                .iter()
                .map(|(name, value)| json!({ "name": name, "value": value.replace('$', "$$") })),
        );
        let limit = self.resources.limits.get("memory").and_then(|limit| go_memory_limit(limit));
        if let (Some(limit), false) = (limit, self.environment.contains_key("GOMEMLIMIT")) {
            environment.push(json!({ "name": "GOMEMLIMIT", "value": limit }));
        }
        environment
    }

    /// The pod.
    pub fn object(&self) -> Object {
        let name = self.component.name();
        let mut mounts = vec![
            json!({ "name": "secrets", "mountPath": format!("{SECRETS_DIR}/{name}"), "readOnly": true }),
        ];
        let mut volumes = vec![
            json!({ "name": "secrets", "hostPath": { "path": format!("{SECRETS_DIR}/{name}") } }),
        ];
        if self.component != Component::ControllerManager {
            mounts.push(json!({ "name": "config", "mountPath": format!("{CONFIG_DIR}/{name}"), "readOnly": true }));
            volumes.push(
                json!({ "name": "config", "hostPath": { "path": format!("{CONFIG_DIR}/{name}") } }),
            );
        }
        if self.component == Component::ApiServer {
            mounts.push(json!({ "name": "audit", "mountPath": AUDIT_LOG_DIR }));
            volumes.push(json!({ "name": "audit", "hostPath": { "path": AUDIT_LOG_DIR } }));
        }
        for (volume, path) in [("tmp", "/tmp"), ("run", "/var/run/kubernetes")] {
            mounts.push(json!({ "name": volume, "mountPath": path }));
            volumes.push(json!({ "name": volume, "emptyDir": { "medium": "Memory" } }));
        }
        for extra in &self.extra_volumes {
            mounts.push(json!({ "name": extra.name, "mountPath": extra.mount_path, "readOnly": extra.read_only }));
            volumes.push(json!({ "name": extra.name, "hostPath": { "path": extra.host_path } }));
        }

        let (cpu, memory) = self.component.requests();
        let requests = if self.resources.requests.is_empty() {
            json!({ "cpu": cpu, "memory": memory })
        } else {
            json!(self.resources.requests)
        };
        let mut resources = Map::new();
        resources.insert("requests".to_owned(), requests);
        if !self.resources.limits.is_empty() {
            resources.insert("limits".to_owned(), json!(self.resources.limits));
        }
        let command: Vec<Value> = std::iter::once(format!("/usr/local/bin/{name}"))
            .chain(self.arguments.iter().cloned())
            .map(Value::from)
            .collect();
        let mut capabilities = json!({ "drop": ["ALL"] });
        if self.component == Component::ApiServer {
            // The binary of the public image carries this capability in its file; without it exec is refused.
            capabilities["add"] = json!(["NET_BIND_SERVICE"]);
        }
        let mut container = json!({
            "name": name,
            "image": self.image,
            "command": command,
            "env": self.environment(),
            "resources": resources,
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": capabilities,
                "readOnlyRootFilesystem": true,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "volumeMounts": mounts,
        });
        self.add_probes(&mut container);

        let mut metadata = json!({
            "name": name,
            "namespace": "kube-system",
            "labels": {
                "tier": "control-plane",
                "k8s-app": name,
                "component": name,
                "app.kubernetes.io/name": name,
                "app.kubernetes.io/version": version_of(&self.image),
                "app.kubernetes.io/component": "control-plane",
                "app.kubernetes.io/managed-by": "Ichor",
            },
        });
        if !self.annotations.is_empty() {
            metadata["annotations"] = json!(self.annotations);
        }
        let uid = self.component.uid();
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {
                "containers": [container],
                "hostNetwork": true,
                "priority": 2_000_000_000,
                "priorityClassName": "system-cluster-critical",
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": uid,
                    "runAsGroup": uid,
                    "fsGroup": uid,
                    "seccompProfile": { "type": "RuntimeDefault" },
                },
                "volumes": volumes,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(component: Component) -> StaticPod {
        StaticPod {
            component,
            image: format!("registry.k8s.io/{}:v1.37.2", component.name()),
            arguments: vec!["--a=b".to_owned()],
            api_port: 6443,
            probes: true,
            environment: BTreeMap::new(),
            extra_volumes: Vec::new(),
            resources: Resources::default(),
            annotations: BTreeMap::from([("talos.dev/secrets-version".to_owned(), "3".to_owned())]),
        }
    }

    #[test]
    fn pods() {
        for component in Component::ALL {
            insta::assert_snapshot!(component.name(), format!("{:#}", pod(component).object()));
        }
    }

    #[test]
    fn no_anonymous_health_no_probes() {
        let object = StaticPod { probes: false, ..pod(Component::ApiServer) }.object();
        assert!(object["spec"]["containers"][0].get("livenessProbe").is_none());
    }

    #[test]
    fn environment_and_limits() {
        let mut pod = pod(Component::Scheduler);
        pod.environment.insert("PRICE".to_owned(), "5$".to_owned());
        pod.resources.limits.insert("memory".to_owned(), "1Gi".to_owned());
        let object = pod.object();
        let environment = &object["spec"]["containers"][0]["env"];
        assert_eq!(environment[1]["value"], "5$$");
        assert_eq!(environment[2], json!({ "name": "GOMEMLIMIT", "value": "1020054732" }));
        assert_eq!(object["spec"]["containers"][0]["resources"]["requests"]["cpu"], "10m");
    }

    #[test]
    fn tag_becomes_the_version_label() {
        assert_eq!(version_of("registry.k8s.io/kube-apiserver:v1.37.2@sha256:00"), "v1.37.2");
        assert_eq!(version_of("host:5000/x"), "");
    }
}
