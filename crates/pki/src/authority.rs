//! Certificate authorities and what they sign.

use std::net::IpAddr;

use crate::{
    certificate::{Certificate, CertificateError, ExtendedUsage, Validity},
    der::{self, Extensions, ToBeSigned, key_usage},
    key::{Algorithm, KeyError, PrivateKey},
    request::Request,
    system::{Random, RandomError},
};

/// A certificate could not be issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The certificate of the pair does not read.
    #[error("reading the certificate of a pair")]
    Certificate(#[source] CertificateError),
    /// The key of the pair does not read.
    #[error("reading the key of a pair")]
    Key(#[source] KeyError),
    /// The two halves are of different pairs.
    #[error("pairing a certificate with its key: the key belongs to another certificate")]
    Mismatch,
    /// The certificate may not sign.
    #[error("using the certificate {subject:?} as an authority: it is not marked as one")]
    NotAuthority {
        /// Its organizations and common name.
        subject: String,
    },
    /// Making a key or a signature failed.
    #[error("issuing a certificate")]
    Sign(#[source] KeyError),
    /// The own output does not parse: one of the names cannot be in a certificate.
    #[error("issuing a certificate")]
    Malformed(#[source] CertificateError),
    /// No random bytes.
    #[error("issuing a certificate")]
    Random(#[from] RandomError),
}

/// What a leaf certificate says.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Common name; empty for none.
    pub common_name: String,
    /// Organizations: roles for the operating system's API, groups for Kubernetes.
    pub organizations: Vec<String>,
    /// DNS alternative names.
    pub dns_names: Vec<String>,
    /// Address alternative names.
    pub ips: Vec<IpAddr>,
    /// What it may be used for.
    pub usages: Vec<ExtendedUsage>,
    /// When it is valid.
    pub validity: Validity,
}

impl Leaf {
    /// A leaf without any name yet.
    pub fn new(usages: &[ExtendedUsage], validity: Validity) -> Self {
        Self {
            common_name: String::new(),
            organizations: Vec::new(),
            dns_names: Vec::new(),
            ips: Vec::new(),
            usages: usages.to_vec(),
            validity,
        }
    }

    /// An API client certificate with the roles as organizations.
    pub fn client(roles: &[String], validity: Validity) -> Self {
        Self { organizations: roles.to_vec(), ..Self::new(&[ExtendedUsage::ClientAuth], validity) }
    }

    /// With the common name.
    pub fn common_name(mut self, name: impl Into<String>) -> Self {
        self.common_name = name.into();
        self
    }

    /// With one more organization.
    pub fn organization(mut self, name: impl Into<String>) -> Self {
        self.organizations.push(name.into());
        self
    }

    /// With more DNS names and addresses.
    pub fn names(
        mut self,
        dns_names: impl IntoIterator<Item = String>,
        ips: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        self.dns_names.extend(dns_names);
        self.ips.extend(ips);
        self
    }
}

/// A certificate with its private key.
#[derive(Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: PrivateKey,
}

impl Identity {
    /// Reads a pair and checks that the two belong together.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, IssueError> {
        let certificate = Certificate::from_pem(certificate).map_err(IssueError::Certificate)?;
        let key = PrivateKey::from_pem(key).map_err(IssueError::Key)?;
        if key.public_key_der().map_err(IssueError::Key)? != certificate.public_key {
            return Err(IssueError::Mismatch);
        }
        Ok(Self { certificate, key })
    }

    /// A leaf that vouches for itself.
    pub fn self_signed(
        key: PrivateKey,
        leaf: &Leaf,
        random: &mut dyn Random,
    ) -> Result<Self, IssueError> {
        let public_key = key.public_key_der().map_err(IssueError::Key)?;
        let subject = der::name(&leaf.common_name, &leaf.organizations);
        let certificate = sign_leaf(&key, &subject, None, &subject, &public_key, leaf, random)?;
        Ok(Self { certificate, key })
    }

    /// The certificate in PEM.
    pub fn certificate_pem(&self) -> String {
        self.certificate.to_pem()
    }

    /// The key in PEM.
    pub fn key_pem(&self) -> Result<String, KeyError> {
        self.key.to_pem()
    }
}

/// A certificate authority with its key.
#[derive(Debug)]
pub struct Authority {
    identity: Identity,
}

impl Authority {
    /// Makes a new authority that vouches for itself. The organization may be empty, which gives an empty subject.
    pub fn create(
        key: PrivateKey,
        organization: &str,
        validity: Validity,
        random: &mut dyn Random,
    ) -> Result<Self, IssueError> {
        let organizations: &[String] =
            if organization.is_empty() { &[] } else { &[organization.to_owned()] };
        let subject = der::name("", organizations);
        let public_key = key.public_key_der().map_err(IssueError::Key)?;
        let mut id = [0; 20];
        random.fill(&mut id)?;
        let der = der::certificate(
            &ToBeSigned {
                serial: serial(random)?,
                issuer: &subject,
                validity,
                subject: &subject,
                public_key: &public_key,
                extensions: Extensions {
                    key_usage: key_usage::DIGITAL_SIGNATURE | key_usage::CERTIFICATE_SIGN,
                    extended: &[ExtendedUsage::ServerAuth, ExtendedUsage::ClientAuth],
                    authority: Some(true),
                    subject_key_id: Some(&id),
                    ..Extensions::default()
                },
            },
            &key,
        )
        .map_err(IssueError::Sign)?;
        let certificate = Certificate::from_der(der).map_err(IssueError::Malformed)?;
        Ok(Self { identity: Identity { certificate, key } })
    }

    /// Reads an authority from its two PEM texts and checks that it is one.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, IssueError> {
        let identity = Identity::from_pem(certificate, key)?;
        if !identity.certificate.is_authority {
            let Certificate { common_name, organizations, .. } = &identity.certificate;
            return Err(IssueError::NotAuthority {
                subject: format!("O={} CN={common_name}", organizations.join(",")),
            });
        }
        Ok(Self { identity })
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.identity.certificate
    }

    /// The authority's own certificate in PEM.
    pub fn certificate_pem(&self) -> String {
        self.identity.certificate_pem()
    }

    /// The authority's key.
    pub fn key(&self) -> &PrivateKey {
        &self.identity.key
    }

    /// The authority's key in PEM.
    pub fn key_pem(&self) -> Result<String, KeyError> {
        self.identity.key_pem()
    }

    /// Makes a key of the authority's own kind and issues a certificate for it.
    pub fn issue(&self, leaf: &Leaf, random: &mut dyn Random) -> Result<Identity, IssueError> {
        self.issue_with(self.key().algorithm(), leaf, random)
    }

    /// Makes a key of the given kind and issues a certificate for it.
    pub fn issue_with(
        &self,
        algorithm: Algorithm,
        leaf: &Leaf,
        random: &mut dyn Random,
    ) -> Result<Identity, IssueError> {
        let key = PrivateKey::generate(algorithm).map_err(IssueError::Sign)?;
        let public_key = key.public_key_der().map_err(IssueError::Sign)?;
        let certificate = self.issue_for(&public_key, leaf, random)?;
        Ok(Identity { certificate, key })
    }

    /// Issues a certificate for a public key (`SubjectPublicKeyInfo`).
    pub fn issue_for(
        &self,
        public_key: &[u8],
        leaf: &Leaf,
        random: &mut dyn Random,
    ) -> Result<Certificate, IssueError> {
        let subject = der::name(&leaf.common_name, &leaf.organizations);
        self.sign(&subject, public_key, leaf, random)
    }

    /// Signs a node's request the way trustd does: the alternative names are the request's, the organizations are dropped (they
    /// would be roles), and the certificate serves only as a server.
    pub fn sign_server_request(
        &self,
        request: &Request,
        validity: Validity,
        random: &mut dyn Random,
    ) -> Result<Certificate, IssueError> {
        let leaf = Leaf::new(&[ExtendedUsage::ServerAuth], validity)
            .common_name(request.common_name.clone())
            .names(request.dns_names.clone(), request.ips.clone());
        self.issue_for(&request.public_key, &leaf, random)
    }

    /// Signs a request as it is, subject included. Only for requests that the operator of the authority has judged.
    pub fn sign_request(
        &self,
        request: &Request,
        usages: &[ExtendedUsage],
        validity: Validity,
        random: &mut dyn Random,
    ) -> Result<Certificate, IssueError> {
        let leaf =
            Leaf::new(usages, validity).names(request.dns_names.clone(), request.ips.clone());
        self.sign(&request.subject, &request.public_key, &leaf, random)
    }

    fn sign(
        &self,
        subject: &[u8],
        public_key: &[u8],
        leaf: &Leaf,
        random: &mut dyn Random,
    ) -> Result<Certificate, IssueError> {
        let own = self.certificate();
        let id = own.subject_key_id.as_deref();
        sign_leaf(self.key(), &own.subject, id, subject, public_key, leaf, random)
    }
}

