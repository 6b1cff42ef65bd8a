//! Runs operators: each asks the network for the settings of a link, and what it is told becomes the operator layer.

use std::collections::BTreeMap;

use ::network::dhcp::{Identifier, Settings as ClientSettings};
use ::network::operator::{self, Settings};
use ::runtime::Condition;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use resource::enums::{ClientIdentifier, ConfigLayer, Operator};
use resource::network::{
    AddressSpecSpec, AddressStatusSpec, DHCP4OperatorSpec, HostnameSpecSpec, LinkSpecSpec,
    LinkStatusSpec, OperatorSpecSpec, ResolverSpecSpec, RouteSpecSpec, TimeServerSpecSpec,
};
use resource::types::NetIpPrefix;
use resource::{Phase, Resource};

use super::machine_config::replace;
use super::tasks::Tasks;
use super::{NETWORK, dhcp};

/// Runs the operators.
#[derive(Default)]
pub(super) struct Operators {
    tasks: Tasks<dhcp::Link, dhcp::Input, dhcp::Outcome>,
}

impl Controller for Operators {
    fn name(&self) -> &'static str {
        "network.OperatorSpecController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<OperatorSpecSpec>(NETWORK),
            Input::weak::<LinkStatusSpec>(NETWORK),
            Input::weak::<AddressStatusSpec>(NETWORK),
            Input::weak::<HostnameSpecSpec>(NETWORK).with_id("hostname"),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::shared::<AddressSpecSpec>(),
            Output::shared::<LinkSpecSpec>(),
            Output::shared::<RouteSpecSpec>(),
            Output::shared::<HostnameSpecSpec>(),
            Output::shared::<ResolverSpecSpec>(),
            Output::shared::<TimeServerSpecSpec>(),
        ]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        async {
            let specs = context.list::<OperatorSpecSpec>(NETWORK);
            let specs = specs.iter().filter(|spec| spec.metadata.phase == Phase::Running);
            let links = context.list::<LinkStatusSpec>(NETWORK);
            let found = self.tasks.found();
            let (mut wanted, mut options) = (BTreeMap::new(), BTreeMap::new());
            for spec in specs {
                let Some(dhcp4) = dhcp4(&spec.spec) else {
                    let what = format!("{}: this operator does not exist yet", spec.id());
                    context.waiting(&Condition::Event { what });
                    continue;
                };
                let Some(link) = find(&links, &spec.spec.link_name) else {
                    let name = &spec.spec.link_name;
                    context.waiting(&Condition::resource::<LinkStatusSpec>(NETWORK, name));
                    continue;
                };
                let Some(key) = key(link, &dhcp4) else {
                    let what = format!("{}: the link is no Ethernet link", spec.id());
                    context.waiting(&Condition::Event { what });
                    continue;
                };
                let outcome = found.get(spec.id());
                let hostname = hostname(context, link.id(), outcome);
                let input = dhcp::Input { carrier: link.spec.link_state, hostname };
                options.insert(spec.id().to_owned(), (link.id().to_owned(), dhcp4));
                wanted.insert(spec.id().to_owned(), (key, input));
            }
            self.tasks.settle(&context.waker(), &wanted, dhcp::run)?;
            let mut settings = BTreeMap::new();
            for (id, outcome) in self.tasks.found() {
                let Some((link, options)) = options.get(&id) else { continue };
                match &outcome.lease {
                    Some(lease) => {
                        settings.insert(id, operator::lease(link, lease, options));
                    }
                    None => {
                        let what = format!("{id} {}", outcome.doing);
                        context.waiting(&Condition::Event { what });
                    }
                }
            }
            publish(context, settings)?;
            Ok(Next::OnChange)
        }
        .boxed()
    }
}

fn dhcp4(spec: &OperatorSpecSpec) -> Option<DHCP4OperatorSpec> {
    (spec.operator == Operator::DHCP4).then(|| spec.dhcp4.clone().unwrap_or_default())
}

