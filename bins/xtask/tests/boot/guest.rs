//! A machine that starts from a kernel and a first file system, mostly without UEFI firmware: the
//! cheap way to see how a boot goes wrong.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::lab::{Cluster, Lab};
use crate::outcome::{Outcome, ensure};

/// No machine runs for longer, whatever the test does.
const LIFE: &str = "280";
/// How long a line may take to come: an emulated machine on a busy host is slow.
const PATIENCE: Duration = Duration::from_secs(150);

/// The address that the emulator's DHCP server gives first.
const ADDRESS: &str = "10.0.2.15";

/// The first of the ports that lead to machines, and how many there are.
const PORTS: (u16, u16) = (20_000, 5_000);

/// What a machine has around it.
pub(crate) struct Around<'a> {
    /// What QEMU calls its board.
    pub(crate) board: &'a str,
    /// How many processors it has.
    pub(crate) processors: u8,
    /// Its memory in MiB.
    pub(crate) memory: u16,
    /// Its disk, raw.
    pub(crate) disk: Option<&'a Path>,
    /// Whether anybody answers on its network.
    pub(crate) network: bool,
    /// The variables of its UEFI firmware; without them it starts without firmware of that kind.
    pub(crate) variables: Option<&'a Path>,
    /// The time of its hardware clock, as QEMU writes it.
    pub(crate) clock: Option<&'a str>,
    /// Another first file system than the machine's.
    pub(crate) initramfs: Option<&'a Path>,
    /// What is added to the machine's first file system.
    pub(crate) addition: Option<&'a [u8]>,
    /// What it is told that it runs on.
    pub(crate) platform: &'a str,
    /// Where its configuration is; empty if the platform knows.
    pub(crate) config: &'a str,
}

impl Default for Around<'_> {
    fn default() -> Self {
        Self {
            board: "q35",
            processors: 1,
            memory: 1100,
            disk: None,
            network: true,
            variables: None,
            clock: None,
            initramfs: None,
            addition: None,
            platform: "metal",
            config: "none",
        }
    }
}

/// A running machine; it loses its power when this is dropped.
pub(crate) struct Guest {
    child: Child,
    pid: PathBuf,
    console: PathBuf,
    begun: Instant,
    /// The port of this host that leads to its API.
    api: u16,
}

