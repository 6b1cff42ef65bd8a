//! Which links a selector of the old list of interfaces finds.

use super::DeviceSelector;
use crate::cel::glob;

/// What is known of a link, each empty where it is not.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkTraits<'a> {
    /// Where the device is on its bus, such as `0000:00:03.0`.
    pub bus_path: &'a str,
    /// The hardware address, as text.
    pub hardware_addr: &'a str,
    /// The hardware address that the device was made with.
    pub permanent_addr: &'a str,
    /// Vendor and product of a PCI device, as `vvvv:pppp`.
    pub pci_id: &'a str,
    /// The driver's name.
    pub driver: &'a str,
    /// The link is a device of its own, not made by software.
    pub physical: bool,
}

impl DeviceSelector {
    /// Whether all that is asked for is true of a link. A selector that asks for nothing finds nothing.
    pub fn finds(&self, link: &LinkTraits<'_>) -> bool {
        let asked = [
            (&self.bus_path, link.bus_path),
            (&self.hardware_addr, link.hardware_addr),
            (&self.permanent_addr, link.permanent_addr),
            (&self.pci_id, link.pci_id),
            (&self.driver, link.driver),
        ];
        let mut asked = asked.into_iter().filter(|(pattern, _)| !pattern.is_empty()).peekable();
        if asked.peek().is_none() && self.physical.is_none() {
            return false;
        }
        // Hexadecimal digits are written in either case.
        let fits =
            |(pattern, own): (&String, &str)| glob(&pattern.to_lowercase(), &own.to_lowercase());
        self.physical.is_none_or(|physical| physical == link.physical) && asked.all(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_asked_for_has_to_fit() {
        let link = LinkTraits {
            bus_path: "0000:00:03.0",
            hardware_addr: "52:54:00:ab:cd:ef",
            permanent_addr: "52:54:00:ab:cd:ef",
            pci_id: "8086:100E",
            driver: "e1000",
            physical: true,
        };
        let finds = |change: &dyn Fn(&mut DeviceSelector)| {
            let mut selector = DeviceSelector::default();
            change(&mut selector);
            selector.finds(&link)
        };
        assert!(!finds(&|_| {}));
        assert!(finds(&|selector| selector.bus_path = "0000:00:*".into()));
        assert!(!finds(&|selector| selector.bus_path = "0000:01:*".into()));
        assert!(finds(&|selector| selector.hardware_addr = "52:54:00:AB:*".into()));
        assert!(finds(&|selector| selector.permanent_addr = "*:ef".into()));
        assert!(finds(&|selector| selector.pci_id = "8086:100e".into()));
        assert!(finds(&|selector| selector.driver = "e1000".into()));
        assert!(!finds(&|selector| selector.driver = "e1000e".into()));
        assert!(finds(&|selector| selector.physical = Some(true)));
        assert!(!finds(&|selector| selector.physical = Some(false)));
        assert!(!finds(&|selector| {
            selector.driver = "e1000".into();
            selector.bus_path = "0000:01:*".into();
        }));
    }
}
