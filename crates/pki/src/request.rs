//! Certification requests (RFC 2986).

use std::net::IpAddr;

use x509_parser::{
    certification_request::X509CertificationRequest, extensions::ParsedExtension, prelude::FromDer,
};

use crate::{
    certificate::{self, Names},
    der::{self, Extensions},
    key::{KeyError, PrivateKey},
    pem::{self, PemError},
};

/// A request could not be made or is not acceptable.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The text is not PEM.
    #[error("reading a certification request")]
    Pem(#[from] PemError),
    /// A PEM block of another kind.
    #[error(
        "reading a certification request: a PEM block labelled {label:?} is not one; expected CERTIFICATE REQUEST"
    )]
    Label {
        /// The label found.
        label: String,
    },
    /// The content does not parse.
    #[error("reading a certification request: its content is damaged ({reason})")]
    Damaged {
        /// The parser's word for it.
        reason: String,
    },
    /// Whoever wrote it does not hold the key.
    #[error("checking a certification request: its signature does not fit its key")]
    Signature,
    /// The key failed.
    #[error("making a certification request")]
    Key(#[from] KeyError),
}

/// A request whose signature has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    der: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
    /// Common name asked for; empty when there is none.
    pub common_name: String,
    /// Organizations asked for.
    pub organizations: Vec<String>,
    /// DNS alternative names asked for.
    pub dns_names: Vec<String>,
    /// Address alternative names asked for.
    pub ips: Vec<IpAddr>,
    /// How many alternative names of other kinds (mail, URI, …) are asked for.
    pub other_names: usize,
}

impl Request {
    /// Makes a request for the key.
    pub fn create(
        key: &PrivateKey,
        common_name: &str,
        organizations: &[String],
        dns_names: &[String],
        ips: &[IpAddr],
    ) -> Result<Self, RequestError> {
        let extensions = Extensions { dns_names, ips, ..Extensions::default() };
        let subject = der::name(common_name, organizations);
        Self::from_der(der::request(&subject, &extensions, key)?)
    }

    /// Reads and checks the first request of a text.
    pub fn from_pem(text: &str) -> Result<Self, RequestError> {
        let block = pem::decode_first(text)?;
        match block.label.as_str() {
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Self::from_der(block.content),
            _ => Err(RequestError::Label { label: block.label }),
        }
    }

    /// Reads and checks a request in DER.
    pub fn from_der(der: Vec<u8>) -> Result<Self, RequestError> {
        let (_, parsed) = X509CertificationRequest::from_der(&der)
            .map_err(|error| RequestError::Damaged { reason: error.to_string() })?;
        parsed.verify_signature().map_err(|_| RequestError::Signature)?;
        let mut names = Names::default();
        for extension in parsed.requested_extensions().into_iter().flatten() {
            if let ParsedExtension::SubjectAlternativeName(list) = extension {
                names.add(&list.general_names);
            }
        }
        let info = &parsed.certification_request_info;
        Ok(Self {
            subject: info.subject.as_raw().to_vec(),
            public_key: info.subject_pki.raw.to_vec(),
            common_name: certificate::common_name(&info.subject),
            organizations: certificate::organizations(&info.subject),
            dns_names: names.dns,
            ips: names.ips,
            other_names: names.others,
            der,
        })
    }

    /// The request in PEM.
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE REQUEST", &self.der)
    }
}
