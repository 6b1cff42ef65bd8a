//! The settings of a bond, as attributes and back.

use network::bond::{self, Setting};
use resource::enums::{
    ADLACPActive, ADSelect, ARPAllTargets, ARPValidate, BondMode, BondXmitHashPolicy, FailOverMAC,
    LACPRate, PrimaryReselect,
};
use resource::network::{BondMasterSpec, LinkSpecSpec};
use resource::types::NetIp;
use rtnetlink::packet_core::DefaultNla;
use rtnetlink::packet_route::link::{BondAllPortActive, InfoBond, LinkMessage};
use rtnetlink::{LinkBond, LinkMessageBuilder};

/// The message that makes a bond.
pub(crate) fn message(spec: &LinkSpecSpec) -> LinkMessage {
    let own = bond::kernel_default();
    let wanted = spec.bond_master.as_deref().unwrap_or(&own);
    // A primary link is a link of the bond, and the bond has none yet.
    let wanted = BondMasterSpec { primary_index: 0, ..wanted.clone() };
    with(LinkBond::new(&spec.name), &bond::changes(&wanted, &own)).build()
}

/// The message that changes a bond.
pub(crate) fn change(index: u32, name: &str, changes: &[Setting]) -> LinkMessage {
    with(LinkBond::new(name).index(index), changes).build()
}

fn with(bond: LinkMessageBuilder<LinkBond>, settings: &[Setting]) -> LinkMessageBuilder<LinkBond> {
    settings.iter().fold(bond, |bond, setting| bond.append_info_data(attribute(setting)))
}

fn attribute(setting: &Setting) -> InfoBond {
    let plain = |kind: u16, bytes: &[u8]| InfoBond::Other(DefaultNla::new(kind, bytes.to_vec()));
    match setting {
        Setting::Byte(kind, value) => plain(*kind, &[*value]),
        Setting::Short(kind, value) => plain(*kind, &value.to_ne_bytes()),
        Setting::Word(kind, value) => plain(*kind, &value.to_ne_bytes()),
        Setting::Targets4(targets) => InfoBond::ArpIpTarget(targets.clone()),
        Setting::Targets6(targets) => InfoBond::NsIp6Target(targets.clone()),
    }
}

