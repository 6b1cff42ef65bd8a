//! The settings of a bond as the kernel takes them.
//!
//! The numbers of attributes and the kernel's own settings are those of `include/uapi/linux/if_link.h` and
//! `Documentation/networking/bonding.rst`. Only what differs is written: the kernel refuses some settings while a bond
//! is up or has links, even when nothing would change.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use resource::enums::{ADLACPActive, BondMode};
use resource::network::BondMasterSpec;
use resource::types::NetIp;

/// One setting, by the number of its attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// A number of 8 bits.
    Byte(u16, u8),
    /// A number of 16 bits.
    Short(u16, u16),
    /// A number of 32 bits.
    Word(u16, u32),
    /// The IPv4 addresses that are probed.
    Targets4(Vec<Ipv4Addr>),
    /// The IPv6 addresses that are probed.
    Targets6(Vec<Ipv6Addr>),
}

const MODE: u16 = 1;
const MIIMON: u16 = 3;
const UPDELAY: u16 = 4;
const DOWNDELAY: u16 = 5;
const USE_CARRIER: u16 = 6;
const ARP_INTERVAL: u16 = 7;
const ARP_VALIDATE: u16 = 9;
const ARP_ALL_TARGETS: u16 = 10;
const PRIMARY: u16 = 11;
const PRIMARY_RESELECT: u16 = 12;
const FAIL_OVER_MAC: u16 = 13;
const XMIT_HASH_POLICY: u16 = 14;
const RESEND_IGMP: u16 = 15;
const NUM_PEER_NOTIF: u16 = 16;
const ALL_SLAVES_ACTIVE: u16 = 17;
const MIN_LINKS: u16 = 18;
const LP_INTERVAL: u16 = 19;
const PACKETS_PER_SLAVE: u16 = 20;
const AD_LACP_RATE: u16 = 21;
const AD_SELECT: u16 = 22;
const AD_ACTOR_SYS_PRIO: u16 = 24;
const AD_USER_PORT_KEY: u16 = 25;
const TLB_DYNAMIC_LB: u16 = 27;
const PEER_NOTIF_DELAY: u16 = 28;
const AD_LACP_ACTIVE: u16 = 29;
const MISSED_MAX: u16 = 30;

/// What the kernel takes only from a bond that is down and has no links.
const AT_REST: [u16; 7] = [
    MODE,
    FAIL_OVER_MAC,
    AD_LACP_RATE,
    AD_SELECT,
    AD_ACTOR_SYS_PRIO,
    AD_USER_PORT_KEY,
    TLB_DYNAMIC_LB,
];

impl Setting {
    fn attribute(&self) -> Option<u16> {
        match self {
            Self::Byte(attribute, _) | Self::Short(attribute, _) | Self::Word(attribute, _) => {
                Some(*attribute)
            }
            Self::Targets4(_) | Self::Targets6(_) => None,
        }
    }
}

/// A bond as the kernel makes it when nothing is said.
#[must_use]
pub fn kernel_default() -> BondMasterSpec {
    BondMasterSpec {
        use_carrier: true,
        tlb_logical_lb: 1,
        ad_lacp_active: ADLACPActive::ON,
        ..BondMasterSpec::default()
    }
}

/// What has to be written so that a bond that is as `present` becomes as `wanted`.
#[must_use]
pub fn changes(wanted: &BondMasterSpec, present: &BondMasterSpec) -> Vec<Setting> {
    let known = settings(present);
    settings(wanted).into_iter().filter(|setting| !known.contains(setting)).collect()
}

/// Whether the bond must be down and without links for these changes.
#[must_use]
pub fn need_rest(changes: &[Setting]) -> bool {
    changes.iter().filter_map(Setting::attribute).any(|attribute| AT_REST.contains(&attribute))
}

/// Everything that has a meaning in the bond's mode. Where 0 means that nothing is said, it is the kernel's own.
fn settings(spec: &BondMasterSpec) -> Vec<Setting> {
    let byte = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    let short = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let choice = |number: i32| u8::try_from(number).unwrap_or_default();
    let or = |number: u32, own: u32| if number == 0 { own } else { number };
    let mut all = vec![
        Setting::Byte(MODE, choice(spec.mode.0)),
        Setting::Byte(USE_CARRIER, u8::from(spec.use_carrier)),
        Setting::Byte(FAIL_OVER_MAC, choice(spec.fail_over_mac.0)),
        Setting::Byte(XMIT_HASH_POLICY, choice(spec.xmit_hash_policy.0)),
        Setting::Word(RESEND_IGMP, or(spec.resend_igmp, 1)),
        Setting::Byte(NUM_PEER_NOTIF, byte(or(spec.num_peer_notif, 1))),
        Setting::Byte(ALL_SLAVES_ACTIVE, byte(spec.all_slaves_active)),
        Setting::Word(MIN_LINKS, spec.min_links),
        Setting::Word(LP_INTERVAL, or(spec.lp_interval, 1)),
    ];
    let has_primary = [BondMode::ACTIVE_BACKUP, BondMode::TLB, BondMode::ALB].contains(&spec.mode);
    if has_primary {
        all.push(Setting::Word(PRIMARY, spec.primary_index));
        all.push(Setting::Byte(PRIMARY_RESELECT, choice(spec.primary_reselect.0)));
    }
    match spec.mode {
        BondMode::LACP => all.extend([
            Setting::Byte(AD_LACP_RATE, choice(spec.lacp_rate.0)),
            Setting::Byte(AD_SELECT, choice(spec.ad_select.0)),
            Setting::Short(AD_ACTOR_SYS_PRIO, short(or(spec.ad_actor_sys_prio, 65_535))),
            Setting::Short(AD_USER_PORT_KEY, short(spec.ad_user_port_key)),
            Setting::Byte(AD_LACP_ACTIVE, choice(spec.ad_lacp_active.0)),
        ]),
        BondMode::TLB => all.push(Setting::Byte(TLB_DYNAMIC_LB, byte(spec.tlb_logical_lb))),
        BondMode::ROUNDROBIN => {
            all.push(Setting::Word(PACKETS_PER_SLAVE, or(spec.packets_per_slave, 1)));
        }
        _ => {}
    }
    watch(spec, &mut all);
    all
}

