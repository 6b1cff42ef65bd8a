//! Ways to break a boot, each with what the machine says about it on its serial line and in its
//! API: nobody answers on the network, there is no disk or none that may be used, what is on it is
//! damaged, the clock is years off, the cluster or the images cannot be reached, the power goes.
//!
//! The machines are small ones that start without firmware; none of them gets as far as Kubernetes.
//! They need what `make image` builds and QEMU; without either the checks fail and say so.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it measured")]

mod documented;
mod guest;
mod lab;
mod links;
#[path = "../outcome/mod.rs"]
#[allow(dead_code, reason = "the tests of a local cluster use more of it")]
mod outcome;
#[path = "../pages/mod.rs"]
#[allow(dead_code, reason = "the tests of the pages use more of it")]
mod pages;
mod power;
mod volumes;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use boot::cpio::{Entry, Kind, Writer};
use libtest_mimic::{Arguments, Failed, Trial};

use crate::guest::{Around, Guest, never, serve};
use crate::lab::Lab;
use crate::outcome::{Outcome, ensure, eventually, run};

type Check = fn(&Lab) -> Outcome;

const CHECKS: [(&str, Check); 10] = [
    ("power_cuts_during_the_first_boot", power::cuts),
    ("documented_commands_work", documented::commands_work),
    ("links_of_every_kind", links::of_every_kind),
    ("configurations_on_volumes_are_found", volumes::are_found),
    ("nobody_answers_and_no_disk", nobody_answers_and_no_disk),
    ("a_disk_with_foreign_data_and_the_wrong_time", foreign_data_and_the_wrong_time),
    ("a_disk_that_is_too_small", a_disk_that_is_too_small),
    ("a_damaged_state", a_damaged_state),
    ("a_damaged_root_image", a_damaged_root_image),
    ("no_cluster_and_no_images", no_cluster_and_no_images),
];

