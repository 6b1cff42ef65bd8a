//! A cluster under test: created by the programs a user has, asked through them, destroyed by them.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use provision::spec::Role;
use provision::state::ClusterDirectory;
use provision::supervisor;
use serde_json::Value;

use crate::outcome::{Outcome, ensure, run, run_with};

/// What the nodes under test are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One control plane and one worker in namespaces.
    Native,
    /// One control plane in a virtual machine, with what these options of the command give it besides.
    #[allow(dead_code, reason = "only the test of machines makes one; other tests share this file")]
    Machine(&'static [&'static str]),
}

/// The cluster and where its files are.
pub(crate) struct Cluster {
    kind: Kind,
    name: String,
    checkout: PathBuf,
    state: PathBuf,
}

/// A node as the provisioner knows it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) role: Role,
}

impl Cluster {
    /// Makes room for a cluster of this name, of what `cargo xtask all` built.
    pub(crate) fn prepare(kind: Kind, name: &str) -> Outcome<Self> {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned();
        let image: &[&str] = match kind {
            Kind::Native => &["out/image/root.sqfs"],
            Kind::Machine(_) => &["out/image/disk.raw.zst", "out/image/vmlinuz"],
        };
        for needed in ["out/bin/ichorctl", "out/bin/kubectl", "out/image/cache"].iter().chain(image)
        {
            if !checkout.join(needed).exists() {
                return Err(format!("{needed} is missing; build it first: cargo xtask all"));
            }
        }
        let state = checkout.join("out/test-clusters");
        fs::create_dir_all(&state)
            .map_err(|error| format!("making {}: {error}", state.display()))?;
        let cluster = Self { kind, name: name.to_owned(), checkout, state };
        if cluster.directory().exists() {
            println!("destroying what an interrupted run left");
            cluster.destroy()?;
        }
        Ok(cluster)
    }

    /// Creates a cluster.
    pub(crate) fn create(kind: Kind, name: &str) -> Outcome<Self> {
        let cluster = Self::prepare(kind, name)?;
        let begun = Instant::now();
        let created = cluster.create_again();
        if let Err(error) = created {
            cluster.consoles();
            // What happened is more interesting than whether the clean-up worked too.
            let _ = cluster.destroy();
            return Err(error);
        }
        println!("cluster created in {:.1} s", begun.elapsed().as_secs_f64());
        Ok(cluster)
    }

    /// Runs the command that creates the cluster, which may be there already.
    pub(crate) fn create_again(&self) -> Outcome {
        let output =
            self.start_creating()?.wait_with_output().map_err(|error| error.to_string())?;
        let printed = String::from_utf8_lossy(&output.stderr);
        ensure(output.status.success(), || format!("creating the cluster failed\n{printed}"))
    }

    /// Starts to create the cluster and leaves the waiting to the caller.
    pub(crate) fn start_creating(&self) -> Outcome<Child> {
        let mut command = Command::new(self.built("bin/ichorctl"));
        command
            .args(["cluster", "create", "--name", &self.name])
            .args(["--state", &self.state.display().to_string()])
            .args(["--image-cache", &self.built("image/cache")])
            .args(["--talosconfig-destination", &self.file("talosconfig")])
            .args(["--kubeconfig-destination", &self.file("kubeconfig")]);
        match self.kind {
            Kind::Native => command
                .args(["--provisioner", "native", "--wait-timeout", "5m"])
                .args(["--root-image", &self.built("image/root.sqfs")]),
            // Emulated: an API server that starts takes a minute of a processor.
            Kind::Machine(options) => command
                .args(["--provisioner", "qemu", "--workers", "0", "--wait-timeout", "15m"])
                .args(["--time-limit", "45m", "--memory-controlplanes", "2.5GiB"])
                .args(["--disk-image-path", &self.built("image/disk.raw.zst")])
                .args(["--vmlinuz-path", &self.built("image/vmlinuz")])
                .args(["--extra-boot-kernel-args", "mitigations=off"])
                .args(options),
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("starting ichorctl: {error}"))
    }

