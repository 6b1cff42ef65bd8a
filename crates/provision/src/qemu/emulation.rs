//! What this host runs virtual machines with: programs, firmware, accelerator, free ports.
//!
//! It is found out once for a cluster and recorded in its directory, so that its machines meet the
//! same hardware whenever they are started again.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::trial::{self, TrialError};
use crate::native::egress::Uplink;
use crate::spec::{Acceleration, ClusterSpec, MachineSpec};
use crate::state::{ClusterDirectory, StateError};
use crate::supervisor::chain;

/// The emulator.
const PROGRAM: &str = "qemu-system-x86_64";
/// The tool that makes disks.
const IMAGE_TOOL: &str = "qemu-img";
/// The TPM.
const TPM_PROGRAM: &str = "swtpm";
/// The record's name in the cluster's directory.
const RECORD: &str = "emulation.json";

/// Where distributions keep the UEFI firmware: code, and the variables a new machine starts with.
const FIRMWARE: [(&str, &str); 5] = [
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ("/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"),
];

/// Processor models of the emulator, the best first. String instructions and five-level page
/// tables are left out because emulation makes them slow; the second is for emulators that cannot
/// run a kernel with everything they offer.
const MODELS: [&str; 2] = ["max,-erms,-fsrm,-la57", "qemu64"];

/// Why this host cannot run the machines.
#[derive(Debug, Error)]
pub enum EmulationError {
    /// Something is not installed.
    #[error("{what} is not installed: apt-get install {package}")]
    Missing {
        /// What.
        what: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// Nothing could run the trial guest.
    #[error("no way of running a virtual machine works here:{}", list(.0))]
    NoAccelerator(Vec<(String, String)>),
    /// The accelerator that was asked for cannot be tried.
    #[error(
        "KVM is asked for, and without a kernel there is no trial of it: name one with --vmlinuz-path"
    )]
    NoKernel,
    /// A port could not be had.
    #[error("cannot find a free port on 127.0.0.1")]
    Port(#[source] io::Error),
    /// The record could not be used.
    #[error(transparent)]
    State(#[from] StateError),
}

fn list(tried: &[(String, String)]) -> String {
    tried.iter().map(|(what, why)| format!("\n  - {what}: {why}")).collect()
}

/// Who executes the machines' code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// This processor.
    Kvm,
    /// The emulator, as this model of processor.
    Tcg {
        /// The model and what it lacks, as QEMU writes it.
        model: String,
    },
}

impl std::fmt::Display for Accelerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kvm => f.write_str("KVM"),
            Self::Tcg { model } => write!(f, "emulation of {model}"),
        }
    }
}

/// What the machines of a cluster are run with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulation {
    /// The emulator.
    pub(super) program: PathBuf,
    /// The tool that makes disks.
    pub(super) image_tool: PathBuf,
    /// The TPM, when machines have one.
    pub(super) tpm: Option<PathBuf>,
    /// The firmware's code.
    pub firmware: PathBuf,
    /// The firmware's variables as they are in a new machine.
    pub variables: PathBuf,
    /// Who executes the machines' code.
    pub accelerator: Accelerator,
    /// What was tried before and did not work, and why.
    pub refused: Vec<(String, String)>,
    /// The port on which machines' links meet.
    pub(super) segment: u16,
    /// The port of this host where machines find the image cache.
    pub images: Option<u16>,
    /// The port of this host where machines find a proxy, when the host itself needs one.
    pub proxy: Option<u16>,
}

/// What is not installed, each with its Debian package.
pub(crate) fn missing(machine: &MachineSpec) -> Vec<(&'static str, &'static str)> {
    let mut missing = Vec::new();
    let mut need = |there: bool, what, package| {
        if !there {
            missing.push((what, package));
        }
    };
    need(find(PROGRAM).is_some(), PROGRAM, "qemu-system-x86");
    need(find(IMAGE_TOOL).is_some(), IMAGE_TOOL, "qemu-utils");
    need(firmware().is_some(), "UEFI firmware for virtual machines", "ovmf");
    need(!machine.tpm || find(TPM_PROGRAM).is_some(), TPM_PROGRAM, "swtpm");
    missing
}

/// The program's place in the search path.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}

