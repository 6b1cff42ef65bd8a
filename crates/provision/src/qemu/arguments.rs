//! The emulator's command lines, as functions of what is wanted: no I/O here.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use super::emulation::{Accelerator, Emulation};
use crate::spec::{MachineSpec, NodeSpec};

/// The descriptor under which the emulator finds its end of the control connection.
pub(super) const CONTROL_FD: i32 = 3;
/// The descriptor under which the emulator finds its end of the TPM's connection.
pub(super) const TPM_FD: i32 = 4;
/// Where the links of one cluster's machines meet; the port tells clusters apart.
const SEGMENT: Ipv4Addr = Ipv4Addr::new(230, 0, 0, 1);

/// A machine that is about to be started.
pub(super) struct Machine<'a> {
    /// What it runs with.
    pub(super) emulation: &'a Emulation,
    /// Its devices.
    pub(super) spec: &'a MachineSpec,
    /// Its name and size.
    pub(super) node: &'a NodeSpec,
    /// Its identity, a UUID.
    pub(super) identity: &'a str,
    /// Its disk, in the format qcow2.
    pub(super) disk: &'a Path,
    /// Its firmware's variables.
    pub(super) variables: &'a Path,
    /// The file that its serial line is written to.
    pub(super) console: &'a Path,
    /// Addresses of this host, and the machine's ports they lead to.
    pub(super) forwards: &'a [(SocketAddr, u16)],
    /// The largest packet of the machines' network.
    pub(super) mtu: u32,
}

/// What QEMU calls the board. Its SATA controller, on which machines here have nothing, would be looked for at each start,
/// with four drivers and a third of a second for its links.
pub const BOARD: &str = "q35,sata=off";

/// The link to the world, through the emulator's own network.
pub(crate) const UPLINK: u8 = 0;
/// The link between machines, with the node's address.
pub(crate) const SEGMENT_LINK: u8 = 1;

/// The hardware address of a machine's link. All machines of a segment have different ones.
#[must_use]
pub(crate) fn hardware_address(link: u8, node: Ipv4Addr) -> String {
    let [_, a, b, c] = node.octets();
    format!("52:54:{link:02x}:{a:02x}:{b:02x}:{c:02x}")
}

/// The command line of a machine.
pub(super) fn machine(machine: &Machine<'_>) -> Vec<String> {
    let Machine { emulation, spec, node, .. } = machine;
    let mut line = Line::new(&emulation.accelerator);
    line.option("-smp", node.size.millicpus.div_ceil(1000).max(1));
    line.option("-m", format!("{}M", node.size.memory >> 20));
    line.option("-uuid", machine.identity);
    line.option("-smbios", format!("type=1,manufacturer=Ichor,serial={}", escape(&node.name)));
    for (unit, file, mode) in
        [(0, &*emulation.firmware, ",readonly=on"), (1, machine.variables, "")]
    {
        let file = path(file);
        line.option("-drive", format!("if=pflash,format=raw,unit={unit},file={file}{mode}"));
    }
    let disk = path(machine.disk);
    line.option(
        "-drive",
        format!("if=none,id=disk0,format=qcow2,discard=unmap,detect-zeroes=unmap,file={disk}"),
    );
    line.option("-device", "virtio-blk-pci,drive=disk0,bootindex=0,serial=disk0");
    let mut uplink = format!("user,id=net{UPLINK}");
    for (listen, port) in machine.forwards {
        uplink.push_str(&format!(",hostfwd=tcp:{}:{}-:{port}", listen.ip(), listen.port()));
    }
    line.option("-netdev", uplink);
    line.option("-device", nic(UPLINK, node, None));
    let port = emulation.segment;
    line.option(
        "-netdev",
        format!("socket,id=net{SEGMENT_LINK},mcast={SEGMENT}:{port},localaddr=127.0.0.1"),
    );
    line.option("-device", nic(SEGMENT_LINK, node, Some(machine.mtu)));
    line.option("-device", "virtio-rng-pci");
    line.option("-vga", "std");
    let console = path(machine.console);
    line.option("-chardev", format!("file,id=console,append=on,path={console}"));
    line.option("-serial", "chardev:console");
    line.option("-chardev", format!("socket,id=control,fd={CONTROL_FD}"));
    line.option("-mon", "chardev=control,mode=control");
    if spec.tpm {
        line.option("-chardev", format!("socket,id=tpm,fd={TPM_FD}"));
        line.option("-tpmdev", "emulator,id=tpm0,chardev=tpm");
        line.option("-device", "tpm-crb,tpmdev=tpm0");
    }
    if spec.watchdog {
        line.option("-device", "i6300esb");
        line.option("-action", "watchdog=reset");
    }
    line.0
}

