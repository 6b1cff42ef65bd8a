//! Links: made when they are logical, set up as wanted, removed when they are not wanted any more.

use resource::enums::{LinkFlags, RoutingTable};
use resource::network::{
    BondMasterSpec, BridgeMasterSpec, LinkSpecSpec, LinkStatusSpec, WireguardSpec,
};

use super::{Links, find_link};
use crate::bond::{self, Setting};

/// One change of the kernel's links.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkStep {
    /// Make a logical link; on the link with this index, where it has one.
    Create {
        /// What is made.
        spec: Box<LinkSpecSpec>,
        /// The link it lies on.
        parent: Option<u32>,
    },
    /// Remove a logical link.
    Delete {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
    },
    /// Bring it up or down.
    Up {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// Up, or down.
        up: bool,
    },
    /// Set its MTU.
    Mtu {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// The MTU.
        mtu: u32,
    },
    /// Set its hardware address.
    HardwareAddr {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// The address.
        address: Vec<u8>,
    },
    /// Put it under a master, or with 0 take it out.
    Master {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// The master's index.
        master: u32,
    },
    /// Switch multicast.
    Multicast {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// On, or off.
        on: bool,
    },
    /// Change settings of a bond.
    Bond {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// What differs.
        changes: Vec<Setting>,
    },
    /// Set up a bridge.
    Bridge {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// Its settings, those that differ.
        bridge: BridgeMasterSpec,
    },
    /// Compare a WireGuard link with what is wanted, which is secret in part, and set up what differs.
    Wireguard {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// Its settings.
        wireguard: Box<WireguardSpec>,
    },
    /// Nothing can be done yet; an event of the kernel will tell.
    Wait {
        /// The link that waits.
        name: String,
        /// For what.
        reason: String,
    },
}

/// The steps for all links. Masters come before those under them. A link that is made is set up
/// in the next pass, when the kernel has told its index.
#[must_use]
pub fn links(wanted: &[(&LinkSpecSpec, bool)], present: &Links) -> Vec<LinkStep> {
    let mut sorted: Vec<&(&LinkSpecSpec, bool)> = wanted.iter().collect();
    sorted.sort_by_key(|(spec, _)| {
        let master = spec.bond_master.is_some() || spec.vrf_master.is_some();
        (!master, spec.bond_slave.slave_index, spec.name.as_str())
    });
    let mut steps = Vec::new();
    for (spec, torn_down) in sorted {
        if *torn_down {
            remove(spec, present, &mut steps);
        } else {
            set_up(spec, present, &mut steps);
        }
    }
    steps
}

fn remove(spec: &LinkSpecSpec, present: &Links, steps: &mut Vec<LinkStep>) {
    let is_going = |name: &str| {
        steps
            .iter()
            .any(|step| matches!(step, LinkStep::Delete { name: other, .. } if other == name))
    };
    // A pair goes with either of its ends.
    if spec.veth.as_ref().is_some_and(|veth| is_going(&veth.peer_name)) {
        return;
    }
    if let (true, Some(link)) = (spec.logical, present.get(&spec.name)) {
        steps.push(LinkStep::Delete { name: spec.name.clone(), index: link.index });
    }
}

fn set_up(spec: &LinkSpecSpec, present: &Links, steps: &mut Vec<LinkStep>) {
    let Some((name, link)) = find_link(present, &spec.name) else {
        let is_made = |name: &str| {
            steps
                .iter()
                .any(|step| matches!(step, LinkStep::Create { spec, .. } if spec.name == name))
        };
        // A pair is made by either of its ends.
        if !spec.veth.as_ref().is_some_and(|veth| is_made(&veth.peer_name)) {
            steps.push(create(spec, present));
        }
        return;
    };
    let (name, index) = (name.to_owned(), link.index);
    if spec.logical && must_be_remade(spec, link, present) {
        steps.push(LinkStep::Delete { name, index });
        steps.push(create(spec, present));
        return;
    }
    if kind_settings(spec, &name, link, present, steps) == Rest::Needed {
        return;
    }
    let hardware = &spec.hardware_addr.0;
    if !hardware.is_empty() && *hardware != link.hardware_addr.0 {
        steps.push(LinkStep::HardwareAddr {
            name: name.clone(),
            index,
            address: hardware.to_vec(),
        });
    }
    if spec.mtu != 0 && spec.mtu != link.mtu {
        steps.push(LinkStep::Mtu { name: name.clone(), index, mtu: spec.mtu });
    }
    if spec.multicast && !link.flags.contains(LinkFlags::MULTICAST) {
        steps.push(LinkStep::Multicast { name: name.clone(), index, on: true });
    }
    master(spec, &name, link, present, steps);
    if spec.up != link.flags.contains(LinkFlags::UP) {
        steps.push(LinkStep::Up { name, index, up: spec.up });
    }
}

