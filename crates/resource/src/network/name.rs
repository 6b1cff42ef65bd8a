//! Network (names, hosts and resolvers): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::enums::{ConfigLayer, DNSProtocol};
use crate::types::{NetIp, NetIpPort};
use crate::{Message, Spec};

/// Host DNS listener state (id like tcp-127.0.0.53:53).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "DNSResolveCaches.net.talos.dev",
    namespace = "network",
    columns = [("Status", "{.status}")],
)]
pub struct DNSResolveCacheSpec {
    #[field(1)]
    pub status: String,
}

/// Upstream of the host DNS cache and its health. It lives in the process: the wire form is empty.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "DNSUpstreams.net.talos.dev",
    namespace = "network",
    columns = [("Healthy", "{.healthy}"), ("Address", "{.addr}")],
)]
pub struct DNSUpstreamSpec {
    #[field(local)]
    pub healthy: String,
    #[field(local)]
    pub addr: String,
}

/// Host DNS cache settings; ids: `config`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "HostDNSConfigs.net.talos.dev",
    namespace = "network",
    columns = [("Enabled", "{.enabled}")],
)]
pub struct HostDNSConfigSpec {
    #[field(1)]
    pub enabled: bool,
    #[field(2, yaml = "listenAddresses", omit)]
    pub listen_addresses: Vec<NetIpPort>,
    #[field(3, yaml = "serviceHostDNSAddress", omit)]
    pub service_host_dns_address: NetIp,
    #[field(4, yaml = "resolveMemberNames", omit)]
    pub resolve_member_names: bool,
    #[field(5, yaml = "serviceHostDNSAddressV6", omit)]
    pub service_host_dns_address_v6: NetIp,
}

/// Effective host and domain name; ids: `hostname`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "HostnameStatuses.net.talos.dev",
    namespace = "network",
    aliases = ["hostname"],
    columns = [("Hostname", "{.hostname}"), ("Domainname", "{.domainname}")],
)]
pub struct HostnameStatusSpec {
    #[field(1)]
    pub hostname: String,
    #[field(2)]
    pub domainname: String,
}

/// Wanted host name; ids: `hostname`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "HostnameSpecs.net.talos.dev", namespace = "network")]
pub struct HostnameSpecSpec {
    #[field(1)]
    pub hostname: String,
    #[field(2)]
    pub domainname: String,
    #[field(3)]
    pub layer: ConfigLayer,
}

/// Effective DNS servers and search domains; ids: `resolvers`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ResolverStatuses.net.talos.dev",
    namespace = "network",
    aliases = ["resolvers"],
    columns = [("Resolvers", "{.dnsServers}"), ("Search Domains", "{.searchDomains}")],
)]
pub struct ResolverStatusSpec {
    #[field(1, yaml = "dnsServers")]
    pub dns_servers: Vec<NetIp>,
    #[field(4, yaml = "nameServers", omit)]
    pub name_servers: Vec<NameServerSpec>,
    #[field(2, yaml = "searchDomains")]
    pub search_domains: Vec<String>,
}

/// Wanted resolvers; ids: `resolvers`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ResolverSpecs.net.talos.dev",
    namespace = "network",
    columns = [("Layer", "{.layer}"), ("Resolvers", "{.dnsServers}"), ("Search Domains", "{.searchDomains}")],
)]
pub struct ResolverSpecSpec {
    #[field(1, yaml = "dnsServers")]
    pub dns_servers: Vec<NetIp>,
    #[field(4, yaml = "nameServers", omit)]
    pub name_servers: Vec<NameServerSpec>,
    #[field(2)]
    pub layer: ConfigLayer,
    #[field(3, yaml = "searchDomains", omit)]
    pub search_domains: Vec<String>,
    #[field(5, yaml = "searchDomainsOverridden", omit)]
    pub search_domains_overridden: bool,
}

/// Static name served by host DNS (id = name).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "StaticHosts.net.talos.dev",
    namespace = "network",
    columns = [("Addresses", "{.addresses}")],
)]
pub struct StaticHostSpec {
    #[field(1)]
    pub addresses: Vec<NetIp>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct NameServerSpec {
    #[field(1)]
    pub addr: NetIp,
    #[field(2)]
    pub protocol: DNSProtocol,
    #[field(3, yaml = "tlsServerName")]
    pub tls_server_name: String,
}
