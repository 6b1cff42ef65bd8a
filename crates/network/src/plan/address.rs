//! Addresses: added where they are missing, removed when they are not wanted any more. Addresses
//! that were never wanted here are left alone.

use std::collections::BTreeMap;

use resource::network::{AddressSpecSpec, AddressStatusSpec};

use super::{Links, find_link};

/// One change of the kernel's addresses.
#[derive(Clone, Debug, PartialEq)]
pub enum AddressStep {
    /// Add it, or change its settings.
    Add {
        /// The link's index.
        index: u32,
        /// The address.
        spec: AddressSpecSpec,
    },
    /// Remove it.
    Delete {
        /// The link's index.
        index: u32,
        /// The address.
        spec: AddressSpecSpec,
    },
    /// Nothing can be done yet.
    Wait {
        /// The link that is missing.
        link: String,
    },
}

/// The steps for all addresses; `present` holds those of the kernel by their id.
#[must_use]
pub fn addresses(
    wanted: &[(&AddressSpecSpec, bool)],
    present: &BTreeMap<String, AddressStatusSpec>,
    links: &Links,
) -> Vec<AddressStep> {
    let mut steps = Vec::new();
    for (spec, torn_down) in wanted {
        let Some((name, link)) = find_link(links, &spec.link_name) else {
            if !torn_down {
                steps.push(AddressStep::Wait { link: spec.link_name.clone() });
            }
            continue;
        };
        let found = present.get(&crate::id::address(name, spec.address));
        let spec = (*spec).clone();
        match (found, torn_down) {
            (Some(_), true) => steps.push(AddressStep::Delete { index: link.index, spec }),
            (None, true) => {}
            (Some(found), false) if settled(&spec, found) => {}
            (_, false) => steps.push(AddressStep::Add { index: link.index, spec }),
        }
    }
    steps
}

/// The kernel adds flags of its own, such as that an address is permanent.
fn settled(spec: &AddressSpecSpec, found: &AddressStatusSpec) -> bool {
    found.flags.contains(spec.flags)
        && found.scope == spec.scope
        && (spec.priority == 0 || found.priority == spec.priority)
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use resource::enums::AddressFlags;
    use resource::network::LinkStatusSpec;

    use super::*;

    #[test]
    fn only_differences_become_steps() {
        let links = Links::from([(
            "eth0".into(),
            LinkStatusSpec { index: 2, ..LinkStatusSpec::default() },
        )]);
        let spec = AddressSpecSpec {
            address: "10.5.0.2/24".parse().unwrap(),
            link_name: "eth0".into(),
            flags: AddressFlags::PERMANENT,
            ..AddressSpecSpec::default()
        };
        let add = AddressStep::Add { index: 2, spec: spec.clone() };
        let none = BTreeMap::new();
        assert_eq!(addresses(&[(&spec, false)], &none, &links), from_ref(&add));
        assert!(addresses(&[(&spec, true)], &none, &links).is_empty());
        let mut there = AddressStatusSpec {
            address: spec.address,
            link_name: "eth0".into(),
            flags: AddressFlags::PERMANENT | AddressFlags::NO_DAD,
            ..AddressStatusSpec::default()
        };
        let present = BTreeMap::from([("eth0/10.5.0.2/24".into(), there.clone())]);
        assert!(addresses(&[(&spec, false)], &present, &links).is_empty());
        assert!(matches!(
            addresses(&[(&spec, true)], &present, &links)[..],
            [AddressStep::Delete { index: 2, .. }]
        ));
        there.flags = AddressFlags::TENTATIVE;
        let present = BTreeMap::from([("eth0/10.5.0.2/24".into(), there)]);
        assert_eq!(addresses(&[(&spec, false)], &present, &links), [add]);
        let no_links = Links::new();
        assert!(matches!(
            addresses(&[(&spec, false)], &present, &no_links)[..],
            [AddressStep::Wait { .. }]
        ));
    }
}
