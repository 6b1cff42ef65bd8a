//! Bonds, pairs and WireGuard tunnels of the machine configuration.
//!
//! What is not said is the kernel's own setting. Words that mean nothing were refused when the configuration was checked.

use std::net::SocketAddr;

use ::config::kinds::network::{BondConfig, VethConfig, WireguardConfig};
use ::config::v1alpha1::{Bond, Wireguard};
use ::network::bond::kernel_default;
use resource::enums::{
    ADLACPActive, ADSelect, ARPAllTargets, ARPValidate, BondMode, BondXmitHashPolicy, FailOverMAC,
    LACPRate, PrimaryReselect,
};
use resource::network::{BondMasterSpec, VethSpec, WireguardPeer, WireguardSpec};
use resource::types::{Duration, HardwareAddr, NetIp, NetIpPrefix};

use super::Wanted;
use super::link::{common, logical, physical, prefix};

/// The policy of the kernel for which the contract has no word: by VLAN and source.
const VLAN_AND_SOURCE: BondXmitHashPolicy = BondXmitHashPolicy(5);

/// The number of a word. The configuration writes some words with `_` where the contract's resources have `-`.
fn choice<T: Default>(word: Option<&str>, of: fn(&str) -> Option<T>) -> T {
    word.and_then(|word| of(&word.replace('_', "-"))).unwrap_or_default()
}

fn policy(word: Option<&str>) -> BondXmitHashPolicy {
    match word {
        Some("vlan+srcmac") => VLAN_AND_SOURCE,
        word => word.and_then(BondXmitHashPolicy::from_text).unwrap_or_default(),
    }
}

fn enslave(wanted: &mut Wanted, bond: &str, links: &[String]) {
    for (index, link) in (0_i64..).zip(links) {
        let slave = &mut physical(wanted, link).bond_slave;
        bond.clone_into(&mut slave.master_name);
        slave.slave_index = index;
    }
}

pub(super) fn bond(wanted: &mut Wanted, document: &BondConfig) {
    let own = kernel_default();
    let targets = |all: &[::config::scalar::Address]| -> Vec<NetIp> {
        all.iter().map(|target| NetIp(target.ip())).collect()
    };
    let settings = BondMasterSpec {
        mode: choice(document.bond_mode.map(|word| word.as_str()), BondMode::from_text),
        xmit_hash_policy: policy(document.xmit_hash_policy.map(|word| word.as_str())),
        lacp_rate: choice(document.lacp_rate.map(|word| word.as_str()), LACPRate::from_text),
        arp_validate: choice(
            document.arp_validate.map(|word| word.as_str()),
            ARPValidate::from_text,
        ),
        arp_all_targets: choice(
            document.arp_all_targets.map(|word| word.as_str()),
            ARPAllTargets::from_text,
        ),
        primary_reselect: choice(
            document.primary_reselect.map(|word| word.as_str()),
            PrimaryReselect::from_text,
        ),
        fail_over_mac: choice(
            document.fail_over_mac.map(|word| word.as_str()),
            FailOverMAC::from_text,
        ),
        ad_select: choice(document.ad_select.map(|word| word.as_str()), ADSelect::from_text),
        ad_lacp_active: document
            .ad_lacp_active
            .and_then(|word| ADLACPActive::from_text(word.as_str()))
            .unwrap_or(own.ad_lacp_active),
        miimon: document.miimon.unwrap_or(0),
        updelay: document.updelay.unwrap_or(0),
        downdelay: document.downdelay.unwrap_or(0),
        arp_interval: document.arp_interval.unwrap_or(0),
        resend_igmp: document.resend_igmp.unwrap_or(0),
        min_links: document.min_links.unwrap_or(0),
        lp_interval: document.lp_interval.unwrap_or(0),
        packets_per_slave: document.packets_per_slave.unwrap_or(0),
        num_peer_notif: document.num_peer_notif.map_or(0, u32::from),
        tlb_logical_lb: document.tlb_logical_lb.map_or(own.tlb_logical_lb, u32::from),
        all_slaves_active: document.all_slaves_active.map_or(0, u32::from),
        use_carrier: document.use_carrier.unwrap_or(own.use_carrier),
        ad_actor_sys_prio: document.ad_actor_sys_prio.map_or(0, u32::from),
        ad_user_port_key: document.ad_user_port_key.map_or(0, u32::from),
        peer_notify_delay: document.peer_notif_delay.unwrap_or(0),
        arp_ip_targets: targets(&document.arp_ip_targets),
        ns_ip6_targets: targets(&document.ns_ip6_targets),
        missed_max: document.missed_max.map_or(0, u32::from),
        ..own
    };
    let link = logical(wanted, &document.name, "bond");
    link.hardware_addr = HardwareAddr::from(document.hardware_addr.bytes().to_vec());
    link.bond_master = Some(Box::new(settings));
    enslave(wanted, &document.name, &document.links);
    common(wanted, &document.name, &document.common);
}

