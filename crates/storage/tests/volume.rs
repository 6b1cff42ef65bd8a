//! Volume plans on disks in memory: the first boot, with power cuts between its writes, and
//! everything that must not be overwritten.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use resource::block::{DiscoveredVolumeSpec, DiskSpec, VolumeConfigSpec};
use resource::enums::VolumePhase;
use storage::gpt::{self, EDGE, Geometry, Request, Table};
use storage::probe::{Content, Ends, probe, table};
use storage::volume::{Action, Disk, Fresh, Observed, Part, Step, actions, plan, system};
use storage::{Guid, Piece, ext4};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const PAGE: u64 = 4096;

/// A disk whose pages exist once they are written.
#[derive(Clone, Default)]
struct Memory {
    size: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Memory {
    fn new(size: u64) -> Self {
        Self { size, pages: BTreeMap::new() }
    }

    fn write(&mut self, piece: &Piece<'_>) {
        let (mut at, mut rest) = (piece.offset, &*piece.bytes);
        while !rest.is_empty() {
            let within = usize::try_from(at % PAGE).unwrap();
            let (now, later) = rest.split_at(rest.len().min(4096 - within));
            let page = self.pages.entry(at / PAGE).or_insert_with(|| vec![0; 4096]);
            page[within..within + now.len()].copy_from_slice(now);
            at += now.len() as u64;
            rest = later;
        }
    }

    fn read(&self, offset: u64, length: u64) -> Vec<u8> {
        let (first, count) = (offset / PAGE, length.div_ceil(PAGE) + 1);
        let mut bytes = vec![0; usize::try_from(count * PAGE).unwrap()];
        for (number, page) in self.pages.range(first..first + count) {
            let at = usize::try_from((number - first) * PAGE).unwrap();
            bytes[at..at + 4096].copy_from_slice(page);
        }
        let skipped = usize::try_from(offset % PAGE).unwrap();
        bytes[skipped..skipped + usize::try_from(length).unwrap()].to_vec()
    }

    fn look(&self, offset: u64, size: u64) -> (Content, Option<Table>) {
        let edge = (EDGE as u64).min(size);
        let (first, last) = (self.read(offset, edge), self.read(offset + size - edge, edge));
        let ends = Ends { first: &first, last: &last, size, sector_size: 512 };
        (probe(ends), table(ends).ok())
    }
}

/// The disk as controllers see it.
fn disk(name: &str, memory: &Memory) -> Disk {
    let (content, table) = memory.look(0, memory.size);
    let mut parts = Vec::new();
    for (number, partition) in table.iter().flat_map(Table::partitions) {
        let table = table.as_ref().unwrap();
        let (offset, size) = (table.offset(partition), table.size(partition));
        let (content, _) = memory.look(offset, size);
        let found = content.first();
        parts.push(Part {
            name: format!("{name}{number}"),
            number: *number,
            volume: DiscoveredVolumeSpec {
                dev_path: format!("/dev/{name}{number}"),
                size,
                offset,
                name: found.map(|found| found.kind.name().to_owned()).unwrap_or_default(),
                uuid: found.map(|found| found.uuid.clone()).unwrap_or_default(),
                partition_label: partition.label.clone(),
                partition_uuid: partition.id.to_string(),
                ..Default::default()
            },
            content,
        });
    }
    let spec = DiskSpec {
        dev_path: format!("/dev/{name}"),
        size: memory.size,
        sector_size: 512,
        ..Default::default()
    };
    let volume = DiscoveredVolumeSpec { dev_path: format!("/dev/{name}"), ..Default::default() };
    Disk { name: name.into(), spec, volume, content, table, parts }
}

fn observe(disks: &[(&str, &Memory)]) -> Observed {
    let disks: Vec<Disk> = disks.iter().map(|(name, memory)| disk(name, memory)).collect();
    let system_disk = Observed::find_system_disk(&disks, None);
    Observed { disks, settled: true, system_disk }
}

/// A disk that an image was written to.
fn installed(size: u64) -> Memory {
    let mut memory = Memory::new(size);
    let small = Geometry::new(512, 40 * MIB).unwrap();
    let mut table = Table::new(small, Guid::derived(&["image"]));
    for (label, kind, size) in [("EFI", gpt::EFI_SYSTEM, 34 * MIB), ("META", gpt::LINUX_DATA, MIB)]
    {
        let id = Guid::derived(&["image", label]);
        let (label, max) = (label.to_owned(), Some(size));
        table.add(Request { label, kind, id, attributes: 0, min: size, max }).unwrap();
    }
    for piece in table.encode() {
        memory.write(&piece);
    }
    memory
}

fn complete() -> config::Config {
    config::load(include_bytes!("../../config/examples/v1alpha1.yaml")).unwrap()
}

fn wishes(config: Option<&config::Config>) -> Vec<(String, VolumeConfigSpec)> {
    system::configs(config).into_iter().map(|(id, spec)| (id.to_owned(), spec)).collect()
}

fn phases(
    observed: &Observed,
    wishes: &[(String, VolumeConfigSpec)],
) -> Vec<(String, VolumePhase)> {
    let plan = plan(wishes, observed);
    plan.statuses.into_iter().map(|(id, status)| (id, status.phase)).collect()
}

fn error(observed: &Observed, volume: &str) -> String {
    let plan = plan(&wishes(Some(&complete())), observed);
    assert_eq!(plan.statuses[volume].phase, VolumePhase::FAILED, "{:?}", plan.statuses[volume]);
    plan.statuses[volume].error_message.clone()
}

/// Takes steps until there are none, or until `writes` are done. Gives the writes it did.
fn boot(memory: &mut Memory, writes: usize) -> usize {
    let wishes = wishes(Some(&complete()));
    let mut done = 0;
    for round in 0_u8..20 {
        let observed = observe(&[("vda", memory)]);
        let steps = plan(&wishes, &observed).steps;
        if steps.is_empty() {
            break;
        }
        let random = [1, 2, 3, 4].map(|number| [number * 16 + round; 16]);
        for step in steps {
            for action in actions(&step, &observed, Fresh { random, time: 1 }).unwrap() {
                let Action::Write { device, piece } = action else { continue };
                if done == writes {
                    return done;
                }
                let part = observed.disks[0].parts.iter().find(|part| part.name == device);
                let base = part.map_or(0, |part| part.volume.offset);
                memory.write(&piece.shifted(base));
                done += 1;
            }
        }
    }
    done
}

#[test]
fn the_first_boot_makes_what_is_missing() {
    let mut memory = installed(10 * GIB);
    let before = observe(&[("vda", &memory)]);
    assert_eq!(before.system_disk.as_deref(), Some("vda"));
    let missing =
        [("META".to_owned(), VolumePhase::READY), ("STATE".to_owned(), VolumePhase::MISSING)];
    assert_eq!(phases(&before, &wishes(None)), missing, "maintenance changes nothing");
    let unsettled = Observed { settled: false, ..before };
    let plan = plan(&wishes(None), &unsettled);
    assert_eq!(plan.waits["STATE"], "the machine's disks to be found");

    boot(&mut memory, usize::MAX);
    let after = observe(&[("vda", &memory)]);
    let ready = phases(&after, &wishes(Some(&complete())));
    assert!(ready.iter().all(|(_, phase)| *phase == VolumePhase::READY), "{ready:?}");
    let table = after.disks[0].table.as_ref().unwrap();
    let sizes: Vec<_> = table
        .partitions()
        .values()
        .map(|partition| {
            (partition.label.as_str(), table.size(partition) / MIB, partition.attributes)
        })
        .collect();
    assert_eq!(
        sizes,
        [("EFI", 34, 0), ("META", 1, 0), ("STATE", 100, 0), ("EPHEMERAL", 10 * 1024 - 137, 0)]
    );
    // The next boot finds everything, with or without a configuration at hand.
    assert_eq!(boot(&mut memory, usize::MAX), 0);
    assert!(phases(&after, &wishes(None)).iter().all(|(_, phase)| *phase == VolumePhase::READY));
}

#[test]
fn a_power_cut_loses_nothing() {
    let whole = boot(&mut installed(3 * GIB), usize::MAX);
    assert!(whole > 30, "{whole}");
    // Every write of tables and of STATE; of the many like ones of EPHEMERAL's format some.
    for cut in (0..whole).filter(|cut| *cut < 80 || cut + 30 > whole || cut % 97 == 0) {
        let mut memory = installed(3 * GIB);
        // Leftovers of an earlier installation, where STATE will be.
        let parameters = ext4::Parameters {
            size: 100 * MIB,
            uuid: Guid::derived(&["old"]),
            hash_seed: Guid::ZERO,
            label: "STATE".into(),
            time: 0,
        };
        for piece in ext4::Filesystem::new(&parameters).unwrap().pieces() {
            memory.write(&piece.shifted(36 * MIB));
        }
        assert_eq!(boot(&mut memory, cut), cut);
        boot(&mut memory, usize::MAX);
        let after = observe(&[("vda", &memory)]);
        let phases = phases(&after, &wishes(Some(&complete())));
        assert!(
            phases.iter().all(|(_, phase)| *phase == VolumePhase::READY),
            "after a cut at write {cut}: {phases:?}"
        );
        let state = after.disks[0].parts.iter().find(|part| part.volume.partition_label == "STATE");
        assert_ne!(state.unwrap().volume.uuid, parameters.uuid.to_string(), "cut {cut}");
    }
}

#[test]
fn a_larger_disk_is_used_up() {
    let mut memory = installed(3 * GIB);
    boot(&mut memory, usize::MAX);
    memory.size = 6 * GIB;
    let observed = observe(&[("vda", &memory)]);
    let steps = plan(&wishes(Some(&complete())), &observed).steps;
    assert!(matches!(steps.as_slice(), [Step::Grow { number: 4, .. }]), "{steps:?}");
    boot(&mut memory, usize::MAX);
    let after = observe(&[("vda", &memory)]);
    assert_eq!(after.disks[0].parts[3].volume.size / MIB, 6 * 1024 - 137);
    assert_eq!(phases(&after, &wishes(Some(&complete())))[0].1, VolumePhase::READY);
}

#[test]
fn what_cannot_be_done_is_explained() {
    let none = error(&observe(&[]), "STATE");
    assert_eq!(
        none,
        "no disk for volume STATE: none meets \"system_disk\" (disks of this machine: none)"
    );
    let blank = error(&observe(&[("sda", &Memory::new(GIB))]), "STATE");
    assert!(blank.ends_with("(disks of this machine: /dev/sda)"), "{blank}");
    let mut small = installed(GIB);
    boot(&mut small, usize::MAX);
    let small = error(&observe(&[("vda", &small)]), "EPHEMERAL");
    assert_eq!(
        small,
        "no disk for volume EPHEMERAL: /dev/vda: 2048 MiB are needed in one piece, 887 MiB are free"
    );
}

#[test]
fn foreign_data_is_never_overwritten() {
    let mut memory = installed(3 * GIB);
    boot(&mut memory, usize::MAX);
    let parts = observe(&[("vda", &memory)]).disks[0].parts.clone();
    let state = &parts[2];
    for (bytes, what) in
        [(&b"XFSB"[..], "data of an unknown kind"), (b"LUKS\xba\xbe\0\x02", "luks")]
    {
        let mut memory = memory.clone();
        for piece in storage::probe::wipe(state.volume.size) {
            memory.write(&piece.shifted(state.volume.offset));
        }
        memory.write(&Piece::owned(state.volume.offset, bytes.to_vec()));
        let text = error(&observe(&[("vda", &memory)]), "STATE");
        assert!(text.contains(&format!("holds {what}; it is not overwritten")), "{text}");
    }
    // A damaged superblock of our own counts too.
    let mut damaged = memory.clone();
    damaged.write(&Piece::owned(state.volume.offset + 1024 + 0x70, vec![0xff; 4]));
    let text = error(&observe(&[("vda", &damaged)]), "STATE");
    assert!(text.contains("holds a damaged ext4 file system"), "{text}");
    // And so does a whole second disk that is the same volume.
    let text = error(&observe(&[("vda", &memory), ("vdb", &memory.clone())]), "STATE");
    assert!(
        text.starts_with("several partitions are volume STATE: /dev/vda3, /dev/vdb3"),
        "{text}"
    );
}
