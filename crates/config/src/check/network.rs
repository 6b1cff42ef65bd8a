//! Checks of the kinds about the network, links excepted.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{at_least, named};
use crate::document::Validate;
use crate::finding::Findings;
use crate::kinds::network::{
    AutoHostname, BgpInstanceConfig, BgpNeighbor, BlackholeRouteConfig, ClientIdentifier,
    Dhcpv4Config, Dhcpv6Config, DnsProtocol, HcloudVipConfig, HostnameConfig, HttpProbeConfig,
    KubeSpanConfig, KubeSpanEndpointsConfig, Layer2VipConfig, NetworkDefaultActionConfig,
    NetworkRuleConfig, ResolverConfig, RoutingRuleAction, RoutingRuleConfig, StaticHostConfig,
    TcpProbeConfig, TimeSyncConfig,
};
use crate::scalar::{Duration, Prefix, RoutingTable};
use crate::v1alpha1::V1Alpha1;
use crate::validate::shared;

/// The error of a setting that stands in the v1alpha1 document as well.
fn taken(findings: &mut Findings, kind: &str, field: &str) {
    findings.error(
        "",
        format!("{kind} conflicts with {field} of the v1alpha1 document: keep one of them"),
    );
}

fn client(identifier: Option<ClientIdentifier>, duid: &str, findings: &mut Findings) {
    let wanted = identifier == Some(ClientIdentifier::Duid);
    if wanted && duid.is_empty() {
        findings.error("duidRaw", "duidRaw must be specified when clientIdentifier is duid");
    } else if !wanted && !duid.is_empty() {
        findings.error("duidRaw", "duidRaw is allowed only when clientIdentifier is duid");
    }
    let hex = duid.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
        && duid.replace(':', "").len().is_multiple_of(2);
    if !hex {
        findings.error("duidRaw", "duidRaw must be hexadecimal");
    }
}

impl Validate for Dhcpv4Config {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        client(self.client_identifier, &self.duid_raw, findings);
    }
}

impl Validate for Dhcpv6Config {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        client(self.client_identifier, &self.duid_raw, findings);
    }
}

fn shared_address(name: &str, link: &str, findings: &mut Findings) {
    if name.is_empty() {
        named(name, findings);
    } else if name.parse::<IpAddr>().is_err() {
        findings.error("name", format!("name {name:?} must be an IP address"));
    }
    if link.is_empty() {
        findings.error("link", "link must be specified");
    }
}

impl Validate for Layer2VipConfig {
    fn validate(&self, findings: &mut Findings) {
        shared_address(&self.name, &self.link, findings);
    }
}

impl Validate for HcloudVipConfig {
    fn validate(&self, findings: &mut Findings) {
        shared_address(&self.name, &self.link, findings);
        if self.api_token.is_empty() {
            findings.error("apiToken", "apiToken must be specified");
        }
    }
}

impl Validate for BlackholeRouteConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.name.is_empty() {
            named(&self.name, findings);
        } else if self.name.parse::<Prefix>().is_err() {
            findings.error("name", format!("name {:?} must be an IP prefix", self.name));
        }
    }
}

impl Validate for RoutingRuleConfig {
    fn validate(&self, findings: &mut Findings) {
        match self.name.parse::<u32>() {
            _ if self.name.is_empty() => named(&self.name, findings),
            Err(_) => findings.error(
                "name",
                format!("name {:?} must be the priority, an unsigned integer", self.name),
            ),
            Ok(priority @ (0 | 32500 | 32501 | 32766 | 32767)) => {
                findings.error("name", format!("priority {priority} is reserved"));
            }
            Ok(_) => {}
        }
        let unicast = matches!(self.action, RoutingRuleAction::Unset | RoutingRuleAction::Unicast);
        if self.table == RoutingTable::UNSPEC && unicast {
            findings
                .error("table", "either table or an action other than unicast must be specified");
        }
        if self.fw_mask != 0 && self.fw_mark == 0 {
            findings.error("fwMask", "fwMask needs fwMark");
        }
    }
}

