//! Addresses of API servers: as the cluster itself publishes them, and as the configuration names the endpoint.

use std::net::IpAddr;

use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::future::BoxFuture;
use kubernetes::{Kind, Object};
use manifests::kubelet::KUBECONFIG_PATH;
use resource::config::MachineConfigSpec;
use resource::k8s::{EndpointSpec, KubeletKubeconfigSpec};
use resource::secrets::KubernetesCertsSpec;
use resource::types::NetIp;

use super::api::{Clients, Follower, Selection};
use crate::Node;
use crate::config::active::{ACTIVE, NAMESPACE};

fn addresses(slices: &[Object]) -> Vec<IpAddr> {
    let endpoints =
        slices.iter().flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    let texts =
        endpoints.flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten());
    let mut all: Vec<IpAddr> = texts.filter_map(|address| address.as_str()?.parse().ok()).collect();
    all.sort();
    all.dedup();
    all
}

struct Endpoints {
    node: Node,
    clients: Clients,
    follower: Option<Follower>,
}

impl Controller for Endpoints {
    fn name(&self) -> &'static str {
        "k8s.EndpointController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<KubernetesCertsSpec>("secrets"),
            Input::weak::<KubeletKubeconfigSpec>("k8s"),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::shared::<EndpointSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let client =
                self.clients.any(&self.node.store, &self.node.paths.at(KUBECONFIG_PATH))?;
            let Some(client) = client else { return Ok(Next::OnChange) };
            if self.follower.is_none() {
                let selection = Selection {
                    kind: Kind { api_version: "discovery.k8s.io/v1", kind: "EndpointSlice" },
                    namespace: "default",
                    query: "labelSelector=kubernetes.io/service-name%3Dkubernetes".to_owned(),
                };
                self.follower = Some(Follower::start(client, selection, context.waker()));
            }
            let addresses =
                self.follower.as_ref().and_then(Follower::objects).map(|s| addresses(&s));
            // A list that is empty for a moment must not take away what others still need.
            if let Some(addresses) = addresses.filter(|addresses| !addresses.is_empty()) {
                context.modify::<EndpointSpec>("controlplane", "kube-apiserver", |spec| {
                    spec.addresses = addresses.iter().map(|ip| NetIp(Some(*ip))).collect();
                })?;
            }
            Ok(Next::OnChange)
        })
    }
}

struct Static {
    node: Node,
}

impl Controller for Static {
    fn name(&self) -> &'static str {
        "k8s.StaticEndpointController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE)]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::shared::<EndpointSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let Some(config) = self.node.config.complete(context.store())? else {
                return Ok(Next::OnChange);
            };
            let Some(host) = config.view().cluster_endpoint().map(|url| url.hostname().to_owned())
            else {
                return Ok(Next::OnChange);
            };
            let found = tokio::net::lookup_host((host.as_str(), 0)).await.map_err(|error| {
                ControllerError::message(format!(
                    "cannot resolve the cluster's endpoint {host}: {error}"
                ))
            })?;
            let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            addresses.sort();
            addresses.dedup();
            context.modify::<EndpointSpec>("controlplane", "controlplane", |spec| {
                spec.addresses = addresses.iter().map(|ip| NetIp(Some(*ip))).collect();
            })?;
            Ok(Next::OnChange)
        })
    }
}

/// Follows the cluster's own list.
pub(super) fn followed(node: &Node, clients: Clients) -> impl Controller + use<> {
    Endpoints { node: node.clone(), clients, follower: None }
}

/// Resolves the configured endpoint.
pub(super) fn configured(node: &Node) -> impl Controller + use<> {
    Static { node: node.clone() }
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn addresses_of_all_slices_once() {
        let slice = |list: &[&str]| serde_json::json!({ "endpoints": [{ "addresses": list }] });
        let found = addresses(&[slice(&["10.5.0.3", "10.5.0.2"]), slice(&["10.5.0.2", "x"])]);
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.5.0.2", "10.5.0.3"]
        );
    }
}
