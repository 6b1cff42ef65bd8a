//! A trial of an accelerator: a kernel with a first process of a few instructions is really started.
//!
//! That `/dev/kvm` can be opened says nothing: hosts that are virtual machines themselves may crash
//! an ordinary kernel. So the only proof is a guest that printed its line and switched itself off.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use boot::cpio::{CpioError, Entry, Kind, Writer};
use sys::Signal;
use sys::process::{Exit, ProcessError, Spawn, SpawnError, Stdio};
use thiserror::Error;

use super::arguments;
use super::emulation::Accelerator;

/// A processor that can do it needs a second.
const LIMIT: Duration = Duration::from_secs(20);
/// Emulation needs three seconds of a processor, of which a busy host gives little.
const EMULATED: Duration = Duration::from_secs(120);
/// What the guest prints.
const LINE: &str = "ichor: the trial guest runs\n";
/// What QEMU prints when the processor's virtualisation does not do what it should; the machine
/// stands still then.
const BROKEN: &str = "KVM internal error";

/// Why an accelerator is not usable.
#[derive(Debug, Error)]
pub(crate) enum TrialError {
    #[error("cannot write the trial's first process to {path}")]
    Write {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("cannot make the trial's first file system")]
    Archive(#[from] CpioError),
    #[error("cannot hear from the trial's guest")]
    Listen(#[source] io::Error),
    #[error("the emulator ended with {exit} before the guest ran: {said}")]
    Ended { exit: Exit, said: String },
    #[error("the guest did not run within {} s: {said}", limit.as_secs())]
    Late { limit: Duration, said: String },
    #[error("the processor's virtualisation is broken here: {said}")]
    Broken { said: String },
}

/// Starts a guest of `kernel` with `accelerator` and waits for its end. `directory` is for one file.
pub(crate) fn run(
    program: &Path,
    accelerator: &Accelerator,
    kernel: &Path,
    directory: &Path,
) -> Result<(), TrialError> {
    let initramfs = directory.join(format!("trial-{}.cpio", std::process::id()));
    let written = |source| TrialError::Write { path: initramfs.display().to_string(), source };
    std::fs::write(&initramfs, archive()?).map_err(written)?;
    let limit = match accelerator {
        Accelerator::Kvm => LIMIT,
        Accelerator::Tcg { .. } => EMULATED,
    };
    let result = boot(program, &arguments::trial(accelerator, kernel, &initramfs), limit);
    // The result says more than whether a file of some hundred bytes could be removed.
    let _ = std::fs::remove_file(&initramfs);
    result
}

fn boot(program: &Path, arguments: &[String], limit: Duration) -> Result<(), TrialError> {
    let (reader, writer) = io::pipe().map_err(TrialError::Listen)?;
    let writer = OwnedFd::from(writer);
    let errors = writer.try_clone().map_err(TrialError::Listen)?;
    let child = Spawn::new(program)
        .args(arguments)
        .inherit_env()
        .stdout(Stdio::Fd(writer))
        .stderr(Stdio::Fd(errors))
        .death_signal(Signal::KILL)
        .spawn()?;
    let deadline = Instant::now() + limit;
    let mut reader = File::from(OwnedFd::from(reader));
    let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
    let verdict = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let ready = sys::signal::wait_readable(&reader, Some(left)).map_err(TrialError::Listen);
        match ready.and_then(|ready| {
            if ready {
                reader.read(&mut buffer).map(Some).map_err(TrialError::Listen)
            } else {
                Ok(None)
            }
        }) {
            Err(error) => break Err(error),
            Ok(None) => break Err(TrialError::Late { limit, said: tail(&said) }),
            // Every copy of the pipe is closed, so the emulator has ended.
            Ok(Some(0)) => break Ok(()),
            Ok(Some(length)) => said.extend_from_slice(buffer.get(..length).unwrap_or_default()),
        }
        if String::from_utf8_lossy(&said).contains(BROKEN) {
            break Err(TrialError::Broken { said: tail(&said) });
        }
    };
    if verdict.is_err() {
        child.signal(Signal::KILL)?;
    }
    let exit = child.wait()?;
    verdict?;
    if exit.success() && String::from_utf8_lossy(&said).contains(LINE.trim_end()) {
        Ok(())
    } else {
        Err(TrialError::Ended { exit, said: tail(&said) })
    }
}

/// The last lines of what was printed, in one.
fn tail(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.chars().map(printable).collect::<String>().trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return "it printed nothing".to_owned();
    }
    lines[lines.len().saturating_sub(3)..].join(" / ")
}