/// The link with a name, another name or an alias.
pub(super) fn find<'a>(
    links: &'a [Resource<LinkStatusSpec>],
    name: &str,
) -> Option<&'a Resource<LinkStatusSpec>> {
    links.iter().find(|link| link.id() == name).or_else(|| {
        links.iter().find(|link| {
            let names = &link.spec.names;
            names.alias == name || names.alt_names.iter().any(|other| other == name)
        })
    })
}

/// What a client is started for; a link with another hardware address is another client.
fn key(link: &Resource<LinkStatusSpec>, options: &DHCP4OperatorSpec) -> Option<dhcp::Link> {
    let hardware: [u8; 6] = link.spec.hardware_addr.0.as_ref().try_into().ok()?;
    let given = options.client_identifier.as_ref();
    let identifier = match given.map(|given| given.client_identifier) {
        Some(ClientIdentifier::NONE) => Identifier::None,
        Some(ClientIdentifier::DUID) => {
            duid(given.map(|given| given.duid_raw_hex.as_str()).unwrap_or_default())
        }
        _ => Identifier::Hardware,
    };
    let settings =
        ClientSettings { hardware, identifier, ask_hostname: !options.skip_hostname_request };
    Some(dhcp::Link { index: link.spec.index, name: link.id().to_owned(), settings })
}

/// 255 and four bytes that tell links of one machine apart go before a DUID (RFC 4361).
fn duid(hex: &str) -> Identifier {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let octets = digits.chunks(2).filter_map(|pair| {
        let text: String = pair.iter().collect();
        u8::from_str_radix(&text, 16).ok()
    });
    Identifier::Given([255, 0, 0, 0, 0].into_iter().chain(octets).collect())
}

/// The name that the server is to know: the node's, when it is not from the server itself. Only when the address is
/// there to speak from.
fn hostname(context: &Context, link: &str, outcome: Option<&dhcp::Outcome>) -> Option<String> {
    let lease = outcome?.lease.as_ref()?;
    let prefix = NetIpPrefix(Some((lease.address.into(), lease.bits)));
    context.get::<AddressStatusSpec>(NETWORK, &::network::id::address(link, prefix))?;
    let spec = context.get::<HostnameSpecSpec>(NETWORK, "hostname")?;
    let others = match spec.spec.layer {
        ConfigLayer::OPERATOR => false,
        ConfigLayer::MACHINE_CONFIGURATION => true,
        // A lower layer counts only when the server has no name to give.
        _ => lease.hostname.is_none(),
    };
    others.then(|| spec.spec.hostname.clone())
}

/// Writes the settings of all operators, and nothing else.
pub(super) fn publish(
    context: &Context,
    settings: BTreeMap<String, Settings>,
) -> Result<(), ControllerError> {
    let (mut addresses, mut links, mut routes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut hostnames, mut resolvers, mut time_servers) = (Vec::new(), Vec::new(), Vec::new());
    for (id, given) in settings {
        addresses.extend(given.addresses.into_iter().map(|spec| {
            let own = ::network::id::address(&spec.link_name, spec.address);
            (format!("{id}/{own}"), spec)
        }));
        links.extend(given.link.map(|spec| (format!("{id}/{}", spec.name), spec)));
        routes.extend(
            given
                .routes
                .into_iter()
                .map(|spec| (format!("{id}/{}", ::network::id::route(&spec)), spec)),
        );
        hostnames.extend(given.hostname.map(|spec| (format!("{id}/hostname"), spec)));
        resolvers.extend(given.resolvers.map(|spec| (format!("{id}/resolvers"), spec)));
        time_servers.extend(given.time_servers.map(|spec| (format!("{id}/timeservers"), spec)));
    }
    replace(context, links)?;
    replace(context, addresses)?;
    replace(context, routes)?;
    replace(context, hostnames)?;
    replace(context, resolvers)?;
    replace(context, time_servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_read_with_or_without_colons() {
        let expected = Identifier::Given(vec![255, 0, 0, 0, 0, 0, 1, 0xab]);
        assert_eq!(duid("0001ab"), expected);
        assert_eq!(duid("00:01:AB"), expected);
    }
}
