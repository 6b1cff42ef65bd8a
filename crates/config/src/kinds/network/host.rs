//! What the host is called and whom it asks: host name, resolvers, time, fixed host entries.

use config_derive::Section;

use crate::List;
use crate::scalar::{Address, Duration, choice};

choice! {
    /// Where a host name comes from when none is given.
    AutoHostname {
        /// From the identity of the machine.
        Stable = "stable",
        /// From nowhere.
        Off = "off",
        /// From the first address; only the old fields can say so, here it is refused.
        Address = "talos-addr",
    }
}

/// The host name.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "HostnameConfig", group = "network", since = "1.12")]
pub struct HostnameConfig {
    /// Where the name comes from when none is given; `talos-addr` is refused.
    pub auto: Option<AutoHostname>,
    /// The name, possibly fully qualified.
    pub hostname: String,
}

choice! {
    /// How a name server is asked.
    DnsProtocol {
        /// Plain.
        Do53 = "Do53",
        /// Over TLS.
        Dot = "DoT",
        /// Over HTTPS.
        Doh = "DoH",
    }
}

/// How names are looked up.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "ResolverConfig", group = "network", since = "1.12")]
pub struct ResolverConfig {
    /// The name servers.
    pub nameservers: List<Nameserver>,
    /// Domains tried when a short name is looked up.
    pub search_domains: SearchDomains,
    /// The local name server.
    #[field(name = "hostDNS", since = "1.14")]
    pub host_dns: Option<ResolverHostDns>,
}

/// A name server.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Nameserver {
    /// Its address.
    #[field(required)]
    pub address: Address,
    /// How it is asked.
    #[field(default = "Do53", since = "1.14")]
    pub protocol: Option<DnsProtocol>,
    /// The name expected in its certificate.
    #[field(since = "1.14")]
    pub tls_server_name: String,
}

/// Domains tried when a short name is looked up.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct SearchDomains {
    /// The domains.
    pub domains: List<String>,
    /// Does not make a search domain of the host name's domain.
    #[field(default = "false")]
    pub disable_default: Option<bool>,
}

/// The local name server.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ResolverHostDns {
    /// Turns it on.
    #[field(default = "false")]
    pub enabled: Option<bool>,
    /// Lets the cluster's name server ask the local one.
    #[field(name = "forwardKubeDNSToHost", default = "false")]
    pub forward_kube_dns_to_host: Option<bool>,
    /// Answers for the names of cluster members.
    #[field(default = "false")]
    pub resolve_member_names: Option<bool>,
}

/// Time synchronisation.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "TimeSyncConfig", group = "network", since = "1.12")]
pub struct TimeSyncConfig {
    /// Keeps the clock in time.
    #[field(default = "true")]
    pub enabled: Option<bool>,
    /// How long the start waits for the first synchronisation; without it, forever.
    pub boot_timeout: Option<Duration>,
    /// Time from servers.
    pub ntp: Option<Ntp>,
    /// Time from devices.
    pub ptp: Option<Ptp>,
}

/// Time from servers.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Ntp {
    /// The servers.
    pub servers: List<String>,
    /// Wants signed answers.
    #[field(name = "useNTS", since = "1.14")]
    pub use_nts: Option<bool>,
}

/// Time from devices.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Ptp {
    /// The devices, such as `/dev/ptp0`.
    pub devices: List<String>,
}

/// Names of an address that need no name server.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "StaticHostConfig", group = "network", since = "1.12", named)]
pub struct StaticHostConfig {
    /// The address.
    #[field(keep, required)]
    pub name: String,
    /// The names.
    #[field(required)]
    pub hostnames: List<String>,
}