fn sign_leaf(
    key: &PrivateKey,
    issuer: &[u8],
    issuer_key_id: Option<&[u8]>,
    subject: &[u8],
    public_key: &[u8],
    leaf: &Leaf,
    random: &mut dyn Random,
) -> Result<Certificate, IssueError> {
    let encipherment =
        if key.algorithm() == Algorithm::Rsa4096 { key_usage::KEY_ENCIPHERMENT } else { 0 };
    let der = der::certificate(
        &ToBeSigned {
            serial: serial(random)?,
            issuer,
            validity: leaf.validity,
            subject,
            public_key,
            extensions: Extensions {
                key_usage: key_usage::DIGITAL_SIGNATURE | encipherment,
                extended: &leaf.usages,
                authority: Some(false),
                authority_key_id: issuer_key_id,
                dns_names: &leaf.dns_names,
                ips: &leaf.ips,
                // An empty name is the empty sequence: a tag and a length of zero.
                critical_names: subject.len() == 2,
                ..Extensions::default()
            },
        },
        key,
    )
    .map_err(IssueError::Sign)?;
    Certificate::from_der(der).map_err(IssueError::Malformed)
}

fn serial(random: &mut dyn Random) -> Result<[u8; 16], RandomError> {
    let mut serial = [0; 16];
    random.fill(&mut serial)?;
    Ok(serial)
}
