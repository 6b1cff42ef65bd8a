//! Trouble that a cluster meets: configurations that are none, an interrupted creation, an API server that never comes up,
//! a full disk.
//!
//! What breaks a cluster for good is done to one of its own, so that the other steps have a whole one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use provision::spec::Role;

use crate::cluster::{Cluster, Kind};
use crate::outcome::{Outcome, ensure, eventually};

/// Configurations that no machine accepts, and what is said about each.
const BAD: [(&str, &str); 5] = [
    ("machine:\n  nettwork: {}\n", "unknown keys found during decoding"),
    ("machine:\n  type: [a]\n", "line 2: cannot unmarshal !!seq into string"),
    (
        "apiVersion: v1alpha1\nkind: LinkConfig\nname: a\n---\napiVersion: v1alpha1\nkind: LinkConfig\nname: a\n",
        "duplicate document v1alpha1/LinkConfig/a is not allowed",
    ),
    ("apiVersion: v1alpha1\nkind: LinkConfig\nname: a\n", "v1alpha1"),
    ("machine: [", "decode error"),
];

/// Each is refused with its reason, and nothing of the machine changes.
pub(crate) fn bad_configurations(cluster: &Cluster) -> Outcome {
    let worker = cluster.node(Role::Worker)?.address.to_string();
    let active = || cluster.ichorctl(&["--nodes", &worker, "get", "machineconfig", "-o", "yaml"]);
    let before = active()?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = directory.path().join("bad.yaml");
    let name = file.display().to_string();
    for (text, reason) in BAD {
        fs::write(&file, text).map_err(|error| error.to_string())?;
        let said = cluster.ichorctl(&["--nodes", &worker, "apply-config", "--file", &name]);
        ensure(said.as_ref().is_err_and(|error| error.contains(reason)), || {
            format!("{text:?} was to be refused with {reason:?}: {said:?}")
        })?;
    }
    ensure(active()? == before, || "a refused configuration changed the machine".to_owned())
}

/// Creating a cluster whose API server cannot start ends with its name, and destroying leaves nothing of it.
pub(crate) fn api_server_never_comes_up(_: &Cluster) -> Outcome {
    let cluster = Cluster::prepare(Kind::Native, "broken")?;
    let outcome = (|| {
        let patch =
            "apiVersion: v1alpha1\nkind: KubeAPIServerConfig\nextraArgs:\n    no-such-flag: x\n";
        let create = ["create", "native", "--workers", "0", "--wait-timeout", "60s"];
        let image = ["--root-image", &cluster.built("image/root.sqfs")].map(str::to_owned);
        let cache = ["--image-cache", &cluster.built("image/cache")].map(str::to_owned);
        let own: Vec<&str> = image.iter().chain(&cache).map(String::as_str).collect();
        let said = cluster
            .place(&[create.as_slice(), &own, &["--config-patch-control-plane", patch]].concat());
        let error = said.err().ok_or("a cluster without an API server was created")?;
        for word in ["was not ready within", "kube-apiserver"] {
            ensure(error.contains(word), || format!("the error does not say {word:?}:\n{error}"))?;
        }
        // The way that the documentation shows leads to the reason.
        let (name, state) = cluster.place_of();
        let access = Path::new(&state).join(name).join("talosconfig").display().to_string();
        let ask = |arguments: &[&str]| {
            cluster.ichorctl(&[&["--talosconfig", access.as_str()], arguments].concat())
        };
        eventually("the container's log names the flag", Duration::from_secs(30), || {
            let containers = ask(&["containers", "--kubernetes"])?;
            let id = containers
                .split_whitespace()
                .find(|word| word.starts_with("kube-system/") && word.contains(":kube-apiserver:"))
                .ok_or_else(|| format!("no container of the API server:\n{containers}"))?;
            let log = ask(&["logs", "--kubernetes", id])?;
            ensure(log.contains("no-such-flag"), || format!("its log: {log}"))
        })
    })();
    let path = cluster.directory().path().to_owned();
    cluster.destroy()?;
    ensure(!path.exists(), || format!("{} is still there", path.display()))?;
    outcome
}

/// When a creation is interrupted: while it prepares, starts the nodes, waits for them.
const MOMENTS: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(400),
    Duration::from_secs(2),
    Duration::from_secs(6),
];

/// A creation that is interrupted again and again is finished by the one that is not, and nothing is made twice.
pub(crate) fn interrupted_creation(_: &Cluster) -> Outcome {
    let cluster = Cluster::prepare(Kind::Native, "interrupted")?;
    let outcome = (|| {
        for moment in MOMENTS {
            let mut child = cluster.start_creating()?;
            std::thread::sleep(moment);
            let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            interrupt.map_err(|error| format!("starting kill: {error}"))?;
            child.wait().map_err(|error| error.to_string())?;
        }
        let last = cluster.start_creating()?;
        let output = last.wait_with_output().map_err(|error| error.to_string())?;
        ensure(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
        cluster.kubectl(&["wait", "--for=condition=Ready", "node", "--all", "--timeout=60s"])?;
        let files = fs::read_dir(cluster.directory().path()).map_err(|error| error.to_string())?;
        let half: Vec<_> = files
            .flatten()
            .map(|file| file.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".tmp") || name.ends_with(".part"))
            .collect();
        ensure(half.is_empty(), || format!("half-written files are left: {half:?}"))
    })();
    let path = cluster.directory().path().to_owned();
    cluster.destroy()?;
    ensure(!path.exists(), || format!("{} is still there", path.display()))?;
    outcome
}

