//! Clusters of virtual machines, with the real emulator. Needs no privilege.
//!
//! The machines have an empty disk: their firmware is what runs. Trials start the kernel that the
//! image was built with, `out/image/vmlinuz` or what `ICHOR_KERNEL` names. A whole system in such
//! machines is the subject of `xtask`'s test `machine`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use provision::qemu::{self, Accelerator, Emulation};
use provision::spec::{
    Acceleration, ClusterSpec, Forward, MachineSpec, Provisioner, Request, Size,
};
use provision::state::ClusterDirectory;
use provision::supervisor::{self, Command, NodeState, Power};

/// An emulated firmware takes about 10 s to its shell when it has a processor to itself.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    if let Some(code) = supervisor::hidden_role(std::env::args_os()) {
        return code;
    }
    let tests: [(&str, fn()); 8] = [
        ("a_guest_runs_under_emulation", a_guest_runs_under_emulation),
        ("kvm_is_believed_only_after_a_trial", kvm_is_believed_only_after_a_trial),
        ("a_kernel_that_is_none_is_found_out", a_kernel_that_is_none_is_found_out),
        ("a_machine_with_nothing_to_start_says_so", a_machine_with_nothing_to_start_says_so),
        ("power_reset_and_screen", power_reset_and_screen),
        ("the_host_serves_images_to_machines", the_host_serves_images_to_machines),
        ("a_port_in_use_is_named_and_nothing_stays", a_port_in_use_is_named_and_nothing_stays),
        ("a_killed_supervisor_takes_its_machines_along", a_killed_supervisor),
    ];
    let wanted = std::env::args().nth(1).filter(|name| !name.starts_with('-'));
    let mut failed = false;
    for (name, test) in tests {
        if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted.as_str())) {
            continue;
        }
        let begun = Instant::now();
        let ok = std::panic::catch_unwind(test).is_ok();
        println!(
            "test {name} ... {} ({:.1} s)",
            if ok { "ok" } else { "FAILED" },
            begun.elapsed().as_secs_f64()
        );
        failed |= !ok;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The kernel of trials.
fn kernel() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../out/image/vmlinuz");
    let path = std::env::var_os("ICHOR_KERNEL").map_or_else(built, PathBuf::from);
    assert!(path.exists(), "{} is missing; build it first: cargo xtask image", path.display());
    path
}

/// A cluster that is destroyed when the test ends, however it ends.
struct Cluster {
    directory: ClusterDirectory,
    spec: ClusterSpec,
    _state: tempfile::TempDir,
}

impl Cluster {
    fn plan(name: &str, change: impl FnOnce(&mut MachineSpec)) -> Self {
        let state = tempfile::tempdir().unwrap();
        let image = state.path().join("disk.raw");
        let mut content = vec![0; 4 << 20];
        content[512..520].copy_from_slice(b"EFI PART");
        fs::write(&image, content).unwrap();
        let mut machine = MachineSpec {
            image,
            disk: 64 << 20,
            kernel: None,
            acceleration: Acceleration::Tcg,
            tpm: false,
            watchdog: false,
            kernel_arguments: String::new(),
            time_limit: Duration::from_secs(600),
        };
        change(&mut machine);
        let size = Size { millicpus: 1000, memory: 512 << 20 };
        let request = Request {
            name: name.into(),
            network: "10.5.0.0/24".parse().unwrap(),
            mtu: 1500,
            control_planes: 1,
            workers: 0,
            control_plane_size: size,
            worker_size: size,
            provisioner: Provisioner::Qemu(machine),
            image_cache: None,
        };
        let directory = ClusterDirectory::new(state.path(), name);
        directory.create().unwrap();
        let mut spec = request.plan().unwrap();
        spec.forwards = vec![Forward {
            listen: free_address(),
            port: 50000,
            nodes: vec![spec.nodes[0].address],
        }];
        Self { directory, spec, _state: state }
    }

    fn start(self) -> Self {
        self.directory.save_spec(&self.spec).unwrap();
        assert!(supervisor::start(&self.directory).expect("the cluster starts"));
        self
    }