/// The same in the old list of interfaces, whose words are plain texts and where 0 is not said.
pub(super) fn old_bond(wanted: &mut Wanted, name: &str, old: &Bond) {
    fn word(text: &str) -> Option<&str> {
        (!text.is_empty()).then_some(text)
    }
    let own = kernel_default();
    let settings = BondMasterSpec {
        mode: choice(word(&old.mode), BondMode::from_text),
        xmit_hash_policy: policy(word(&old.xmit_hash_policy)),
        lacp_rate: choice(word(&old.lacp_rate), LACPRate::from_text),
        arp_validate: choice(word(&old.arp_validate), ARPValidate::from_text),
        arp_all_targets: choice(word(&old.arp_all_targets), ARPAllTargets::from_text),
        primary: old.primary.clone(),
        primary_reselect: choice(word(&old.primary_reselect), PrimaryReselect::from_text),
        fail_over_mac: choice(word(&old.fail_over_mac), FailOverMAC::from_text),
        ad_select: choice(word(&old.ad_select), ADSelect::from_text),
        miimon: old.miimon,
        updelay: old.updelay,
        downdelay: old.downdelay,
        arp_interval: old.arp_interval,
        resend_igmp: old.resend_igmp,
        min_links: old.min_links,
        lp_interval: old.lp_interval,
        packets_per_slave: old.packets_per_slave,
        num_peer_notif: u32::from(old.num_peer_notif),
        tlb_logical_lb: match old.tlb_dynamic_lb {
            0 => own.tlb_logical_lb,
            given => u32::from(given),
        },
        all_slaves_active: u32::from(old.all_slaves_active),
        use_carrier: old.use_carrier.unwrap_or(own.use_carrier),
        ad_actor_sys_prio: u32::from(old.ad_actor_sys_prio),
        ad_user_port_key: u32::from(old.ad_user_port_key),
        peer_notify_delay: old.peer_notify_delay,
        ..own
    };
    logical(wanted, name, "bond").bond_master = Some(Box::new(settings));
    enslave(wanted, name, &old.interfaces);
}

/// Both ends of a pair are links that are wanted.
pub(super) fn veth(wanted: &mut Wanted, document: &VethConfig) {
    let ends = [
        (&document.name, &document.peer.name, &document.common),
        (&document.peer.name, &document.name, &document.peer.common),
    ];
    for (name, peer, settings) in ends {
        let peer_name = peer.clone();
        logical(wanted, name, "veth").veth = Some(VethSpec { peer_name });
        common(wanted, name, settings);
    }
}

pub(super) fn wireguard(wanted: &mut Wanted, document: &WireguardConfig) {
    let peers = document.peers.iter().map(|peer| WireguardPeer {
        public_key: peer.public_key.clone(),
        preshared_key: peer.preshared_key.clone(),
        endpoint: peer
            .endpoint
            .ip()
            .map(|ip| SocketAddr::new(ip, peer.endpoint.port()).to_string())
            .unwrap_or_default(),
        persistent_keepalive_interval: Duration::from(peer.persistent_keepalive_interval.to_std()),
        allowed_ips: peer
            .allowed_ips
            .iter()
            .map(|prefix| NetIpPrefix(prefix.ip().zip(prefix.bits())))
            .collect(),
    });
    let settings = WireguardSpec {
        private_key: document.private_key.clone(),
        public_key: String::new(),
        listen_port: document.listen_port,
        firewall_mark: document.firewall_mark,
        peers: peers.collect(),
    };
    tunnel(wanted, &document.name, settings);
    common(wanted, &document.name, &document.common);
}

/// The same in the old list of interfaces.
pub(super) fn old_wireguard(wanted: &mut Wanted, name: &str, old: &Wireguard) {
    let peers = old.peers.iter().map(|peer| WireguardPeer {
        public_key: peer.public_key.clone(),
        preshared_key: String::new(),
        endpoint: peer.endpoint.clone(),
        persistent_keepalive_interval: Duration::from(peer.persistent_keepalive_interval.to_std()),
        allowed_ips: peer.allowed_ips.iter().filter_map(|text| prefix(text)).collect(),
    });
    let settings = WireguardSpec {
        private_key: old.private_key.clone(),
        public_key: String::new(),
        listen_port: old.listen_port,
        firewall_mark: old.firewall_mark,
        peers: peers.collect(),
    };
    tunnel(wanted, name, settings);
}

fn tunnel(wanted: &mut Wanted, name: &str, settings: WireguardSpec) {
    let link = logical(wanted, name, "wireguard");
    link.r#type = resource::enums::LinkType::NONE;
    link.wireguard = Some(Box::new(settings));
}
