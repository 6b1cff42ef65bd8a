//! A worker's API certificate: asked for at trustd of a control plane, with the machine token.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::runtime::condition::Condition;
use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use api::securityapi::CertificateRequest;
use api::securityapi::security_service_client::SecurityServiceClient;
use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use pki::{Certificate, PrivateKey, Request};
use resource::config::MachineTypeSpec;
use resource::enums::MachineType;
use resource::k8s::EndpointSpec;
use resource::secrets::{APICertsSpec, CertSANSpec, OSRootSpec};
use resource::types::{Base64Bytes, NetIp, PemEncodedCertificate};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Endpoint;

use super::leaf::{self, LeafPlan, Wanted};
use super::os::{clock, is_synced, now, until};
use crate::Node;
use crate::config::active::{Active, NAMESPACE};
use crate::runtime::service::error_chain;

/// The port of trustd.
const PORT: u16 = 50001;
/// How long one control plane may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Control planes elsewhere have no event for this node: the first pause between two rounds, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Why trustd gave no certificate.
#[derive(Debug, thiserror::Error)]
enum TrustError {
    #[error("the authorities of the machine configuration do not read")]
    Authorities(#[source] rustls::Error),
    #[error("an authority of the machine configuration is not PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    #[error("{host:?} is no host name")]
    Name {
        host: String,
        #[source]
        source: InvalidDnsNameError,
    },
    #[error("cannot reach trustd at {host}:{PORT}")]
    Connect {
        host: String,
        #[source]
        source: tonic::transport::Error,
    },
    #[error("trustd at {host}:{PORT} refuses: {}", status.message())]
    Refused { host: String, status: Box<tonic::Status> },
    #[error("the machine token cannot be sent: it has characters other than printable ASCII")]
    Token,
}

fn tls(authorities: &[PemEncodedCertificate]) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        for certificate in CertificateDer::pem_slice_iter(&authority.crt.0) {
            roots.add(certificate.map_err(TrustError::Pem)?).map_err(TrustError::Authorities)?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TrustError::Authorities)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// Asks one control plane: the accepted authorities and the certificate, in PEM.
async fn ask(
    host: &str,
    tls: Arc<ClientConfig>,
    token: &str,
    request: &Request,
) -> Result<(Vec<u8>, Vec<u8>), TrustError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare.clone())
        .map_err(|source| TrustError::Name { host: host.to_owned(), source })?;
    let dial = tower::service_fn(move |_| {
        let (bare, name, tls) = (bare.clone(), name.clone(), Arc::clone(&tls));
        async move {
            let stream = TcpStream::connect((bare.as_str(), PORT)).await?;
            let stream = TlsConnector::from(tls).connect(name, stream).await?;
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    let channel = Endpoint::from_static("http://trustd.invalid")
        .timeout(ANSWER)
        .connect_timeout(ANSWER)
        .connect_with_connector(dial)
        .await
        .map_err(|source| TrustError::Connect { host: host.to_owned(), source })?;
    let mut call = tonic::Request::new(CertificateRequest { csr: request.to_pem().into_bytes() });
    call.metadata_mut().insert("token", token.parse().map_err(|_| TrustError::Token)?);
    let answer = SecurityServiceClient::new(channel).certificate(call).await.map_err(|status| {
        TrustError::Refused { host: host.to_owned(), status: Box::new(status) }
    })?;
    let answer = answer.into_inner();
    Ok((answer.ca, answer.crt))
}

/// Where control planes are: those that were discovered, and the cluster's own address.
fn hosts(endpoints: &[EndpointSpec], configured: Option<&str>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let discovered = endpoints.iter().flat_map(|endpoint| {
        let addresses = endpoint.addresses.iter();
        addresses.filter_map(|NetIp(ip)| ip.map(|ip| ip.to_string())).chain(endpoint.hosts.clone())
    });
    discovered
        .chain(configured.map(str::to_owned))
        .filter(|host| !host.is_empty() && seen.insert(host.clone()))
        .collect()
}

struct Joining {
    config: Active,
    node: Node,
    pause: Duration,
}

/// Adds the controller that gets a worker's certificate.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    controllers.register(Joining {
        config: node.config.clone(),
        node: node.clone(),
        pause: FIRST_PAUSE,
    })?;
    Ok(())
}

