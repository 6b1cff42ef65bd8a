//! The certificates that practically every machine's firmware trusts from the factory.
//!
//! They are data, kept as they were published; `certificates/README.md` says where from. Must never: decide who needs them.

use super::{Guid, SecureBootError, Trusted, Variable, guid};
use crate::certificate::Certificate;

/// The owner under which Microsoft's certificates stand in the variables of machines.
pub const MICROSOFT: Guid =
    guid(0x77fa_9abd, 0x0359, 0x4d32, [0xbd, 0x60, 0x28, 0xf4, 0xe7, 0x8f, 0x78, 0x4b]);

/// Who may change the database.
const KEY_EXCHANGE: [&[u8]; 2] = [
    include_bytes!("../../certificates/microsoft-kek-2011.der"),
    include_bytes!("../../certificates/microsoft-kek-2023.der"),
];

/// Whose programs start: those of other systems, of the makers of option ROMs, and of Windows.
const DATABASE: [&[u8]; 5] = [
    include_bytes!("../../certificates/microsoft-uefi-2011.der"),
    include_bytes!("../../certificates/microsoft-uefi-2023.der"),
    include_bytes!("../../certificates/microsoft-option-rom-2023.der"),
    include_bytes!("../../certificates/windows-2011.der"),
    include_bytes!("../../certificates/windows-2023.der"),
];

/// The well-known certificates of a variable; the platform key is a machine's own.
///
/// # Errors
/// When a certificate does not parse.
pub fn well_known(variable: Variable) -> Result<Vec<Trusted>, SecureBootError> {
    let certificates: &[&[u8]] = match variable {
        Variable::PlatformKey => &[],
        Variable::KeyExchangeKey => &KEY_EXCHANGE,
        Variable::Database => &DATABASE,
    };
    certificates
        .iter()
        .map(|der| {
            let certificate = Certificate::from_der(der.to_vec()).map_err(|source| {
                SecureBootError::Certificate { variable: variable.name(), source }
            })?;
            Ok(Trusted { owner: MICROSOFT, certificate })
        })
        .collect()
}
