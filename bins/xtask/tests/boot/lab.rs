//! What the guests are made of, and the files they leave.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use provision::qemu::{Accelerator, Emulation};
use provision::spec::{Acceleration, MachineSpec, Provisioner, Request, Size};
use provision::state::ClusterDirectory;

use crate::outcome::{Outcome, ensure, run};

/// What makes a machine a part of a cluster, and the key to that.
pub(crate) struct Cluster {
    /// The machine configuration.
    pub(crate) configuration: String,
    /// Where the client configuration is, as long as this lives.
    pub(crate) talosconfig: PathBuf,
    _directory: tempfile::TempDir,
}

/// The images under test and a directory for what guests leave.
pub(crate) struct Lab {
    out: PathBuf,
    directory: tempfile::TempDir,
    emulation: Emulation,
}

impl Lab {
    /// Finds the images, and who can execute a guest.
    pub(crate) fn open() -> Outcome<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("/"));
        let out = root.join("out");
        for needed in ["bin/ichorctl", "image/vmlinuz", "image/initramfs.img", "image/ichor.efi"] {
            ensure(out.join(needed).exists(), || {
                format!("out/{needed} is missing; build it first: make image")
            })?;
        }
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let machine = MachineSpec {
            image: out.join("image/disk.raw.zst"),
            disk: 1 << 30,
            kernel: Some(out.join("image/vmlinuz")),
            acceleration: Acceleration::Auto,
            tpm: false,
            watchdog: false,
            kernel_arguments: String::new(),
            time_limit: Duration::from_secs(60),
        };
        let size = Size { millicpus: 1000, memory: 1 << 30 };
        let request = Request {
            name: "boot".into(),
            network: "10.5.0.0/24".parse().map_err(|_| "no network".to_owned())?,
            mtu: 1500,
            control_planes: 1,
            workers: 0,
            control_plane_size: size,
            worker_size: size,
            provisioner: Provisioner::Qemu(machine.clone()),
            image_cache: None,
        };
        let spec = request.plan().map_err(|error| error.to_string())?;
        let place = ClusterDirectory::at(directory.path().join("trial"));
        let emulation = Emulation::of_cluster(&place, &spec, &machine);
        let emulation = emulation.map_err(|error| error.to_string())?;
        Ok(Self { out, directory, emulation })
    }

    /// Where everything is that was built.
    pub(crate) fn out(&self) -> &Path {
        &self.out
    }

    /// A file of the machine image.
    pub(crate) fn built(&self, name: &str) -> PathBuf {
        self.out.join("image").join(name)
    }

    /// A file of this run.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The accelerator and the processor, as QEMU calls them.
    pub(crate) fn accelerator(&self) -> (String, String) {
        match &self.emulation.accelerator {
            Accelerator::Kvm => ("kvm".into(), "host".into()),
            Accelerator::Tcg { model } => ("tcg".into(), model.clone()),
        }
    }

    /// The firmware's code.
    pub(crate) fn firmware(&self) -> &Path {
        &self.emulation.firmware
    }

    /// A file with the variables of firmware that was never used.
    pub(crate) fn variables(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.file(name);
        copy(&self.emulation.variables, &path)?;
        Ok(path)
    }

    /// Who executes the guests.
    pub(crate) fn executes(&self) -> String {
        self.emulation.accelerator.to_string()
    }

    /// Runs `ichorctl`.
    pub(crate) fn ichorctl(&self, arguments: &[&str]) -> Outcome<String> {
        run(Command::new(self.out.join("bin/ichorctl")).args(arguments))
    }

    /// The configuration of a node of this role (`controlplane` or `worker`) whose cluster is at an
    /// address where nobody answers, with patches.
    pub(crate) fn configuration(&self, role: &str, patches: &[&str]) -> Outcome<String> {
        self.cluster(role, patches).map(|cluster| cluster.configuration)
    }

    /// The same with the key to the cluster.
    pub(crate) fn cluster(&self, role: &str, patches: &[&str]) -> Outcome<Cluster> {
        let directory = tempfile::tempdir_in(self.directory.path());
        let directory = directory.map_err(|error| error.to_string())?;
        let place = directory.path().display().to_string();
        let mut arguments = vec!["gen", "config", "boot", "https://10.0.2.2:9", "--output", &place];
        let types = format!("{role},talosconfig");
        arguments.extend(["--output-types", &types, "--force"]);
        for patch in patches {
            arguments.extend(["--config-patch", patch]);
        }
        self.ichorctl(&arguments)?;
        let path = directory.path().join(format!("{role}.yaml"));
        let configuration = fs::read_to_string(&path)
            .map_err(|error| format!("reading {}: {error}", path.display()))?;
        Ok(Cluster {
            configuration,
            talosconfig: directory.path().join("talosconfig"),
            _directory: directory,
        })
    }

    /// A disk with the image that was built, of this many bytes.
    pub(crate) fn disk(&self, name: &str, size: u64) -> Outcome<PathBuf> {
        let (base, path) = (self.file("image.raw"), self.file(name));
        if !base.exists() {
            // What is empty in it takes no room.
            let mut unpack = Command::new("zstd");
            unpack.args(["-dqf", "--sparse"]).arg(self.built("disk.raw.zst")).arg("-o").arg(&base);
            run(&mut unpack)?;
        }
        copy(&base, &path)?;
        let file = fs::OpenOptions::new().write(true).open(&path);
        file.and_then(|file| file.set_len(size)).map_err(|error| error.to_string())?;
        Ok(path)
    }
}

/// Copies a file with its holes.
pub(crate) fn copy(from: &Path, to: &Path) -> Outcome {
    run(Command::new("cp").arg("--sparse=always").arg(from).arg(to)).map(|_| ())
}
