//! Credentials of an etcd client.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Who the client is and whom it trusts, all PEM.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// Certificates of etcd's authority.
    pub authority: &'a str,
    /// The client's certificate.
    pub certificate: &'a str,
    /// The client's private key.
    pub key: &'a str,
}

/// Credentials that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A text is not what its role asks for.
    #[error("the etcd client's {role} is not valid PEM")]
    Pem {
        /// Which of the three.
        role: &'static str,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The parts do not fit together.
    #[error("the etcd client's credentials cannot be used")]
    Unusable(#[source] rustls::Error),
}

pub(crate) fn client_config(
    credentials: &Credentials<'_>,
) -> Result<Arc<ClientConfig>, CredentialsError> {
    let pem = |role| move |source| CredentialsError::Pem { role, source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(credentials.authority.as_bytes()) {
        roots.add(certificate.map_err(pem("authority"))?).map_err(CredentialsError::Unusable)?;
    }
    let chain = CertificateDer::pem_slice_iter(credentials.certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(pem("certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(credentials.key.as_bytes()).map_err(pem("key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(CredentialsError::Unusable)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(CredentialsError::Unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}
