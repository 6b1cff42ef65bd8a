//! Which links ask for their settings: those that the configuration or the kernel's command line names, or all
//! physical links when nobody says anything.

use std::collections::BTreeMap;

use ::config::Config;
use ::config::kinds::network::{ClientIdentifier as Identifier, Dhcpv4Config, Dhcpv6Config};
use ::config::v1alpha1::{Device, DhcpOptions};
use ::network::operator::METRIC;
use ::runtime::controller::{Controller, Input, Next, Output};
use resource::config::MachineConfigSpec;
use resource::enums::{ClientIdentifier, ConfigLayer, Operator};
use resource::network::{
    ClientIdentifierSpec, DHCP4OperatorSpec, DHCP6OperatorSpec, LinkStatusSpec, OperatorSpecSpec,
};

use super::NETWORK;
use super::cmdline::Arguments;
use super::device::devices;
use super::machine_config::replace;
use super::source::is_physical;
use crate::config::active::Active;
use crate::plain::plain;

type Operators = BTreeMap<String, OperatorSpecSpec>;

/// Writes what the configuration wants, and the default.
pub(super) fn operators(active: Active, arguments: Arguments) -> impl Controller {
    plain(
        "network.OperatorConfigController",
        vec![
            Input::weak::<MachineConfigSpec>("config").with_id("v1alpha1"),
            Input::weak::<LinkStatusSpec>(NETWORK),
        ],
        vec![Output::shared::<OperatorSpecSpec>()],
        move |context| {
            let config = active.config(context.store())?;
            let links = context.list::<LinkStatusSpec>(NETWORK);
            let physical = links.iter().filter(|link| is_physical(&link.spec));
            let free = physical.map(resource::Resource::id).filter(|link| !arguments.names(link));
            let free: Vec<&str> = free.collect();
            let devices =
                config.as_ref().map(|config| devices(config, context)).unwrap_or_default();
            let is_addressed = arguments.has_addressing();
            replace(context, plan(config.as_deref(), &devices, &free, is_addressed))?;
            Ok(Next::OnChange)
        },
    )
}

/// `devices` are those of the old list, of which each has a name; `free` are the links that the command line says nothing
/// about.
fn plan(
    config: Option<&Config>,
    devices: &[Device],
    free: &[&str],
    is_addressed: bool,
) -> Operators {
    let mut wanted = Operators::new();
    let implicit = config.is_none_or(|config| config.view().implicit_dhcp());
    if implicit && !is_addressed {
        for link in free {
            let mac = identifier(None, "");
            add(&mut wanted, dhcp4(link, ConfigLayer::DEFAULT, 0, mac));
        }
    }
    if let Some(config) = config {
        documents(config, &mut wanted);
    }
    old_devices(devices, &mut wanted);
    wanted
}

fn add(wanted: &mut Operators, spec: OperatorSpecSpec) {
    wanted.insert(::network::id::operator(&spec), spec);
}

fn identifier(kind: Option<Identifier>, duid: &str) -> ClientIdentifierSpec {
    ClientIdentifierSpec {
        client_identifier: match kind {
            None | Some(Identifier::Mac | Identifier::Unset) => ClientIdentifier::MAC,
            Some(Identifier::None) => ClientIdentifier::NONE,
            Some(Identifier::Duid) => ClientIdentifier::DUID,
        },
        duid_raw_hex: duid.to_owned(),
    }
}

fn operator(operator: Operator, link: &str, layer: ConfigLayer) -> OperatorSpecSpec {
    OperatorSpecSpec {
        operator,
        link_name: link.to_owned(),
        require_up: true,
        layer,
        ..OperatorSpecSpec::default()
    }
}

fn metric(given: u32) -> u32 {
    if given == 0 { METRIC } else { given }
}

fn dhcp4(
    link: &str,
    layer: ConfigLayer,
    route_metric: u32,
    client_identifier: ClientIdentifierSpec,
) -> OperatorSpecSpec {
    let dhcp4 = DHCP4OperatorSpec {
        route_metric: metric(route_metric),
        client_identifier: Some(client_identifier),
        ..DHCP4OperatorSpec::default()
    };
    OperatorSpecSpec { dhcp4: Some(dhcp4), ..operator(Operator::DHCP4, link, layer) }
}

fn dhcp6(
    link: &str,
    layer: ConfigLayer,
    route_metric: u32,
    client_identifier: ClientIdentifierSpec,
) -> OperatorSpecSpec {
    let dhcp6 = DHCP6OperatorSpec {
        route_metric: metric(route_metric),
        client_identifier: Some(client_identifier),
        ..DHCP6OperatorSpec::default()
    };
    OperatorSpecSpec { dhcp6: Some(dhcp6), ..operator(Operator::DHCP6, link, layer) }
}

const LAYER: ConfigLayer = ConfigLayer::MACHINE_CONFIGURATION;

