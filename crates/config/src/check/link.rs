//! Checks of the links.

use super::{expression, named};
use crate::cel::{Environment, Type};
use crate::document::Validate;
use crate::finding::Findings;
use crate::kinds::network::{
    BondConfig, BondMode, BridgeConfig, CommonLink, DummyLinkConfig, EthernetConfig,
    LinkAliasConfig, LinkConfig, VethConfig, VlanConfig, VrfConfig, WireguardConfig,
};
use crate::scalar::RoutingTable;
use crate::validate::shared;

impl CommonLink {
    fn check(&self, prefix: &str, findings: &mut Findings) {
        for (number, address) in self.addresses.iter().enumerate() {
            let path = format!("{prefix}addresses.{number}");
            if address.address.is_unset() {
                findings
                    .error(&path, format!("{prefix}addresses[{number}].address must be specified"));
            } else if address.address.is_unspecified() {
                findings.error(
                    &path,
                    format!(
                        "{prefix}addresses[{number}].address {} must not be unspecified",
                        address.address
                    ),
                );
            }
        }
        for (number, route) in self.routes.iter().enumerate() {
            let path = format!("{prefix}routes.{number}");
            if route.destination.is_unspecified() {
                findings.error(&path, format!("{prefix}routes[{number}].destination {} must not be unspecified: leave it out for the default route", route.destination));
            }
            if route.gateway.is_unspecified() {
                findings.error(
                    &path,
                    format!(
                        "{prefix}routes[{number}].gateway {} must not be unspecified",
                        route.gateway
                    ),
                );
            }
            if route.source.is_unspecified() {
                findings.error(
                    &path,
                    format!(
                        "{prefix}routes[{number}].source {} must not be unspecified",
                        route.source
                    ),
                );
            }
        }
    }
}

impl Validate for LinkConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        self.common.check("", findings);
    }
}

impl Validate for DummyLinkConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        self.common.check("", findings);
    }
}

impl Validate for VlanConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        if !(1..=4094).contains(&self.vlan_id) {
            findings.error("vlanID", "vlanID must be specified and from 1 to 4094");
        }
        if self.parent.is_empty() {
            findings.error("parent", "parent must be specified");
        }
        self.common.check("", findings);
    }
}

impl Validate for BridgeConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        self.common.check("", findings);
    }
}

impl Validate for BondConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        if self.links.is_empty() {
            findings.error("links", "at least one link must be specified");
        }
        if self.bond_mode.is_none_or(|mode| mode == BondMode::Unset) {
            findings.error("bondMode", "bond mode must be specified");
        }
        if self.bond_mode == Some(BondMode::Lacp) {
            let delays =
                [("miimon", self.miimon), ("updelay", self.updelay), ("downdelay", self.downdelay)];
            for (field, value) in delays {
                if value.is_none_or(|value| value == 0) {
                    findings.warning(
                        field,
                        format!(
                            "{field} is not set: bond mode 802.3ad needs it to notice failed links"
                        ),
                    );
                }
            }
        }
        self.common.check("", findings);
    }
}

impl Validate for VrfConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        let reserved =
            [RoutingTable::UNSPEC, RoutingTable::DEFAULT, RoutingTable::MAIN, RoutingTable::LOCAL];
        if reserved.contains(&self.table) {
            findings.error(
                "table",
                format!(
                    "table {:?} can't be used for a VRF: want 1 to 252",
                    self.table.to_string()
                ),
            );
        }
        self.common.check("", findings);
    }
}

/// What is wrong with the name of a link, if anything.
fn link_name_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("must be specified");
    }
    if name.len() > 15 {
        return Some("must be at most 15 bytes long");
    }
    if matches!(name, "." | "..") {
        return Some("must not be '.' or '..'");
    }
    let bad = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    name.contains(bad).then_some("must not contain '/', ':', white space or control characters")
}

impl Validate for VethConfig {
    fn validate(&self, findings: &mut Findings) {
        if let Some(problem) = link_name_problem(&self.name) {
            findings.error("name", format!("name {problem}"));
        }
        if let Some(problem) = link_name_problem(&self.peer.name) {
            findings.error("peer.name", format!("peer.name {problem}"));
        }
        if !self.name.is_empty() && self.name == self.peer.name {
            findings.error("peer.name", "name and peer.name must be different");
        }
        self.common.check("", findings);
        self.peer.common.check("peer.", findings);
    }
}

impl Validate for WireguardConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        if self.private_key.is_empty() {
            findings.error("privateKey", "privateKey must be specified");
        } else if !shared::is_key(&self.private_key) {
            findings.error("privateKey", "privateKey must be base64 of 32 bytes");
        }
        if !(0..=65535).contains(&self.listen_port) {
            findings.error("listenPort", "listenPort must be from 0 to 65535");
        }
        for (number, peer) in self.peers.iter().enumerate() {
            let path = format!("peers.{number}");
            if peer.public_key.is_empty() {
                findings.error(&path, format!("peers[{number}].publicKey must be specified"));
            } else if !shared::is_key(&peer.public_key) {
                findings
                    .error(&path, format!("peers[{number}].publicKey must be base64 of 32 bytes"));
            }
            if !peer.preshared_key.is_empty() && !shared::is_key(&peer.preshared_key) {
                findings.error(
                    &path,
                    format!("peers[{number}].presharedKey must be base64 of 32 bytes"),
                );
            }
            if peer.persistent_keepalive_interval.is_negative() {
                findings.error(
                    &path,
                    format!("peers[{number}].persistentKeepaliveInterval must not be negative"),
                );
            }
            for allowed in peer.allowed_ips.iter().filter(|prefix| prefix.is_unset()) {
                findings.error(
                    &path,
                    format!(
                        "peers[{number}].allowedIPs: {:?} is not a prefix",
                        allowed.to_string()
                    ),
                );
            }
        }
        self.common.check("", findings);
    }
}

impl Validate for LinkAliasConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        if let Some((prefix, verb)) = self.name.split_once('%') {
            if verb != "d" {
                findings.error(
                    "name",
                    format!("name {:?} may hold only one pattern, %d at its end", self.name),
                );
            } else if prefix.is_empty() {
                findings.error("name", format!("name {:?} needs something before %d", self.name));
            }
        }
        let condition = &self.selector.condition;
        if condition.0.is_empty() {
            findings.error("selector.match", "selector.match must be specified");
        }
        expression(condition, Environment::Link, Type::Bool, "selector.match", findings);
    }
}

impl Validate for EthernetConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
    }
}