/// The smallest disk that has room for everything.
const ENOUGH: u64 = 6 << 30;
/// How long an answer of a machine that starts may take to come.
const MINUTE: Duration = Duration::from_secs(60);
/// Clocks are not corrected: there is no time server here.
const CLOCK_IS_RIGHT: &str = "apiVersion: v1alpha1\nkind: TimeSyncConfig\nenabled: false\n";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A machine has one processor; more than two at a time get in each other's way.
    arguments.test_threads = Some(arguments.test_threads.map_or(2, |threads| threads.min(2)));
    let lab: Arc<OnceLock<Outcome<Lab>>> = Arc::default();
    let trials = CHECKS.map(|(name, check)| {
        let lab = Arc::clone(&lab);
        Trial::test(name, move || {
            let lab = lab.get_or_init(|| {
                let lab = Lab::open()?;
                println!("machines run by {}", lab.executes());
                Ok(lab)
            });
            let lab = lab.as_ref().map_err(Failed::from)?;
            check(lab).map_err(Failed::from)
        })
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

/// It waits for an address, and says that there is no disk for what it must keep.
fn nobody_answers_and_no_disk(lab: &Lab) -> Outcome {
    let around = Around { network: false, config: "http://10.0.2.2:9/x", ..Around::default() };
    let mut guest = Guest::start(lab, "alone", &around)?;
    guest.says("waiting for more than 20 s: dhcp4/eth0 waits for an offer of a DHCP server")?;
    // A place for the configuration that cannot be reached is another thing than none.
    let text = lab.configuration("controlplane", &[CLOCK_IS_RIGHT])?;
    let around = Around { config: &serve(text)?, ..Around::default() };
    let mut guest = Guest::start(lab, "diskless", &around)?;
    guest.says("no disk for volume STATE")?;
    let status = guest.get(lab, "volumestatuses");
    // The machine has its configuration, so only who has a certificate is let in by now.
    ensure(status.is_err(), || "everybody is let into a configured machine".to_owned())
}

/// It does not touch what it has not made, and does not make certificates before it knows the time.
fn foreign_data_and_the_wrong_time(lab: &Lab) -> Outcome {
    let disk = lab.file("foreign.raw");
    let file = fs::File::create(&disk).and_then(|file| file.set_len(ENOUGH));
    file.map_err(|error| error.to_string())?;
    run(Command::new("mke2fs").args(["-q", "-F", "-t", "ext4", "-L", "precious"]).arg(&disk))?;
    let before = digest(&disk)?;
    let text = lab.configuration("controlplane", &[])?;
    let around = Around {
        disk: Some(&disk),
        clock: Some("2001-02-03T04:05:06"),
        config: &serve(text)?,
        ..Around::default()
    };
    let mut guest = Guest::start(lab, "foreign", &around)?;
    guest.says("no disk for volume STATE: none meets \"system_disk\"")?;
    guest.says("waiting for more than 20 s: the clock to be set by a time server")?;
    never(&guest, "issuing a certificate")?;
    guest.cut()?;
    ensure(digest(&disk)? == before, || "the disk was written to".to_owned())
}

fn a_disk_that_is_too_small(lab: &Lab) -> Outcome {
    // Room for STATE besides what the image has, but not for EPHEMERAL.
    let disk = lab.disk("small.raw", (2101 + 1 + 300) << 20)?;
    let text = lab.configuration("controlplane", &[CLOCK_IS_RIGHT])?;
    let around = Around { disk: Some(&disk), config: &serve(text)?, ..Around::default() };
    let mut guest = Guest::start(lab, "small", &around)?;
    guest.says("no disk for volume EPHEMERAL: /dev/vda: 2048 MiB are needed in one piece")?;
    guest.cut()
}

/// What the machine cannot read there it does not replace: it may be all that is left of a cluster.
fn a_damaged_state(lab: &Lab) -> Outcome {
    let disk = lab.disk("damaged.raw", ENOUGH)?;
    // The partition, and something in it that is no file system.
    run(Command::new("sgdisk")
        .args(["--move-second-header", "--new=3:0:+100M"])
        .args(["--change-name=3:STATE"])
        .arg(&disk))?;
    let start = power::start_of(&disk, 3)?;
    power::write_at(&disk, start, &[0x5a; 1 << 16])?;
    let text = lab.configuration("controlplane", &[CLOCK_IS_RIGHT])?;
    let around = Around { disk: Some(&disk), config: &serve(text)?, ..Around::default() };
    let mut guest = Guest::start(lab, "damaged", &around)?;
    guest.says("is volume STATE, but holds data of an unknown kind; it is not overwritten")?;
    guest.cut()?;
    let kept = power::read_at(&disk, start, 1 << 16)?;
    ensure(kept.iter().all(|byte| *byte == 0x5a), || "STATE was overwritten".to_owned())
}

/// It says so, starts again, and the next boot that gets further finds what was said in the firmware's memory.
fn a_damaged_root_image(lab: &Lab) -> Outcome {
    const DAMAGED: &str = "the image /rootfs.sqsh is damaged; write the disk image anew";
    // What comes later in the first file system replaces what came before.
    let image = Entry { path: "rootfs.sqsh", kind: Kind::File, mode: 0o644, content: &[0; 8192] };
    let mut damaged = Writer::new();
    let damaged = damaged.entry(&image).and_then(|archive| archive.clone().finish());
    let damaged = damaged.map_err(|error| error.to_string())?;
    let variables = lab.variables("root.variables")?;
    let around =
        Around { addition: Some(&damaged), variables: Some(&variables), ..Around::default() };
    let mut guest = Guest::start(lab, "root", &around)?;
    guest.says(DAMAGED)?;
    guest.says("the machine starts again in 1 s")?;
    guest.ends()?;

    let cluster = lab.cluster("controlplane", &[CLOCK_IS_RIGHT])?;
    let disk = lab.disk("mended.raw", ENOUGH)?;
    let config = serve(cluster.configuration.clone())?;
    let around = Around {
        disk: Some(&disk),
        config: &config,
        variables: Some(&variables),
        ..Around::default()
    };
    let mut guest = Guest::start(lab, "mended", &around)?;
    guest.says("issuing a certificate what=\"apid server\"")?;
    let records = eventually("the firmware kept something", MINUTE, || {
        let listed = guest.ask(lab, &cluster, &["ls", "/sys/fs/pstore"])?;
        let names = listed.split_whitespace().filter(|word| word.starts_with("dmesg-efi"));
        let names: Vec<String> = names.map(str::to_owned).collect();
        ensure(!names.is_empty(), || format!("the firmware kept nothing: {listed}"))?;
        Ok(names)
    })?;
    let mut kept = String::new();
    for record in records {
        let path = format!("/sys/fs/pstore/{record}");
        kept += &guest.ask(lab, &cluster, &["read", &path])?;
    }
    ensure(kept.contains(DAMAGED), || format!("the firmware kept something else:\n{kept}"))?;
    guest.cut()
}

/// A worker whose control plane does not answer and whose registry is not there.
fn no_cluster_and_no_images(lab: &Lab) -> Outcome {
    let disk = lab.disk("lonely.raw", ENOUGH)?;
    let mirror = "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: \"*\"\nskipFallback: true\nendpoints:\n    - url: http://10.0.2.2:9\n";
    let text = lab.configuration("worker", &[CLOCK_IS_RIGHT, mirror])?;
    let around = Around { disk: Some(&disk), config: &serve(text)?, ..Around::default() };
    let mut guest = Guest::start(lab, "lonely", &around)?;
    guest.says("cannot reach trustd at 10.0.2.2:50001: ")?;
    guest.says("cannot pull image ghcr.io/siderolabs/kubelet:")?;
    guest.cut()
}

/// A checksum of a whole file.
fn digest(path: &Path) -> Outcome<String> {
    run(Command::new("sha256sum").arg(path))
}