impl Validate for BgpInstanceConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        if self.local_asn == 0 {
            findings.error("localASN", "localASN must be specified");
        }
        if self.router_id.ip().is_some_and(|ip| ip.is_ipv6()) {
            findings.error("routerID", "routerID must be an IPv4 address");
        }
        if self.neighbors.is_empty() {
            findings.warning("neighbors", "no BGP neighbors are configured");
        }
        let mut seen = BTreeSet::new();
        for (number, neighbor) in self.neighbors.iter().enumerate() {
            self.neighbor(neighbor, number, findings);
            let key = (neighbor.address.to_string(), neighbor.link.clone());
            if !seen.insert(key) {
                findings.error(
                    &format!("neighbors.{number}"),
                    format!("neighbors[{number}] is a duplicate"),
                );
            }
        }
        self.imports(findings);
    }
}

impl BgpInstanceConfig {
    fn neighbor(&self, neighbor: &BgpNeighbor, number: usize, findings: &mut Findings) {
        let path = format!("neighbors.{number}");
        let mut error =
            |message: &str| findings.error(&path, format!("neighbors[{number}]: {message}"));
        match (neighbor.address.is_unset(), neighbor.link.is_empty()) {
            (true, true) => error("address or link must be specified"),
            (false, false) => error("address and link exclude each other"),
            _ => {}
        }
        if neighbor.hold_time.is_negative() {
            error("holdTime must not be negative");
        }
        if let Some(bfd) = &neighbor.bfd {
            if bfd.transmit_interval.is_negative() || bfd.receive_interval.is_negative() {
                error("BFD intervals must not be negative");
            }
            if !self.vrf.is_empty() {
                error("BFD is not available together with vrf");
            }
        }
    }

    fn imports(&self, findings: &mut Findings) {
        let mut sources = BTreeSet::new();
        let mut all: Vec<Prefix> = Vec::new();
        for (number, import) in self.import_routes.iter().enumerate() {
            let path = format!("importRoutes.{number}");
            let mut error = |message: String| {
                findings.error(&path, format!("importRoutes[{number}]: {message}"))
            };
            let source = import.bgp_instance.as_str();
            if source.is_empty() {
                error("bgpInstance must be specified".to_owned());
            } else if source == self.name {
                error("an instance can't import from itself".to_owned());
            } else if !sources.insert(source) {
                error(format!("bgpInstance {source:?} is used twice"));
            }
            if import.prefixes.is_empty() {
                error("at least one prefix must be specified".to_owned());
            }
            for prefix in &import.prefixes {
                if prefix.is_unset() || !prefix.is_masked() {
                    error(format!("prefix {prefix} must be a network without host bits"));
                    continue;
                }
                if let Some(other) = all.iter().find(|other| overlap(**other, *prefix)) {
                    error(format!("prefix {prefix} overlaps {other}"));
                }
                all.push(*prefix);
            }
        }
    }
}

fn overlap(left: Prefix, right: Prefix) -> bool {
    match (left.net(), right.net()) {
        (Some(a), Some(b)) => a.contains(&b) || b.contains(&a),
        _ => false,
    }
}

