//! What a user of `make image` waits for and gets: the time to make all files of the profile `cloud` from components that
//! are built already, and how large they are.
//!
//! `cargo bench -p xtask --bench image` prints the figures with the goals. The programs are those in `out/bin`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The first run may build components; the others have them.
const RUNS: usize = 3;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    for program in ["init", "machined"] {
        let program = root.join("out/bin").join(program);
        assert!(program.exists(), "{} is missing; build it: cargo xtask all", program.display());
    }
    let make = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.current_dir(root).args(["machine", "cloud"]).stdout(Stdio::null());
        let begun = Instant::now();
        let status = command.status().unwrap();
        assert!(status.success(), "cargo xtask machine cloud");
        begun.elapsed().as_secs_f64()
    };
    make();
    let mut times: Vec<f64> = (0..RUNS).map(|_| make()).collect();
    times.sort_by(f64::total_cmp);

    println!("| image of the profile cloud | value | goal | |\n|---|---|---|---|");
    row("build with warm components, median", times[RUNS / 2], "s", Some(10.0));
    let image = root.join("out/image");
    for (file, goal) in [
        ("disk.raw.zst", Some(90.0)),
        ("ichor.efi", Some(75.0)),
        ("ichor.iso", None),
        ("initramfs.img", None),
        ("root.sqfs", None),
    ] {
        let bytes = fs::metadata(image.join(file)).unwrap().len();
        let megabytes = f64::from(u32::try_from(bytes / 1000).unwrap()) / 1000.0;
        row(file, megabytes, "MB", goal);
    }
}

fn row(what: &str, value: f64, unit: &str, goal: Option<f64>) {
    let (goal, mark) = match goal {
        Some(goal) if value <= goal => (format!("{goal:.0} {unit}"), "reached"),
        Some(goal) => (format!("{goal:.0} {unit}"), "missed"),
        None => (String::new(), ""),
    };
    println!("| {what} | {value:.2} {unit} | {goal} | {mark} |");
}
