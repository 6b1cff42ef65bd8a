//! What the host is called and whom it asks.

use std::net::IpAddr;
use std::time::Duration;

use super::{View, set};
use crate::conflict::LINKS;
use crate::defaults;
use crate::kinds::network::{
    AutoHostname, DnsProtocol, HostnameConfig, KubeSpanConfig, ResolverConfig, StaticHostConfig,
    TimeSyncConfig,
};

/// The host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hostname {
    /// As given, possibly fully qualified.
    Given(String),
    /// Made of the identity of the machine.
    Stable,
    /// Made of the first address of the machine.
    Address,
    /// Not made by the system.
    Off,
}

/// A name server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nameserver {
    /// Its address.
    pub address: IpAddr,
    /// How it is asked.
    pub protocol: DnsProtocol,
    /// The name expected in its certificate.
    pub tls_server_name: String,
}

/// The local name server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostDns {
    /// Whether it runs.
    pub enabled: bool,
    /// Whether the cluster's name server asks it.
    pub forward_kube_dns: bool,
    /// Whether it answers for the names of cluster members.
    pub resolve_members: bool,
}

/// Time synchronisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeSync {
    /// Whether the clock is kept in time.
    pub enabled: bool,
    /// Time servers, or devices.
    pub servers: Vec<String>,
    /// Whether answers must be signed.
    pub nts: bool,
    /// How long the start waits for the first synchronisation; nothing means forever.
    pub boot_timeout: Option<Duration>,
}

/// The encrypted mesh between nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeSpan {
    /// Whether pod and service networks are routed over the mesh.
    pub advertise_kubernetes_networks: bool,
    /// Whether traffic for an unreachable peer goes around the mesh.
    pub allow_down_peer_bypass: bool,
    /// Whether further endpoints are learned from the mesh.
    pub harvest_extra_endpoints: bool,
    /// The MTU of the mesh link.
    pub mtu: u32,
    /// Endpoints to announce, by subnet.
    pub endpoint_filters: Vec<String>,
    /// Networks that are not announced.
    pub excluded_networks: Vec<String>,
}

impl<'a> View<'a> {
    /// The host name.
    #[must_use]
    pub fn hostname(&self) -> Hostname {
        if let Some(document) = self.config.document::<HostnameConfig>() {
            return match (set(&document.hostname), document.auto) {
                (Some(name), _) => Hostname::Given(name.to_owned()),
                (None, Some(AutoHostname::Stable)) => Hostname::Stable,
                (None, _) => Hostname::Off,
            };
        }
        let machine = self.legacy_machine();
        let network = machine.and_then(|machine| machine.network.as_ref());
        if let Some(name) = network.and_then(|network| set(&network.hostname)) {
            return Hostname::Given(name.to_owned());
        }
        let features = machine.and_then(|machine| machine.features.as_ref());
        let stable = features.and_then(|features| features.stable_hostname).unwrap_or(false);
        if stable { Hostname::Stable } else { Hostname::Address }
    }

    /// The configured name servers; empty when none is configured.
    #[must_use]
    pub fn nameservers(&self) -> Vec<Nameserver> {
        if let Some(document) = self.config.document::<ResolverConfig>()
            && !document.nameservers.is_empty()
        {
            return document
                .nameservers
                .iter()
                .filter_map(|server| {
                    Some(Nameserver {
                        address: server.address.ip()?,
                        protocol: match server.protocol {
                            None | Some(DnsProtocol::Unset) => DnsProtocol::Do53,
                            Some(protocol) => protocol,
                        },
                        tls_server_name: server.tls_server_name.clone(),
                    })
                })
                .collect();
        }
        let network = self.legacy_machine().and_then(|machine| machine.network.as_ref());
        let servers = network.into_iter().flat_map(|network| &network.nameservers);
        servers
            .filter_map(|text| {
                let address = text.parse().ok()?;
                let tls_server_name = String::new();
                Some(Nameserver { address, protocol: DnsProtocol::Do53, tls_server_name })
            })
            .collect()
    }

