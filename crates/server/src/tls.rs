//! TLS at the border of a node: what a server shows, whom it lets in, and how it dials its like.
//!
//! Must never: decide what an admitted caller may do (see [`crate::method`]).

use std::sync::Arc;

use pki::{Certificate, Identity};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    server::{
        NoServerSessionStorage, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use x509_parser::{extensions::ExtendedKeyUsage, prelude::FromDer};

/// HTTP/2 is the only protocol spoken.
const ALPN: &[u8] = b"h2";

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate with its key.
    #[error("reading the {which} certificate and its key")]
    Identity {
        /// Whose.
        which: &'static str,
        /// Why.
        #[source]
        source: pki::IssueError,
    },
    /// The private key.
    #[error("handing the {which} key to TLS")]
    Key {
        /// Whose.
        which: &'static str,
        /// Why.
        #[source]
        source: pki::KeyError,
    },
    /// The accepted authorities.
    #[error("reading the accepted authorities")]
    Authorities(#[source] pki::CertificateError),
    /// An accepted authority is of no use.
    #[error("trusting the authority of {organizations:?}")]
    Anchor {
        /// Its subject.
        organizations: Vec<String>,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// Nobody would be let in.
    #[error("checking client certificates needs at least one accepted authority")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
    /// Certificate, key and protocol versions do not go together.
    #[error("setting up TLS as a {which}")]
    Config {
        /// Server or client.
        which: &'static str,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// A certificate chain and its key, both PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PemIdentity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl PemIdentity {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.certificate.is_empty() || self.key.is_empty()
    }

    fn chain(
        &self,
        which: &'static str,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let identity = Identity::from_pem(&self.certificate, &self.key)
            .map_err(|source| TlsError::Identity { which, source })?;
        let chain = Certificate::all_from_pem(&self.certificate).map_err(|source| {
            TlsError::Identity { which, source: pki::IssueError::Certificate(source) }
        })?;
        let key = identity.key.pkcs8_der().map_err(|source| TlsError::Key { which, source })?;
        let key = PrivatePkcs8KeyDer::from(key.to_vec());
        Ok((chain.iter().map(|c| c.der().to_vec().into()).collect(), key.into()))
    }
}

/// Whose client certificates are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Those of these authorities (PEM, one or more certificates).
    Verified(String),
    /// No certificate is asked for.
    Anyone,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn roots(authorities: &str) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for authority in Certificate::all_from_pem(authorities).map_err(TlsError::Authorities)? {
        store.add(authority.der().to_vec().into()).map_err(|source| TlsError::Anchor {
            organizations: authority.organizations.clone(),
            source,
        })?;
    }
    Ok(store)
}

/// TLS as a server: at least 1.2, HTTP/2 only, no session tickets.
///
/// # Errors
/// [`TlsError`] with what does not fit.
pub fn server(own: &PemIdentity, clients: &Clients) -> Result<Arc<ServerConfig>, TlsError> {
    let config = |source| TlsError::Config { which: "server", source };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(config)?;
    let builder = match clients {
        Clients::Anyone => builder.with_no_client_auth(),
        Clients::Verified(authorities) => {
            let roots = Arc::new(roots(authorities)?);
            let chain = WebPkiClientVerifier::builder_with_provider(roots, provider())
                .build()
                .map_err(TlsError::Verifier)?;
            builder.with_client_cert_verifier(Arc::new(ClientOnly { chain }))
        }
    };
    let (chain, key) = own.chain("server")?;
    let mut server = builder.with_single_cert(chain, key).map_err(config)?;
    server.alpn_protocols = vec![ALPN.to_vec()];
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(Arc::new(server))
}

/// TLS as a client of other nodes.
///
/// # Errors
/// [`TlsError`] with what does not fit.
pub fn client(own: Option<&PemIdentity>, authorities: &str) -> Result<Arc<ClientConfig>, TlsError> {
    let config = |source| TlsError::Config { which: "client", source };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(config)?
        .with_root_certificates(roots(authorities)?);
    let mut client = match own {
        Some(own) => {
            let (chain, key) = own.chain("client")?;
            builder.with_client_auth_cert(chain, key).map_err(config)?
        }
        None => builder.with_no_client_auth(),
    };
    client.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(client))
}

/// Accepts a client whose chain is good and made of certificates for clients and nothing else: a node's server
/// certificate is of the same authority and must not open its neighbours.
#[derive(Debug)]
struct ClientOnly {
    chain: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for ClientOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        for certificate in std::iter::once(end_entity).chain(intermediates) {
            if !is_authority_or_client_only(certificate) {
                return Err(rustls::CertificateError::InvalidPurpose.into());
            }
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

fn is_authority_or_client_only(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, parsed)) = x509_parser::certificate::X509Certificate::from_der(certificate) else {
        return false;
    };
    if parsed.is_ca() {
        return true;
    }
    let Ok(Some(usage)) = parsed.extended_key_usage() else { return false };
    let ExtendedKeyUsage { client_auth: true, .. } = usage.value else { return false };
    let ExtendedKeyUsage {
        any,
        server_auth,
        client_auth: _,
        code_signing,
        email_protection,
        time_stamping,
        ocsp_signing,
        other,
    } = usage.value;
    !(*any || *server_auth || *code_signing || *email_protection || *time_stamping || *ocsp_signing)
        && other.is_empty()
}