impl Guest {
    /// Starts a machine.
    pub(crate) fn start(lab: &Lab, name: &str, around: &Around<'_>) -> Outcome<Self> {
        let file = |suffix: &str| lab.file(&format!("{name}.{suffix}"));
        let (console, pid) = (file("console"), file("pid"));
        for old in [&console, &pid] {
            let _ = fs::remove_file(old);
        }
        let initramfs = match (around.initramfs, around.addition) {
            (Some(other), _) => other.to_owned(),
            (None, None) => lab.built("initramfs.img"),
            (None, Some(addition)) => {
                let path = file("initramfs");
                let joined = fs::read(lab.built("initramfs.img")).and_then(|mut whole| {
                    // The kernel looks for an archive that is not compressed at each fourth byte.
                    whole.resize(whole.len().next_multiple_of(4), 0);
                    whole.extend(addition);
                    fs::write(&path, whole)
                });
                joined.map_err(|error| format!("writing {}: {error}", path.display()))?;
                path
            }
        };
        let api = free_port()?;
        let (accelerator, model) = lab.accelerator();
        let config = match around.config {
            "" => String::new(),
            config => format!("talos.config={config}"),
        };
        let line = format!(
            "slab_nomerge= printk.devkmsg=on module.sig_enforce=1 panic=1 pti=off mitigations=off \
             console=ttyS0 talos.platform={} talos.dashboard.disabled=1 {config}",
            around.platform
        );
        let mut command = Command::new("timeout");
        command.args(["--signal", "KILL", LIFE, "qemu-system-x86_64"]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        command.args(["-machine", around.board, "-smp", &around.processors.to_string()]);
        command.args(["-m", &format!("{}M", around.memory)]);
        command.args(["-accel", &accelerator, "-cpu", &model]);
        command.arg("-pidfile").arg(&pid);
        command.args(["-serial", &format!("file:{}", console.display())]);
        command.args(["-device", "virtio-rng-pci"]);
        command.args(["-device", "virtio-net-pci,netdev=net0,romfile="]);
        let network = match around.network {
            true => format!("user,id=net0,hostfwd=tcp:127.0.0.1:{api}-:50000"),
            false => "hubport,id=net0,hubid=0".to_owned(),
        };
        command.args(["-netdev", &network]);
        if let Some(disk) = around.disk {
            let disk = format!("file={},format=raw,if=virtio", disk.display());
            command.args(["-drive", &disk]);
        }
        if let Some(variables) = around.variables {
            let firmware = lab.firmware().display();
            command.arg("-drive");
            command.arg(format!("if=pflash,format=raw,unit=0,readonly=on,file={firmware}"));
            command.arg("-drive");
            command.arg(format!("if=pflash,format=raw,unit=1,file={}", variables.display()));
        }
        if let Some(clock) = around.clock {
            command.args(["-rtc", &format!("base={clock}")]);
        }
        command.arg("-kernel").arg(lab.built("vmlinuz")).arg("-initrd").arg(initramfs);
        command.args(["-append", &line]);
        let log = File::create(file("log")).map_err(|error| error.to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("starting QEMU: {error}"))?;
        Ok(Self { child, pid, console, begun: Instant::now(), api })
    }

    /// What the machine has said.
    pub(crate) fn said(&self) -> String {
        let mut text = Vec::new();
        // There is no file before the machine has begun.
        let read = File::open(&self.console).and_then(|mut file| file.read_to_end(&mut text));
        read.map(|_| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    /// Waits until the machine says this, and returns how long after its start that was.
    pub(crate) fn says(&mut self, what: &str) -> Outcome<Duration> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.said();
            if said.contains(what) {
                return Ok(self.begun.elapsed());
            }
            let ended = self.child.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || Instant::now() > deadline {
                let lines: Vec<&str> = said.lines().collect();
                let end = lines[lines.len().saturating_sub(30)..].join("\n");
                let how = if ended.is_some() { "ended" } else { "runs" };
                return Err(format!("the machine {how} and never said {what:?}:\n{end}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the machine has switched itself off or would start again.
    pub(crate) fn ends(&mut self) -> Outcome {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        ensure(status.success(), || format!("the emulator ended with {status}"))
    }

    /// Where its API is.
    pub(crate) fn api(&self) -> String {
        format!("127.0.0.1:{}", self.api)
    }

    /// Asks its API for resources as somebody without a certificate.
    pub(crate) fn get(&self, lab: &Lab, kind: &str) -> Outcome<String> {
        lab.ichorctl(&["get", kind, "--insecure", "--nodes", &self.api()])
    }

    /// Asks its API with the cluster's key.
    pub(crate) fn ask(&self, lab: &Lab, cluster: &Cluster, arguments: &[&str]) -> Outcome<String> {
        let (key, endpoint) = (cluster.talosconfig.display().to_string(), self.api());
        let place = ["--talosconfig", &key, "--endpoints", &endpoint, "--nodes", ADDRESS];
        lab.ichorctl(&[arguments, &place[..]].concat())
    }

    /// Takes its power.
    pub(crate) fn cut(mut self) -> Outcome {
        self.kill()
    }

    fn kill(&mut self) -> Outcome {
        let ended = self.child.try_wait().map_err(|error| error.to_string())?;
        if ended.is_none()
            && let Ok(text) = fs::read_to_string(&self.pid)
            && let Ok(pid) = text.trim().parse()
        {
            let pid = nix::unistd::Pid::from_raw(pid);
            // It may have ended by itself in between.
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        self.child.wait().map(|_| ()).map_err(|error| error.to_string())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Its time limit ends a machine that could not be ended here.
        let _ = self.kill();
    }
}

/// A port that nobody listens on. None of those that the kernel gives to whoever connects somewhere: another check may do
/// that before the emulator has taken it.
fn free_port() -> Outcome<u16> {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % u32::from(PORTS.1)).unwrap_or_default();
    for _ in 0..PORTS.1 {
        let next = own.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % PORTS.1;
        if TcpListener::bind(("127.0.0.1", PORTS.0 + next)).is_ok() {
            return Ok(PORTS.0 + next);
        }
    }
    Err(format!("none of {} ports from {} on is free", PORTS.1, PORTS.0))
}

/// Serves a text to whoever asks on a port of this host, as long as the test runs; returns where a
/// machine finds it.
pub(crate) fn serve(text: String) -> Outcome<String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4096];
            // What is asked for does not matter: there is only one thing.
            if stream.read(&mut request).is_ok() {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
                let _ = stream.write_all([head.as_bytes(), text.as_bytes()].concat().as_slice());
            }
        }
    });
    // The emulator's network leads from this address to the host's loopback.
    Ok(format!("http://10.0.2.2:{port}/config.yaml"))
}

/// Fails unless the machine has never said this.
pub(crate) fn never(guest: &Guest, what: &str) -> Outcome {
    let said = guest.said();
    ensure(!said.contains(what), || {
        let line = said.lines().find(|line| line.contains(what)).unwrap_or_default().to_owned();
        format!("the machine said: {line}")
    })
}
