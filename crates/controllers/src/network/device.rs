//! The old list of interfaces, with the links that its selectors find.
//!
//! A device that is selected stands for every link that its selector finds now; it is looked for again when links change.

use ::config::Config;
use ::config::v1alpha1::{Device, DeviceSelector, LinkTraits};
use ::runtime::controller::Context;
use resource::network::LinkStatusSpec;

use super::NETWORK;
use super::source::is_physical;

/// The devices that are not ignored, each with the name of its link.
pub(super) fn devices(config: &Config, context: &Context) -> Vec<Device> {
    let links = context.list::<LinkStatusSpec>(NETWORK);
    let links: Vec<_> = links.iter().map(|link| (link.id(), &**link.spec)).collect();
    named(config, &links)
}

/// The same of these links, which are given with their names.
pub(super) fn named(config: &Config, links: &[(&str, &LinkStatusSpec)]) -> Vec<Device> {
    let network = config.v1alpha1().and_then(|old| old.machine.as_ref()?.network.as_ref());
    let devices = network.into_iter().flat_map(|network| network.interfaces.iter().flatten());
    let mut named = Vec::new();
    for device in devices.filter(|device| !device.ignore.unwrap_or(false)) {
        let names = match &device.device_selector {
            Some(selector) if device.interface.is_empty() => found(selector, links),
            _ => vec![device.interface.clone()],
        };
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            let mut device = Device { interface: name, ..device.clone() };
            if let Some(bond) = &mut device.bond {
                let selected = bond.device_selectors.iter().flat_map(|one| found(one, links));
                // A bond has its first link's hardware address, by which it would find itself.
                let selected: Vec<String> =
                    selected.filter(|name| *name != device.interface).collect();
                for name in selected {
                    if !bond.interfaces.contains(&name) {
                        bond.interfaces.push(name);
                    }
                }
            }
            named.push(device);
        }
    }
    named
}

fn found(selector: &DeviceSelector, links: &[(&str, &LinkStatusSpec)]) -> Vec<String> {
    let fits = |link: &LinkStatusSpec| {
        selector.finds(&LinkTraits {
            bus_path: &link.device.bus_path,
            hardware_addr: &link.hardware_addr.to_string(),
            permanent_addr: &link.permanent_addr.to_string(),
            pci_id: &link.device.pci_id,
            driver: &link.device.driver,
            physical: is_physical(link),
        })
    };
    links.iter().filter(|(_, link)| fits(link)).map(|(name, _)| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use resource::enums::LinkType;
    use resource::types::HardwareAddr;

    use super::*;

    fn link(last: u8, driver: &str) -> LinkStatusSpec {
        let address = HardwareAddr::from(vec![2, 0, 0, 0, 0, last]);
        let mut link = LinkStatusSpec {
            r#type: LinkType::ETHER,
            hardware_addr: address.clone(),
            permanent_addr: address,
            ..LinkStatusSpec::default()
        };
        link.device.driver = driver.into();
        link
    }

    #[test]
    fn a_selector_stands_for_every_link_that_it_finds() {
        let text = "version: v1alpha1\nmachine:\n  type: worker\n  network:\n    interfaces:\n      \
                    - {interface: eth9, mtu: 9000}\n      \
                    - {deviceSelector: {driver: virtio*}, dhcp: true}\n      \
                    - {deviceSelector: {driver: none}, dhcp: true}\n      \
                    - {deviceSelector: {physical: true}, ignore: true}\n      \
                    - interface: bond0\n        bond: {deviceSelectors: [{permanentAddr: '02:*:03'}, {driver: tg3}]}\n\
                    cluster: {}\n";
        let config = ::config::load(text.as_bytes()).expect("loads");
        let mut bond = link(3, "");
        bond.kind = "bond".into();
        let (one, two, three) = (link(1, "virtio_net"), link(2, "virtio_net"), link(3, "tg3"));
        let links = [("bond0", &bond), ("eth0", &one), ("eth1", &two), ("eth2", &three)];
        let devices = named(&config, &links);
        let names: Vec<&str> = devices.iter().map(|device| device.interface.as_str()).collect();
        assert_eq!(names, ["eth9", "eth0", "eth1", "bond0"]);
        let bond = devices[3].bond.as_ref().expect("a bond");
        assert_eq!(bond.interfaces.iter().collect::<Vec<_>>(), ["eth2"]);
        assert_eq!(named(&config, &[]).len(), 2);
    }
}