/// Whether a link has been brought to rest, so that everything else about it waits for the next pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Needed,
    NotNeeded,
}

/// What only links of its kind have.
fn kind_settings(
    spec: &LinkSpecSpec,
    name: &str,
    link: &LinkStatusSpec,
    present: &Links,
    steps: &mut Vec<LinkStep>,
) -> Rest {
    let (name, index) = (name.to_owned(), link.index);
    if let Some(wireguard) = spec.wireguard.clone() {
        steps.push(LinkStep::Wireguard { name: name.clone(), index, wireguard });
    }
    if let Some(wanted) = &spec.bridge_master {
        let found = link.details.bridge_master.clone().unwrap_or_default();
        // A kernel without a setting refuses even to switch it off.
        let bridge = BridgeMasterSpec {
            stp: wanted.stp.clone().filter(|stp| *stp != found.stp.unwrap_or_default()),
            vlan: wanted.vlan.clone().filter(|vlan| *vlan != found.vlan.unwrap_or_default()),
        };
        if bridge != BridgeMasterSpec::default() {
            steps.push(LinkStep::Bridge { name: name.clone(), index, bridge });
        }
    }
    let Some(wanted) = &spec.bond_master else { return Rest::NotNeeded };
    let mut wanted: BondMasterSpec = (**wanted).clone();
    if !wanted.primary.is_empty() {
        wanted.primary_index =
            find_link(present, &wanted.primary).map_or(0, |(_, link)| link.index);
    }
    let found = link.details.bond_master.as_deref().cloned().unwrap_or_else(bond::kernel_default);
    let changes = bond::changes(&wanted, &found);
    if changes.is_empty() {
        return Rest::NotNeeded;
    }
    let rest = if bond::need_rest(&changes) { Rest::Needed } else { Rest::NotNeeded };
    if rest == Rest::Needed {
        for (slave, status) in present.iter().filter(|(_, slave)| slave.master_index == index) {
            steps.push(LinkStep::Master { name: slave.clone(), index: status.index, master: 0 });
        }
        if link.flags.contains(LinkFlags::UP) {
            steps.push(LinkStep::Up { name: name.clone(), index, up: false });
        }
    }
    steps.push(LinkStep::Bond { name, index, changes });
    rest
}

fn create(spec: &LinkSpecSpec, present: &Links) -> LinkStep {
    let wait = |reason: String| LinkStep::Wait { name: spec.name.clone(), reason };
    if !spec.logical {
        return wait("the device does not exist".to_owned());
    }
    let parent = find_link(present, &spec.parent_name).map(|(_, link)| link.index);
    if !spec.parent_name.is_empty() && parent.is_none() {
        return wait(format!("its parent {} does not exist", spec.parent_name));
    }
    LinkStep::Create { spec: Box::new(spec.clone()), parent }
}

/// Settings that the kernel takes only when a link is made.
fn must_be_remade(spec: &LinkSpecSpec, link: &LinkStatusSpec, present: &Links) -> bool {
    let table = |master: &Option<resource::network::VRFMasterSpec>| {
        master.as_ref().map_or(RoutingTable::UNSPEC, |vrf| vrf.table)
    };
    let parent = find_link(present, &spec.parent_name).map(|(_, parent)| parent.index);
    let peer = |veth: &Option<resource::network::VethSpec>| {
        veth.as_ref().map(|veth| veth.peer_name.clone())
    };
    let found = peer(&link.details.veth);
    let moved = spec.kind == "vlan" && parent.is_some_and(|parent| parent != link.link_index);
    *link.kind != *spec.kind
        || moved
        || (spec.kind == "vlan" && link.details.vlan != spec.vlan)
        || (spec.kind == "veth" && found.is_some() && found != peer(&spec.veth))
        || (spec.kind == "vrf" && table(&link.details.vrf_master) != table(&spec.vrf_master))
}

