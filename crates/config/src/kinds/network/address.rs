//! Addresses and routes apart from links: DHCP, shared addresses, black holes, routing rules.

use config_derive::Section;

use crate::scalar::{Prefix, RoutingTable, choice};

choice! {
    /// What a DHCP client calls itself.
    ClientIdentifier {
        /// Nothing.
        None = "none",
        /// Its hardware address.
        Mac = "mac",
        /// A given identifier.
        Duid = "duid",
    }
}

/// DHCP for IPv4 on a link.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "DHCPv4Config", group = "network", since = "1.12", named)]
pub struct Dhcpv4Config {
    /// The link.
    #[field(keep, required)]
    pub name: String,
    /// The priority of routes learned.
    #[field(default = "1024")]
    pub route_metric: u32,
    /// Does not take the host name.
    #[field(default = "false")]
    pub ignore_hostname: Option<bool>,
    /// Does not take routes.
    #[field(default = "false", since = "1.13")]
    pub ignore_routes: Option<bool>,
    /// What the client calls itself.
    #[field(default = "mac")]
    pub client_identifier: Option<ClientIdentifier>,
    /// The given identifier, in hexadecimal.
    pub duid_raw: String,
}

/// DHCP for IPv6 on a link.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "DHCPv6Config", group = "network", since = "1.12", named)]
pub struct Dhcpv6Config {
    /// The link.
    #[field(keep, required)]
    pub name: String,
    /// The priority of routes learned.
    #[field(default = "1024")]
    pub route_metric: u32,
    /// Does not take the host name.
    #[field(default = "false")]
    pub ignore_hostname: Option<bool>,
    /// What the client calls itself.
    #[field(default = "mac")]
    pub client_identifier: Option<ClientIdentifier>,
    /// The given identifier, in hexadecimal.
    pub duid_raw: String,
}

/// A shared address that one of the control planes holds on a link.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "Layer2VIPConfig", group = "network", since = "1.12", named)]
pub struct Layer2VipConfig {
    /// The address.
    #[field(keep, required)]
    pub name: String,
    /// The link.
    #[field(required)]
    pub link: String,
}

/// A shared address that is moved through the Hetzner Cloud API.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "HCloudVIPConfig", group = "network", since = "1.12", named)]
pub struct HcloudVipConfig {
    /// The address.
    #[field(keep, required)]
    pub name: String,
    /// The link.
    #[field(required)]
    pub link: String,
    /// The token for the API.
    #[field(required, secret)]
    pub api_token: String,
}

/// A destination whose packets are dropped.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "BlackholeRouteConfig", group = "network", since = "1.13", named)]
pub struct BlackholeRouteConfig {
    /// The destination.
    #[field(keep, required)]
    pub name: String,
    /// The priority, lower wins.
    pub metric: u32,
}

choice! {
    /// What a routing rule does.
    RoutingRuleAction {
        /// Looks into a table.
        Unicast = "unicast",
        /// Drops.
        Blackhole = "blackhole",
        /// Refuses as unreachable.
        Unreachable = "unreachable",
        /// Refuses as forbidden.
        Prohibit = "prohibit",
    }
}

/// A rule that chooses a routing table.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "RoutingRuleConfig", group = "network", since = "1.13", named)]
pub struct RoutingRuleConfig {
    /// The priority of the rule.
    #[field(keep, required)]
    pub name: String,
    /// The source of packets.
    pub src: Prefix,
    /// The destination of packets.
    pub dst: Prefix,
    /// The table.
    #[field(required)]
    pub table: RoutingTable,
    /// What is done.
    #[field(default = "unicast")]
    pub action: RoutingRuleAction,
    /// The link on which packets come.
    pub iif_name: String,
    /// The link on which packets go.
    pub oif_name: String,
    /// The mark of packets.
    pub fw_mark: u32,
    /// The bits of the mark that count.
    pub fw_mask: u32,
}
