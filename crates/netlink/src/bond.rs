//! The settings of a bond, which the kernel takes while it has no links yet.

use std::net::IpAddr;

use resource::network::{BondMasterSpec, LinkSpecSpec};
use rtnetlink::packet_route::link::{BondAllPortActive, LinkMessage};
use rtnetlink::{LinkBond, LinkMessageBuilder};

/// A number of the contract as the kernel's attribute takes it; the contract's numbers are the kernel's.
fn number<T: TryFrom<i32> + Default>(value: i32) -> T {
    T::try_from(value).unwrap_or_default()
}

/// The message that makes a bond. Settings that the spec leaves at zero stay the kernel's own.
pub(crate) fn message(spec: &LinkSpecSpec) -> LinkMessage {
    let mut bond = LinkBond::new(&spec.name);
    if let Some(master) = &spec.bond_master {
        bond = settings(bond, master);
        bond = timers(bond, master);
    }
    bond.build()
}

type Builder = LinkMessageBuilder<LinkBond>;

fn settings(bond: Builder, spec: &BondMasterSpec) -> Builder {
    let mut bond = bond
        .mode(number::<u8>(spec.mode.0).into())
        .xmit_hash_policy(number::<u8>(spec.xmit_hash_policy.0).into())
        .primary_reselect(number::<u8>(spec.primary_reselect.0).into())
        .fail_over_mac(number::<u8>(spec.fail_over_mac.0).into())
        .use_carrier(spec.use_carrier)
        .all_ports_active(if spec.all_slaves_active == 0 {
            BondAllPortActive::Dropped
        } else {
            BondAllPortActive::Delivered
        })
        .min_links(spec.min_links);
    // The kernel refuses these in the other modes.
    if spec.mode == resource::enums::BondMode::LACP {
        bond = bond
            .ad_lacp_rate(number::<u8>(spec.lacp_rate.0).into())
            .ad_select(number::<u8>(spec.ad_select.0).into());
        if spec.ad_actor_sys_prio != 0 {
            bond =
                bond.ad_actor_sys_prio(u16::try_from(spec.ad_actor_sys_prio).unwrap_or(u16::MAX));
        }
        if spec.ad_user_port_key != 0 {
            bond = bond.ad_user_port_key(u16::try_from(spec.ad_user_port_key).unwrap_or(u16::MAX));
        }
    }
    bond
}

fn timers(mut bond: Builder, spec: &BondMasterSpec) -> Builder {
    if spec.miimon != 0 {
        bond = bond.miimon(spec.miimon).updelay(spec.updelay).downdelay(spec.downdelay);
    }
    if spec.arp_interval != 0 {
        bond = bond
            .arp_interval(spec.arp_interval)
            .arp_validate(number::<u32>(spec.arp_validate.0).into())
            .arp_all_targets(number::<u32>(spec.arp_all_targets.0).into());
        let targets = spec.arp_ip_targets.iter().filter_map(|target| match target.0 {
            Some(IpAddr::V4(ip)) => Some(ip),
            _ => None,
        });
        let targets: Vec<_> = targets.collect();
        if !targets.is_empty() {
            bond = bond.arp_ip_target(targets);
        }
    }
    if spec.resend_igmp != 0 {
        bond = bond.resend_igmp(spec.resend_igmp);
    }
    if spec.lp_interval != 0 {
        bond = bond.lp_interval(spec.lp_interval);
    }
    if spec.num_peer_notif != 0 {
        bond = bond.num_peer_notif(u8::try_from(spec.num_peer_notif).unwrap_or(u8::MAX));
    }
    bond
}
