//! What is loaded next: the drivers of disks and links before the rest, since the machine waits for them.

use std::collections::BTreeMap;

use boot::module::Name;
use sys::process::nicely;
use tokio::task::JoinSet;

use super::modules::{LoadError, Modules};

/// How nice the loading of what is not urgent is: a tenth of the processor is left to it while the machine has other work,
/// so that nobody waits long for a lock of the kernel's that it holds.
const NICE: i32 = 10;

/// How much the machine waits for a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// A driver of a disk or a link.
    First,
    /// Any other device, behind which may be disks and links.
    Device,
    /// A device behind which is neither: buttons, keyboards, screens. Its turn comes when the others have settled.
    Beside,
    /// Nothing that the machine waits for hangs on it, and it takes its time.
    Last,
}

impl Urgency {
    /// Whether the devices have not settled before it is loaded.
    fn is_awaited(self) -> bool {
        self <= Self::Device
    }
}

/// Virtio devices by the numbers of the virtio specification: 1 network, 2 block, 8 SCSI.
const VIRTIO_FIRST: [&str; 3] = ["d00000001", "d00000002", "d00000008"];
/// 3 console, 4 entropy, 5 balloon, 16 graphics, 18 input.
const VIRTIO_BESIDE: [&str; 5] = ["d00000003", "d00000004", "d00000005", "d00000010", "d00000012"];
/// Classes of PCI devices by the PCI code and ID assignment specification: 01 mass storage, 02 networks.
const PCI_FIRST: [&str; 2] = ["bc01", "bc02"];
/// 03 displays, 04 multimedia, 06 00 and 01 the bridges to the processor and to ISA, 0C 05 the bus of sensors.
const PCI_BESIDE: [&str; 5] = ["bc03", "bc04", "bc06sc00", "bc06sc01", "bc0Csc05"];
/// Buttons and lids by the ACPI specification, and as the kernel names those without a device of their own.
const ACPI_BESIDE: [&str; 5] = ["PNP0C0C", "PNP0C0D", "PNP0C0E", "LNXPWRBN", "LNXSLPBN"];

/// How urgent the driver of what says this alias is.
fn urgency(alias: &str) -> Urgency {
    let Some((bus, rest)) = alias.split_once(':') else { return Urgency::Device };
    let begins = |ids: &[&str]| ids.iter().any(|id| rest.starts_with(id));
    let has = |classes: &[&str]| classes.iter().any(|class| rest.contains(class));
    match bus {
        // What a processor can do besides, and quirks of boards.
        "cpu" | "dmi" => Urgency::Last,
        "scsi" | "nvme" => Urgency::First,
        "virtio" if begins(&VIRTIO_FIRST) => Urgency::First,
        "virtio" if begins(&VIRTIO_BESIDE) => Urgency::Beside,
        "pci" if has(&PCI_FIRST) => Urgency::First,
        "pci" if has(&PCI_BESIDE) => Urgency::Beside,
        "acpi" if begins(&ACPI_BESIDE) => Urgency::Beside,
        "input" | "serio" | "hid" => Urgency::Beside,
        _ => Urgency::Device,
    }
}

/// Modules that are loaded and those that are going to be.
pub(super) struct Loads {
    modules: Modules,
    /// Loading keeps a processor busy; more at a time than there are help nobody.
    slots: usize,
    /// What waits for a slot, in the order in which it gets one.
    queue: BTreeMap<(Urgency, u64), Name>,
    /// The places of the names in the queue.
    queued: BTreeMap<Name, (Urgency, u64)>,
    /// The number of the next one to come.
    number: u64,
    under_way: JoinSet<Urgency>,
    /// How many of those under way are devices'.
    awaited: usize,
}

impl Loads {
    pub(super) fn new(modules: Modules) -> Self {
        let slots = std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 8));
        Self {
            modules,
            slots,
            queue: BTreeMap::new(),
            queued: BTreeMap::new(),
            number: 0,
            under_way: JoinSet::new(),
            awaited: 0,
        }
    }

    /// Queues what a device needs.
    pub(super) fn alias(&mut self, alias: &str) {
        for name in self.modules.matching(alias) {
            self.module(name, urgency(alias));
        }
    }

    /// Queues a module, unless it was tried or waits already, no less urgently.
    pub(super) fn module(&mut self, name: Name, urgency: Urgency) {
        if self.modules.was_tried(&name) {
            return;
        }
        let place = (urgency, self.number);
        if let Some(before) = self.queued.get(&name).copied() {
            if before.0 <= urgency {
                return;
            }
            self.queue.remove(&before);
        }
        self.queued.insert(name.clone(), place);
        self.queue.insert(place, name);
        self.number += 1;
    }

    /// Starts loading as much as there is room for of what is no less urgent than `least`; what takes its time, alone.
    pub(super) fn start(&mut self, least: Urgency) {
        while let Some(next) = self.queue.first_entry() {
            let slots = match next.key().0 {
                urgency if urgency > least => 0,
                Urgency::Last => 1,
                _ => self.slots,
            };
            if self.under_way.len() >= slots {
                break;
            }
            let ((urgency, _), name) = next.remove_entry();
            self.queued.remove(&name);
            self.awaited += usize::from(urgency.is_awaited());
            let modules = self.modules.clone();
            self.under_way.spawn_blocking(move || {
                let load = || tell(&name, modules.load(&name, ""));
                match urgency {
                    Urgency::First => load(),
                    _ => nicely(NICE, load),
                }
                urgency
            });
        }
    }

    /// Whether nothing is left to load that could bring a disk or a link.
    pub(super) fn no_device_is_awaited(&self) -> bool {
        let next = self.queue.first_key_value();
        self.awaited == 0 && next.is_none_or(|((urgency, _), _)| !urgency.is_awaited())
    }

    /// Waits until one of those under way is over; for ever when there is none.
    pub(super) async fn next(&mut self) {
        match self.under_way.join_next().await {
            // One that panicked was a device's, for all that is known.
            Some(over) if over.as_ref().is_ok_and(|urgency| !urgency.is_awaited()) => {}
            Some(_) => self.awaited = self.awaited.saturating_sub(1),
            None => std::future::pending().await,
        }
    }
}