/// A disk of a size of its own, mounted where only this test and what it starts see it.
struct SmallDisk {
    holder: Child,
    file: PathBuf,
    place: PathBuf,
}

/// Room for one node, and little more.
const SMALL: u64 = 5 << 30;

impl SmallDisk {
    fn mount(directory: &Path) -> Outcome<Self> {
        let file = directory.join("disk");
        let place = directory.join("place");
        let failed = |error: std::io::Error| format!("making a small disk: {error}");
        fs::create_dir(&place).map_err(failed)?;
        fs::File::create(&file).and_then(|disk| disk.set_len(SMALL)).map_err(failed)?;
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&file).output();
        let made = made.map_err(failed)?;
        ensure(made.status.success(), || String::from_utf8_lossy(&made.stderr).into_owned())?;
        let script = format!(
            "mount -o loop {} {} && echo mounted && exec sleep infinity",
            file.display(),
            place.display()
        );
        let mut holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        if let Some(stdout) = holder.stdout.take() {
            std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)
                .map_err(failed)?;
        }
        let disk = Self { holder, file, place };
        ensure(line == "mounted\n", || "the small disk was not mounted".to_owned())?;
        Ok(disk)
    }

    /// Runs a command where the disk is seen.
    fn run(&self, program: &str, arguments: &[&str]) -> Outcome<Output> {
        Command::new("nsenter")
            .args(["--mount", "--target", &self.holder.id().to_string(), "--", program])
            .args(arguments)
            .output()
            .map_err(|error| format!("starting {program}: {error}"))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Its namespace goes with it, and with that the mount and the loop device.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        let _ = fs::remove_file(&self.file);
    }
}

/// With a full disk the machine API answers and refuses what it cannot write; with room again everything works.
pub(crate) fn full_disk(cluster: &Cluster) -> Outcome {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let disk = SmallDisk::mount(directory.path())?;
    let state = disk.place.display().to_string();
    let outcome = on_a_full_disk(cluster, &disk, &state);
    let ichorctl = cluster.built("bin/ichorctl");
    let destroy = ["cluster", "destroy", "--name", "full", "--state", &state];
    let destroyed = disk.run(&ichorctl, &destroy)?;
    ensure(destroyed.status.success(), || {
        format!("destroying: {}", String::from_utf8_lossy(&destroyed.stderr))
    })?;
    outcome
}

fn on_a_full_disk(cluster: &Cluster, disk: &SmallDisk, state: &str) -> Outcome {
    let run = |program: &str, arguments: &[&str]| -> Outcome<String> {
        let output = disk.run(&cluster.built(program), arguments)?;
        let said = [output.stdout, output.stderr].map(|t| String::from_utf8_lossy(&t).into_owned());
        if output.status.success() { Ok(said.concat()) } else { Err(said.concat()) }
    };
    let image = cluster.built("image/root.sqfs");
    let cache = cluster.built("image/cache");
    let place = ["--name", "full", "--state", state];
    let create = ["cluster", "create", "native", "--workers", "0", "--wait-timeout", "5m"];
    let own = ["--root-image", image.as_str(), "--image-cache", cache.as_str()];
    run("bin/ichorctl", &[create.as_slice(), &place, &own].concat())?;
    let access = format!("{state}/full/talosconfig");
    let ask = |arguments: &[&str]| {
        run("bin/ichorctl", &[&["--talosconfig", access.as_str()], arguments].concat())
    };
    let label = |value: &str| {
        let document =
            format!("apiVersion: v1alpha1\nkind: KubeNodeConfig\nlabels:\n    disk: {value}\n");
        ask(&["patch", "machineconfig", "--patch", &document])
    };

    let filler = format!("{state}/filler");
    let mut attempts = 0;
    // The node writes and frees too, so it is filled again until a change finds no room.
    let refused = eventually("a change finds no room", Duration::from_secs(60), || {
        disk.run("sh", &["-c", &format!("cat /dev/zero >> {filler}; sync")])?;
        attempts += 1;
        let value = format!("attempt-{attempts}");
        match label(&value) {
            Ok(accepted) => Err(format!("{value}: {accepted}")),
            Err(error) => Ok((value, error)),
        }
    })?;
    let (value, error) = refused;
    ensure(error.contains("No space left on device"), || error.clone())?;
    let config = ask(&["get", "machineconfig", "v1alpha1", "-o", "yaml"])?;
    ensure(!config.contains(&value), || "a change that was refused is active".to_owned())?;
    ask(&["services"])?;

    disk.run("rm", &[&filler])?;
    eventually("a change is accepted again", Duration::from_secs(30), || label("free"))?;
    let kubeconfig = format!("{state}/full/kubeconfig");
    eventually("the Kubernetes API is ready again", Duration::from_secs(90), || {
        run("bin/kubectl", &["--kubeconfig", &kubeconfig, "get", "--raw", "/readyz"])
    })
    .map(|_| ())
}
