//! The power goes at moments of the first boot that nobody has chosen: the machine that starts
//! afterwards goes on where it was, and its file systems are whole.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::guest::{Around, Guest, serve};
use crate::lab::Lab;
use crate::outcome::{Outcome, ensure, run};
use crate::{CLOCK_IS_RIGHT, ENOUGH};

/// How often the power goes.
const CUTS: u32 = 10;
/// The first thing that a machine says.
const BEGUN: &str = "machined starts";
/// The last thing of the first boot that changes partitions and makes file systems.
const MADE: &str = "the kubelet needs a client certificate";

pub(crate) fn cuts(lab: &Lab) -> Outcome {
    let text = lab.configuration("controlplane", &[CLOCK_IS_RIGHT])?;
    let config = serve(text)?;
    let disk = lab.disk("first.raw", ENOUGH)?;
    let around = Around { disk: Some(&disk), config: &config, ..Around::default() };
    // How long the interesting part is on this host.
    let (begun, made) = {
        let spare = lab.disk("measured.raw", ENOUGH)?;
        let around = Around { disk: Some(&spare), ..around };
        let mut guest = Guest::start(lab, "measured", &around)?;
        let begun = guest.says(BEGUN)?;
        (begun, guest.says(MADE)?)
    };
    let span = made.saturating_sub(begun);
    let mut random = Random::seeded();
    println!("the power goes within {:.1} s, seed {}", span.as_secs_f64(), random.0);
    for number in 0..CUTS {
        let mut guest = Guest::start(lab, &format!("cut-{number}"), &around)?;
        guest.says(BEGUN)?;
        // The parts of the span are visited in order, each at a moment of its own.
        let moment = (f64::from(number) + random.fraction()) / f64::from(CUTS);
        std::thread::sleep(span.mul_f64(moment));
        let said = guest.said();
        guest.cut()?;
        let kept = said.contains("machine configuration from STATE");
        println!(
            "  power cut {number} after {:.2} of it, configuration from its disk: {kept}",
            moment
        );
    }
    // It has everything now, and needs nobody to tell it.
    let mut guest = Guest::start(lab, "whole", &around)?;
    guest.says(MADE)?;
    guest.cut()?;
    let around = Around { config: "none", ..around };
    let mut guest = Guest::start(lab, "alone-again", &around)?;
    guest.says("machine configuration from STATE")?;
    guest.says(MADE)?;
    guest.cut()?;
    run(Command::new("sgdisk").arg("--verify").arg(&disk))
        .and_then(|said| ensure(said.contains("No problems found"), || said))?;
    for partition in [3, 4] {
        let (start, size) = (start_of(&disk, partition)?, size_of(&disk, partition)?);
        let part = lab.file("partition.img");
        run(Command::new("dd")
            .args(["bs=1M", "iflag=skip_bytes,count_bytes", "conv=sparse", "status=none"])
            .arg(format!("if={}", disk.display()))
            .arg(format!("of={}", part.display()))
            .args([format!("skip={start}"), format!("count={size}")]))?;
        // The journal is replayed first, as the next mount would; then nothing may be wrong.
        let _ = Command::new("e2fsck").args(["-p", "-E", "journal_only"]).arg(&part).output();
        run(Command::new("e2fsck").args(["-f", "-n"]).arg(&part))?;
        fs::remove_file(&part).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Numbers that differ from run to run; the seed is printed, which is enough to see a run again.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or(Duration::from_secs(1));
        Self((now.as_secs() ^ u64::from(now.subsec_nanos()).rotate_left(32)) | 1)
    }

    /// From 0 up to 1 (xorshift64*, Marsaglia 2003 and Vigna 2016).
    fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f64 / f64::from(1_u32 << 24)
    }
}

/// The first byte of a partition.
pub(crate) fn start_of(disk: &Path, number: u32) -> Outcome<u64> {
    field(disk, number, "First sector")
}

fn size_of(disk: &Path, number: u32) -> Outcome<u64> {
    field(disk, number, "Partition size")
}

fn field(disk: &Path, number: u32, name: &str) -> Outcome<u64> {
    let text = run(Command::new("sgdisk").arg(format!("--info={number}")).arg(disk))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let sectors = line.and_then(|line| line.split(' ').next()?.parse::<u64>().ok());
    sectors.map(|sectors| sectors * 512).ok_or_else(|| format!("no {name} in:\n{text}"))
}

/// Writes bytes into a disk.
pub(crate) fn write_at(disk: &Path, at: u64, bytes: &[u8]) -> Outcome {
    let file = fs::OpenOptions::new().write(true).open(disk);
    file.and_then(|mut file| {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    })
    .map_err(|error| format!("writing {}: {error}", disk.display()))
}

/// Reads bytes of a disk.
pub(crate) fn read_at(disk: &Path, at: u64, length: usize) -> Outcome<Vec<u8>> {
    let mut bytes = vec![0; length];
    let file = fs::File::open(disk);
    file.and_then(|mut file| {
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut bytes)
    })
    .map_err(|error| format!("reading {}: {error}", disk.display()))?;
    Ok(bytes)
}
