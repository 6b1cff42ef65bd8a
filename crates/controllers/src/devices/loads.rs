//! What is loaded next: the drivers of disks and links before the rest, since the machine waits for them.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Nothing that the machine waits for hangs on it.
    Last,
}

/// How urgent the driver of what says this alias is. The classes of PCI devices are those of the PCI code and ID
/// assignment specification: 01 mass storage, 02 networks; the numbers of virtio devices are those of its
/// specification: 1 network, 2 block, 8 SCSI.
fn urgency(alias: &str) -> Urgency {
    let Some((bus, rest)) = alias.split_once(':') else { return Urgency::Device };
    let first = match bus {
        // What a processor can do besides, and quirks of boards.
        "cpu" | "dmi" => return Urgency::Last,
        "virtio" => ["d00000001", "d00000002", "d00000008"].iter().any(|id| rest.starts_with(id)),
        "pci" => rest.contains("bc01") || rest.contains("bc02"),
        "scsi" | "nvme" => true,
        _ => false,
    };
    if first { Urgency::First } else { Urgency::Device }
}

/// Modules that are loaded and those that are going to be.
pub(super) struct Loads {
    modules: Modules,
    /// Loading keeps a processor busy; more at a time than there are help nobody.
    slots: usize,
    /// What waits for a slot, in the order in which it gets one.
    queue: BTreeMap<(Urgency, u64), Name>,
    /// The names in the queue.
    queued: BTreeSet<Name>,
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
            queued: BTreeSet::new(),
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

    /// Queues a module, unless it was tried or waits already.
    pub(super) fn module(&mut self, name: Name, urgency: Urgency) {
        if self.modules.was_tried(&name) || !self.queued.insert(name.clone()) {
            return;
        }
        self.queue.insert((urgency, self.number), name);
        self.number += 1;
    }

    /// Starts loading as much as there is room for; what nobody waits for only with `all`.
    pub(super) fn start(&mut self, all: bool) {
        while self.under_way.len() < self.slots
            && let Some(next) = self.queue.first_entry()
            && (all || next.key().0 != Urgency::Last)
        {
            let ((urgency, _), name) = next.remove_entry();
            self.queued.remove(&name);
            self.awaited += usize::from(urgency != Urgency::Last);
            let modules = self.modules.clone();
            self.under_way.spawn_blocking(move || {
                let load = || tell(&name, modules.load(&name, ""));
                match urgency {
                    Urgency::First => load(),
                    Urgency::Device | Urgency::Last => nicely(NICE, load),
                }
                urgency
            });
        }
    }

    /// Whether nothing is left to load that could bring a disk or a link.
    pub(super) fn no_device_is_awaited(&self) -> bool {
        let next = self.queue.first_key_value();
        self.awaited == 0 && next.is_none_or(|((urgency, _), _)| *urgency == Urgency::Last)
    }

    /// Waits until one of those under way is over; for ever when there is none.
    pub(super) async fn next(&mut self) {
        match self.under_way.join_next().await {
            // One that panicked was a device's, for all that is known.
            Some(over) if over.as_ref().is_ok_and(|urgency| *urgency == Urgency::Last) => {}
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
            ("virtio:d00000004v00001AF4", Urgency::Device),
            ("pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", Urgency::First),
            ("pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00", Urgency::First),
            ("pci:v00008086d000024CDsv00001AF4sd00001100bc0Csc03i20", Urgency::Device),
            ("scsi:t-0x00", Urgency::First),
            ("usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00", Urgency::Device),
            ("acpi:PNP0C0C:", Urgency::Device),
            ("cpu:type:x86,ven0000fam0006mod003C:feature:,0000", Urgency::Last),
            ("nonsense", Urgency::Device),
        ] {
            assert_eq!(urgency(alias), expected, "{alias}");
        }
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_loaded_last_and_not_awaited() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("modules.dep"), "a.ko:\nb.ko:\nc.ko:\n").unwrap();
        let aliases = "alias cpu:x a\nalias acpi:x b\nalias scsi:x c\n";
        std::fs::write(root.path().join("modules.alias"), aliases).unwrap();
        let mut loads = Loads::new(Modules::read(root.path()).unwrap());
        loads.slots = 1;
        assert!(loads.no_device_is_awaited());
        for alias in ["cpu:x", "acpi:x", "scsi:x", "scsi:x"] {
            loads.alias(alias);
        }
        // The files are missing, which is an end of loading as well.
        for (tried, settled) in [("c", false), ("b", true)] {
            loads.start(false);
            loads.next().await;
            assert!(loads.modules.was_tried(&Name::new(tried)), "{tried}");
            assert_eq!(loads.no_device_is_awaited(), settled, "after {tried}");
        }
        loads.start(false);
        assert!(loads.under_way.is_empty(), "it waits until it is allowed");
        loads.start(true);
        loads.next().await;
        assert!(loads.modules.was_tried(&Name::new("a")));
        assert!(loads.no_device_is_awaited());
    }
}