impl Validate for HostnameConfig {
    fn validate(&self, findings: &mut Findings) {
        let auto = self.auto.filter(|auto| *auto != AutoHostname::Unset);
        if auto == Some(AutoHostname::Address) {
            findings.error("auto", "'auto: talos-addr' is not supported: use stable or off");
        }
        if self.hostname.is_empty() {
            if auto.is_none() {
                findings.error("", "either 'auto' or 'hostname' must be set");
            }
            return;
        }
        if auto == Some(AutoHostname::Stable) {
            findings.error(
                "auto",
                "'auto' and 'hostname' can't be set at the same time: set 'auto: off'",
            );
        }
        let first = self.hostname.split('.').next().unwrap_or_default();
        if self.hostname.len() > 253 || !(1..=63).contains(&first.len()) {
            findings.error(
                "hostname",
                format!(
                    "invalid hostname {:?}: at most 253 characters, the first label 1 to 63",
                    self.hostname
                ),
            );
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let Some(machine) = &legacy.machine else { return };
        if machine.network.as_ref().is_some_and(|network| !network.hostname.is_empty()) {
            taken(findings, "HostnameConfig", ".machine.network.hostname");
        }
        if machine.features.as_ref().is_some_and(|f| f.stable_hostname.unwrap_or(false)) {
            taken(findings, "HostnameConfig", ".machine.features.stableHostname");
        }
    }
}

impl Validate for ResolverConfig {
    fn validate(&self, findings: &mut Findings) {
        let mut encrypted = 0;
        for (number, server) in self.nameservers.iter().enumerate() {
            let path = format!("nameservers.{number}");
            if server.address.is_unset() {
                findings.error(&path, format!("nameservers[{number}].address must be specified"));
            }
            let tls = matches!(server.protocol, Some(DnsProtocol::Dot | DnsProtocol::Doh));
            encrypted += usize::from(tls);
            match (tls, server.tls_server_name.is_empty()) {
                (true, true) => findings.error(
                    &path,
                    format!(
                        "nameservers[{number}].tlsServerName must be specified for DoT and DoH"
                    ),
                ),
                (false, false) => findings.error(
                    &path,
                    format!("nameservers[{number}].tlsServerName is allowed only for DoT and DoH"),
                ),
                _ => {}
            }
        }
        if !self.nameservers.is_empty() && encrypted == self.nameservers.len() {
            findings.warning(
                "nameservers",
                "all nameservers are encrypted: they can't be asked until the clock is right",
            );
        }
        if let Some(dns) = &self.host_dns
            && !dns.enabled.unwrap_or(false)
        {
            if dns.forward_kube_dns_to_host.unwrap_or(false) {
                findings.error(
                    "hostDNS.forwardKubeDNSToHost",
                    "hostDNS.forwardKubeDNSToHost needs hostDNS.enabled",
                );
            }
            if dns.resolve_member_names.unwrap_or(false) {
                findings.error(
                    "hostDNS.resolveMemberNames",
                    "hostDNS.resolveMemberNames needs hostDNS.enabled",
                );
            }
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let Some(machine) = &legacy.machine else { return };
        if let Some(network) = &machine.network {
            if network.search_domains.is_given() {
                taken(findings, "ResolverConfig", ".machine.network.searchDomains");
            }
            if !network.nameservers.is_empty() {
                taken(findings, "ResolverConfig", ".machine.network.nameservers");
            }
            if network.disable_search_domain.is_some() {
                taken(findings, "ResolverConfig", ".machine.network.disableSearchDomain");
            }
        }
        let features = machine.features.as_ref();
        if self.host_dns.is_some() && features.is_some_and(|f| f.host_dns.is_some()) {
            taken(findings, "ResolverConfig", ".machine.features.hostDNS");
        }
    }
}

impl Validate for TimeSyncConfig {
    fn validate(&self, findings: &mut Findings) {
        at_least(self.boot_timeout, Duration::default(), "bootTimeout", findings);
        if self.ntp.is_some() && self.ptp.is_some() {
            findings.error("", "ntp and ptp can't be set at the same time");
        }
        let Some(ntp) = self.ntp.as_ref().filter(|ntp| ntp.use_nts.unwrap_or(false)) else {
            return;
        };
        for server in ntp.servers.iter().filter(|server| server.parse::<IpAddr>().is_ok()) {
            findings.error(
                "ntp.servers",
                format!("server {server:?} must be a host name when useNTS is on"),
            );
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let Some(time) = legacy.machine.as_ref().and_then(|machine| machine.time.as_ref()) else {
            return;
        };
        if time.disabled.is_some() {
            taken(findings, "TimeSyncConfig", ".machine.time.disabled");
        }
        if !time.servers.is_empty() {
            taken(findings, "TimeSyncConfig", ".machine.time.servers");
        }
        if time.boot_timeout != Duration::default() {
            taken(findings, "TimeSyncConfig", ".machine.time.bootTimeout");
        }
    }
}

impl Validate for StaticHostConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.name.is_empty() {
            named(&self.name, findings);
        } else if self.name.parse::<IpAddr>().is_err() {
            findings.error("name", format!("name {:?} must be an IP address", self.name));
        }
        if self.hostnames.is_empty() {
            findings.error("hostnames", "at least one hostname must be specified");
        }
    }
}

impl Validate for NetworkDefaultActionConfig {}

impl Validate for NetworkRuleConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.name.is_empty() {
            findings.error("name", "name is required");
        }
        let ports = &self.port_selector.ports;
        if ports.is_empty() {
            findings.error("portSelector.ports", "portSelector.ports is required");
        }
        for range in ports.iter().filter(|range| range.low > range.high) {
            findings.error("portSelector.ports", format!("invalid port range: {range}"));
        }
        let mut sorted: Vec<_> = ports.iter().collect();
        sorted.sort_by_key(|range| range.low);
        for (left, right) in sorted.iter().zip(sorted.iter().skip(1)) {
            if left.high >= right.low {
                findings
                    .error("portSelector.ports", format!("port ranges {left} and {right} overlap"));
            }
        }
        for (number, source) in self.ingress.iter().enumerate() {
            if source.subnet.is_unset() {
                findings.error(
                    &format!("ingress.{number}"),
                    format!("ingress[{number}]: invalid subnet: it must be specified"),
                );
            }
        }
    }
}