fn firmware() -> Option<(PathBuf, PathBuf)> {
    let there = |path: &str| Path::new(path).is_file();
    let (code, variables) =
        FIRMWARE.into_iter().find(|(code, variables)| there(code) && there(variables))?;
    Some((code.into(), variables.into()))
}

impl Emulation {
    /// What the cluster's machines are run with: the record of it, or what is found out now.
    ///
    /// # Errors
    /// When something is not installed or nothing can run a guest.
    pub fn of_cluster(
        directory: &ClusterDirectory,
        spec: &ClusterSpec,
        machine: &MachineSpec,
    ) -> Result<Self, EmulationError> {
        if directory.file(RECORD).exists() {
            return Ok(directory.read(RECORD)?);
        }
        directory.create()?;
        let found = Self::find_out(directory, spec, machine)?;
        directory.write(RECORD, &found)?;
        Ok(found)
    }

    fn find_out(
        directory: &ClusterDirectory,
        spec: &ClusterSpec,
        machine: &MachineSpec,
    ) -> Result<Self, EmulationError> {
        if let Some(&(what, package)) = missing(machine).first() {
            return Err(EmulationError::Missing { what, package });
        }
        let gone = |what, package| EmulationError::Missing { what, package };
        let program = find(PROGRAM).ok_or(gone(PROGRAM, "qemu-system-x86"))?;
        let image_tool = find(IMAGE_TOOL).ok_or(gone(IMAGE_TOOL, "qemu-utils"))?;
        let (firmware, variables) = firmware().ok_or(gone("UEFI firmware", "ovmf"))?;
        let (accelerator, refused) = choose(&program, machine, directory)?;
        let tpm = match machine.tpm {
            true => Some(find(TPM_PROGRAM).ok_or(gone(TPM_PROGRAM, "swtpm"))?),
            false => None,
        };
        let images = spec.image_cache.as_ref().map(|_| free_port()).transpose()?;
        let proxy = Uplink::of_host().proxy.map(|_| free_port()).transpose()?;
        Ok(Self {
            program,
            image_tool,
            tpm,
            firmware,
            variables,
            accelerator,
            refused,
            segment: free_datagram_port()?,
            images,
            proxy,
        })
    }

    /// Where machines find what this host serves on `port` of its loopback address: the emulator's
    /// own network leads there (its documentation calls the address the host's).
    #[must_use]
    pub fn address(port: u16) -> String {
        format!("10.0.2.2:{port}")
    }
}

/// The first accelerator that a guest really ran with.
fn choose(
    program: &Path,
    machine: &MachineSpec,
    directory: &ClusterDirectory,
) -> Result<(Accelerator, Vec<(String, String)>), EmulationError> {
    let models = MODELS.map(|model| Accelerator::Tcg { model: model.to_owned() });
    let Some(kernel) = &machine.kernel else {
        let [first, _] = models;
        return match machine.acceleration {
            Acceleration::Kvm => Err(EmulationError::NoKernel),
            Acceleration::Auto | Acceleration::Tcg => Ok((first, Vec::new())),
        };
    };
    let mut candidates = Vec::new();
    if machine.acceleration != Acceleration::Tcg {
        candidates.push(Accelerator::Kvm);
    }
    if machine.acceleration != Acceleration::Kvm {
        candidates.extend(models);
    }
    let mut refused = Vec::new();
    for accelerator in candidates {
        match attempt(program, &accelerator, kernel, directory) {
            Ok(()) => return Ok((accelerator, refused)),
            Err(reason) => refused.push((accelerator.to_string(), reason)),
        }
    }
    Err(EmulationError::NoAccelerator(refused))
}

fn attempt(
    program: &Path,
    accelerator: &Accelerator,
    kernel: &Path,
    directory: &ClusterDirectory,
) -> Result<(), String> {
    if *accelerator == Accelerator::Kvm {
        let device = std::fs::File::options().read(true).write(true).open("/dev/kvm");
        device.map_err(|error| format!("/dev/kvm cannot be opened: {error}"))?;
    }
    trial::run(program, accelerator, kernel, directory.path())
        .map_err(|error: TrialError| chain(&error))
}

fn free_port() -> Result<u16, EmulationError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(EmulationError::Port)
}

fn free_datagram_port() -> Result<u16, EmulationError> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|socket| socket.local_addr())
        .map(|address| address.port())
        .map_err(EmulationError::Port)
}
