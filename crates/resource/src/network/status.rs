//! Network (status, probes, platform and time servers): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::enums::ConfigLayer;
use crate::network::AddressSpecSpec;
use crate::network::HostnameSpecSpec;
use crate::network::LinkSpecSpec;
use crate::network::OperatorSpecSpec;
use crate::network::ResolverSpecSpec;
use crate::network::RouteSpecSpec;
use crate::runtime::PlatformMetadataSpec;
use crate::types::{Duration, NetIp, Url};
use crate::{Message, Spec};

/// Legacy interface block of the config.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "DeviceConfigSpecs.net.talos.dev", namespace = "network", sensitive)]
pub struct DeviceConfigSpecSpec {
    #[field(1)]
    pub device: String,
}

/// Network config from the platform; ids active, cached.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "PlatformConfigs.net.talos.dev", namespace = "network")]
pub struct PlatformConfigSpec {
    #[field(1)]
    pub addresses: Vec<AddressSpecSpec>,
    #[field(2)]
    pub links: Vec<LinkSpecSpec>,
    #[field(3)]
    pub routes: Vec<RouteSpecSpec>,
    #[field(4)]
    pub hostnames: Vec<HostnameSpecSpec>,
    #[field(5)]
    pub resolvers: Vec<ResolverSpecSpec>,
    #[field(6, yaml = "timeServers")]
    pub time_servers: Vec<TimeServerSpecSpec>,
    #[field(7)]
    pub operators: Vec<OperatorSpecSpec>,
    #[field(8, yaml = "externalIPs")]
    pub external_ips: Vec<NetIp>,
    #[field(9, omit)]
    pub probes: Vec<ProbeSpecSpec>,
    #[field(10, omit)]
    pub metadata: Option<PlatformMetadataSpec>,
}

/// Connectivity probe to run.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "ProbeSpecs.net.talos.dev", namespace = "network")]
pub struct ProbeSpecSpec {
    #[field(1)]
    pub interval: Duration,
    #[field(2, yaml = "failureThreshold")]
    pub failure_threshold: i64,
    #[field(3, omit)]
    pub tcp: Option<TCPProbeSpec>,
    #[field(4)]
    pub layer: ConfigLayer,
    #[field(5, omit)]
    pub http: Option<HTTPProbeSpec>,
}

/// Probe result.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ProbeStatuses.net.talos.dev",
    namespace = "network",
    aliases = ["probe", "probes"],
    columns = [("Success", "{.success}")],
)]
pub struct ProbeStatusSpec {
    #[field(1)]
    pub success: bool,
    #[field(2, yaml = "lastError")]
    pub last_error: String,
}

/// Readiness flags: address, connectivity, hostname, etc files; ids: `status`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "NetworkStatuses.net.talos.dev",
    namespace = "network",
    aliases = ["netstatus", "netstatuses"],
    columns = [("Address", "{.addressReady}"), ("Connectivity", "{.connectivityReady}"), ("Hostname", "{.hostnameReady}"), ("Etc", "{.etcFilesReady}")],
)]
pub struct StatusSpec {
    #[field(1, yaml = "addressReady")]
    pub address_ready: bool,
    #[field(2, yaml = "connectivityReady")]
    pub connectivity_ready: bool,
    #[field(3, yaml = "hostnameReady")]
    pub hostname_ready: bool,
    #[field(4, yaml = "etcFilesReady")]
    pub etc_files_ready: bool,
}

/// Effective NTP servers; ids: `timeservers`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "TimeServerStatuses.net.talos.dev",
    namespace = "network",
    aliases = ["timeserver", "timeservers"],
    columns = [("Timeservers", "{.timeServers}"), ("UseNTS", "{.useNTS}")],
)]
pub struct TimeServerStatusSpec {
    #[field(1, yaml = "timeServers")]
    pub time_servers: Vec<String>,
    #[field(2, yaml = "useNTS")]
    pub use_nts: bool,
}

/// Wanted NTP servers; ids: `timeservers`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "TimeServerSpecs.net.talos.dev",
    namespace = "network",
    columns = [("Timeservers", "{.timeServers}"), ("UseNTS", "{.useNTS}")],
)]
pub struct TimeServerSpecSpec {
    #[field(1, yaml = "timeServers")]
    pub time_servers: Vec<String>,
    #[field(3, yaml = "useNTS", omit)]
    pub use_nts: bool,
    #[field(2)]
    pub layer: ConfigLayer,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct HTTPProbeSpec {
    #[field(1)]
    pub url: Url,
    #[field(2)]
    pub timeout: Duration,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct TCPProbeSpec {
    #[field(1)]
    pub endpoint: String,
    #[field(2)]
    pub timeout: Duration,
}
