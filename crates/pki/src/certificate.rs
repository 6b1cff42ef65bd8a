//! A certificate as it is, parsed once: names, dates, usages and fingerprint.

use std::net::IpAddr;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer,
    x509::X509Name,
};

use crate::pem::{self, PemError};

/// From when until when something is valid, in seconds since the Unix epoch, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first valid second.
    pub not_before: i64,
    /// The last valid second.
    pub not_after: i64,
}

impl Validity {
    /// Valid from `now` on for so many seconds.
    pub fn starting(now: i64, seconds: i64) -> Self {
        Self { not_before: now, not_after: now.saturating_add(seconds) }
    }

    /// Whether a moment lies inside.
    pub fn contains(&self, moment: i64) -> bool {
        (self.not_before..=self.not_after).contains(&moment)
    }

    /// The moment at half of the life, when a certificate that renews itself is renewed.
    pub fn half(&self) -> i64 {
        self.not_before + (self.not_after - self.not_before) / 2
    }
}

/// What a certificate may be used for (RFC 5280, 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendedUsage {
    /// The server end of TLS.
    ServerAuth,
    /// The client end of TLS.
    ClientAuth,
}

impl ExtendedUsage {
    pub(crate) fn oid(self) -> &'static [u64] {
        match self {
            Self::ServerAuth => &[1, 3, 6, 1, 5, 5, 7, 3, 1],
            Self::ClientAuth => &[1, 3, 6, 1, 5, 5, 7, 3, 2],
        }
    }
}

/// A text is not a usable certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The text is not PEM.
    #[error("reading a certificate")]
    Pem(#[from] PemError),
    /// A PEM block of another kind.
    #[error(
        "reading a certificate: a PEM block labelled {label:?} is not one; expected CERTIFICATE"
    )]
    Label {
        /// The label found.
        label: String,
    },
    /// The content is not an X.509 certificate.
    #[error("reading a certificate: its content is damaged ({reason})")]
    Damaged {
        /// The parser's word for it.
        reason: String,
    },
}

/// A parsed certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    /// Common name of the subject; empty when there is none.
    pub common_name: String,
    /// Organizations of the subject: for a client certificate, its roles or groups.
    pub organizations: Vec<String>,
    /// DNS alternative names.
    pub dns_names: Vec<String>,
    /// Address alternative names.
    pub ips: Vec<IpAddr>,
    /// When it is valid.
    pub validity: Validity,
    /// Whether it may sign others.
    pub is_authority: bool,
    /// Known extended usages.
    pub extended_usages: Vec<ExtendedUsage>,
}

impl Certificate {
    /// Reads the first certificate of a text.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        Self::all_from_pem(text)?.into_iter().next().ok_or(PemError::Missing.into())
    }

    /// Reads every certificate of a text, at least one.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>, CertificateError> {
        let blocks = pem::decode_all(text)?;
        if blocks.is_empty() {
            return Err(PemError::Missing.into());
        }
        blocks
            .into_iter()
            .map(|block| match block.label.as_str() {
                "CERTIFICATE" => Self::from_der(block.content),
                _ => Err(CertificateError::Label { label: block.label }),
            })
            .collect()
    }

    /// Reads a certificate in DER.
    pub fn from_der(der: Vec<u8>) -> Result<Self, CertificateError> {
        let damaged = |reason: String| CertificateError::Damaged { reason };
        let (rest, parsed) =
            X509Certificate::from_der(&der).map_err(|error| damaged(error.to_string()))?;
        if !rest.is_empty() {
            return Err(damaged(format!("{} bytes follow it", rest.len())));
        }
        let mut extended_usages = Vec::new();
        let mut names = Names::default();
        let mut subject_key_id = None;
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::ExtendedKeyUsage(usage) => {
                    if usage.server_auth {
                        extended_usages.push(ExtendedUsage::ServerAuth);
                    }
                    if usage.client_auth {
                        extended_usages.push(ExtendedUsage::ClientAuth);
                    }
                }
                ParsedExtension::SubjectAlternativeName(list) => names.add(&list.general_names),
                ParsedExtension::SubjectKeyIdentifier(id) => subject_key_id = Some(id.0.to_vec()),
                _ => {}
            }
        }
        Ok(Self {
            subject: parsed.subject().as_raw().to_vec(),
            public_key: parsed.public_key().raw.to_vec(),
            subject_key_id,
            common_name: common_name(parsed.subject()),
            organizations: organizations(parsed.subject()),
            dns_names: names.dns,
            ips: names.ips,
            validity: Validity {
                not_before: parsed.validity().not_before.timestamp(),
                not_after: parsed.validity().not_after.timestamp(),
            },
            is_authority: parsed.is_ca(),
            extended_usages,
            der,
        })
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.der)
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The public key as a `SubjectPublicKeyInfo`.
    pub fn public_key_der(&self) -> &[u8] {
        &self.public_key
    }

    /// Base64 of the SHA-256 of the public key: what `--cert-fingerprint` compares.
    pub fn fingerprint(&self) -> String {
        STANDARD.encode(digest::digest(&digest::SHA256, &self.public_key))
    }

    /// The SHA-256 of the whole certificate in hexadecimal digits.
    pub fn sha256(&self) -> String {
        let digest = digest::digest(&digest::SHA256, &self.der);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether the other certificate's key made this one's signature.
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        let (Ok((_, this)), Ok((_, issuer))) =
            (X509Certificate::from_der(&self.der), X509Certificate::from_der(&issuer.der))
        else {
            return false;
        };
        this.issuer().as_raw() == issuer.subject().as_raw()
            && this.verify_signature(Some(issuer.public_key())).is_ok()
    }
}

/// The alternative names of a certificate or a request that this system uses.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) dns: Vec<String>,
    pub(crate) ips: Vec<IpAddr>,
    pub(crate) others: usize,
}

impl Names {
    pub(crate) fn add(&mut self, list: &[GeneralName<'_>]) {
        for name in list {
            match name {
                GeneralName::DNSName(name) => self.dns.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => {
                    if let Ok(octets) = <[u8; 4]>::try_from(*bytes) {
                        self.ips.push(octets.into());
                    } else if let Ok(octets) = <[u8; 16]>::try_from(*bytes) {
                        self.ips.push(octets.into());
                    } else {
                        self.others += 1;
                    }
                }
                _ => self.others += 1,
            }
        }
    }
}

pub(crate) fn common_name(name: &X509Name<'_>) -> String {
    name.iter_common_name().find_map(|value| value.as_str().ok()).unwrap_or_default().to_owned()
}

pub(crate) fn organizations(name: &X509Name<'_>) -> Vec<String> {
    name.iter_organization().filter_map(|value| value.as_str().ok()).map(str::to_owned).collect()
}
