//! What the firmware and the boot loader said, in EFI variables.
//!
//! A file of a variable begins with four bytes of attributes.

use std::fs;

use crate::Paths;

const VARIABLES: &str = "/sys/firmware/efi/efivars";
/// The vendor of the variables that systemd-boot leaves (systemd's "Boot Loader Interface").
const LOADER: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/// The vendor of the firmware's own variables (UEFI specification, 3.3).
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

fn variable(paths: &Paths, name: &str, vendor: &str) -> Option<Vec<u8>> {
    let bytes = fs::read(paths.at(VARIABLES).join(format!("{name}-{vendor}"))).ok()?;
    bytes.get(4..).map(<[u8]>::to_vec)
}

/// A text that the boot loader left. `None` when the machine was started without it.
pub(crate) fn loader_variable(paths: &Paths, name: &str) -> Option<String> {
    let bytes = variable(paths, name, LOADER)?;
    let (units, _) = bytes.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    Some(String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned())
}

/// Whether the firmware starts only what is signed.
pub(crate) fn secure_boot(paths: &Paths) -> bool {
    variable(paths, "SecureBoot", GLOBAL).is_some_and(|value| value == [1])
}
