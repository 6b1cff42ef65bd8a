//! apid and trustd as they run on a node: fed by their state sockets, which show them nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test program uses a part of it")]
mod node;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use api::{
    cosi::resource::{GetRequest, state_client::StateClient},
    machine::machine_service_client::MachineServiceClient,
    securityapi::{CertificateRequest, security_service_client::SecurityServiceClient},
};
use node::{DAY, authority, client_of, dial, issue, now};
use pki::{Algorithm, Authority, Certificate, ExtendedUsage, Leaf, PrivateKey, Validity};
use resource::{
    network::HostnameStatusSpec,
    runtime::{APIServiceConfigSpec, ServicePIDSpec},
    secrets::{APICertsSpec, OSRootSpec, TrustdCertsSpec},
    types::{PemEncodedCertificate, PemEncodedCertificateAndKey},
};
use runtime::{Store, command, event, log, service};
use server::{
    apid,
    machine::{Machine, Node, Places, Platform, serve_state},
    state::Scope,
    tls::PemIdentity,
    trustd,
};
use tokio::net::UnixListener;
use tonic::{Code, Request};

fn pair(identity: &PemIdentity) -> PemEncodedCertificateAndKey {
    PemEncodedCertificateAndKey {
        crt: identity.certificate.clone().into(),
        key: identity.key.clone().into(),
    }
}

fn server_of(authority: &Authority) -> PemIdentity {
    let leaf = Leaf::new(&[ExtendedUsage::ServerAuth], Validity::starting(now() - 60, DAY))
        .names([], ["127.0.0.1".parse().unwrap()]);
    issue(authority, &leaf)
}

/// An address that is free now.
fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn state_socket(directory: &tempfile::TempDir, store: &Store, scope: Scope) -> PathBuf {
    let path = directory.path().join("state.sock");
    tokio::spawn(serve_state(store.clone(), scope, UnixListener::bind(&path).unwrap()));
    path
}

