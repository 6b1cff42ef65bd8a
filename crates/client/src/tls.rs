//! The TLS side of a connection: whom to trust and as whom to appear.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use pki::{Certificate, PrivateKey};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};

/// The client configuration does not make a TLS identity.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate does not read.
    #[error("using the {part} of the client configuration")]
    Certificate {
        /// `ca` or `crt`.
        part: &'static str,
        /// Why.
        #[source]
        source: pki::CertificateError,
    },
    /// The key does not read.
    #[error("using the key of the client configuration")]
    Key(#[source] pki::KeyError),
    /// The key does not belong to the certificate.
    #[error("using the client configuration: its key belongs to another certificate than its crt")]
    Mismatch,
    /// The TLS library refused.
    #[error("preparing TLS")]
    Rustls(#[source] rustls::Error),
    /// A fingerprint is not one.
    #[error("reading the certificate fingerprint {text:?}: it is not base64 of 32 bytes")]
    Fingerprint {
        /// What was given.
        text: String,
    },
}

/// Whom to trust and as whom to appear.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Both ends prove themselves; everything in PEM.
    Mutual {
        /// Authority of the servers.
        ca: String,
        /// Own certificate.
        crt: String,
        /// Own key.
        key: String,
    },
    /// The server proves itself (a proxy that authenticates the caller by other means).
    ServerOnly {
        /// Authority of the servers, PEM.
        ca: String,
    },
    /// Nobody proves anything: a machine without configuration. With fingerprints, the server's key must be one of them.
    Insecure {
        /// Accepted fingerprints; empty accepts every server.
        fingerprints: Vec<String>,
    },
}

impl Trust {
    pub(crate) fn config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Rustls)?;
        let mut config = match self {
            Self::Mutual { ca, crt, key } => {
                let (chain, key) = identity(crt, key)?;
                builder
                    .with_root_certificates(roots(ca)?)
                    .with_client_auth_cert(chain, key)
                    .map_err(TlsError::Rustls)?
            }
            Self::ServerOnly { ca } => {
                builder.with_root_certificates(roots(ca)?).with_no_client_auth()
            }
            Self::Insecure { fingerprints } => {
                for text in fingerprints {
                    if STANDARD.decode(text).map(|bytes| bytes.len()) != Ok(32) {
                        return Err(TlsError::Fingerprint { text: text.clone() });
                    }
                }
                let verifier = Unverified { fingerprints: fingerprints.clone(), provider };
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(verifier))
                    .with_no_client_auth()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        // One connection per process: tickets would only be memory.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

fn roots(ca: &str) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let certificates = Certificate::all_from_pem(ca)
        .map_err(|source| TlsError::Certificate { part: "ca", source })?;
    for certificate in certificates {
        store.add(CertificateDer::from(certificate.der().to_vec())).map_err(TlsError::Rustls)?;
    }
    Ok(store)
}

type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(crt: &str, key: &str) -> Result<Chain, TlsError> {
    let chain = Certificate::all_from_pem(crt)
        .map_err(|source| TlsError::Certificate { part: "crt", source })?;
    let key = PrivateKey::from_pem(key).map_err(TlsError::Key)?;
    let public_key = key.public_key_der().map_err(TlsError::Key)?;
    if chain.first().is_none_or(|leaf| leaf.public_key_der() != public_key) {
        return Err(TlsError::Mismatch);
    }
    let pkcs8 = key.pkcs8_der().map_err(TlsError::Key)?;
    Ok((
        chain.iter().map(|link| CertificateDer::from(link.der().to_vec())).collect(),
        PrivatePkcs8KeyDer::from(pkcs8.to_vec()).into(),
    ))
}

/// Accepts a server by its fingerprint, or any server when none is given. Signatures are checked all the same.
#[derive(Debug)]
struct Unverified {
    fingerprints: Vec<String>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if !self.fingerprints.is_empty() {
            let certificate = Certificate::from_der(end_entity.to_vec())
                .map_err(|error| rustls::Error::General(error.to_string()))?;
            let fingerprint = certificate.fingerprint();
            if !self.fingerprints.contains(&fingerprint) {
                return Err(rustls::Error::General(format!(
                    "the server's certificate has the fingerprint {fingerprint}, which --cert-fingerprint does not list"
                )));
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
