//! Bonds.

use config_derive::Section;

use super::CommonLink;
use crate::List;
use crate::scalar::{Address, HardwareAddress, choice};

choice! {
    /// How a bond spreads traffic.
    BondMode {
        /// One link after the other.
        BalanceRr = "balance-rr",
        /// One link, the others wait.
        ActiveBackup = "active-backup",
        /// By a hash of the packet.
        BalanceXor = "balance-xor",
        /// Every packet on every link.
        Broadcast = "broadcast",
        /// LACP.
        Lacp = "802.3ad",
        /// Sent packets by load.
        BalanceTlb = "balance-tlb",
        /// All packets by load.
        BalanceAlb = "balance-alb",
    }
}

choice! {
    /// What a link is chosen by.
    XmitHashPolicy {
        /// Hardware addresses.
        Layer2 = "layer2",
        /// Addresses and ports.
        Layer34 = "layer3+4",
        /// Hardware and IP addresses.
        Layer23 = "layer2+3",
        /// As layer2+3, inside tunnels.
        Encap23 = "encap2+3",
        /// As layer3+4, inside tunnels.
        Encap34 = "encap3+4",
        /// VLAN and source.
        VlanSrcMac = "vlan+srcmac",
    }
}

choice! {
    /// Which ARP probes are checked.
    ArpValidate {
        /// None.
        None = "none",
        /// Those of the active link.
        Active = "active",
        /// Those of the other links.
        Backup = "backup",
        /// All.
        All = "all",
        /// None, but all ARP packets count.
        Filter = "filter",
        /// Those of the active link, only ARP packets count.
        FilterActive = "filter_active",
        /// Those of the other links, only ARP packets count.
        FilterBackup = "filter_backup",
    }
}

choice! {
    /// How many probed addresses must answer.
    ArpAllTargets {
        /// One.
        Any = "any",
        /// All.
        All = "all",
    }
}

choice! {
    /// How often LACP packets are wanted.
    LacpRate {
        /// Every 30 seconds.
        Slow = "slow",
        /// Every second.
        Fast = "fast",
    }
}

choice! {
    /// Whose hardware address the bond has after a failover.
    FailOverMac {
        /// The same as before.
        None = "none",
        /// The active link's.
        Active = "active",
        /// The others follow.
        Follow = "follow",
    }
}

choice! {
    /// How an aggregator is chosen.
    AdSelect {
        /// The first that fits.
        Stable = "stable",
        /// By bandwidth.
        Bandwidth = "bandwidth",
        /// By the number of links.
        Count = "count",
    }
}

choice! {
    /// Whether LACP packets are sent unasked.
    AdLacpActive {
        /// Sent.
        On = "on",
        /// Only as answers.
        Off = "off",
    }
}

choice! {
    /// When the preferred link takes over again.
    PrimaryReselect {
        /// At once.
        Always = "always",
        /// When it is better.
        Better = "better",
        /// When the active link fails.
        Failure = "failure",
    }
}

/// A bond.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "BondConfig", group = "network", since = "1.12", named)]
pub struct BondConfig {
    /// The name of the link.
    #[field(keep, required)]
    pub name: String,
    /// The hardware address.
    pub hardware_addr: HardwareAddress,
    /// The links that make the bond.
    #[field(required)]
    pub links: List<String>,
    /// How traffic is spread.
    #[field(required)]
    pub bond_mode: Option<BondMode>,
    /// Milliseconds between checks of the links.
    pub miimon: Option<u32>,
    /// Milliseconds before a link counts as up.
    pub updelay: Option<u32>,
    /// Milliseconds before a link counts as down.
    pub downdelay: Option<u32>,
    /// Takes the link state from the driver.
    pub use_carrier: Option<bool>,
    /// How a link is chosen for a packet.
    pub xmit_hash_policy: Option<XmitHashPolicy>,
    /// Milliseconds between ARP probes.
    pub arp_interval: Option<u32>,
    /// IPv4 addresses that are probed.
    pub arp_ip_targets: List<Address>,
    /// IPv6 addresses that are probed.
    pub ns_ip6_targets: List<Address>,
    /// Which ARP probes are checked.
    pub arp_validate: Option<ArpValidate>,
    /// How many probed addresses must answer.
    pub arp_all_targets: Option<ArpAllTargets>,
    /// How often LACP packets are wanted.
    pub lacp_rate: Option<LacpRate>,
    /// Whose hardware address the bond has after a failover.
    pub fail_over_mac: Option<FailOverMac>,
    /// How an aggregator is chosen.
    pub ad_select: Option<AdSelect>,
    /// The system priority in LACP.
    pub ad_actor_sys_prio: Option<u16>,
    /// The upper part of the port key in LACP.
    pub ad_user_port_key: Option<u16>,
    /// Whether LACP packets are sent unasked.
    #[field(name = "adLACPActive")]
    pub ad_lacp_active: Option<AdLacpActive>,
    /// When the preferred link takes over again.
    pub primary_reselect: Option<PrimaryReselect>,
    /// How many IGMP reports follow a failover.
    #[field(name = "resendIGMP")]
    pub resend_igmp: Option<u32>,
    /// How many links must be up.
    pub min_links: Option<u32>,
    /// Seconds between learning packets.
    pub lp_interval: Option<u32>,
    /// Packets per link before the next one is used.
    pub packets_per_slave: Option<u32>,
    /// How many peer notifications follow a failover.
    pub num_peer_notif: Option<u8>,
    /// Moves flows between links by load.
    pub tlb_logical_lb: Option<u8>,
    /// Delivers duplicates received on inactive links.
    pub all_slaves_active: Option<u8>,
    /// Milliseconds between peer notifications.
    pub peer_notif_delay: Option<u32>,
    /// How many probes may be missed.
    pub missed_max: Option<u8>,
    /// What all links have in common.
    #[field(inline)]
    pub common: CommonLink,
}
