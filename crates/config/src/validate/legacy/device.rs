//! The checks of `machine.network.interfaces[]`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::field::Field;
use crate::finding::Findings;
use crate::scalar::Prefix;
use crate::v1alpha1::{Bond, Device, Route, Vip, Wireguard};
use crate::validate::shared;
use crate::{List, kinds};

pub(crate) fn check(devices: &List<Option<Device>>, findings: &mut Findings) {
    // Who has which interface as a part: for the check of addressing, and against double use.
    let mut parts: BTreeMap<&str, &str> = BTreeMap::new();
    for (number, device) in devices.iter().enumerate() {
        let path = format!("machine.network.interfaces.{number}");
        let Some(device) = device else {
            findings.error(&path, format!("network interface {number} is null"));
            continue;
        };
        if device.bond.is_some() && device.bridge.is_some() {
            findings.error(
                &path,
                format!("interface {:?} has both bridge and bond sections set", device.interface),
            );
        }
        if let Some(bond) = &device.bond
            && !bond.interfaces.is_empty()
            && !bond.device_selectors.is_empty()
        {
            findings.error(
                &format!("{path}.bond"),
                format!(
                    "interface {:?} has both bond interfaces and selectors set",
                    device.interface
                ),
            );
        }
        let bonded = device.bond.iter().flat_map(|bond| &bond.interfaces);
        let bridged = device.bridge.iter().flat_map(|bridge| &bridge.interfaces);
        for part in bonded.chain(bridged) {
            if let Some(other) = parts.insert(part, &device.interface)
                && other != device.interface
            {
                findings.error(&path, format!("interface {part:?} is declared as part of two interfaces: {other:?} and {:?}", device.interface));
            }
        }
    }
    for (number, device) in devices.iter().enumerate() {
        let Some(device) = device.as_ref().filter(|device| !device.ignore.unwrap_or(false)) else {
            continue;
        };
        let path = format!("machine.network.interfaces.{number}");
        let part = parts.contains_key(device.interface.as_str());
        self::device(device, part, &path, findings);
    }
}