    /// The configured search domains.
    #[must_use]
    pub fn search_domains(&self) -> &'a [String] {
        if let Some(document) = self.config.document::<ResolverConfig>()
            && document.search_domains.domains.is_given()
        {
            return &document.search_domains.domains;
        }
        let network = self.legacy_machine().and_then(|machine| machine.network.as_ref());
        network.map_or(&[], |network| &network.search_domains)
    }

    /// Whether the host name's domain is left out of the search domains.
    #[must_use]
    pub fn disable_search_domain(&self) -> bool {
        let document = self.config.document::<ResolverConfig>();
        let network = self.legacy_machine().and_then(|machine| machine.network.as_ref());
        document
            .and_then(|document| document.search_domains.disable_default)
            .or(network.and_then(|network| network.disable_search_domain))
            .unwrap_or(false)
    }

    /// The local name server. Here the document wins only when it turns the server on.
    #[must_use]
    pub fn host_dns(&self) -> HostDns {
        let document = self.config.document::<ResolverConfig>();
        if let Some(dns) = document.and_then(|document| document.host_dns.as_ref())
            && dns.enabled.unwrap_or(false)
        {
            return HostDns {
                enabled: true,
                forward_kube_dns: dns.forward_kube_dns_to_host.unwrap_or(false),
                resolve_members: dns.resolve_member_names.unwrap_or(false),
            };
        }
        let features = self.legacy_machine().and_then(|machine| machine.features.as_ref());
        let Some(dns) = features.and_then(|features| features.host_dns.as_ref()) else {
            return HostDns::default();
        };
        HostDns {
            enabled: dns.enabled.unwrap_or(false),
            forward_kube_dns: dns.forward_kube_dns_to_host.unwrap_or(false),
            resolve_members: dns.resolve_member_names.unwrap_or(false),
        }
    }

    /// Time synchronisation.
    #[must_use]
    pub fn time_sync(&self) -> TimeSync {
        let default = || vec![defaults::TIME_SERVER.to_owned()];
        if let Some(document) = self.config.document::<TimeSyncConfig>() {
            let ntp = document.ntp.as_ref();
            let servers: Vec<String> = ntp
                .map(|ntp| ntp.servers.to_vec())
                .into_iter()
                .chain(document.ptp.as_ref().map(|ptp| ptp.devices.to_vec()))
                .flatten()
                .collect();
            let fallback = servers.is_empty();
            return TimeSync {
                enabled: document.enabled.unwrap_or(true),
                servers: if fallback { default() } else { servers },
                nts: ntp.and_then(|ntp| ntp.use_nts).unwrap_or(fallback),
                boot_timeout: document.boot_timeout.map(|timeout| timeout.to_std()),
            };
        }
        let time = self.legacy_machine().and_then(|machine| machine.time.as_ref());
        let servers = time.map(|time| time.servers.to_vec()).unwrap_or_default();
        let fallback = servers.is_empty();
        let timeout = time.map(|time| time.boot_timeout.to_std());
        TimeSync {
            enabled: !time.and_then(|time| time.disabled).unwrap_or(false),
            servers: if fallback { default() } else { servers },
            nts: fallback,
            boot_timeout: timeout.filter(|timeout| !timeout.is_zero()),
        }
    }

    /// Names of addresses that need no name server; documents and old fields are united.
    #[must_use]
    pub fn static_hosts(&self) -> Vec<(String, Vec<String>)> {
        let network = self.legacy_machine().and_then(|machine| machine.network.as_ref());
        let legacy = network.into_iter().flat_map(|network| &network.extra_host_entries);
        let legacy = legacy.map(|entry| (entry.ip.clone(), entry.aliases.to_vec()));
        let documents = self.config.documents::<StaticHostConfig>();
        legacy.chain(documents.map(|d| (d.name.clone(), d.hostnames.to_vec()))).collect()
    }

    /// The encrypted mesh between nodes, when it is on.
    #[must_use]
    pub fn kube_span(&self) -> Option<KubeSpan> {
        macro_rules! view {
            ($source:expr) => {{
                let source = $source;
                let filters = source.filters.as_ref();
                let networks = filters.into_iter().flat_map(|f| &f.exclude_advertised_networks);
                source.enabled.unwrap_or(false).then(|| KubeSpan {
                    advertise_kubernetes_networks: source
                        .advertise_kubernetes_networks
                        .unwrap_or(false),
                    allow_down_peer_bypass: source.allow_down_peer_bypass.unwrap_or(false),
                    harvest_extra_endpoints: source.harvest_extra_endpoints.unwrap_or(false),
                    mtu: source.mtu.unwrap_or(defaults::KUBESPAN_MTU),
                    endpoint_filters: filters.map(|f| f.endpoints.to_vec()).unwrap_or_default(),
                    excluded_networks: networks.map(ToString::to_string).collect(),
                })
            }};
        }
        if let Some(document) = self.config.document::<KubeSpanConfig>() {
            return view!(document);
        }
        let network = self.legacy_machine()?.network.as_ref()?;
        view!(network.kubespan.as_ref()?)
    }

    /// Whether links without configuration ask for addresses by DHCP: they do until any link or DHCP
    /// document, or any old interface, says otherwise.
    #[must_use]
    pub fn implicit_dhcp(&self) -> bool {
        let documents = self.config.all().iter().any(|document| {
            let kind = document.info().kind;
            LINKS.contains(&kind) || matches!(kind, "DHCPv4Config" | "DHCPv6Config")
        });
        let network = self.legacy_machine().and_then(|machine| machine.network.as_ref());
        !documents && network.is_none_or(|network| network.interfaces.is_empty())
    }
}