/// How links are seen to be alive: by their carrier or by probes, one of which ends the other.
fn watch(spec: &BondMasterSpec, all: &mut Vec<Setting>) {
    if spec.arp_interval == 0 {
        all.push(Setting::Word(MIIMON, spec.miimon));
        if spec.miimon != 0 {
            all.extend([
                Setting::Word(UPDELAY, spec.updelay),
                Setting::Word(DOWNDELAY, spec.downdelay),
                Setting::Word(PEER_NOTIF_DELAY, spec.peer_notify_delay),
            ]);
        }
        return;
    }
    let choice = |number: i32| u32::try_from(number).unwrap_or_default();
    let missed = u8::try_from(spec.missed_max).unwrap_or(u8::MAX);
    all.extend([
        Setting::Word(ARP_INTERVAL, spec.arp_interval),
        Setting::Word(ARP_VALIDATE, choice(spec.arp_validate.0)),
        Setting::Word(ARP_ALL_TARGETS, choice(spec.arp_all_targets.0)),
        Setting::Byte(MISSED_MAX, if missed == 0 { 2 } else { missed }),
        Setting::Targets4(of_family(&spec.arp_ip_targets, |ip| match ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })),
        Setting::Targets6(of_family(&spec.ns_ip6_targets, |ip| match ip {
            IpAddr::V6(ip) => Some(ip),
            IpAddr::V4(_) => None,
        })),
    ]);
}

fn of_family<T>(targets: &[NetIp], family: fn(IpAddr) -> Option<T>) -> Vec<T> {
    targets.iter().filter_map(|target| family(target.0?)).collect()
}

#[cfg(test)]
mod tests {
    use resource::enums::{BondXmitHashPolicy, LACPRate};

    use super::*;

    #[test]
    fn only_what_differs_is_written() {
        let default = kernel_default();
        assert_eq!(changes(&default, &default), []);
        let lacp = BondMasterSpec {
            mode: BondMode::LACP,
            xmit_hash_policy: BondXmitHashPolicy::LAYER34,
            lacp_rate: LACPRate::FAST,
            miimon: 100,
            updelay: 200,
            ..kernel_default()
        };
        let made = changes(&lacp, &default);
        for expected in [
            Setting::Byte(1, 4),
            Setting::Byte(14, 1),
            Setting::Byte(21, 1),
            Setting::Word(3, 100),
            Setting::Word(4, 200),
            Setting::Short(24, 65_535),
        ] {
            assert!(made.contains(&expected), "{expected:?} in {made:?}");
        }
        assert!(need_rest(&made));
        let slower = BondMasterSpec { miimon: 500, ..lacp.clone() };
        assert_eq!(changes(&slower, &lacp), [Setting::Word(3, 500)]);
        assert!(!need_rest(&changes(&slower, &lacp)));
        // What has no meaning in the mode is not written, even when it is said.
        let other = BondMasterSpec { packets_per_slave: 9, primary_index: 7, ..lacp.clone() };
        assert_eq!(changes(&other, &lacp), []);
    }

    #[test]
    fn probes_and_the_carrier_exclude_each_other() {
        let probed = BondMasterSpec {
            mode: BondMode::ACTIVE_BACKUP,
            arp_interval: 1000,
            miimon: 100,
            arp_ip_targets: vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()],
            primary_index: 3,
            ..kernel_default()
        };
        let made = changes(&probed, &kernel_default());
        assert!(made.contains(&Setting::Targets4(vec![Ipv4Addr::new(10, 0, 0, 1)])), "{made:?}");
        assert!(made.contains(&Setting::Word(11, 3)) && made.contains(&Setting::Word(7, 1000)));
        assert!(!made.iter().any(|setting| setting.attribute() == Some(MIIMON)), "{made:?}");
    }
}