    /// A file that `cargo xtask all` built.
    pub(crate) fn built(&self, path: &str) -> String {
        self.checkout.join("out").join(path).display().to_string()
    }

    /// A file that gives access to the cluster.
    pub(crate) fn file(&self, name: &str) -> String {
        self.state.join(format!("{}.{name}", self.name)).display().to_string()
    }

    pub(crate) fn directory(&self) -> ClusterDirectory {
        ClusterDirectory::new(&self.state, &self.name)
    }

    /// The cluster's name and the directory of its directory.
    pub(crate) fn place_of(&self) -> (&str, String) {
        (&self.name, self.state.display().to_string())
    }

    /// Runs `ichorctl cluster …` for this cluster.
    pub(crate) fn place(&self, arguments: &[&str]) -> Outcome<String> {
        let state = self.state.display().to_string();
        let place = ["--name", self.name.as_str(), "--state", state.as_str()];
        self.ichorctl(&[&["cluster"], arguments, place.as_slice()].concat())
    }

    /// Runs `ichorctl` with this cluster's client configuration.
    pub(crate) fn ichorctl(&self, arguments: &[&str]) -> Outcome<String> {
        let mut command = Command::new(self.built("bin/ichorctl"));
        command.env("TALOSCONFIG", self.file("talosconfig")).args(arguments);
        run(&mut command)
    }

    /// Runs `kubectl` with this cluster's configuration.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Outcome<String> {
        run(&mut self.kubectl_command(arguments))
    }

    /// A `kubectl` to be started by the caller.
    pub(crate) fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.built("bin/kubectl"));
        command.env("KUBECONFIG", self.file("kubeconfig")).args(arguments);
        command
    }

    /// Applies objects.
    pub(crate) fn apply(&self, objects: &[Value]) -> Outcome {
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        let mut command = self.kubectl_command(&["apply", "-f", "-"]);
        run_with(&mut command, &list.to_string()).map(|_| ())
    }

    /// Reads an object or a list.
    pub(crate) fn object(&self, arguments: &[&str]) -> Outcome<Value> {
        let answer = self.kubectl(&[arguments, &["-o", "json"]].concat())?;
        serde_json::from_str(&answer).map_err(|error| format!("kubectl printed no JSON: {error}"))
    }

    /// The nodes, control plane first.
    pub(crate) fn nodes(&self) -> Outcome<Vec<Node>> {
        let spec = self.directory().spec().map_err(|error| error.to_string())?;
        let node = |node: &provision::spec::NodeSpec| Node {
            name: node.name.clone(),
            address: node.address,
            role: node.role,
        };
        Ok(spec.nodes.iter().map(node).collect())
    }

    /// The first node of the role.
    pub(crate) fn node(&self, role: Role) -> Outcome<Node> {
        let found = self.nodes()?.into_iter().find(|node| node.role == role);
        found.ok_or_else(|| format!("there is no {role}"))
    }

    /// The first process of a node, as the host numbers it.
    pub(crate) fn first_process(&self, node: &Node) -> Outcome<i32> {
        let states = supervisor::ask(self.directory().path(), &supervisor::Command::Status)
            .map_err(|error| error.to_string())?;
        let state = states.into_iter().find(|state| state.name == node.name);
        state.and_then(|state| state.pid).ok_or_else(|| format!("{} is off", node.name))
    }

    /// Destroys the cluster.
    pub(crate) fn destroy(&self) -> Outcome {
        self.place(&["destroy"])?;
        for name in ["talosconfig", "kubeconfig"] {
            // They are only there when the cluster was created to the end.
            let _ = fs::remove_file(self.file(name));
        }
        Ok(())
    }

    /// Prints the end of each node's console: the place to look when a node did not start.
    pub(crate) fn consoles(&self) {
        for node in self.nodes().unwrap_or_default() {
            let text = fs::read_to_string(self.directory().console(&node.name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            println!("--- the last lines of {}'s console", node.name);
            for line in &lines[lines.len().saturating_sub(40)..] {
                println!("{line}");
            }
        }
    }
}
