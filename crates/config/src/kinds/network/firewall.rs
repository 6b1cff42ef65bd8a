//! Which connections the machine takes.

use config_derive::Section;

use crate::List;
use crate::scalar::{PortRange, Prefix, choice};

/// What happens to incoming connections without a rule.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "NetworkDefaultActionConfig", group = "network", since = "1.8")]
pub struct NetworkDefaultActionConfig {
    /// Taken or refused.
    #[field(keep, default = "accept")]
    pub ingress: IngressAction,
}

choice! {
    /// Taken or refused; an absent field means taken, which a patch therefore cannot say.
    IngressAction = Accept {
        /// Taken.
        Accept = "accept",
        /// Refused.
        Block = "block",
    }
}

choice! {
    /// A protocol.
    RuleProtocol {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
        /// ICMP.
        Icmp = "icmp",
        /// ICMPv6.
        Icmpv6 = "icmpv6",
    }
}

/// A rule that takes connections.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "NetworkRuleConfig", group = "network", since = "1.8", named)]
pub struct NetworkRuleConfig {
    /// A name for the rule.
    #[field(keep, required)]
    pub name: String,
    /// The ports.
    pub port_selector: RulePorts,
    /// Where connections may come from.
    #[field(replace)]
    pub ingress: List<RuleSource>,
}

/// The ports of a rule.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct RulePorts {
    /// Ports and ranges.
    #[field(required, replace)]
    pub ports: List<PortRange>,
    /// The protocol.
    #[field(required)]
    pub protocol: RuleProtocol,
}

/// Where connections may come from.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct RuleSource {
    /// The addresses.
    #[field(required)]
    pub subnet: Prefix,
    /// Addresses among them that are left out.
    pub except: Prefix,
}
