//! `make up` and `make down`: from a checkout to a local cluster, and back.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::progress::Progress;
use crate::{build, workspace};

/// The name of the cluster that `make up` starts.
const NAME: &str = "ichor";

/// Builds everything and starts the cluster unless it runs.
pub(crate) fn up() -> Result<()> {
    let progress = Progress::new(5);
    build::all(&progress)?;
    progress.phase("cluster", || {
        let out = workspace::out();
        ichorctl(&[
            "cluster",
            "create",
            "native",
            "--name",
            NAME,
            "--state",
            &text(&out.join("cluster")),
            "--root-image",
            &text(&out.join("image/root.sqfs")),
            "--image-cache",
            &text(&out.join("image/cache")),
            "--talosconfig-destination",
            &text(&out.join("cluster/talosconfig")),
            "--kubeconfig-destination",
            &text(&out.join("cluster/kubeconfig")),
        ])
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
        "\nTry next:\n  \
         export KUBECONFIG=$PWD/out/cluster/kubeconfig TALOSCONFIG=$PWD/out/cluster/talosconfig\n  \
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
    ichorctl(&["cluster", "destroy", "--name", NAME, "--state", &text(&directory)])?;
    // Only this cluster's client files are left in the directory.
    fs::remove_dir_all(&directory).with_context(|| format!("removing {}", directory.display()))
}

fn ichorctl(arguments: &[&str]) -> Result<()> {
    let program = workspace::out().join("bin/ichorctl");
    let status = Command::new(&program)
        .args(arguments)
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
