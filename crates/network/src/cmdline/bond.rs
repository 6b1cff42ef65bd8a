//! The options of `bond=`: those of the kernel's bonding driver, by its names.

use resource::enums::{
    ADSelect, ARPAllTargets, ARPValidate, BondMode, BondXmitHashPolicy, FailOverMAC, LACPRate,
    PrimaryReselect,
};
use resource::network::BondMasterSpec;

const WRONG: &str = "an option has a wrong value";

/// A choice by its text or its number.
fn choice<T>(
    value: &str,
    from_text: fn(&str) -> Option<T>,
    from_number: fn(i32) -> T,
    last: i32,
) -> Result<T, &'static str> {
    if let Some(found) = from_text(value) {
        return Ok(found);
    }
    let number: i32 = value.parse().map_err(|_| WRONG)?;
    if (0..=last).contains(&number) { Ok(from_number(number)) } else { Err(WRONG) }
}

fn number(value: &str) -> Result<u32, &'static str> {
    value.parse().map_err(|_| WRONG)
}

/// Reads `name=value` pairs between commas.
pub(super) fn settings(options: &str) -> Result<BondMasterSpec, &'static str> {
    let mut bond = crate::bond::kernel_default();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').ok_or("an option has no value")?;
        set(&mut bond, name, value)?;
    }
    Ok(bond)
}

fn set(bond: &mut BondMasterSpec, name: &str, value: &str) -> Result<(), &'static str> {
    match name {
        "mode" => bond.mode = choice(value, BondMode::from_text, BondMode, 6)?,
        "xmit_hash_policy" => {
            bond.xmit_hash_policy =
                choice(value, BondXmitHashPolicy::from_text, BondXmitHashPolicy, 4)?;
        }
        "lacp_rate" => bond.lacp_rate = choice(value, LACPRate::from_text, LACPRate, 1)?,
        "arp_validate" => {
            bond.arp_validate = choice(value, ARPValidate::from_text, ARPValidate, 6)?;
        }
        "arp_all_targets" => {
            bond.arp_all_targets = choice(value, ARPAllTargets::from_text, ARPAllTargets, 1)?;
        }
        "primary" => super::link_name(value)?.clone_into(&mut bond.primary),
        "primary_reselect" => {
            bond.primary_reselect = choice(value, PrimaryReselect::from_text, PrimaryReselect, 2)?;
        }
        "fail_over_mac" => {
            bond.fail_over_mac = choice(value, FailOverMAC::from_text, FailOverMAC, 2)?;
        }
        "ad_select" => bond.ad_select = choice(value, ADSelect::from_text, ADSelect, 2)?,
        "miimon" => bond.miimon = number(value)?,
        "updelay" => bond.updelay = number(value)?,
        "downdelay" => bond.downdelay = number(value)?,
        "arp_interval" => bond.arp_interval = number(value)?,
        "arp_ip_target" => {
            for target in value.split(';') {
                bond.arp_ip_targets.push(target.parse().map_err(|_| WRONG)?);
            }
        }
        "resend_igmp" => bond.resend_igmp = number(value)?,
        "min_links" => bond.min_links = number(value)?,
        "lp_interval" => bond.lp_interval = number(value)?,
        "packets_per_slave" => bond.packets_per_slave = number(value)?,
        "num_grat_arp" | "num_unsol_na" => bond.num_peer_notif = number(value)?,
        "tlb_dynamic_lb" => bond.tlb_logical_lb = number(value)?,
        "all_slaves_active" => bond.all_slaves_active = number(value)?,
        "use_carrier" => bond.use_carrier = number(value)? != 0,
        "peer_notif_delay" => bond.peer_notify_delay = number(value)?,
        _ => return Err("there is no such option"),
    }
    Ok(())
}