/// Where the program is in the guest's memory.
const BASE: u32 = 0x40_0000;
/// The headers of an ELF file with one segment.
const HEADERS: u32 = 64 + 56;

/// A program that writes [`LINE`] and powers off, as an ELF file of the smallest kind (elf(5)).
fn program() -> Vec<u8> {
    // mov eax, write; mov edi, 1; mov esi, line; mov edx, length; syscall;
    // mov eax, reboot; mov edi, magic; mov esi, magic; mov edx, power off; syscall; jmp to itself
    // (the system calls and their numbers: reboot(2), unistd_64.h).
    const CODE: u32 = 46;
    let line = BASE + HEADERS + CODE;
    let length = u32::try_from(LINE.len()).unwrap_or_default();
    let mut code = Vec::new();
    for (opcode, value) in [(0xb8, 1), (0xbf, 1), (0xbe, line), (0xba, length)] {
        code.push(opcode);
        code.extend(u32::to_le_bytes(value));
    }
    code.extend([0x0f, 0x05]);
    for (opcode, value) in
        [(0xb8, 169), (0xbf, 0xfee1_dead), (0xbe, 672_274_793), (0xba, 0x4321_fedc)]
    {
        code.push(opcode);
        code.extend(u32::to_le_bytes(value));
    }
    code.extend([0x0f, 0x05, 0xeb, 0xfe]);

    let size = u64::from(HEADERS) + code.len() as u64 + LINE.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    // Type: executable; machine: x86-64; version.
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    // Entry, program headers, section headers.
    for value in [u64::from(BASE + HEADERS), 64, 0] {
        file.extend(value.to_le_bytes());
    }
    // Flags, then the sizes and numbers of headers.
    file.extend([0; 4]);
    for value in [64_u16, 56, 1, 0, 0, 0] {
        file.extend(value.to_le_bytes());
    }
    // One segment: loaded, readable and executable; the whole file.
    for value in [1_u32, 5] {
        file.extend(value.to_le_bytes());
    }
    for value in [0, u64::from(BASE), u64::from(BASE), size, size, 0x1000] {
        file.extend(value.to_le_bytes());
    }
    file.extend(code);
    file.extend(LINE.as_bytes());
    file
}

/// An initramfs with the program as init, which says a line and switches the machine off, and the console device that the
/// kernel opens for it.
///
/// # Errors
/// None in fact: the archive has three small entries.
pub fn archive() -> Result<Vec<u8>, CpioError> {
    let program = program();
    let console = Kind::Character { major: 5, minor: 1 };
    let mut archive = Writer::new();
    for (path, kind, mode, content) in [
        ("dev", Kind::Directory, 0o755, &[][..]),
        ("dev/console", console, 0o600, &[][..]),
        ("init", Kind::File, 0o755, &program),
    ] {
        archive.entry(&Entry { path, kind, mode, content })?;
    }
    archive.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guests_archive_is_small_and_whole() {
        let file = program();
        assert_eq!(file.len(), HEADERS as usize + 46 + LINE.len());
        let archive = archive().unwrap();
        assert!(archive.len() < 1024 && archive.len().is_multiple_of(4), "{}", archive.len());
        let names = archive.windows(6).filter(|window| window == b"070701").count();
        assert_eq!(names, 4);
        assert!(archive.windows(file.len()).any(|window| window == file));
    }

    #[test]
    fn what_was_printed_is_told_in_one_line() {
        assert_eq!(tail(b""), "it printed nothing");
        assert_eq!(tail(b"a\r\n\n\x1b[0mb\nc\nd\n"), "[0mb / c / d");
    }
}
