//! `ichorctl` as a user has it: whole processes, from start to end.
//!
//! `cargo bench -p xtask --bench programs` prints the median of many runs with the goals. The
//! program is the one in `out/bin`, which is what is installed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

/// How often each command is run.
const RUNS: usize = 101;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let program = root.join("out/bin/ichorctl");
    assert!(program.exists(), "{} is missing; build it first: cargo xtask all", program.display());
    let work = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| -> PathBuf {
        let status =
            Command::new(&program).current_dir(work.path()).args(arguments).status().unwrap();
        assert!(status.success(), "ichorctl {}", arguments.join(" "));
        work.path().to_owned()
    };
    run(&["gen", "secrets", "--output-file", "secrets.yaml"]);
    let generate = [
        "gen",
        "config",
        "bench",
        "https://10.5.0.2:6443",
        "--with-secrets",
        "secrets.yaml",
        "--force",
    ];
    run(&generate);

    println!("| command | median | goal | |\n|---|---|---|---|");
    for (arguments, goal) in [
        (["version", "--client"].as_slice(), 4.0),
        (generate.as_slice(), 10.0),
        (["validate", "--config", "controlplane.yaml", "--mode", "container"].as_slice(), 8.0),
    ] {
        let mut times: Vec<f64> = (0..RUNS)
            .map(|_| {
                let mut command = Command::new(&program);
                command.current_dir(work.path()).args(arguments).stdin(Stdio::null());
                command.stdout(Stdio::null()).stderr(Stdio::null());
                let begun = Instant::now();
                let status = command.status().unwrap();
                let time = begun.elapsed().as_secs_f64() * 1000.0;
                assert!(status.success(), "ichorctl {}", arguments.join(" "));
                time
            })
            .collect();
        times.sort_by(f64::total_cmp);
        row(&format!("ichorctl {}", arguments.first().unwrap()), times[RUNS / 2], "ms", goal);
    }
    // The kernel keeps the largest of all children that have ended; it counts in KiB.
    let largest = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    row(
        "largest resident memory of these",
        f64::from(i32::try_from(largest).unwrap()) / 1024.0,
        "MiB",
        10.0,
    );
}

fn row(what: &str, value: f64, unit: &str, goal: f64) {
    let mark = if value <= goal { "reached" } else { "missed" };
    println!("| {what} | {value:.2} {unit} | {goal:.2} {unit} | {mark} |");
}
