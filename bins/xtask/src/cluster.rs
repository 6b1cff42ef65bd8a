//! `make up` and `make down`: from a checkout to a local cluster, and back.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::progress::Progress;
use crate::{build, workspace};

/// The name of the cluster that `make up` starts.
const NAME: &str = "ichor";

/// Adds the cluster to the user's own client configuration and kubeconfig.
const MERGE: &str = "--merge";

/// Builds everything and starts the cluster unless it runs.
pub(crate) fn up(arguments: &[String]) -> Result<()> {
    if let Some(unknown) = arguments.iter().find(|argument| *argument != MERGE) {
        bail!("there is no option `{unknown}`; there is `{MERGE}`");
    }
    let merge = arguments.first().map(String::as_str);
    let progress = Progress::new(5);
    build::all(&progress)?;
    progress.phase("cluster", || {
        let out = workspace::out();
        let state = text(&out.join("cluster"));
        let root = text(&out.join("image/root.sqfs"));
        let cache = text(&out.join("image/cache"));
        let talosconfig = text(&out.join("cluster/talosconfig"));
        let kubeconfig = text(&out.join("cluster/kubeconfig"));
        let mut arguments = vec!["cluster", "create", "native", "--name", NAME, "--state", &state];
        arguments.extend(["--root-image", &root, "--image-cache", &cache]);
        arguments.extend(["--talosconfig-destination", &talosconfig]);
        arguments.extend(["--kubeconfig-destination", &kubeconfig]);
        arguments.extend(merge);
        // The table of nodes and the next commands are printed below, for this place.
        ichorctl(&arguments, Stdio::null())
    })?;
    let kubeconfig = workspace::out().join("cluster/kubeconfig");
    let kubectl = workspace::out().join("bin/kubectl");
    let status = Command::new(&kubectl)
        .env("KUBECONFIG", &kubeconfig)
        .args(["get", "nodes", "-o", "wide"])
        .status()
        .with_context(|| format!("starting {}", kubectl.display()))?;
    if !status.success() {
        bail!("the cluster was started but kubectl could not list its nodes");
    }
    println!(
        "\nTry next, after\n  \
         export KUBECONFIG=$PWD/out/cluster/kubeconfig TALOSCONFIG=$PWD/out/cluster/talosconfig\n\n  \
         out/bin/kubectl get pods -A\n  \
         out/bin/ichorctl dashboard\n  \
         out/bin/ichorctl health --timeline"
    );
    Ok(())
}

/// Removes the cluster.
pub(crate) fn down() -> Result<()> {
    if !workspace::out().join("bin/ichorctl").exists() {
        println!("there is no out/bin/ichorctl, so no cluster was started from here");
        return Ok(());
    }
    let directory = workspace::out().join("cluster");
    if !directory.join(NAME).exists() {
        println!("there is no cluster");
        return Ok(());
    }
    let state = text(&directory);
    ichorctl(&["cluster", "destroy", "--name", NAME, "--state", &state], Stdio::inherit())?;
    // Only this cluster's client files are left in the directory.
    fs::remove_dir_all(&directory).with_context(|| format!("removing {}", directory.display()))
}

fn ichorctl(arguments: &[&str], output: Stdio) -> Result<()> {
    let program = workspace::out().join("bin/ichorctl");
    let status = Command::new(&program)
        .args(arguments)
        .stdout(output)
        .status()
        .with_context(|| format!("starting {}", program.display()))?;
    if !status.success() {
        bail!("`ichorctl {}` failed", arguments.join(" "));
    }
    Ok(())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
