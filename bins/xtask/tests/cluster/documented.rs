//! The commands of the documentation, run one after another as a reader runs them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::outcome::{Outcome, ensure};
use crate::pages::{PAGES, commands, read};

/// What a reader has the test has in another way, or it would go on for ever; and why.
const LEFT_OUT: [(&str, &str); 5] = [
    ("make ", "the other steps do what these do"),
    ("cargo xtask ", "the image tests do what these do"),
    ("export ", "the test sets the variables for each command"),
    ("ichorctl dashboard", "it wants a terminal; its screens have tests of their own"),
    ("ichorctl cluster reboot", "the power cut is a step of its own"),
];

/// Pages whose commands are for a machine that waits for its configuration, which this cluster has not; the tests of boots
/// run them.
const MACHINES: [&str; 2] = ["docs/installing.md", "docs/machines.md"];

/// What goes on until it is interrupted, and how long the test listens.
const ENDLESS: [&str; 1] = ["ichorctl events"];
const LISTEN: Duration = Duration::from_secs(3);

/// Runs every command of every page; all that fail are listed.
pub(crate) fn run(cluster: &Cluster) -> Outcome {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    lay_out(cluster, home.path()).map_err(|error| format!("laying out a checkout: {error}"))?;
    let mut failures = Vec::new();
    for page in PAGES.into_iter().filter(|page| !MACHINES.contains(page)) {
        for (line, command) in commands(&read(page)) {
            if LEFT_OUT.iter().any(|(beginning, _)| command.starts_with(beginning)) {
                continue;
            }
            if let Err(error) = one(cluster, home.path(), command) {
                failures.push(format!("{page}:{line}: {command}\n{error}"));
            }
        }
    }
    // The pages remove it themselves; a failure before that must not leave it.
    let state = home.path().join(".ichor/clusters");
    if state.join("second").exists() {
        one(cluster, home.path(), "ichorctl cluster destroy --name second")?;
    }
    ensure(failures.is_empty(), || failures.join("\n"))
}

/// A directory that looks like a checkout in which this cluster was made.
fn lay_out(cluster: &Cluster, home: &Path) -> std::io::Result<()> {
    let out = home.join("out");
    fs::create_dir_all(out.join("cluster"))?;
    for name in ["bin", "image"] {
        symlink(cluster.built(name), out.join(name))?;
    }
    for name in ["talosconfig", "kubeconfig"] {
        fs::copy(cluster.file(name), out.join("cluster").join(name))?;
    }
    Ok(())
}

fn one(cluster: &Cluster, home: &Path, command: &str) -> Outcome {
    let (name, state) = cluster.place_of();
    let here = command
        .replace("--name ichor --state out/cluster", &format!("--name {name} --state {state}"))
        .replace("ichor-controlplane-", &format!("{name}-controlplane-"))
        .replace("ichor-worker-", &format!("{name}-worker-"));
    let endless = ENDLESS.iter().any(|beginning| command.starts_with(beginning));
    let script =
        if endless { format!("timeout {} {here}", LISTEN.as_secs()) } else { here.clone() };
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(home)
        .env("HOME", home)
        .env("PATH", format!("{}:{path}", home.join("out/bin").display()))
        .env("TALOSCONFIG", home.join("out/cluster/talosconfig"))
        .env("KUBECONFIG", home.join("out/cluster/kubeconfig"))
        .output()
        .map_err(|error| format!("starting a shell: {error}"))?;
    // What `timeout` says when it had to end the command.
    let interrupted = endless && output.status.code() == Some(124);
    ensure(output.status.success() || interrupted, || {
        format!(
            "ended with {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}
