//! Links: made when they are logical, set up as wanted, removed when they are not wanted any more.

use resource::enums::{LinkFlags, RoutingTable};
use resource::network::{LinkSpecSpec, LinkStatusSpec};

use super::{Links, find_link};

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
    if let (true, Some(link)) = (spec.logical, present.get(&spec.name)) {
        steps.push(LinkStep::Delete { name: spec.name.clone(), index: link.index });
    }
}

fn set_up(spec: &LinkSpecSpec, present: &Links, steps: &mut Vec<LinkStep>) {
    let Some((name, link)) = find_link(present, &spec.name) else {
        steps.push(create(spec, present));
        return;
    };
    let (name, index) = (name.to_owned(), link.index);
    if spec.logical && must_be_remade(spec, link, present) {
        steps.push(LinkStep::Delete { name, index });
        steps.push(create(spec, present));
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
    let moved = spec.kind == "vlan" && parent.is_some_and(|parent| parent != link.link_index);
    *link.kind != *spec.kind
        || moved
        || (spec.kind == "vlan" && link.details.vlan != spec.vlan)
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
    // The kernel takes a link into a bond only while it is down.
    let into_bond = wanted == names[0];
    if into_bond && link.flags.contains(LinkFlags::UP) {
        steps.push(LinkStep::Up { name: name.to_owned(), index: link.index, up: false });
    }
    steps.push(LinkStep::Master { name: name.to_owned(), index: link.index, master: master.index });
}

#[cfg(test)]
mod tests {
    use resource::network::{BridgeSlave, VLANSpec};

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
