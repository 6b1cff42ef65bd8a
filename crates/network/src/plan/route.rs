//! Routes: added where they are missing or different, removed when they are not wanted any more.

use std::collections::BTreeMap;

use resource::network::{RouteSpecSpec, RouteStatusSpec};

use super::{Links, find_link};

/// One change of the kernel's routes.
#[derive(Clone, Debug, PartialEq)]
pub enum RouteStep {
    /// Add it, or replace the one with the same destination, table and priority.
    Add {
        /// The route.
        spec: RouteSpecSpec,
        /// The index of its link; 0 for none.
        link: u32,
        /// The indices of its next hops' links.
        hops: Vec<u32>,
    },
    /// Remove it.
    Delete {
        /// The route.
        spec: RouteSpecSpec,
        /// The index of its link; 0 for none.
        link: u32,
        /// The indices of its next hops' links.
        hops: Vec<u32>,
    },
    /// Nothing can be done yet.
    Wait {
        /// The link that is missing.
        link: String,
    },
}

/// The steps for all routes; `present` holds those of the kernel by their id.
#[must_use]
pub fn routes(
    wanted: &[(&RouteSpecSpec, bool)],
    present: &BTreeMap<String, RouteStatusSpec>,
    links: &Links,
) -> Vec<RouteStep> {
    let mut steps = Vec::new();
    for (spec, torn_down) in wanted {
        let (link, hops) = match target(spec, links) {
            Ok(target) => target,
            // A link that is gone took its routes with it.
            Err(_) if *torn_down => continue,
            Err(link) => {
                steps.push(RouteStep::Wait { link });
                continue;
            }
        };
        let found = present.get(&crate::id::route(spec));
        let spec = (*spec).clone();
        match (found, torn_down) {
            (Some(_), true) => steps.push(RouteStep::Delete { spec, link, hops }),
            (None, true) => {}
            (Some(found), false) if settled(&spec, found, link) => {}
            (_, false) => steps.push(RouteStep::Add { spec, link, hops }),
        }
    }
    steps
}

fn target(spec: &RouteSpecSpec, links: &Links) -> Result<(u32, Vec<u32>), String> {
    let index = |name: &str| {
        if name.is_empty() {
            return Ok(0);
        }
        find_link(links, name).map(|(_, link)| link.index).ok_or_else(|| name.to_owned())
    };
    let hops = spec.next_hops.iter().map(|hop| index(&hop.out_link_name));
    Ok((index(&spec.out_link_name)?, hops.collect::<Result<_, _>>()?))
}

fn settled(spec: &RouteSpecSpec, found: &RouteStatusSpec, link: u32) -> bool {
    (link == 0 || found.out_link_index == link)
        && found.scope == spec.scope
        && found.protocol == spec.protocol
        && found.mtu == spec.mtu
        && found.r#type == spec.r#type
        && (spec.src.0.is_none() || found.src == spec.src)
        && found.next_hops == spec.next_hops
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use resource::enums::{Family, RouteProtocol, RouteType, RoutingTable};
    use resource::network::LinkStatusSpec;

    use super::*;

    #[test]
    fn a_route_is_replaced_when_it_differs() {
        let links = Links::from([(
            "eth0".into(),
            LinkStatusSpec { index: 2, ..LinkStatusSpec::default() },
        )]);
        let spec = RouteSpecSpec {
            family: Family::INET4,
            gateway: "10.5.0.1".parse().unwrap(),
            out_link_name: "eth0".into(),
            table: RoutingTable::MAIN,
            priority: 1024,
            r#type: RouteType::UNICAST,
            protocol: RouteProtocol::STATIC,
            ..RouteSpecSpec::default()
        };
        let add = RouteStep::Add { spec: spec.clone(), link: 2, hops: Vec::new() };
        assert_eq!(routes(&[(&spec, false)], &BTreeMap::new(), &links), from_ref(&add));
        let mut found = RouteStatusSpec {
            out_link_index: 2,
            r#type: RouteType::UNICAST,
            protocol: RouteProtocol::STATIC,
            ..RouteStatusSpec::default()
        };
        let id = "inet4/10.5.0.1//1024".to_owned();
        let present = BTreeMap::from([(id.clone(), found.clone())]);
        assert!(routes(&[(&spec, false)], &present, &links).is_empty());
        found.mtu = 1400;
        let present = BTreeMap::from([(id, found)]);
        assert_eq!(routes(&[(&spec, false)], &present, &links), [add]);
        assert!(matches!(
            routes(&[(&spec, true)], &present, &links)[..],
            [RouteStep::Delete { link: 2, .. }]
        ));
        assert!(matches!(
            routes(&[(&spec, false)], &present, &Links::new())[..],
            [RouteStep::Wait { .. }]
        ));
        assert!(routes(&[(&spec, true)], &present, &Links::new()).is_empty());
    }
}
