//! `make up` and `make down`: from a checkout to a local cluster, and back.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::progress::Progress;
use crate::{build, machine, tools, workspace};

/// The name of the cluster that `make up` starts.
const NAME: &str = "ichor";

/// What nodes are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Provisioner {
    /// Namespaces of this machine.
    Native,
    /// Virtual machines.
    Qemu,
}

/// Which cluster `make up` starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    provisioner: Provisioner,
    workers: usize,
    /// It is added to the user's own client configuration and kubeconfig.
    merge: bool,
}

impl Wanted {
    /// Reads the command's options.
    pub(crate) fn parse(words: &[String]) -> Result<Self> {
        let (mut provisioner, mut workers, mut merge) = (Provisioner::Native, None, false);
        let mut words = words.iter().map(String::as_str);
        while let Some(option) = words.next() {
            if option == "--merge" {
                merge = true;
                continue;
            }
            match (option, words.next()) {
                ("--provisioner", Some("native")) => provisioner = Provisioner::Native,
                ("--provisioner", Some("qemu")) => provisioner = Provisioner::Qemu,
                ("--workers", Some(number)) => {
                    let number = number.parse();
                    workers = Some(number.context("--workers takes a number")?);
                }
                _ => bail!(
                    "expected --provisioner native, --provisioner qemu, --workers N or --merge"
                ),
            }
        }
        // An emulated machine costs a processor; one control plane shows everything.
        let usual = if provisioner == Provisioner::Native { 1 } else { 0 };
        Ok(Self { provisioner, workers: workers.unwrap_or(usual), merge })
    }
}

/// Builds everything and starts the cluster unless it runs.
pub(crate) fn up(wanted: &Wanted) -> Result<()> {
    let machines = wanted.provisioner == Provisioner::Qemu;
    let progress = Progress::new(if machines { 6 } else { 5 });
    if machines {
        tools::machines()?;
    }
    build::all(&progress)?;
    if machines {
        progress.phase("machine images", || machine::build(&progress, &[]))?;
    }
    let image = workspace::out().join("image");
    let (kind, files) = match wanted.provisioner {
        Provisioner::Native => ("native", vec![("--root-image", image.join("root.sqfs"))]),
        Provisioner::Qemu => (
            "qemu",
            vec![
                ("--disk-image-path", image.join("disk.raw.zst")),
                ("--vmlinuz-path", image.join("vmlinuz")),
            ],
        ),
    };
    progress.phase("cluster", || {
        let out = workspace::out();
        let mut arguments: Vec<String> =
            ["cluster", "create", kind, "--name", NAME].map(str::to_owned).into();
        arguments.extend(["--workers".to_owned(), wanted.workers.to_string()]);
        let files = files.into_iter().chain([
            ("--state", out.join("cluster")),
            ("--image-cache", out.join("image/cache")),
            ("--talosconfig-destination", out.join("cluster/talosconfig")),
            ("--kubeconfig-destination", out.join("cluster/kubeconfig")),
        ]);
        for (option, path) in files {
            arguments.extend([option.to_owned(), text(&path)]);
        }
        if wanted.merge {
            arguments.push("--merge".to_owned());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_cluster_is_read_from_options() {
        let parse = |words: &[&str]| {
            Wanted::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        let wanted = |provisioner, workers| Wanted { provisioner, workers, merge: false };
        assert_eq!(parse(&[]).unwrap(), wanted(Provisioner::Native, 1));
        assert_eq!(parse(&["--provisioner", "qemu"]).unwrap(), wanted(Provisioner::Qemu, 0));
        let both = parse(&["--workers", "2", "--provisioner", "qemu"]).unwrap();
        assert_eq!(both, wanted(Provisioner::Qemu, 2));
        let merged = parse(&["--merge", "--workers", "3"]).unwrap();
        assert_eq!(merged, Wanted { merge: true, ..wanted(Provisioner::Native, 3) });
        for wrong in [&["--workers"][..], &["--workers", "x"], &["--provisioner", "vm"], &["x"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
