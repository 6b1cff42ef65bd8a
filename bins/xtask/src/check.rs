//! `make test`, `make bench` and `make fuzz`.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::failures::Failures;
use crate::progress::{Progress, seconds};
use crate::{build, machine, tools, workspace};

/// How long each fuzz target runs, in seconds.
const FUZZ_SECONDS: u32 = 60;

/// Steps of the test of a machine that `make machines` has and `make test` leaves out: each has an emulated machine start
/// once more. That a machine comes back by itself after the power went is also one of the tests of boots.
const LONG: [&str; 2] = ["a_reboot_keeps_everything", "a_power_cut_keeps_everything"];

/// Benchmarks that measure other programs from outside gain nothing from minutes of optimisation.
const UNOPTIMISED: [&str; 2] = ["--profile", "dev"];

/// Builds everything, because tests of the whole system use it, and runs every test.
pub(crate) fn test() -> Result<()> {
    tools::install(true)?;
    let progress = Progress::new(5);
    build::all(&progress)?;
    progress.phase("machine images", || machine::build(&progress, &[]))?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root()).env("ICHOR_COMPONENTS", build::linked()?);
    cargo.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    let mut failures = Failures::default();
    failures.run(&mut cargo, "cargo test")?;
    // Apart and last: nothing else may use the processors that it emulates.
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root());
    cargo.args(["test", "--workspace", "--locked", "--test", "machine", "--"]);
    for step in LONG {
        cargo.args(["--skip", step]);
    }
    failures.run(&mut cargo, "cargo test of a machine")?;
    failures.end()
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Runs every benchmark and writes what they print, under a description of the machine.
pub(crate) fn bench(names: &[String]) -> Result<()> {
    tools::install(true)?;
    let progress = Progress::new(5);
    build::all(&progress)?;
    progress.phase("machine images", || machine::build(&progress, &[]))?;
    let output = Command::new("cargo")
        .current_dir(workspace::root())
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .output()
        .context("starting cargo")?;
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("reading cargo's metadata")?;
    let mut report = format!("# Benchmarks\n\n{}\n", machine());
    for package in &metadata.packages {
        let benches =
            package.targets.iter().filter(|target| target.kind.iter().any(|k| k == "bench"));
        for bench in benches {
            if !names.is_empty() && !names.contains(&bench.name) {
                continue;
            }
            let begun = Instant::now();
            eprintln!("bench {} of {} …", bench.name, package.name);
            let output = Command::new("cargo")
                .current_dir(workspace::root())
                .args([
                    "bench",
                    "--quiet",
                    "--locked",
                    "--package",
                    &package.name,
                    "--bench",
                    &bench.name,
                ])
                .args(if package.name == env!("CARGO_PKG_NAME") { &UNOPTIMISED[..] } else { &[] })
                .stderr(std::process::Stdio::inherit())
                .output()
                .context("starting cargo")?;
            let text = String::from_utf8_lossy(&output.stdout);
            print!("{text}");
            let _ = write!(report, "\n## {} ({})\n\n{}\n", bench.name, package.name, text.trim());
            if !output.status.success() {
                bail!("the benchmark {} of {} failed", bench.name, package.name);
            }
            eprintln!("bench {}: done in {}", bench.name, seconds(begun.elapsed()));
        }
    }
    let path = workspace::out().join("bench.md");
    fs::write(&path, report).with_context(|| format!("writing {}", path.display()))?;
    println!("written to out/bench.md");
    Ok(())
}

/// What a reader must know about the machine to compare its figures.
fn machine() -> String {
    let first = |path: &str, key: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "| machine | |\n|---|---|\n| processor | {} |\n| cores | {cores} |\n| memory | {} |\n\
         | kernel | {} |\n| load at the start | {} |",
        first("/proc/cpuinfo", "model name"),
        first("/proc/meminfo", "MemTotal"),
        kernel.trim(),
        load.split(' ').take(3).collect::<Vec<_>>().join(" "),
    )
}

/// Runs every fuzz target for a minute. Fuzzing needs the nightly compiler.
pub(crate) fn fuzz() -> Result<()> {
    tools::install_for_fuzzing()?;
    let directory = workspace::root().join("fuzz");
    let have = |arguments: &[&str]| {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if !have(&["+nightly", "--version"]) {
        println!("installing the nightly compiler: coverage-guided fuzzing needs it");
        let mut rustup = Command::new("rustup");
        rustup.args(["toolchain", "install", "nightly", "--profile", "minimal"]);
        succeed(&mut rustup, "installing the nightly compiler")?;
    }
    if !have(&["fuzz", "--version"]) {
        println!("installing cargo-fuzz: it builds and runs the fuzz targets");
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "cargo-fuzz", "--locked"]);
        succeed(&mut cargo, "installing cargo-fuzz")?;
    }
    let list = Command::new("cargo")
        .current_dir(workspace::root())
        .args(["+nightly", "fuzz", "list"])
        .output()
        .context("starting cargo fuzz")?;
    let targets = String::from_utf8_lossy(&list.stdout).into_owned();
    if targets.trim().is_empty() {
        bail!("{} has no fuzz targets", directory.display());
    }
    for target in targets.lines() {
        println!("fuzzing {target} for {FUZZ_SECONDS} s");
        let mut cargo = Command::new("cargo");
        cargo.current_dir(workspace::root()).args(["+nightly", "fuzz", "run", target, "--"]);
        cargo.arg(format!("-max_total_time={FUZZ_SECONDS}"));
        succeed(&mut cargo, &format!("the fuzz target {target}"))?;
    }
    Ok(())
}

fn succeed(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {what}"))?;
    if !status.success() {
        bail!("{what} failed");
    }
    Ok(())
}
