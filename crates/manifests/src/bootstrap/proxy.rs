//! kube-proxy.

use serde_json::json;

use super::{Proxy, bind_service_account, resources_or, service_account};
use crate::Object;

pub(super) fn objects(input: &Proxy) -> Vec<Object> {
    let mut command = vec!["/usr/local/bin/kube-proxy".to_owned()];
    let mut mounts = vec![
        json!({ "name": "lib-modules", "mountPath": "/usr/lib/modules", "readOnly": true }),
        json!({ "name": "ssl-certs-host", "mountPath": "/etc/ssl/certs", "readOnly": true }),
        json!({ "name": "kubeconfig", "mountPath": "/etc/kubernetes", "readOnly": true }),
    ];
    let mut volumes = vec![
        json!({ "name": "lib-modules", "hostPath": { "path": "/usr/lib/modules" } }),
        json!({ "name": "ssl-certs-host", "hostPath": { "path": "/etc/ssl/certs" } }),
        json!({ "name": "kubeconfig", "configMap": { "name": "kubeconfig-in-cluster" } }),
    ];
    let mut config_map = None;
    if let Some((config, checksum)) = &input.config {
        let short: String = checksum.chars().take(16).collect();
        let name = format!("kube-proxy-config-{short}");
        command.push("--config=/etc/kube-proxy/config.yaml".to_owned());
        command.push("--hostname-override=$(NODE_NAME)".to_owned());
        mounts.push(json!({ "name": "config", "mountPath": "/etc/kube-proxy", "readOnly": true }));
        volumes.push(json!({ "name": "config", "configMap": { "name": name } }));
        config_map = Some(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": name, "namespace": "kube-system" },
            "data": { "config.yaml": crate::document(config) },
        }));
    } else {
        command.extend(input.arguments.iter().cloned());
    }
    let resources =
        resources_or(&input.resources, json!({ "requests": { "cpu": "100m", "memory": "50Mi" } }));
    let labels = json!({ "tier": "node", "k8s-app": "kube-proxy" });
    let mut objects = vec![
        service_account("kube-proxy"),
        bind_service_account("kube-proxy", "system:node-proxier", "kube-proxy"),
    ];
    objects.extend(config_map);
    objects.push(json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": { "name": "kube-proxy", "namespace": "kube-system", "labels": labels },
        "spec": {
            "selector": { "matchLabels": labels },
            "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1 } },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "containers": [{
                        "name": "kube-proxy",
                        "image": input.image,
                        "command": command,
                        "env": [{ "name": "NODE_NAME", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } }],
                        "resources": resources,
                        "securityContext": { "privileged": true },
                        "volumeMounts": mounts,
                    }],
                    "hostNetwork": true,
                    "priorityClassName": "system-cluster-critical",
                    "serviceAccountName": "kube-proxy",
                    "tolerations": [
                        { "effect": "NoSchedule", "operator": "Exists" },
                        { "effect": "NoExecute", "operator": "Exists" },
                    ],
                    "volumes": volumes,
                },
            },
        },
    }));
    objects
}