fn tell(name: &Name, result: Result<(), LoadError>) {
    use crate::runtime::service::error_chain;
    match result {
        Ok(()) => tracing::debug!(module = name.as_str(), "module loaded"),
        // Told when it happened, or a device that the kernel has built in.
        Err(LoadError::Before { .. } | LoadError::Unknown(_)) => {}
        Err(error) if no_device(&error) => {
            tracing::debug!(module = name.as_str(), "module without a device");
        }
        Err(error) => tracing::warn!(module = name.as_str(), "{}", error_chain(&error)),
    }
}

/// A driver that looks for its device while it starts and finds none says so by refusing.
fn no_device(error: &LoadError) -> bool {
    let LoadError::Module(sys::module::ModuleError::Load { source, .. }) = error else {
        return false;
    };
    // ENODEV and EOPNOTSUPP by their numbers, which are the same on all architectures here.
    matches!(source.raw_os_error(), Some(19 | 95))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_and_links_come_first() {
        for (alias, expected) in [
            ("virtio:d00000001v00001AF4", Urgency::First),
            ("virtio:d00000002v00001AF4", Urgency::First),
            ("virtio:d00000008v00001AF4", Urgency::First),
            ("virtio:d00000004v00001AF4", Urgency::Beside),
            ("virtio:d00000009v00001AF4", Urgency::Device),
            ("pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", Urgency::First),
            ("pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00", Urgency::First),
            ("pci:v00008086d000024CDsv00001AF4sd00001100bc0Csc03i20", Urgency::Device),
            ("pci:v00008086d00002930sv00001AF4sd00001100bc0Csc05i00", Urgency::Beside),
            ("pci:v00001234d00001111sv00001AF4sd00001100bc03sc00i00", Urgency::Beside),
            ("pci:v00008086d000029C0sv00001AF4sd00001100bc06sc00i00", Urgency::Beside),
            ("pci:v00001B36d0000000Csv00000000sd00000000bc06sc04i00", Urgency::Device),
            ("scsi:t-0x00", Urgency::First),
            ("usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00", Urgency::Device),
            ("acpi:PNP0C0C:", Urgency::Beside),
            ("acpi:PNP0A06:", Urgency::Device),
            ("input:b0019v0000p0001e0000-e0,1,k74,ramlsfw", Urgency::Beside),
            ("cpu:type:x86,ven0000fam0006mod003C:feature:,0000", Urgency::Last),
            ("nonsense", Urgency::Device),
        ] {
            assert_eq!(urgency(alias), expected, "{alias}");
        }
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_loaded_last_and_not_awaited() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("modules.dep"), "a.ko:\nb.ko:\nc.ko:\nd.ko:\n").unwrap();
        // b is asked for twice, and more urgently then.
        let aliases =
            "alias cpu:x a\nalias cpu:x b\nalias acpi:x b\nalias scsi:x c\nalias serio:x d\n";
        std::fs::write(root.path().join("modules.alias"), aliases).unwrap();
        let mut loads = Loads::new(Modules::read(root.path()).unwrap());
        loads.slots = 1;
        assert!(loads.no_device_is_awaited());
        for alias in ["cpu:x", "serio:x", "acpi:x", "scsi:x", "scsi:x"] {
            loads.alias(alias);
        }
        // The files are missing, which is an end of loading as well.
        for (tried, least, settled) in [
            ("c", Urgency::Device, false),
            ("b", Urgency::Device, true),
            ("d", Urgency::Beside, true),
            ("a", Urgency::Last, true),
        ] {
            loads.start(least);
            loads.next().await;
            assert!(loads.modules.was_tried(&Name::new(tried)), "{tried}");
            assert_eq!(loads.no_device_is_awaited(), settled, "after {tried}");
            loads.start(least);
            // b's turn is with c's, the others wait for theirs.
            assert_eq!(loads.under_way.is_empty(), settled, "after {tried}");
        }
    }
}
