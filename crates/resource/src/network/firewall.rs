//! Network (nftables chains): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::enums::{
    ConntrackState, ICMPType, MatchOperator, NfTablesChainHook, NfTablesChainPriority,
    NfTablesVerdict, Protocol,
};
use crate::types::NetIpPrefix;
use crate::{Message, Spec};

/// Wanted nftables chain and rules.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "NfTablesChains.net.talos.dev",
    namespace = "network",
    aliases = ["chain", "chains"],
    columns = [("Type", "{.type}"), ("Hook", "{.hook}"), ("Priority", "{.priority}"), ("Policy", "{.policy}")],
)]
pub struct NfTablesChainSpec {
    #[field(1)]
    pub r#type: String,
    #[field(2)]
    pub hook: NfTablesChainHook,
    #[field(3)]
    pub priority: NfTablesChainPriority,
    #[field(5)]
    pub policy: NfTablesVerdict,
    #[field(4)]
    pub rules: Vec<NfTablesRule>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct NfTablesAddressMatch {
    #[field(1, yaml = "includeSubnets", omit)]
    pub include_subnets: Vec<NetIpPrefix>,
    #[field(2, yaml = "excludeSubnets", omit)]
    pub exclude_subnets: Vec<NetIpPrefix>,
    #[field(3, omit)]
    pub invert: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct NfTablesClampMSS {
    #[field(1)]
    pub mtu: u32,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct NfTablesConntrackStateMatch {
    #[field(1)]
    pub states: Vec<ConntrackState>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct NfTablesICMPTypeMatch {
    #[field(1)]
    pub types: Vec<ICMPType>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct NfTablesIfNameMatch {
    #[field(3, yaml = "interfaceName")]
    pub interface_name: Vec<String>,
    #[field(2)]
    pub operator: MatchOperator,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct NfTablesLayer4Match {
    #[field(1)]
    pub protocol: Protocol,
    #[field(2, yaml = "matchSourcePort", omit)]
    pub match_source_port: Option<NfTablesPortMatch>,
    #[field(3, yaml = "matchDestinationPort", omit)]
    pub match_destination_port: Option<NfTablesPortMatch>,
    #[field(4, yaml = "matchICMPType", omit)]
    pub match_icmp_type: Option<NfTablesICMPTypeMatch>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct NfTablesLimitMatch {
    #[field(1, yaml = "packetRatePerSecond")]
    pub packet_rate_per_second: u64,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct NfTablesMark {
    #[field(1, omit)]
    pub mask: u32,
    #[field(2, omit)]
    pub xor: u32,
    #[field(3, omit)]
    pub value: u32,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct NfTablesPortMatch {
    #[field(1, omit)]
    pub ranges: Vec<PortRange>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct NfTablesRule {
    #[field(8, yaml = "matchIIfName", omit)]
    pub match_i_if_name: Option<NfTablesIfNameMatch>,
    #[field(1, yaml = "matchOIfName", omit)]
    pub match_o_if_name: Option<NfTablesIfNameMatch>,
    #[field(3, yaml = "matchMark", omit)]
    pub match_mark: Option<NfTablesMark>,
    #[field(11, yaml = "matchConntrackState", omit)]
    pub match_conntrack_state: Option<NfTablesConntrackStateMatch>,
    #[field(5, yaml = "matchSourceAddress", omit)]
    pub match_source_address: Option<NfTablesAddressMatch>,
    #[field(6, yaml = "matchDestinationAddress", omit)]
    pub match_destination_address: Option<NfTablesAddressMatch>,
    #[field(7, yaml = "matchLayer4", omit)]
    pub match_layer4: Option<NfTablesLayer4Match>,
    #[field(10, yaml = "matchLimit", omit)]
    pub match_limit: Option<NfTablesLimitMatch>,
    #[field(9, yaml = "clampMSS", omit)]
    pub clamp_mss: Option<NfTablesClampMSS>,
    #[field(4, yaml = "setMark", omit)]
    pub set_mark: Option<NfTablesMark>,
    #[field(12, yaml = "anonymousCounter", omit)]
    pub anonymous_counter: bool,
    #[field(2, omit)]
    pub verdict: NfTablesVerdict,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct PortRange {
    #[field(1)]
    pub lo: u32,
    #[field(2)]
    pub hi: u32,
}