fn documents(config: &Config, wanted: &mut Operators) {
    for document in config.documents::<Dhcpv4Config>() {
        let own = identifier(document.client_identifier, &document.duid_raw);
        let mut spec = dhcp4(&document.name, LAYER, document.route_metric, own);
        if let Some(dhcp4) = &mut spec.dhcp4 {
            dhcp4.skip_hostname_request = document.ignore_hostname.unwrap_or(false);
            dhcp4.skip_routes = document.ignore_routes.unwrap_or(false);
        }
        add(wanted, spec);
    }
    for document in config.documents::<Dhcpv6Config>() {
        let own = identifier(document.client_identifier, &document.duid_raw);
        let mut spec = dhcp6(&document.name, LAYER, document.route_metric, own);
        if let Some(dhcp6) = &mut spec.dhcp6 {
            dhcp6.skip_hostname_request = document.ignore_hostname.unwrap_or(false);
        }
        add(wanted, spec);
    }
}

fn old_devices(devices: &[Device], wanted: &mut Operators) {
    for device in devices {
        let name = device.interface.as_str();
        old(wanted, name, device.dhcp, device.dhcp_options.as_ref());
        for vlan in device.vlans.iter().flatten() {
            let name = format!("{name}.{}", vlan.vlan_id);
            old(wanted, &name, vlan.dhcp, vlan.dhcp_options.as_ref());
        }
    }
}

fn old(wanted: &mut Operators, link: &str, on: Option<bool>, options: Option<&DhcpOptions>) {
    if !on.unwrap_or(false) {
        return;
    }
    let metric = options.map_or(0, |options| options.route_metric);
    if options.and_then(|options| options.ipv4).unwrap_or(true) {
        add(wanted, dhcp4(link, LAYER, metric, identifier(None, "")));
    }
    if options.and_then(|options| options.ipv6).unwrap_or(false) {
        let duid = options.map(|options| options.duidv6.as_str()).unwrap_or_default();
        let kind = (!duid.is_empty()).then_some(Identifier::Duid);
        add(wanted, dhcp6(link, LAYER, metric, identifier(kind, duid)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::device::named;

    fn planned(text: Option<&str>, is_addressed: bool) -> Vec<String> {
        let config = text.map(|text| ::config::load(text.as_bytes()).expect("loads"));
        let devices = config.as_ref().map(|config| named(config, &[])).unwrap_or_default();
        plan(config.as_ref(), &devices, &["eth0", "eth1"], is_addressed)
            .iter()
            .map(|(id, spec)| format!("{}/{id}", spec.layer))
            .collect()
    }

    #[test]
    fn every_link_asks_when_nobody_says_anything() {
        let all = ["default/dhcp4/eth0", "default/dhcp4/eth1"];
        assert_eq!(planned(None, false), all);
        let plain = "version: v1alpha1\nmachine: {type: worker}\ncluster: {}\n";
        assert_eq!(planned(Some(plain), false), all);
        assert!(planned(Some(plain), true).is_empty(), "the command line has said it");
        let link = "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\naddresses: [{address: 10.0.0.1/24}]\n";
        assert!(planned(Some(link), false).is_empty());
        let old = "version: v1alpha1\nmachine:\n  type: worker\n  network:\n    interfaces:\n      - {interface: eth9, ignore: true}\ncluster: {}\n";
        assert!(planned(Some(old), false).is_empty());
    }

    #[test]
    fn documents_and_old_devices_are_read() {
        let text = "apiVersion: v1alpha1\nkind: DHCPv4Config\nname: eth1\nrouteMetric: 7\nignoreHostname: true\nclientIdentifier: none\n---\napiVersion: v1alpha1\nkind: DHCPv6Config\nname: eth1\nclientIdentifier: duid\nduidRaw: 0001aa\n";
        let config = ::config::load(text.as_bytes()).expect("loads");
        let wanted = plan(Some(&config), &[], &["eth0"], false);
        assert_eq!(wanted.keys().collect::<Vec<_>>(), ["dhcp4/eth1", "dhcp6/eth1"]);
        let four = wanted["dhcp4/eth1"].dhcp4.as_ref().expect("DHCPv4");
        assert_eq!((four.route_metric, four.skip_hostname_request), (7, true));
        let own = four.client_identifier.as_ref().expect("an identifier");
        assert_eq!(own.client_identifier, ClientIdentifier::NONE);
        let six = wanted["dhcp6/eth1"].dhcp6.as_ref().expect("DHCPv6");
        let own = six.client_identifier.as_ref().expect("an identifier");
        assert_eq!((six.route_metric, own.duid_raw_hex.as_str()), (1024, "0001aa"));

        let old = "version: v1alpha1\nmachine:\n  type: worker\n  network:\n    interfaces:\n      - interface: eth0\n        dhcp: true\n        dhcpOptions: {routeMetric: 9, ipv6: true}\n        vlans:\n          - {vlanId: 7, dhcp: true}\n      - {interface: eth1, dhcp: true, dhcpOptions: {ipv4: false}}\ncluster: {}\n";
        let layer = "configuration";
        let expected =
            ["dhcp4/eth0", "dhcp4/eth0.7", "dhcp6/eth0"].map(|id| format!("{layer}/{id}"));
        assert_eq!(planned(Some(old), false), expected);
    }
}