impl Joining {
    async fn fetch(
        &mut self,
        context: &Context,
        root: &OSRootSpec,
        wanted: &Wanted,
    ) -> Result<Next, ControllerError> {
        let endpoints: Vec<EndpointSpec> = context
            .list::<EndpointSpec>("controlplane")
            .iter()
            .map(|endpoint| (*endpoint.spec).clone())
            .collect();
        let config = self.config.complete(context.store())?;
        let configured = config
            .as_deref()
            .and_then(|config| config.view().cluster_endpoint())
            .map(|url| url.hostname().to_owned());
        let hosts = hosts(&endpoints, configured.as_deref());
        let _step = self.node.timeline.wait("secrets/api", "a certificate from trustd");
        context.waiting(&Condition::Address {
            address: hosts.join(", "),
            state: format!("answers on port {PORT} with a certificate"),
        });
        let tls = tls(&root.accepted_cas)?;
        let key = PrivateKey::generate(pki::Algorithm::Ed25519)?;
        let request =
            Request::create(&key, &wanted.common_name, &[], &wanted.dns_names, &wanted.ips)?;
        for host in &hosts {
            match ask(host, Arc::clone(&tls), &root.token, &request).await {
                Ok((authorities, certificate)) => {
                    let text = String::from_utf8_lossy(&certificate).into_owned();
                    let pair = leaf::pair(&text, &key)?;
                    let half = Certificate::from_pem(&text)?.validity.half();
                    context.modify::<APICertsSpec>("secrets", "api", |spec| {
                        spec.accepted_cas =
                            vec![PemEncodedCertificate { crt: Base64Bytes(authorities.clone()) }];
                        spec.server.clone_from(&pair);
                    })?;
                    context.over();
                    self.pause = FIRST_PAUSE;
                    return Ok(until(half));
                }
                Err(error) => {
                    tracing::info!(error = error_chain(&error), "no certificate yet");
                }
            }
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Ok(Next::After(pause))
    }
}

impl Controller for Joining {
    fn name(&self) -> &'static str {
        "secrets.APITrustdController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<OSRootSpec>("secrets").with_id("os"),
            Input::weak::<CertSANSpec>("secrets").with_id("api"),
            Input::weak::<EndpointSpec>("controlplane"),
            clock(),
            Input::weak::<MachineTypeSpec>(NAMESPACE).with_id("machine-type"),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::shared::<APICertsSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let root = context.get::<OSRootSpec>("secrets", "os");
            let sans = context.get::<CertSANSpec>("secrets", "api");
            let machine_type = context.get::<MachineTypeSpec>(NAMESPACE, "machine-type");
            let (Some(root), Some(sans), Some(machine_type)) = (root, sans, machine_type) else {
                return Ok(Next::OnChange);
            };
            // Who has the authority's key signs for itself.
            if machine_type.spec.machine_type != MachineType::WORKER
                || !root.spec.issuing_ca.key.0.is_empty()
            {
                return Ok(Next::OnChange);
            }
            if !is_synced(context) {
                return Ok(Next::OnChange);
            }
            let wanted = Wanted::server(&sans.spec);
            let authority =
                Certificate::from_pem(&String::from_utf8_lossy(&root.spec.issuing_ca.crt.0))?;
            let present = context
                .get::<APICertsSpec>("secrets", "api")
                .map(|certificates| certificates.spec.server.clone())
                .unwrap_or_default();
            match leaf::plan(&present, &authority, &wanted, now()) {
                LeafPlan::Keep { until: half } => Ok(until(half)),
                LeafPlan::Issue { .. } => self.fetch(context, &root.spec, &wanted).await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_plane_is_asked_once() {
        let endpoint = |ips: &[[u8; 4]], hosts: &[&str]| EndpointSpec {
            addresses: ips.iter().map(|ip| NetIp(Some((*ip).into()))).collect(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        };
        let discovered =
            [endpoint(&[[10, 5, 0, 2], [10, 5, 0, 3]], &[]), endpoint(&[], &["cp.example"])];
        assert_eq!(hosts(&discovered, Some("10.5.0.2")), ["10.5.0.2", "10.5.0.3", "cp.example"]);
        assert_eq!(hosts(&[], Some("10.5.0.2")), ["10.5.0.2"]);
        assert_eq!(hosts(&[], None), Vec::<String>::new());
    }
}
