//! Network (addresses): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;
use crate::enums::{AddressFlags, AddressSortAlgorithm, ConfigLayer, Family, Scope};
use crate::types::{NetIp, NetIpPrefix};

/// Address present in the kernel (id link/prefix).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "AddressStatuses.net.talos.dev",
    namespace = "network",
    aliases = ["address", "addresses"],
    columns = [("Address", "{.address}"), ("Link", "{.linkName}")],
)]
pub struct AddressStatusSpec {
    #[field(1)]
    pub address: NetIpPrefix,
    #[field(2, omit)]
    pub local: NetIp,
    #[field(3, omit)]
    pub broadcast: NetIp,
    #[field(4, omit)]
    pub anycast: NetIp,
    #[field(5, omit)]
    pub multicast: NetIp,
    #[field(6, yaml = "linkIndex")]
    pub link_index: u32,
    #[field(7, yaml = "linkName")]
    pub link_name: String,
    #[field(8)]
    pub family: Family,
    #[field(9)]
    pub scope: Scope,
    #[field(10)]
    pub flags: AddressFlags,
    #[field(11)]
    pub priority: u32,
}

/// Wanted address; layered copies in network-config.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "AddressSpecs.net.talos.dev", namespace = "network")]
pub struct AddressSpecSpec {
    #[field(1)]
    pub address: NetIpPrefix,
    #[field(2, yaml = "linkName")]
    pub link_name: String,
    #[field(3)]
    pub family: Family,
    #[field(4)]
    pub scope: Scope,
    #[field(5)]
    pub flags: AddressFlags,
    #[field(6, yaml = "announceWithARP", omit)]
    pub announce_with_arp: bool,
    #[field(8, omit)]
    pub priority: u32,
    #[field(7)]
    pub layer: ConfigLayer,
}

/// Address sets: default, current, accumulative, routed and filtered variants; ids: `default` `current` `accumulative` `routed`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "NodeAddresses.net.talos.dev",
    namespace = "network",
    columns = [("Addresses", "{.addresses}"), ("SortAlgorithm", "{.sortAlgorithm}")],
)]
pub struct NodeAddressSpec {
    #[field(1)]
    pub addresses: Vec<NetIpPrefix>,
    #[field(2, yaml = "sortAlgorithm")]
    pub sort_algorithm: AddressSortAlgorithm,
}

/// Include/exclude subnets producing the filtered sets.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "NodeAddressFilters.net.talos.dev",
    namespace = "network",
    columns = [("Include Subnets", "{.includeSubnets}"), ("Exclude Subnets", "{.excludeSubnets}")],
)]
pub struct NodeAddressFilterSpec {
    #[field(1, yaml = "includeSubnets")]
    pub include_subnets: Vec<NetIpPrefix>,
    #[field(2, yaml = "excludeSubnets")]
    pub exclude_subnets: Vec<NetIpPrefix>,
}

/// Address ordering v1 or v2; ids: `default`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "NodeAddressSortAlgorithms.net.talos.dev",
    namespace = "network",
    columns = [("Algorithm", "{.algorithm}")],
)]
pub struct NodeAddressSortAlgorithmSpec {
    #[field(1)]
    pub algorithm: AddressSortAlgorithm,
}
