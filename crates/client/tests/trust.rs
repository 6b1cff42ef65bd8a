//! Connections to a real TLS server: who is trusted, what is sent along, and what a failure says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use client::{CallError, Connection, ConnectionOptions, Endpoint, Named, Node, Trust};
use http::{HeaderMap, Request, Response};
use http_body_util::Empty;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pki::{Algorithm, Authority, ExtendedUsage, Identity, Leaf, PrivateKey, System, Validity};
use rustls::{
    RootCertStore, ServerConfig, crypto::aws_lc_rs::default_provider, server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_rustls::TlsAcceptor;

fn now() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(elapsed.as_secs()).unwrap()
}

fn authority() -> Authority {
    let key = PrivateKey::generate(Algorithm::Ed25519).unwrap();
    Authority::create(key, "talos", Validity::starting(now(), 3600), &mut System).unwrap()
}

fn client_of(authority: &Authority, validity: Validity) -> Identity {
    authority.issue(&Leaf::client(&["os:reader".to_owned()], validity), &mut System).unwrap()
}

fn mutual(ca: &Authority, identity: &Identity) -> Trust {
    Trust::Mutual {
        ca: ca.certificate_pem(),
        crt: identity.certificate_pem(),
        key: identity.key_pem().unwrap(),
    }
}

fn good(ca: &Authority) -> Trust {
    mutual(ca, &client_of(ca, Validity::starting(now(), 600)))
}

struct Server {
    address: SocketAddr,
    fingerprint: String,
    requests: mpsc::UnboundedReceiver<HeaderMap>,
}

/// A server that refuses every call for lack of a role. With an authority it wants client certificates from it.
async fn server(issuer: &Authority, clients: Option<&Authority>, name: &str) -> Server {
    let leaf = Leaf::new(&[ExtendedUsage::ServerAuth], Validity::starting(now(), 600));
    let leaf = match name.parse() {
        Ok(ip) => leaf.names([], [ip]),
        Err(_) => leaf.names([name.to_owned()], []),
    };
    let identity = issuer.issue(&leaf, &mut System).unwrap();
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(authority.certificate().der().to_vec())).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivatePkcs8KeyDer::from(identity.key.pkcs8_der().unwrap().to_vec());
    let chain = vec![CertificateDer::from(identity.certificate.der().to_vec())];
    let mut config = builder.with_single_cert(chain, PrivateKeyDer::from(key)).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, seen) = (acceptor.clone(), seen.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request: Request<Incoming>| {
                    seen.send(request.headers().clone()).ok();
                    async {
                        let mut answer = Response::new(Empty::<hyper::body::Bytes>::new());
                        let headers = answer.headers_mut();
                        headers.insert("content-type", "application/grpc".parse().unwrap());
                        headers.insert("grpc-status", "7".parse().unwrap());
                        headers.insert("grpc-message", "not authorized".parse().unwrap());
                        Ok::<_, Infallible>(answer)
                    }
                });
                http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .ok();
            });
        }
    });
    Server { address, fingerprint: identity.certificate.fingerprint(), requests }
}

fn node(addresses: &[SocketAddr], trust: Trust) -> Node {
    let endpoints: Vec<Endpoint> =
        addresses.iter().map(|address| address.to_string().parse().unwrap()).collect();
    let options =
        ConnectionOptions { endpoints, trust, cluster: Some("behind".to_owned()), basic: None };
    Connection::open(&options).unwrap().node("10.5.0.2")
}

async fn call(node: &Node) -> CallError {
    node.machine().version(()).await.named(node, "MachineService/Version").unwrap_err()
}

#[track_caller]
fn check(error: &CallError, reason: &str, cure: &str) {
    assert!(error.reason().contains(reason), "reason: {}", error.reason());
    assert!(error.cure.contains(cure), "cure: {} (reason {})", error.cure, error.reason());
}

#[tokio::test]
async fn a_call_names_its_node_and_a_refusal_its_cure() {
    let ca = authority();
    let mut server = server(&ca, Some(&ca), "127.0.0.1").await;
    let node = node(&[server.address], good(&ca));
    check(&call(&node).await, "not authorized (PermissionDenied)", "`ichorctl config info`");
    let headers = server.requests.recv().await.unwrap();
    for (name, value) in [("node", "10.5.0.2"), ("runtime", "Talos"), ("context", "behind")] {
        assert_eq!(headers.get(name).unwrap(), value);
    }
}

