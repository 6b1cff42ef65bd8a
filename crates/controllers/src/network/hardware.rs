//! What `/sys` says of the device behind a link (Documentation/ABI/testing/sysfs-class-net, sysfs-bus-pci).
//!
//! Must never: fail. A link that software made has no device, and one that goes while it is looked at says nothing.

use std::fs;
use std::path::Path;

use resource::network::LinkDevice;

/// Writes down what is known of the device behind the link of this name.
pub(super) fn describe(sys: &Path, link: &str, device: &mut LinkDevice) {
    let Ok(own) = fs::canonicalize(sys.join("class/net").join(link).join("device")) else { return };
    device.driver = linked(&own, "driver").unwrap_or_default();
    device.vendor_id = text(&own, "vendor");
    device.product_id = text(&own, "device");
    // A virtual function of a bus within the bus, such as virtio, is found by the PCI device that it is on.
    let pci = own.ancestors().find(|path| linked(path, "subsystem").as_deref() == Some("pci"));
    let place = pci.unwrap_or(&own);
    device.bus_path = name(place).unwrap_or_default();
    let Some(pci) = pci else { return };
    let events = text(pci, "uevent");
    let id = events.lines().find_map(|line| line.strip_prefix("PCI_ID="));
    device.pci_id = id.unwrap_or_default().to_owned();
}

/// The name of what a link in this directory leads to.
fn linked(directory: &Path, link: &str) -> Option<String> {
    fs::read_link(directory.join(link)).ok().as_deref().and_then(name)
}

fn name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

fn text(directory: &Path, file: &str) -> String {
    let read = fs::read_to_string(directory.join(file)).unwrap_or_default();
    read.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_virtio_link_is_on_a_pci_device() {
        let root = tempfile::tempdir().unwrap();
        let sys = root.path();
        let pci = sys.join("devices/pci0000:00/0000:00:03.0");
        put(&pci.join("uevent"), "DRIVER=virtio-pci\nPCI_ID=1AF4:1041\n");
        symlink("../../../bus/pci", pci.join("subsystem")).unwrap();
        let virtio = pci.join("virtio1");
        put(&virtio.join("vendor"), "0x1af4\n");
        put(&virtio.join("device"), "0x0001\n");
        symlink("../../../../bus/virtio", virtio.join("subsystem")).unwrap();
        symlink("../../../../bus/virtio/drivers/virtio_net", virtio.join("driver")).unwrap();
        fs::create_dir_all(sys.join("class/net/eth0")).unwrap();
        symlink(&virtio, sys.join("class/net/eth0/device")).unwrap();
        let mut device = LinkDevice::default();
        describe(sys, "eth0", &mut device);
        let expected = LinkDevice {
            bus_path: "0000:00:03.0".into(),
            pci_id: "1AF4:1041".into(),
            driver: "virtio_net".into(),
            vendor_id: "0x1af4".into(),
            product_id: "0x0001".into(),
            ..LinkDevice::default()
        };
        assert_eq!(device, expected);
        let mut none = LinkDevice::default();
        describe(sys, "bond0", &mut none);
        assert_eq!(none, LinkDevice::default());
    }
}
