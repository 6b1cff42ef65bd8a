//! Settings that hold as soon as they are merged: host name, resolvers, time servers.

use ::runtime::Condition;
use ::runtime::controller::{Controller, Input, Next, Output};
use resource::network::{
    HostnameSpecSpec, HostnameStatusSpec, ResolverSpecSpec, ResolverStatusSpec, TimeServerSpecSpec,
    TimeServerStatusSpec,
};

use super::NETWORK;
use crate::Node;
use crate::plain::plain;

/// Gives the host name to the kernel, unless that is another system's, and publishes it.
pub(super) fn hostname(node: &Node) -> impl Controller {
    let in_container = node.platform.in_container();
    plain(
        "network.HostnameSpecController",
        vec![Input::weak::<HostnameSpecSpec>(NETWORK).with_id("hostname")],
        vec![Output::exclusive::<HostnameStatusSpec>()],
        move |context| {
            let Some(spec) = context.get::<HostnameSpecSpec>(NETWORK, "hostname") else {
                context.waiting(&Condition::resource::<HostnameSpecSpec>(NETWORK, "hostname"));
                return Ok(Next::OnChange);
            };
            if !in_container {
                sys::system::set_hostname(&spec.spec.hostname)?;
            }
            context.modify::<HostnameStatusSpec>(NETWORK, "hostname", |status| {
                status.hostname.clone_from(&spec.spec.hostname);
                status.domainname.clone_from(&spec.spec.domainname);
            })?;
            Ok(Next::OnChange)
        },
    )
}

/// Publishes the resolvers.
pub(super) fn resolvers() -> impl Controller {
    plain(
        "network.ResolverSpecController",
        vec![Input::weak::<ResolverSpecSpec>(NETWORK).with_id("resolvers")],
        vec![Output::exclusive::<ResolverStatusSpec>()],
        |context| {
            let Some(spec) = context.get::<ResolverSpecSpec>(NETWORK, "resolvers") else {
                return Ok(Next::OnChange);
            };
            context.modify::<ResolverStatusSpec>(NETWORK, "resolvers", |status| {
                status.dns_servers.clone_from(&spec.spec.dns_servers);
                status.name_servers.clone_from(&spec.spec.name_servers);
                status.search_domains.clone_from(&spec.spec.search_domains);
            })?;
            Ok(Next::OnChange)
        },
    )
}

/// Publishes the time servers.
pub(super) fn time_servers() -> impl Controller {
    plain(
        "network.TimeServerSpecController",
        vec![Input::weak::<TimeServerSpecSpec>(NETWORK).with_id("timeservers")],
        vec![Output::exclusive::<TimeServerStatusSpec>()],
        |context| {
            let Some(spec) = context.get::<TimeServerSpecSpec>(NETWORK, "timeservers") else {
                return Ok(Next::OnChange);
            };
            context.modify::<TimeServerStatusSpec>(NETWORK, "timeservers", |status| {
                status.time_servers.clone_from(&spec.spec.time_servers);
                status.use_nts = spec.spec.use_nts;
            })?;
            Ok(Next::OnChange)
        },
    )
}