fn master(
    spec: &LinkSpecSpec,
    name: &str,
    link: &LinkStatusSpec,
    present: &Links,
    steps: &mut Vec<LinkStep>,
) {
    let vrf = spec.vrf_slave.as_ref().map(|slave| slave.master_name.as_str());
    let bridge = spec.bridge_slave.as_ref().map(|slave| slave.master_name.as_str());
    let names = [spec.bond_slave.master_name.as_str(), bridge.unwrap_or(""), vrf.unwrap_or("")];
    let Some(wanted) = names.into_iter().find(|name| !name.is_empty()) else {
        // A master that this system did not give, such as a CNI bridge, is none of its business.
        return;
    };
    let Some((_, master)) = find_link(present, wanted) else {
        let reason = format!("its master {wanted} does not exist");
        steps.push(LinkStep::Wait { name: name.to_owned(), reason });
        return;
    };
    if master.index == link.master_index {
        return;
    }
    // Settings for which a bond must have no links come first.
    if steps.iter().any(|step| matches!(step, LinkStep::Bond { index, changes, .. } if *index == master.index && bond::need_rest(changes))) {
        return;
    }
    // The kernel takes a link into a bond only while it is down.
    let into_bond = wanted == names[0];
    if into_bond && link.flags.contains(LinkFlags::UP) {
        steps.push(LinkStep::Up { name: name.to_owned(), index: link.index, up: false });
    }
    steps.push(LinkStep::Master { name: name.to_owned(), index: link.index, master: master.index });
}

#[cfg(test)]
mod tests {
    use resource::network::{BridgeSlave, BridgeVLANSpec, STPSpec, VLANSpec, VethSpec};

    use super::*;

    fn link(index: u32, kind: &str, flags: LinkFlags) -> LinkStatusSpec {
        LinkStatusSpec { index, kind: kind.into(), flags, mtu: 1500, ..LinkStatusSpec::default() }
    }

    fn spec(name: &str, kind: &str) -> LinkSpecSpec {
        LinkSpecSpec {
            name: name.into(),
            up: true,
            kind: kind.into(),
            logical: !kind.is_empty(),
            ..LinkSpecSpec::default()
        }
    }

    fn steps(spec: &LinkSpecSpec, present: &Links) -> Vec<LinkStep> {
        links(&[(spec, false)], present)
    }

    #[test]
    fn a_physical_link_is_changed_only_where_it_differs() {
        let present = Links::from([("eth0".into(), link(2, "", LinkFlags::default()))]);
        let mut wanted = spec("eth0", "");
        wanted.mtu = 9000;
        assert_eq!(
            steps(&wanted, &present),
            [
                LinkStep::Mtu { name: "eth0".into(), index: 2, mtu: 9000 },
                LinkStep::Up { name: "eth0".into(), index: 2, up: true },
            ]
        );
        let present = Links::from([("eth0".into(), link(2, "", LinkFlags::UP))]);
        wanted.mtu = 1500;
        assert!(steps(&wanted, &present).is_empty());
        assert!(links(&[(&wanted, true)], &present).is_empty());
        wanted.name = "eth7".into();
        assert!(matches!(steps(&wanted, &present)[..], [LinkStep::Wait { .. }]));
    }

    #[test]
    fn a_logical_link_is_made_remade_and_removed() {
        let mut present = Links::from([("eth0".into(), link(2, "", LinkFlags::UP))]);
        let mut wanted = spec("eth0.7", "vlan");
        wanted.parent_name = "eth0".into();
        wanted.vlan = Some(VLANSpec { vlan_id: 7, ..VLANSpec::default() });
        assert!(matches!(
            &steps(&wanted, &present)[..],
            [LinkStep::Create { parent: Some(2), .. }]
        ));
        let mut made = link(3, "vlan", LinkFlags::UP);
        made.details.vlan = Some(VLANSpec { vlan_id: 8, ..VLANSpec::default() });
        made.link_index = 2;
        present.insert("eth0.7".into(), made.clone());
        assert!(matches!(
            &steps(&wanted, &present)[..],
            [LinkStep::Delete { index: 3, .. }, LinkStep::Create { .. }]
        ));
        made.details.vlan.clone_from(&wanted.vlan);
        present.insert("eth0.7".into(), made);
        assert!(steps(&wanted, &present).is_empty());
        assert!(matches!(
            &links(&[(&wanted, true)], &present)[..],
            [LinkStep::Delete { index: 3, .. }]
        ));
        wanted.parent_name = "eth9".into();
        present.remove("eth0.7");
        assert!(matches!(&steps(&wanted, &present)[..], [LinkStep::Wait { .. }]));
    }

    #[test]
    fn a_pair_is_made_and_removed_once() {
        let mut one = spec("a0", "veth");
        one.veth = Some(VethSpec { peer_name: "a1".into() });
        let mut two = spec("a1", "veth");
        two.veth = Some(VethSpec { peer_name: "a0".into() });
        let both = |torn_down| [(&one, torn_down), (&two, torn_down)];
        let made = links(&both(false), &Links::new());
        assert!(matches!(&made[..], [LinkStep::Create { spec, .. }] if spec.name == "a0"));
        let end = |index, peer: &str| {
            let mut end = link(index, "veth", LinkFlags::UP);
            end.details.veth = Some(VethSpec { peer_name: peer.into() });
            end
        };
        let present = Links::from([("a0".into(), end(2, "a1")), ("a1".into(), end(3, "a0"))]);
        assert!(links(&both(false), &present).is_empty());
        assert!(matches!(&links(&both(true), &present)[..], [LinkStep::Delete { index: 2, .. }]));
        let other = Links::from([("a0".into(), end(2, "b1")), ("b1".into(), end(4, "a0"))]);
        let remade = links(&both(false), &other);
        assert!(matches!(
            &remade[..],
            [LinkStep::Delete { index: 2, .. }, LinkStep::Create { .. }]
        ));
    }