/// Tries until it works: a daemon listens as soon as it has read its state.
async fn eventually<T, E: std::fmt::Debug>(attempt: impl AsyncFn() -> Result<T, E>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apid_follows_its_state_from_the_first_certificate_to_another_address() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority();
    let store = Store::new();
    let state = state_socket(&directory, &store, Scope::APID);
    let events = event::Bus::new([0; 5], std::time::SystemTime::now);
    let machine = directory.path().join("machine.sock");
    let (commands, _requests) = command::channel();
    let api = Machine::new(Node {
        store: store.clone(),
        services: service::Registry::new(events.clone(), std::time::SystemTime::now),
        events,
        logs: log::Registry::new(directory.path()),
        commands,
        platform: Platform::default(),
        places: Places::default(),
        edges: std::sync::Arc::new(Vec::new),
    });
    tokio::spawn(api.serve(UnixListener::bind(&machine).unwrap()));
    let pid = ServicePIDSpec { pid: std::process::id().cast_signed(), ..Default::default() };
    store.create("", "runtime", "apid", pid).unwrap();
    let hostname = HostnameStatusSpec { hostname: "n".into(), domainname: String::new() };
    store.create("", "network", "hostname", hostname).unwrap();
    let options = apid::Options { state, machine, ..apid::Options::default() };
    let apid = tokio::spawn(apid::run(options, std::future::pending()));

    let first = free();
    let listen = |address: SocketAddr| APIServiceConfigSpec {
        listen_address: address.to_string(),
        ..Default::default()
    };
    store.create("", "runtime", "apid", listen(first)).unwrap();
    let certificates = APICertsSpec {
        accepted_cas: vec![PemEncodedCertificate { crt: authority.certificate_pem().into() }],
        server: pair(&server_of(&authority)),
        ..Default::default()
    };
    store.create("", "secrets", "api", certificates).unwrap();
    let reader = client_of(&authority, &["os:reader"]);
    let channel = eventually(async || dial(first, &authority, Some(&reader)).await).await;
    let name = MachineServiceClient::new(channel).hostname(()).await.unwrap().into_inner();
    assert_eq!(name.messages[0].hostname, "n");

    let second = free();
    store
        .modify::<APIServiceConfigSpec>("", "runtime", "apid", |spec| *spec = listen(second))
        .unwrap();
    let channel = eventually(async || dial(second, &authority, Some(&reader)).await).await;
    assert!(MachineServiceClient::new(channel).version(()).await.is_ok());
    assert!(dial(first, &authority, Some(&reader)).await.is_err(), "the old address is given up");
    apid.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_socket_shows_its_own_types_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new();
    let path = state_socket(&directory, &store, Scope::APID);
    let socket = server::feed::Socket::new(path);
    let get = |namespace: &str, r#type: &str| GetRequest {
        namespace: namespace.into(),
        r#type: r#type.into(),
        id: "x".into(),
        options: None,
    };
    let mut state = socket.state();
    let code = async |client: &mut StateClient<_>, request| {
        client.get(request).await.map_or_else(|status| status.code(), |_| Code::Ok)
    };
    let own = get("secrets", "ApiCertificates.secrets.talos.dev");
    assert_eq!(code(&mut state, own).await, Code::NotFound);
    let other = get("secrets", "OSRootSecrets.secrets.talos.dev");
    assert_eq!(code(&mut state, other).await, Code::PermissionDenied);
    let origin = http::Uri::from_static("http://machined");
    let mut machine = MachineServiceClient::with_origin(socket, origin);
    assert_eq!(machine.version(()).await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn trustd_signs_for_those_who_know_the_token() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority();
    let store = Store::new();
    let state = state_socket(&directory, &store, Scope::TRUSTD);
    let listen = free();
    tokio::spawn(trustd::run(trustd::Options { state, listen }, std::future::pending()));
    let root = OSRootSpec {
        issuing_ca: PemEncodedCertificateAndKey {
            crt: authority.certificate_pem().into(),
            key: authority.key_pem().unwrap().into(),
        },
        accepted_cas: vec![PemEncodedCertificate { crt: authority.certificate_pem().into() }],
        token: "abcdef.0123456789abcdef".into(),
        ..Default::default()
    };
    store.create("", "secrets", "os", root).unwrap();
    let own = TrustdCertsSpec { server: pair(&server_of(&authority)), ..Default::default() };
    store.create("", "secrets", "trustd", own).unwrap();
    let channel = eventually(async || dial(listen, &authority, None).await).await;
    let mut client = SecurityServiceClient::new(channel);

    let key = PrivateKey::generate(Algorithm::Ed25519).unwrap();
    let address = "10.5.0.3".parse().unwrap();
    // A request that asks for a role besides: it must not get one.
    let csr = pki::Request::create(
        &key,
        "w-1",
        &["os:admin".to_owned()],
        &["w-1".to_owned()],
        &[address],
    );
    let csr = csr.unwrap().to_pem();
    let ask = |token: Option<&'static str>, csr: &str| {
        let mut request = Request::new(CertificateRequest { csr: csr.as_bytes().to_vec() });
        if let Some(token) = token {
            request.metadata_mut().insert("token", token.parse().unwrap());
        }
        request
    };
    let good = Some("abcdef.0123456789abcdef");
    let reply =
        eventually(async || client.clone().certificate(ask(good, &csr)).await).await.into_inner();
    let signed = Certificate::from_pem(std::str::from_utf8(&reply.crt).unwrap()).unwrap();
    assert!(signed.is_signed_by(authority.certificate()));
    assert_eq!(signed.extended_usages, [ExtendedUsage::ServerAuth]);
    assert_eq!(signed.organizations, Vec::<String>::new());
    assert_eq!(
        (signed.dns_names.as_slice(), signed.ips.as_slice()),
        (&["w-1".to_owned()][..], &[address][..])
    );
    assert!(!signed.is_authority && signed.validity.contains(now()));
    assert_eq!(
        reply.ca,
        authority
            .certificate_pem()
            .trim_end()
            .as_bytes()
            .iter()
            .chain(b"\n")
            .copied()
            .collect::<Vec<_>>()
    );

    for (token, csr, code) in [
        (None, csr.as_str(), Code::Unauthenticated),
        (Some("abcdef.0123456789abcdee"), &csr, Code::Unauthenticated),
        (good, "no request", Code::InvalidArgument),
    ] {
        let refused = client.certificate(ask(token, csr)).await.unwrap_err();
        assert_eq!(refused.code(), code, "{token:?}");
    }
}