impl Validate for KubeSpanConfig {
    fn validate(&self, findings: &mut Findings) {
        let least = crate::defaults::KUBESPAN_MIN_MTU;
        if self.mtu.is_some_and(|mtu| mtu < least) {
            findings.error("mtu", format!("mtu must be at least {least}"));
        }
        let Some(filters) = &self.filters else { return };
        for text in filters.endpoints.iter().filter(|text| !shared::is_prefix_filter(text)) {
            findings.error(
                "filters.endpoints",
                format!("KubeSpan endpoint filter is not valid: {text:?}"),
            );
        }
        if filters.exclude_advertised_networks.iter().any(Prefix::is_unset) {
            findings.error(
                "filters.excludeAdvertisedNetworks",
                "KubeSpan network filter must not be empty",
            );
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let network = legacy.machine.as_ref().and_then(|machine| machine.network.as_ref());
        if network.is_some_and(|network| network.kubespan.is_some()) {
            taken(findings, "KubeSpanConfig", ".machine.network.kubespan");
        }
    }
}

impl Validate for KubeSpanEndpointsConfig {}

fn probe(interval: Duration, threshold: i64, timeout: Duration, findings: &mut Findings) {
    at_least(Some(interval), Duration::default(), "interval", findings);
    at_least(Some(timeout), Duration::default(), "timeout", findings);
    if threshold < 0 {
        findings.error("failureThreshold", "failureThreshold must not be negative");
    }
}

impl Validate for TcpProbeConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        probe(self.interval, self.failure_threshold, self.timeout, findings);
        if self.endpoint.is_empty() {
            findings.error("endpoint", "endpoint must be specified");
        } else if !shared::is_host_port(&self.endpoint) {
            findings.error("endpoint", format!("endpoint {:?} must be host:port", self.endpoint));
        }
    }
}

impl Validate for HttpProbeConfig {
    fn validate(&self, findings: &mut Findings) {
        named(&self.name, findings);
        probe(self.interval, self.failure_threshold, self.timeout, findings);
        let url = &self.url;
        if url.is_unset() {
            findings.error("url", "url must be specified");
        } else if !matches!(url.scheme.as_str(), "http" | "https") || url.hostname().is_empty() {
            findings.error(
                "url",
                format!("url {:?} must be an absolute http or https URL", url.to_string()),
            );
        }
    }
}