fn device(device: &Device, part: bool, path: &str, findings: &mut Findings) {
    let name = &device.interface;
    match (&device.device_selector, name.is_empty()) {
        (None, true) => findings.error(path, "network interface: either interface or deviceSelector is required"),
        (Some(_), false) => findings.error(path, format!("network interface {name:?}: interface and deviceSelector can't be set at the same time")),
        (Some(selector), true) if Field::is_empty(selector) => {
            findings.error(&format!("{path}.deviceSelector"), "network interface: deviceSelector config is empty");
        }
        _ => {}
    }
    let addressing = device.dhcp.unwrap_or(false)
        || !device.cidr.is_empty()
        || !device.addresses.is_empty()
        || !device.routes.is_empty();
    if part && addressing {
        findings.error(path, format!("interface {name:?} is part of a bond or a bridge and can't have addressing of its own"));
    }
    addresses(&device.cidr, &device.addresses, &format!("interface {name:?}"), path, findings);
    if let Some(vip) = &device.vip {
        self::vip(vip, name, path, findings);
    }
    routes(&device.routes, &format!("interface {name:?}"), path, findings);
    for (number, vlan) in device.vlans.iter().enumerate() {
        let path = format!("{path}.vlans.{number}");
        let Some(vlan) = vlan else {
            findings.error(&path, format!("vlan {number} of interface {name:?} is null"));
            continue;
        };
        let shown = format!("vlan {} of interface {name:?}", vlan.vlan_id);
        addresses(&vlan.cidr, &vlan.addresses, &shown, &path, findings);
        if let Some(vip) = &vlan.vip {
            self::vip(vip, name, &path, findings);
        }
        routes(&vlan.routes, &shown, &path, findings);
    }
    if let Some(bond) = &device.bond {
        self::bond(bond, name, &format!("{path}.bond"), findings);
    }
    if let Some(wireguard) = &device.wireguard {
        self::wireguard(wireguard, name, &format!("{path}.wireguard"), findings);
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn is_prefix(text: &str) -> bool {
    text.parse::<Prefix>().is_ok_and(|prefix| !prefix.is_unset())
}

fn addresses(cidr: &str, addresses: &[String], shown: &str, path: &str, findings: &mut Findings) {
    if !cidr.is_empty() {
        if !addresses.is_empty() {
            findings.error(
                &format!("{path}.cidr"),
                format!("{shown}: cidr and addresses can't be set at the same time"),
            );
        }
        findings.warning(
            &format!("{path}.cidr"),
            format!("{shown}: cidr is deprecated, use addresses"),
        );
        if !is_prefix(cidr) {
            findings.error(&format!("{path}.cidr"), format!("{shown}: cidr {cidr:?} is not valid"));
        }
    }
    for address in addresses.iter().filter(|text| !is_address(text) && !is_prefix(text)) {
        findings.error(
            &format!("{path}.addresses"),
            format!("{shown}: address {address:?} is not valid"),
        );
    }
}

fn vip(vip: &Vip, name: &str, path: &str, findings: &mut Findings) {
    if !is_address(&vip.ip) {
        findings.error(
            &format!("{path}.vip.ip"),
            format!("interface {name:?}: virtual (shared) IP {:?} is not valid", vip.ip),
        );
    }
}

fn routes(routes: &[Option<Route>], shown: &str, path: &str, findings: &mut Findings) {
    for (number, route) in routes.iter().enumerate() {
        let path = format!("{path}.routes.{number}");
        let Some(route) = route else {
            findings.error(&path, format!("{shown}: route {number} is null"));
            continue;
        };
        if !route.network.is_empty() && !is_prefix(&route.network) {
            findings.error(
                &path,
                format!("{shown}: route {number}: network {:?} is not valid", route.network),
            );
        }
        if !route.gateway.is_empty() && !is_address(&route.gateway) {
            findings.error(
                &path,
                format!("{shown}: route {number}: gateway {:?} is not valid", route.gateway),
            );
        }
        if !route.source.is_empty() && !is_address(&route.source) && !is_prefix(&route.source) {
            findings.error(
                &path,
                format!("{shown}: route {number}: source {:?} is not valid", route.source),
            );
        }
        if route.network.is_empty() && route.gateway.is_empty() {
            findings.error(
                &path,
                format!("{shown}: route {number}: either network or gateway should be set"),
            );
        }
    }
}

fn bond(bond: &Bond, name: &str, path: &str, findings: &mut Findings) {
    use kinds::network as words;
    let mut error = |field: &str, message: String| {
        findings.error(&format!("{path}.{field}"), format!("interface {name:?}: bond {message}"));
    };
    let choices: [(&str, &str, &[&str]); 8] = [
        ("mode", &bond.mode, words::BondMode::WORDS),
        ("xmitHashPolicy", &bond.xmit_hash_policy, words::XmitHashPolicy::WORDS),
        ("lacpRate", &bond.lacp_rate, words::LacpRate::WORDS),
        ("arpValidate", &bond.arp_validate, words::ArpValidate::WORDS),
        ("arpAllTargets", &bond.arp_all_targets, words::ArpAllTargets::WORDS),
        ("primaryReselect", &bond.primary_reselect, words::PrimaryReselect::WORDS),
        ("failOverMac", &bond.fail_over_mac, words::FailOverMac::WORDS),
        ("adSelect", &bond.ad_select, words::AdSelect::WORDS),
    ];
    for (field, word, words) in choices {
        if !word.is_empty() && !words.contains(&word) {
            error(field, format!("{field} {word:?} is unknown: want one of {}", words.join(", ")));
        }
    }
    let mode = if bond.mode.is_empty() { "balance-rr" } else { bond.mode.as_str() };
    for (field, delay) in [("updelay", bond.updelay), ("downdelay", bond.downdelay)] {
        if delay == 0 {
            continue;
        }
        if bond.miimon == 0 {
            error(field, format!("{field} needs miimon"));
        } else if !delay.is_multiple_of(bond.miimon) {
            error(field, format!("{field} {delay} must be a multiple of miimon {}", bond.miimon));
        }
    }
    if !bond.arp_ip_target.is_empty() {
        error("arpIPTarget", "arpIPTarget is not supported".to_owned());
    }
    if !bond.ad_actor_system.is_empty() {
        error("adActorSystem", "adActorSystem is not supported".to_owned());
    }
    let lacp = mode == "802.3ad";
    let only_lacp = [
        ("lacpRate", !bond.lacp_rate.is_empty()),
        ("adActorSysPrio", bond.ad_actor_sys_prio != 0),
        ("adUserPortKey", bond.ad_user_port_key != 0),
    ];
    for (field, _) in only_lacp.into_iter().filter(|(_, set)| *set && !lacp) {
        error(field, format!("{field} is available only in mode 802.3ad"));
    }
    let no_arp = matches!(mode, "802.3ad" | "balance-tlb" | "balance-alb");
    let arp =
        [("arpValidate", !bond.arp_validate.is_empty()), ("arpInterval", bond.arp_interval != 0)];
    for (field, _) in arp.into_iter().filter(|(_, set)| *set && no_arp) {
        error(field, format!("{field} is not available in mode {mode}"));
    }
    if !bond.primary.is_empty() && !matches!(mode, "active-backup" | "balance-tlb" | "balance-alb")
    {
        error(
            "primary",
            "primary is available only in modes active-backup, balance-tlb and balance-alb"
                .to_owned(),
        );
    }
    if bond.packets_per_slave > 1 && mode != "balance-rr" {
        error(
            "packetsPerSlave",
            "packetsPerSlave above 1 is available only in mode balance-rr".to_owned(),
        );
    }
    if bond.tlb_dynamic_lb != 0 && !matches!(mode, "balance-tlb" | "balance-alb") {
        error(
            "tlbDynamicLb",
            "tlbDynamicLb is available only in modes balance-tlb and balance-alb".to_owned(),
        );
    }
}

fn wireguard(wireguard: &Wireguard, name: &str, path: &str, findings: &mut Findings) {
    if !shared::is_key(&wireguard.private_key) {
        findings.error(
            &format!("{path}.privateKey"),
            format!("interface {name:?}: wireguard private key must be base64 of 32 bytes"),
        );
    }
    for (number, peer) in wireguard.peers.iter().enumerate() {
        let path = format!("{path}.peers.{number}");
        if !shared::is_key(&peer.public_key) {
            findings.error(&path, format!("interface {name:?}: wireguard public key of peer {number} must be base64 of 32 bytes"));
        }
        if !peer.endpoint.is_empty() && !shared::is_host_port(&peer.endpoint) {
            findings.error(
                &path,
                format!(
                    "interface {name:?}: wireguard peer endpoint {:?} must be host:port",
                    peer.endpoint
                ),
            );
        }
        for allowed in peer.allowed_ips.iter().filter(|text| !is_prefix(text)) {
            findings.error(
                &path,
                format!("interface {name:?}: wireguard peer allowed IP {allowed:?} is not valid"),
            );
        }
    }
}
