//! KubePrism: API servers on one local address, so that no node depends on one of them.

mod serve;

use std::collections::BTreeSet;

use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use resource::cluster::MemberSpec;
use resource::config::MachineConfigSpec;
use resource::k8s::{
    KubePrismConfigSpec, KubePrismEndpoint, KubePrismEndpointsSpec, KubePrismStatusesSpec,
};

use crate::config::active::Active;
use crate::plain::plain;
use serve::Server;

/// The namespace of all three types.
const NAMESPACE: &str = "k8s";
const ENDPOINTS: &str = "k8s-cluster";
const CONFIG: &str = "k8s-loadbalancer-config";
const STATUS: &str = "k8s-loadbalancer";
/// Where it listens.
const HOST: &str = "127.0.0.1";
/// Where the API server of a control plane node listens.
const API_SERVER_PORT: u32 = 6443;

/// Collects the API servers: the cluster's endpoint, this node's own, those of members.
pub(super) fn endpoints(active: Active) -> impl Controller {
    plain(
        "k8s.KubePrismEndpointsController",
        vec![
            Input::weak::<MachineConfigSpec>("config").with_id("v1alpha1"),
            Input::weak::<MemberSpec>("cluster"),
        ],
        vec![Output::exclusive::<KubePrismEndpointsSpec>()],
        move |context| {
            let Some(config) = active.complete(context.store())? else {
                return Ok(Next::OnChange);
            };
            let view = config.view();
            let mut found = BTreeSet::new();
            found.extend(view.cluster_endpoint().and_then(|url| endpoint(&url.to_string())));
            if view.is_control_plane() {
                found.insert(("localhost".to_owned(), API_SERVER_PORT));
            }
            for member in context.list::<MemberSpec>("cluster") {
                let Some(plane) = &member.spec.control_plane else { continue };
                let port = u32::try_from(plane.port).unwrap_or(API_SERVER_PORT);
                let addresses = member.spec.addresses.iter().filter_map(|address| address.0);
                found.extend(addresses.map(|ip| (ip.to_string(), port)));
            }
            let list: Vec<KubePrismEndpoint> =
                found.into_iter().map(|(host, port)| KubePrismEndpoint { host, port }).collect();
            context.modify::<KubePrismEndpointsSpec>(NAMESPACE, ENDPOINTS, |spec| {
                spec.endpoints.clone_from(&list);
            })?;
            Ok(Next::OnChange)
        },
    )
}

/// Host and port of `https://host[:port]/…`.
fn endpoint(url: &str) -> Option<(String, u32)> {
    let rest = url.strip_prefix("https://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, 443),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// Says where to listen, if the machine configuration wants it at all.
pub(super) fn config(active: Active) -> impl Controller {
    plain(
        "k8s.KubePrismConfigController",
        vec![
            Input::weak::<MachineConfigSpec>("config").with_id("v1alpha1"),
            Input::weak::<KubePrismEndpointsSpec>(NAMESPACE),
        ],
        vec![Output::exclusive::<KubePrismConfigSpec>()],
        move |context| {
            let config = active.complete(context.store())?;
            let port = config.and_then(|config| config.view().kube_prism().map(|(port, _)| port));
            let endpoints = context.get::<KubePrismEndpointsSpec>(NAMESPACE, ENDPOINTS);
            match (port, endpoints) {
                (Some(port), Some(found)) => {
                    context.modify::<KubePrismConfigSpec>(NAMESPACE, CONFIG, |spec| {
                        HOST.clone_into(&mut spec.host);
                        spec.port = i64::from(port);
                        spec.endpoints.clone_from(&found.spec.endpoints);
                    })?;
                }
                (None, _) => context.cleanup::<KubePrismConfigSpec>(NAMESPACE, |_| false)?,
                (Some(_), None) => {}
            }
            Ok(Next::OnChange)
        },
    )
}

/// Runs the balancer.
#[derive(Default)]
pub(super) struct KubePrism {
    server: Option<Server>,
}

impl Controller for KubePrism {
    fn name(&self) -> &'static str {
        "k8s.KubePrismController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<KubePrismConfigSpec>(NAMESPACE).with_id(CONFIG)]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<KubePrismStatusesSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        async {
            let Some(config) = context.get::<KubePrismConfigSpec>(NAMESPACE, CONFIG) else {
                self.server = None;
                context.remove::<KubePrismStatusesSpec>(NAMESPACE, STATUS)?;
                return Ok(Next::OnChange);
            };
            let address = format!("{}:{}", config.spec.host, config.spec.port);
            if self.server.as_ref().is_none_or(|server| server.address() != address) {
                // The old one gives up its port before the new one asks for its own.
                self.server = None;
                self.server = Some(Server::start(&address, context.waker()).await?);
            }
            let Some(server) = &self.server else { return Ok(Next::OnChange) };
            let wanted = config.spec.endpoints.iter().filter_map(|endpoint| {
                Some((endpoint.host.clone(), u16::try_from(endpoint.port).ok()?))
            });
            server.replace(wanted.collect());
            context.modify::<KubePrismStatusesSpec>(NAMESPACE, STATUS, |status| {
                status.host.clone_from(&address);
                status.healthy = server.is_healthy();
            })?;
            Ok(Next::OnChange)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_from_urls() {
        let cases = [
            ("https://10.5.0.2:6443", Some(("10.5.0.2", 6443))),
            ("https://[fd00::1]:6443/x", Some(("fd00::1", 6443))),
            ("https://[fd00::1]", Some(("fd00::1", 443))),
            ("https://api.example.org", Some(("api.example.org", 443))),
            ("https://", None),
            ("10.5.0.2:6443", None),
            ("https://a:b", None),
        ];
        for (url, wanted) in cases {
            let wanted = wanted.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(endpoint(url), wanted, "{url}");
        }
    }
}