#[tokio::test]
async fn the_next_endpoint_is_tried() {
    let ca = authority();
    let server = server(&ca, Some(&ca), "127.0.0.1").await;
    let closed = "127.0.0.1:1".parse().unwrap();
    check(&call(&node(&[closed, server.address], good(&ca))).await, "not authorized", "roles");
    let error = call(&node(&[closed], good(&ca))).await;
    check(
        &error,
        "connecting to 127.0.0.1:1: Connection refused",
        "check that the machine behind 127.0.0.1:1 is up",
    );
    assert!(error.is_unreachable());
}

#[tokio::test]
async fn another_clusters_certificates_are_told_apart() {
    let (ca, other) = (authority(), authority());
    let server = server(&ca, Some(&ca), "127.0.0.1").await;
    let stranger = client_of(&other, Validity::starting(now(), 600));
    let error = call(&node(&[server.address], mutual(&ca, &stranger))).await;
    check(&error, "fatal alert", "the node does not know the client certificate's authority");
    let error = call(&node(&[server.address], good(&other))).await;
    check(
        &error,
        "invalid peer certificate",
        "is not from the authority in the client configuration",
    );
}

#[tokio::test]
async fn an_expired_client_certificate_says_so() {
    let ca = authority();
    let server = server(&ca, Some(&ca), "127.0.0.1").await;
    let old = client_of(&ca, Validity { not_before: now() - 600, not_after: now() - 60 });
    let error = call(&node(&[server.address], mutual(&ca, &old))).await;
    check(&error, "fatal alert", "the client certificate has expired");
}

#[tokio::test]
async fn a_certificate_for_another_name_says_so() {
    let ca = authority();
    let server = server(&ca, Some(&ca), "node-1").await;
    let error = call(&node(&[server.address], good(&ca))).await;
    check(&error, "invalid peer certificate", "machine.certSANs");
}

#[tokio::test]
async fn without_configuration_a_fingerprint_is_all_there_is() {
    let ca = authority();
    let server = server(&ca, None, "127.0.0.1").await;
    let insecure = |fingerprints: &[&str]| Trust::Insecure {
        fingerprints: fingerprints.iter().map(|text| (*text).to_owned()).collect(),
    };
    check(&call(&node(&[server.address], insecure(&[]))).await, "not authorized", "");
    let right = insecure(&[&server.fingerprint]);
    check(&call(&node(&[server.address], right)).await, "not authorized", "");
    let wrong = authority().certificate().fingerprint();
    let error = call(&node(&[server.address], insecure(&[&wrong]))).await;
    check(&error, &server.fingerprint, "");
    let options = ConnectionOptions {
        endpoints: Vec::new(),
        trust: insecure(&["x"]),
        cluster: None,
        basic: None,
    };
    let error = Connection::open(&options).err().unwrap().to_string();
    assert!(error.contains("\"x\": it is not base64 of 32 bytes"), "{error}");
}

#[tokio::test]
async fn a_configured_machine_wants_a_certificate() {
    let ca = authority();
    let server = server(&ca, Some(&ca), "127.0.0.1").await;
    let insecure = Trust::Insecure { fingerprints: Vec::new() };
    let error = call(&node(&[server.address], insecure)).await;
    check(&error, "fatal alert", "leave out --insecure");
}

#[test]
fn a_key_of_another_certificate_is_refused_before_dialling() {
    let ca = authority();
    let validity = Validity::starting(now(), 600);
    let (one, two) = (client_of(&ca, validity), client_of(&ca, validity));
    let trust = Trust::Mutual {
        ca: ca.certificate_pem(),
        crt: one.certificate_pem(),
        key: two.key_pem().unwrap(),
    };
    let options = ConnectionOptions { endpoints: Vec::new(), trust, cluster: None, basic: None };
    let error = Connection::open(&options).err().unwrap().to_string();
    assert!(error.contains("its key belongs to another certificate"), "{error}");
}
