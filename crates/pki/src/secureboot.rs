//! The variables with which a machine's firmware is taught whom to trust (UEFI 2.10, chapters 8 and 32).
//!
//! A variable such as `PK.auth` is a list of certificates with a signature over the list, the name of
//! the variable and a time. It is only bytes here: who writes it into a machine is somebody else.

mod known;

pub use known::{MICROSOFT, well_known};

use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use crate::{
    authority::{Identity, IssueError},
    certificate::{Certificate, CertificateError},
    der,
    key::Algorithm,
};

/// A globally unique identifier in the byte order of the firmware: the first three groups are little-endian.
pub type Guid = [u8; 16];

/// `EFI_GLOBAL_VARIABLE`, the vendor of `PK` and `KEK`.
const GLOBAL: Guid =
    guid(0x8be4_df61, 0x93ca, 0x11d2, [0xaa, 0x0d, 0, 0xe0, 0x98, 0x03, 0x2b, 0x8c]);
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`, the vendor of `db`.
const DATABASE: Guid =
    guid(0xd719_b2cb, 0x3d3a, 0x4596, [0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f]);
/// `EFI_CERT_X509_GUID`, the type of a list of certificates.
const X509: Guid =
    guid(0xa5c0_59a1, 0x94e4, 0x4aa7, [0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72]);
/// `EFI_CERT_TYPE_PKCS7_GUID`, the type of the signature.
const PKCS7: Guid =
    guid(0x4aaf_d29d, 0x68df, 0x49ee, [0x8a, 0xa9, 0x34, 0x7d, 0x37, 0x56, 0x65, 0xa7]);

/// Kept without power, seen before and after the start of the system, written only with a newer signature.
const ATTRIBUTES: u32 = 0x1 | 0x2 | 0x4 | 0x20;

/// A certificate in a variable, and who put it there.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// The identifier of whoever may take it out again.
    pub owner: Guid,
    /// The certificate.
    pub certificate: Certificate,
}

const fn guid(first: u32, second: u16, third: u16, rest: [u8; 8]) -> Guid {
    let ([a, b, c, d], [e, f], [g, h]) =
        (first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes());
    let [i, j, k, l, m, n, o, p] = rest;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// Which variable is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The platform key: who may change the other variables.
    PlatformKey,
    /// The key exchange keys: who may change the database.
    KeyExchangeKey,
    /// The database: whose programs start.
    Database,
}

impl Variable {
    /// The name of the variable, which is also the base name of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::PlatformKey => "PK",
            Self::KeyExchangeKey => "KEK",
            Self::Database => "db",
        }
    }

    fn vendor(self) -> Guid {
        match self {
            Self::PlatformKey | Self::KeyExchangeKey => GLOBAL,
            Self::Database => DATABASE,
        }
    }
}

/// A variable could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SecureBootError {
    /// Firmware checks signatures of RSA only.
    #[error("signing {variable}: firmware takes RSA keys only, the signing key is of another kind")]
    NotRsa {
        /// The variable.
        variable: &'static str,
    },
    /// The signing certificate does not parse.
    #[error("signing {variable}")]
    Certificate {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        #[source]
        source: CertificateError,
    },
    /// The key failed.
    #[error("signing {variable}")]
    Sign {
        /// The variable.
        variable: &'static str,
        /// Why.
        #[source]
        source: IssueError,
    },
    /// A list longer than the format can say.
    #[error("writing {variable}: {bytes} bytes are more than the format holds")]
    TooLarge {
        /// The variable.
        variable: &'static str,
        /// The length.
        bytes: usize,
    },
}

/// Lists of certificates, one list for each.
///
/// # Errors
/// When a certificate is longer than the format can say.
fn signature_lists(variable: Variable, trusted: &[Trusted]) -> Result<Vec<u8>, SecureBootError> {
    let mut out = Vec::new();
    for Trusted { owner, certificate } in trusted {
        let content = certificate.der();
        let length = |bytes: usize| {
            let variable = variable.name();
            u32::try_from(bytes).map_err(|_| SecureBootError::TooLarge { variable, bytes })
        };
        out.extend_from_slice(&X509);
        out.extend_from_slice(&length(28 + 16 + content.len())?.to_le_bytes());
        out.extend_from_slice(&0_u32.to_le_bytes());
        out.extend_from_slice(&length(16 + content.len())?.to_le_bytes());
        out.extend_from_slice(owner);
        out.extend_from_slice(content);
    }
    Ok(out)
}

/// A time as firmware writes it, in whole seconds of UTC.
fn firmware_time(seconds: i64) -> [u8; 16] {
    let time =
        jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    let [year_low, year_high] = time.year().to_le_bytes();
    let part = |value: i8| u8::try_from(value).unwrap_or_default();
    let mut out = [0; 16];
    out[..7].copy_from_slice(&[
        year_low,
        year_high,
        part(time.month()),
        part(time.day()),
        part(time.hour()),
        part(time.minute()),
        part(time.second()),
    ]);
    out
}

/// What the signature of a variable covers: name, vendor, attributes, time and content.
fn signed_content(variable: Variable, time: [u8; 16], content: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = variable.name().encode_utf16().flat_map(u16::to_le_bytes).collect();
    out.extend_from_slice(&variable.vendor());
    out.extend_from_slice(&ATTRIBUTES.to_le_bytes());
    out.extend_from_slice(&time);
    out.extend_from_slice(content);
    out
}

/// The file with which a variable is set: the time, the signature, then the certificates.
///
/// # Errors
/// When the signer has no RSA key or the key does not sign.
pub fn authenticated(
    variable: Variable,
    trusted: &[Trusted],
    signer: &Identity,
    now: i64,
) -> Result<Vec<u8>, SecureBootError> {
    let name = variable.name();
    if signer.key.algorithm() != Algorithm::Rsa4096 {
        return Err(SecureBootError::NotRsa { variable: name });
    }
    let content = signature_lists(variable, trusted)?;
    let time = firmware_time(now);
    let signature =
        signer.key.sign(&signed_content(variable, time, &content)).map_err(|source| {
            SecureBootError::Sign { variable: name, source: IssueError::Sign(source) }
        })?;
    let damaged = |reason: String| SecureBootError::Certificate {
        variable: name,
        source: CertificateError::Damaged { reason },
    };
    let (_, parsed) = X509Certificate::from_der(signer.certificate.der())
        .map_err(|error| damaged(error.to_string()))?;
    let signed = der::signed_data(
        parsed.issuer().as_raw(),
        parsed.raw_serial(),
        signer.certificate.der(),
        &signature,
    );
    let bytes = 24 + signed.len();
    let length =
        u32::try_from(bytes).map_err(|_| SecureBootError::TooLarge { variable: name, bytes })?;
    let mut out = Vec::with_capacity(16 + bytes + content.len());
    out.extend_from_slice(&time);
    out.extend_from_slice(&length.to_le_bytes());
    // The revision and the kind of the structure: a certificate whose type is a GUID.
    out.extend_from_slice(&0x0200_u16.to_le_bytes());
    out.extend_from_slice(&0x0ef1_u16.to_le_bytes());
    out.extend_from_slice(&PKCS7);
    out.extend_from_slice(&signed);
    out.extend_from_slice(&content);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_mixed_endian() {
        // The first bytes of EFI_GLOBAL_VARIABLE as they stand in variables of running machines.
        assert_eq!(GLOBAL[..8], [0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11]);
    }

    #[test]
    fn times_have_no_zone_and_no_fraction() {
        assert_eq!(
            firmware_time(1_700_000_000),
            [0xe7, 0x07, 11, 14, 22, 13, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
    }

    #[test]
    fn the_name_is_signed_without_its_end() {
        let content = signed_content(Variable::Database, [0; 16], b"x");
        assert_eq!(content[..4], [b'd', 0, b'b', 0]);
        assert_eq!(content[4..20], DATABASE);
        assert_eq!(content[20..24], [0x27, 0, 0, 0]);
        assert_eq!(content.len(), 4 + 16 + 4 + 16 + 1);
    }
}