    fn emulation(&self) -> Result<Emulation, qemu::EmulationError> {
        let machine = self.spec.provisioner.machine().unwrap();
        Emulation::of_cluster(&self.directory, &self.spec, machine)
    }

    fn name(&self) -> String {
        self.spec.nodes[0].name.clone()
    }

    fn ask(&self, command: &Command) -> NodeState {
        supervisor::ask(self.directory.path(), command).unwrap().swap_remove(0)
    }

    /// Waits until the supervisor's picture of the machine is as wanted.
    fn until(&self, wanted: impl Fn(&NodeState) -> bool) -> NodeState {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let state = self.ask(&Command::Status);
            if wanted(&state) {
                return state;
            }
            let console = self.directory.console_tail(&self.name(), 5);
            assert!(Instant::now() < deadline, "the machine stays {state:?}: {console:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The process of a record in the machine's directory.
    fn recorded(&self, name: &str) -> sys::process::Process {
        let path = self.directory.node(&self.name()).join(name);
        let record: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let pid = i32::try_from(record["pid"].as_i64().unwrap()).unwrap();
        sys::process::Process::open(pid).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        supervisor::destroy(&self.directory).unwrap();
        assert!(!self.directory.path().exists());
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn ended(process: &sys::process::Process) {
    let patience = Some(Duration::from_secs(10));
    assert!(sys::signal::wait_readable(process, patience).unwrap(), "{process:?} still runs");
}

fn a_guest_runs_under_emulation() {
    let cluster = Cluster::plan("trial", |machine| machine.kernel = Some(kernel()));
    let emulation = cluster.emulation().unwrap();
    assert!(
        matches!(&emulation.accelerator, Accelerator::Tcg { model } if model.starts_with("max"))
    );
    assert_eq!(emulation.refused, []);
    // What was found out is kept.
    assert_eq!(cluster.emulation().unwrap(), emulation);
    let files = fs::read_dir(cluster.directory.path()).unwrap().count();
    assert_eq!(files, 1, "the trial left something behind");
}

fn kvm_is_believed_only_after_a_trial() {
    let cluster = Cluster::plan("auto", |machine| {
        machine.kernel = Some(kernel());
        machine.acceleration = Acceleration::Auto;
    });
    let begun = Instant::now();
    let emulation = cluster.emulation().unwrap();
    println!(
        "  {} after {:.1} s; {:?}",
        emulation.accelerator,
        begun.elapsed().as_secs_f64(),
        emulation.refused
    );
    match emulation.accelerator {
        Accelerator::Kvm => assert_eq!(emulation.refused, []),
        Accelerator::Tcg { .. } => {
            let [(what, why)] = emulation.refused.as_slice() else { panic!("{emulation:?}") };
            assert!(what == "KVM" && !why.is_empty(), "{emulation:?}");
        }
    }
    let forced = Cluster::plan("forced", |machine| machine.acceleration = Acceleration::Kvm);
    let error = forced.emulation().unwrap_err().to_string();
    assert!(error.contains("--vmlinuz-path"), "{error}");
}

fn a_kernel_that_is_none_is_found_out() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "no kernel").unwrap();
    let cluster = Cluster::plan("none", |machine| machine.kernel = Some(file.path().to_owned()));
    let error = cluster.emulation().unwrap_err().to_string();
    // Both models were tried, and what the emulator said is told.
    assert_eq!(error.matches("emulation of").count(), 2, "{error}");
    assert!(error.to_lowercase().contains("kernel"), "{error}");
}

fn a_machine_with_nothing_to_start_says_so() {
    let cluster = Cluster::plan("empty", |_| ()).start();
    let failed = cluster.until(|node| matches!(node.power, Power::Failed(_)));
    assert!(failed.power.to_string().contains("UEFI shell"), "{failed:?}");
    assert_eq!(failed.pid, None);
    let console = cluster.directory.console_tail(&cluster.name(), 5).join("\n");
    assert!(console.contains("Shell>"), "{console}");
}

fn power_reset_and_screen() {
    let cluster = Cluster::plan("power", |machine| {
        machine.tpm = true;
        machine.watchdog = true;
    })
    .start();
    let name = cluster.name();
    let first = cluster.ask(&Command::Status);
    assert_eq!((first.starts, &first.power), (1, &Power::On));
    cluster.ask(&Command::Screenshot(name.clone()));
    let picture = fs::read(qemu::screenshot(&cluster.directory, &name)).unwrap();
    assert!(picture.starts_with(b"\x89PNG"), "{:?}", picture.get(..8));
    cluster.ask(&Command::Reset(name.clone()));
    cluster.until(|node| node.starts == 2);

    let tpm = cluster.recorded("tpm.json");
    let machine = cluster.recorded("init.json");
    let node = ClusterDirectory::at(cluster.directory.node(&name));
    let identity = fs::read_to_string(node.file("identity")).unwrap();
    let off = cluster.ask(&Command::PowerCut(name.clone()));
    assert_eq!((off.pid, &off.power), (None, &Power::Off));
    ended(&machine);
    ended(&tpm);
    let error =
        supervisor::ask(cluster.directory.path(), &Command::Reset(name.clone())).unwrap_err();
    assert!(error.to_string().contains("off"), "{error}");

    // A power cut leaves the disk, the firmware's variables, the TPM's state and the identity.
    for file in ["disk.qcow2", "variables.fd", "tpm", "identity"] {
        assert!(node.file(file).exists(), "{file} is gone");
    }
    let check = std::process::Command::new("qemu-img")
        .args(["check", "-q"])
        .arg(node.file("disk.qcow2"))
        .status()
        .unwrap();
    assert!(check.success(), "the disk is damaged");
    let on = cluster.ask(&Command::PowerOn(name.clone()));
    assert_eq!((on.starts, &on.power), (3, &Power::On));
    assert_eq!(fs::read_to_string(node.file("identity")).unwrap(), identity);
    let error =
        supervisor::ask(cluster.directory.path(), &Command::PowerOn("x".into())).unwrap_err();
    assert!(error.to_string().contains("power-controlplane-1"), "{error}");
}

fn the_host_serves_images_to_machines() {
    let mut cluster = Cluster::plan("images", |_| ());
    let cache = cluster.directory.file("cache");
    fs::create_dir(&cache).unwrap();
    fs::write(cache.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(cache.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    cluster.spec.image_cache = Some(cache);
    let cluster = cluster.start();
    let port = cluster.emulation().unwrap().images.unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // The emulator holds the address that leads to the machine's API.
    TcpStream::connect(cluster.spec.forwards[0].listen).unwrap();
}

fn a_port_in_use_is_named_and_nothing_stays() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut cluster = Cluster::plan("port", |_| ());
    cluster.spec.forwards[0].listen = taken.local_addr().unwrap();
    cluster.directory.save_spec(&cluster.spec).unwrap();
    let error = supervisor::start(&cluster.directory).unwrap_err().to_string();
    let address = taken.local_addr().unwrap().to_string();
    assert!(error.contains(&address), "{error}");
    assert!(supervisor::ask(cluster.directory.path(), &Command::Status).is_err());
    // With the port free again, the interrupted start goes through.
    drop(taken);
    assert!(supervisor::start(&cluster.directory).unwrap());
}

fn a_killed_supervisor() {
    let cluster = Cluster::plan("killed", |machine| machine.tpm = true).start();
    let (machine, tpm) = (cluster.recorded("init.json"), cluster.recorded("tpm.json"));
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(cluster.directory.file("supervisor.json")).unwrap())
            .unwrap();
    let pid = i32::try_from(record["pid"].as_i64().unwrap()).unwrap();
    sys::process::Process::open(pid).unwrap().signal(sys::Signal::KILL).unwrap();
    ended(&machine);
    ended(&tpm);
    drop(cluster.directory.lock().unwrap());
    assert!(supervisor::ask(cluster.directory.path(), &Command::Status).is_err());
    // The same command that makes a cluster brings it back, disks included.
    assert!(supervisor::start(&cluster.directory).unwrap());
}