    #[test]
    fn a_bond_rests_before_it_changes_its_mode() {
        let mut bond = spec("bond0", "bond");
        let settings = BondMasterSpec { miimon: 100, ..bond::kernel_default() };
        bond.bond_master = Some(Box::new(settings.clone()));
        let mut slave = spec("eth0", "");
        slave.bond_slave.master_name = "bond0".into();
        let wanted = |bond| links(&[(bond, false), (&slave, false)], &Links::new());
        assert!(matches!(&wanted(&bond)[..], [LinkStep::Create { .. }, LinkStep::Wait { .. }]));

        let mut made = link(5, "bond", LinkFlags::UP);
        made.details.bond_master = Some(Box::new(settings.clone()));
        let mut under = link(2, "", LinkFlags::UP);
        under.master_index = 5;
        let mut present = Links::from([("bond0".into(), made), ("eth0".into(), under)]);
        assert!(links(&[(&bond, false), (&slave, false)], &present).is_empty());

        let faster = BondMasterSpec { miimon: 50, ..settings.clone() };
        bond.bond_master = Some(Box::new(faster));
        let changes = vec![Setting::Word(3, 50)];
        assert_eq!(
            links(&[(&bond, false), (&slave, false)], &present),
            [LinkStep::Bond { name: "bond0".into(), index: 5, changes }]
        );

        bond.bond_master = Some(Box::new(BondMasterSpec {
            mode: resource::enums::BondMode::ACTIVE_BACKUP,
            primary: "eth0".into(),
            ..settings
        }));
        let steps = links(&[(&bond, false), (&slave, false)], &present);
        assert!(
            matches!(
                &steps[..],
                [
                    LinkStep::Master { index: 2, master: 0, .. },
                    LinkStep::Up { index: 5, up: false, .. },
                    LinkStep::Bond { .. },
                ]
            ),
            "{steps:?}"
        );
        // In the next pass its link comes back, and it goes up.
        let found = present.get_mut("bond0").unwrap();
        found.flags = LinkFlags::default();
        let mut settings = bond.bond_master.clone().unwrap();
        settings.primary_index = 2;
        found.details.bond_master = Some(settings);
        present.get_mut("eth0").unwrap().master_index = 0;
        let steps = links(&[(&bond, false), (&slave, false)], &present);
        assert_eq!(
            steps,
            [
                LinkStep::Up { name: "bond0".into(), index: 5, up: true },
                LinkStep::Up { name: "eth0".into(), index: 2, up: false },
                LinkStep::Master { name: "eth0".into(), index: 2, master: 5 },
            ]
        );
    }

    #[test]
    fn a_bridge_is_set_up_where_it_differs() {
        let mut bridge = spec("br0", "bridge");
        let stp = Some(STPSpec { enabled: true });
        let vlan = Some(BridgeVLANSpec { filtering_enabled: false });
        bridge.bridge_master = Some(BridgeMasterSpec { stp: stp.clone(), vlan });
        let mut present = Links::from([("br0".into(), link(5, "bridge", LinkFlags::UP))]);
        let only = BridgeMasterSpec { stp, vlan: None };
        assert_eq!(
            steps(&bridge, &present),
            [LinkStep::Bridge { name: "br0".into(), index: 5, bridge: only }]
        );
        let found = present.get_mut("br0").unwrap();
        found.details.bridge_master.clone_from(&bridge.bridge_master);
        assert!(steps(&bridge, &present).is_empty());
    }

    #[test]
    fn masters_are_found_by_any_name() {
        let mut bridge = link(5, "bridge", LinkFlags::UP);
        bridge.names.alt_names = vec!["lan".into()];
        let present =
            Links::from([("br0".into(), bridge), ("eth0".into(), link(2, "", LinkFlags::UP))]);
        let mut wanted = spec("eth0", "");
        wanted.bridge_slave = Some(BridgeSlave { master_name: "lan".into() });
        assert_eq!(
            steps(&wanted, &present),
            [LinkStep::Master { name: "eth0".into(), index: 2, master: 5 }]
        );
    }
}