/// The command line of a trial guest, which prints on standard output.
pub(super) fn trial(accelerator: &Accelerator, kernel: &Path, initramfs: &Path) -> Vec<String> {
    let mut line = Line::new(accelerator);
    line.option("-smp", 1);
    line.option("-m", "512M");
    line.flag("-no-reboot");
    line.option("-serial", "stdio");
    line.option("-kernel", kernel.display());
    line.option("-initrd", initramfs.display());
    line.option("-append", "console=ttyS0 quiet panic=-1");
    line.0
}

fn nic(link: u8, node: &NodeSpec, mtu: Option<u32>) -> String {
    let address = hardware_address(link, node.address);
    // Without an option ROM the firmware does not try to start from the network.
    let mut nic = format!("virtio-net-pci,netdev=net{link},mac={address},romfile=");
    if let Some(mtu) = mtu {
        nic.push_str(&format!(",host_mtu={mtu}"));
    }
    nic
}

/// A comma in a value is written twice.
fn escape(text: &str) -> String {
    text.replace(',', ",,")
}

fn path(path: &Path) -> String {
    escape(&path.display().to_string())
}

struct Line(Vec<String>);

impl Line {
    /// What all machines have.
    fn new(accelerator: &Accelerator) -> Self {
        let mut line = Self(Vec::new());
        line.flag("-nodefaults");
        line.flag("-no-user-config");
        line.option("-display", "none");
        line.option("-machine", BOARD);
        let (accelerator, model) = match accelerator {
            Accelerator::Kvm => ("kvm", "host"),
            Accelerator::Tcg { model } => ("tcg,thread=multi", model.as_str()),
        };
        line.option("-accel", accelerator);
        line.option("-cpu", model);
        line
    }

    fn flag(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    fn option(&mut self, name: &str, value: impl ToString) {
        self.0.extend([name.to_owned(), value.to_string()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Acceleration, Role, Size};
    use std::time::Duration;

    fn emulation(accelerator: Accelerator) -> Emulation {
        Emulation {
            program: "/bin/qemu".into(),
            image_tool: "/bin/qemu-img".into(),
            tpm: None,
            firmware: "/fw/code.fd".into(),
            variables: "/fw/vars.fd".into(),
            accelerator,
            refused: vec![],
            segment: 4000,
            images: None,
            proxy: None,
        }
    }

    fn text(line: &[String]) -> String {
        let mut text = String::new();
        for word in line {
            text.push_str(if word.starts_with('-') && !text.is_empty() { "\n" } else { "" });
            text.push_str(if word.starts_with('-') { "" } else { " " });
            text.push_str(word);
        }
        text
    }

    #[test]
    fn the_command_lines_of_machines() {
        let node = NodeSpec {
            name: "a-controlplane-1".into(),
            role: Role::ControlPlane,
            address: Ipv4Addr::new(10, 5, 0, 2),
            size: Size { millicpus: 1500, memory: 2 << 30 },
        };
        let mut spec = MachineSpec {
            image: "/disk.raw.zst".into(),
            disk: 10 << 30,
            kernel: None,
            acceleration: Acceleration::Auto,
            tpm: false,
            watchdog: false,
            kernel_arguments: String::new(),
            time_limit: Duration::from_secs(1),
        };
        let lines = |emulation: &Emulation, spec: &MachineSpec| {
            text(&machine(&Machine {
                emulation,
                spec,
                node: &node,
                identity: "7c9e6679-7425-40de-944b-e07fc1f90ae7",
                disk: Path::new("/c/disk,1.qcow2"),
                variables: Path::new("/c/vars.fd"),
                console: Path::new("/c/console.log"),
                forwards: &[
                    ("127.0.0.1:4001".parse().unwrap(), 50000),
                    ("127.0.0.1:4002".parse().unwrap(), 6443),
                ],
                mtu: 1400,
            }))
        };
        let plain = emulation(Accelerator::Tcg { model: "max,-la57".into() });
        insta::assert_snapshot!("plain", lines(&plain, &spec));
        spec.tpm = true;
        spec.watchdog = true;
        insta::assert_snapshot!("everything", lines(&emulation(Accelerator::Kvm), &spec));
    }

    #[test]
    fn the_command_line_of_a_trial() {
        let line = trial(&Accelerator::Kvm, Path::new("/k/vmlinuz"), Path::new("/t/x.cpio"));
        insta::assert_snapshot!("trial", text(&line));
    }

    #[test]
    fn links_of_a_segment_differ() {
        let address = |link, last| hardware_address(link, Ipv4Addr::new(10, 5, 0, last));
        assert_eq!(address(1, 2), "52:54:01:05:00:02");
        assert_ne!(address(1, 2), address(1, 3));
        assert_ne!(address(0, 2), address(1, 2));
    }
}