/// Settings as the kernel reports them.
pub(crate) fn read(attributes: Vec<InfoBond>) -> BondMasterSpec {
    let mut bond = bond::kernel_default();
    for attribute in attributes {
        match attribute {
            InfoBond::Mode(mode) => bond.mode = BondMode(i32::from(u8::from(mode))),
            InfoBond::MiiMon(value) => bond.miimon = value,
            InfoBond::UpDelay(value) => bond.updelay = value,
            InfoBond::DownDelay(value) => bond.downdelay = value,
            InfoBond::UseCarrier(on) => bond.use_carrier = on,
            InfoBond::ArpInterval(value) => bond.arp_interval = value,
            InfoBond::ArpIpTarget(targets) => {
                bond.arp_ip_targets =
                    targets.into_iter().map(|ip| NetIp(Some(ip.into()))).collect();
            }
            InfoBond::NsIp6Target(targets) => {
                bond.ns_ip6_targets =
                    targets.into_iter().map(|ip| NetIp(Some(ip.into()))).collect();
            }
            InfoBond::ArpValidate(which) => {
                bond.arp_validate = ARPValidate(i32::try_from(u32::from(which)).unwrap_or(0));
            }
            InfoBond::ArpAllTargets(which) => {
                bond.arp_all_targets = ARPAllTargets(i32::try_from(u32::from(which)).unwrap_or(0));
            }
            InfoBond::Primary(index) => bond.primary_index = index,
            InfoBond::PrimaryReselect(when) => {
                bond.primary_reselect = PrimaryReselect(i32::from(u8::from(when)));
            }
            InfoBond::FailOverMac(whose) => {
                bond.fail_over_mac = FailOverMAC(i32::from(u8::from(whose)));
            }
            InfoBond::XmitHashPolicy(policy) => {
                bond.xmit_hash_policy = BondXmitHashPolicy(i32::from(u8::from(policy)));
            }
            InfoBond::ResendIgmp(value) => bond.resend_igmp = value,
            InfoBond::NumPeerNotif(value) => bond.num_peer_notif = u32::from(value),
            InfoBond::AllPortsActive(state) => {
                bond.all_slaves_active = u32::from(state == BondAllPortActive::Delivered);
            }
            InfoBond::MinLinks(value) => bond.min_links = value,
            InfoBond::LpInterval(value) => bond.lp_interval = value,
            InfoBond::PacketsPerPort(value) => bond.packets_per_slave = value,
            InfoBond::AdLacpRate(rate) => bond.lacp_rate = LACPRate(i32::from(u8::from(rate))),
            InfoBond::AdSelect(how) => bond.ad_select = ADSelect(i32::from(u8::from(how))),
            InfoBond::AdActorSysPrio(value) => bond.ad_actor_sys_prio = u32::from(value),
            InfoBond::AdUserPortKey(value) => bond.ad_user_port_key = u32::from(value),
            InfoBond::TlbDynamicLb(on) => bond.tlb_logical_lb = u32::from(on),
            InfoBond::PeerNotifDelay(value) => bond.peer_notify_delay = value,
            InfoBond::AdLacpActive(on) => bond.ad_lacp_active = ADLACPActive(i32::from(on)),
            InfoBond::MissedMax(value) => bond.missed_max = u32::from(value),
            _ => {}
        }
    }
    bond
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::{Emitable as _, Parseable as _};
    use rtnetlink::packet_route::link::{InfoData, LinkAttribute, LinkInfo};

    use super::*;

    /// Hosts without the driver cannot say whether the bytes are right, so the bytes are read again as the kernel's.
    #[test]
    fn what_is_written_reads_as_what_was_wanted() {
        let wanted = BondMasterSpec {
            mode: BondMode::ACTIVE_BACKUP,
            xmit_hash_policy: BondXmitHashPolicy::LAYER34,
            fail_over_mac: FailOverMAC::FOLLOW,
            primary_reselect: PrimaryReselect::BETTER,
            arp_interval: 1000,
            arp_validate: ARPValidate::ALL,
            arp_all_targets: ARPAllTargets::ALL,
            arp_ip_targets: vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()],
            ns_ip6_targets: vec!["fd00::1".parse().unwrap()],
            missed_max: 5,
            min_links: 1,
            resend_igmp: 3,
            num_peer_notif: 4,
            lp_interval: 7,
            all_slaves_active: 1,
            ..bond::kernel_default()
        };
        let lacp = BondMasterSpec {
            mode: BondMode::LACP,
            miimon: 100,
            updelay: 200,
            downdelay: 300,
            peer_notify_delay: 400,
            lacp_rate: LACPRate::FAST,
            ad_select: ADSelect::COUNT,
            ad_actor_sys_prio: 7,
            ad_user_port_key: 9,
            ad_lacp_active: ADLACPActive::OFF,
            ..bond::kernel_default()
        };
        let balanced =
            BondMasterSpec { mode: BondMode::TLB, tlb_logical_lb: 0, ..bond::kernel_default() };
        let turns = BondMasterSpec { packets_per_slave: 3, ..bond::kernel_default() };
        for wanted in [wanted, lacp, balanced, turns, bond::kernel_default()] {
            let spec = LinkSpecSpec {
                name: "bond0".into(),
                bond_master: Some(Box::new(wanted.clone())),
                ..LinkSpecSpec::default()
            };
            let message = message(&spec);
            let mut bytes = vec![0; message.buffer_len()];
            message.emit(&mut bytes);
            let again = LinkMessage::parse(bytes.as_slice()).unwrap();
            let infos = again.attributes.into_iter().find_map(|attribute| match attribute {
                LinkAttribute::LinkInfo(infos) => Some(infos),
                _ => None,
            });
            let data = infos.unwrap().into_iter().find_map(|info| match info {
                LinkInfo::Data(InfoData::Bond(data)) => Some(data),
                _ => None,
            });
            assert_eq!(read(data.unwrap_or_default()), wanted);
        }
    }
}
