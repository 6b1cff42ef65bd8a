//! Network (routes and routing rules): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::enums::{
    ConfigLayer, Family, RouteFlags, RouteProtocol, RouteType, RoutingRuleAction, RoutingTable,
    Scope,
};
use crate::types::{NetIp, NetIpPrefix};
use crate::{Message, Spec};

/// Route in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "RouteStatuses.net.talos.dev",
    namespace = "network",
    aliases = ["route", "routes"],
    columns = [("Destination", "{.dst}"), ("Gateway", "{.gateway}"), ("Link", "{.outLinkName}"), ("Metric", "{.priority}")],
)]
pub struct RouteStatusSpec {
    #[field(1)]
    pub family: Family,
    #[field(2)]
    pub dst: NetIpPrefix,
    #[field(3)]
    pub src: NetIp,
    #[field(4)]
    pub gateway: NetIp,
    #[field(5, yaml = "outLinkIndex", omit)]
    pub out_link_index: u32,
    #[field(6, yaml = "outLinkName", omit)]
    pub out_link_name: String,
    #[field(7)]
    pub table: RoutingTable,
    #[field(8)]
    pub priority: u32,
    #[field(9)]
    pub scope: Scope,
    #[field(10)]
    pub r#type: RouteType,
    #[field(11)]
    pub flags: RouteFlags,
    #[field(12)]
    pub protocol: RouteProtocol,
    #[field(13, omit)]
    pub mtu: u32,
    #[field(14, yaml = "nextHops", omit)]
    pub next_hops: Vec<RouteNextHop>,
}

/// Wanted route.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "RouteSpecs.net.talos.dev", namespace = "network")]
pub struct RouteSpecSpec {
    #[field(1)]
    pub family: Family,
    #[field(2)]
    pub dst: NetIpPrefix,
    #[field(3)]
    pub src: NetIp,
    #[field(4)]
    pub gateway: NetIp,
    #[field(5, yaml = "outLinkName", omit)]
    pub out_link_name: String,
    #[field(6)]
    pub table: RoutingTable,
    #[field(7, omit)]
    pub priority: u32,
    #[field(8)]
    pub scope: Scope,
    #[field(9)]
    pub r#type: RouteType,
    #[field(10)]
    pub flags: RouteFlags,
    #[field(11)]
    pub protocol: RouteProtocol,
    #[field(12)]
    pub layer: ConfigLayer,
    #[field(13, omit)]
    pub mtu: u32,
    #[field(14, yaml = "nextHops", omit)]
    pub next_hops: Vec<RouteNextHop>,
}

/// Wanted policy routing rule.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "RoutingRuleSpecs.net.talos.dev", namespace = "network")]
pub struct RoutingRuleSpecSpec {
    #[field(1)]
    pub family: Family,
    #[field(2)]
    pub src: NetIpPrefix,
    #[field(3)]
    pub dst: NetIpPrefix,
    #[field(4)]
    pub table: RoutingTable,
    #[field(5)]
    pub priority: u32,
    #[field(6)]
    pub action: RoutingRuleAction,
    #[field(7, yaml = "iifName", omit)]
    pub iif_name: String,
    #[field(8, yaml = "oifName", omit)]
    pub oif_name: String,
    #[field(9, yaml = "fwMark", omit)]
    pub fw_mark: u32,
    #[field(10, yaml = "fwMask", omit)]
    pub fw_mask: u32,
    #[field(11)]
    pub layer: ConfigLayer,
}

/// Policy routing rule in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "RoutingRuleStatuses.net.talos.dev",
    namespace = "network",
    aliases = ["routingrule", "routingrules"],
    columns = [("Src", "{.src}"), ("Dst", "{.dst}"), ("Table", "{.table}"), ("Priority", "{.priority}")],
)]
pub struct RoutingRuleStatusSpec {
    #[field(1)]
    pub family: Family,
    #[field(2)]
    pub src: NetIpPrefix,
    #[field(3)]
    pub dst: NetIpPrefix,
    #[field(4)]
    pub table: RoutingTable,
    #[field(5)]
    pub priority: u32,
    #[field(6)]
    pub action: RoutingRuleAction,
    #[field(7, yaml = "iifName", omit)]
    pub iif_name: String,
    #[field(8, yaml = "oifName", omit)]
    pub oif_name: String,
    #[field(9, yaml = "fwMark", omit)]
    pub fw_mark: u32,
    #[field(10, yaml = "fwMask", omit)]
    pub fw_mask: u32,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct RouteNextHop {
    #[field(1)]
    pub gateway: NetIp,
    #[field(2, yaml = "outLinkName", omit)]
    pub out_link_name: String,
    #[field(3, omit)]
    pub weight: u32,
}
