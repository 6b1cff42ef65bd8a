//! A whole node's API in this process: machined's socket, and apid over real TCP and TLS before it.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::SystemTime};

use hyper_util::rt::TokioIo;
use pki::{Algorithm, Authority, Leaf, PrivateKey, System, Validity};
use resource::{
    config::{MachineConfigSpec, MachineTypeSpec},
    enums::MachineType,
    network::HostnameStatusSpec,
    runtime::ServicePIDSpec,
    v1alpha1::AcquireConfigStatusSpec,
};
use runtime::{Store, command, event, log, service};
use server::{
    apid::{Server, Settings, Standing},
    machine::{Machine, Node, Places, Platform},
    tls::{Clients, PemIdentity},
};
use tokio::{
    net::{TcpListener, TcpStream, UnixListener},
    sync::watch,
};
use tonic::transport::{Channel, Endpoint};

/// Half a day around now, in which certificates of the tests are valid.
pub(crate) const DAY: i64 = 86_400;

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

pub(crate) fn authority() -> Authority {
    let key = PrivateKey::generate(Algorithm::Ed25519).unwrap();
    Authority::create(key, "talos", Validity::starting(now() - DAY, 2 * DAY), &mut System).unwrap()
}

pub(crate) fn issue(authority: &Authority, leaf: &Leaf) -> PemIdentity {
    let identity = authority.issue(leaf, &mut System).unwrap();
    PemIdentity { certificate: identity.certificate_pem(), key: identity.key_pem().unwrap() }
}

/// A client certificate with these roles.
pub(crate) fn client_of(authority: &Authority, roles: &[&str]) -> PemIdentity {
    let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
    issue(authority, &Leaf::client(&roles, Validity::starting(now() - 60, DAY)))
}

fn server_of(authority: &Authority, address: &str) -> PemIdentity {
    let leaf = Leaf::new(&[pki::ExtendedUsage::ServerAuth], Validity::starting(now() - 60, DAY))
        .names([], [address.parse().unwrap()]);
    issue(authority, &leaf)
}

/// One node.
pub(crate) struct Running {
    pub name: String,
    pub store: Store,
    pub events: event::Bus,
    pub services: service::Registry,
    pub logs: log::Registry,
    pub commands: command::Receiver,
    pub settings: watch::Sender<Option<Arc<Settings>>>,
    pub address: SocketAddr,
    pub directory: tempfile::TempDir,
    pub socket: PathBuf,
}

/// Starts a node on `address` (one of 127.0.0.0/8) whose apid shares `port` with its like.
pub(crate) async fn start(authority: &Authority, name: &str, address: &str, port: u16) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new();
    let events = event::Bus::new([0; 5], SystemTime::now);
    let services = service::Registry::new(events.clone(), SystemTime::now);
    let logs = log::Registry::new(directory.path());
    let (sender, commands) = command::channel();
    let hostname = HostnameStatusSpec { hostname: name.to_owned(), domainname: String::new() };
    store.create("", "network", "hostname", hostname).unwrap();
    // The test plays apid: it is this process that calls the machine API.
    let pid = ServicePIDSpec { pid: std::process::id().cast_signed(), ..Default::default() };
    store.create("", "runtime", "apid", pid).unwrap();
    let kind = MachineTypeSpec { machine_type: MachineType::CONTROL_PLANE };
    store.create("", "config", "machine-type", kind).unwrap();
    store.create("", "config", "v1alpha1", MachineConfigSpec::default()).unwrap();
    let acquired = AcquireConfigStatusSpec::default();
    store.create("", "runtime", "acquire-config", acquired).unwrap();

    let socket = directory.path().join("machine.sock");
    let machine = Machine::new(Node {
        store: store.clone(),
        services: services.clone(),
        events: events.clone(),
        logs: logs.clone(),
        commands: sender,
        platform: Platform { name: "container".into(), mode: "container".into() },
        places: Places { root: "/".into(), ..Places::default() },
        edges: Arc::new(Vec::new),
    });
    tokio::spawn(machine.serve(UnixListener::bind(&socket).unwrap()));

    let listener = TcpListener::bind((address, port)).await.unwrap();
    let bound = listener.local_addr().unwrap();
    let settings = Settings {
        listen: bound,
        role_by_address: false,
        clients: Clients::Verified(authority.certificate_pem()),
        server: server_of(authority, address),
        client: Some(client_of(authority, &["os:impersonator"])),
        authorities: authority.certificate_pem(),
        standing: Standing {
            routing: true,
            can_forward: true,
            addresses: vec![address.parse().unwrap()],
            names: vec![name.to_owned()],
        },
    };
    let (settings, receiver) = watch::channel(Some(Arc::new(settings)));
    let apid = Server::new(socket.clone(), bound.port(), receiver);
    tokio::spawn(async move { apid.serve(listener).await });
    Running {
        name: name.to_owned(),
        store,
        events,
        services,
        logs,
        commands,
        settings,
        address: bound,
        directory,
        socket,
    }
}

impl Running {
    /// Changes apid's settings.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Settings)) {
        self.settings.send_modify(|settings| {
            let mut next = settings.as_deref().cloned().unwrap();
            change(&mut next);
            *settings = Some(Arc::new(next));
        });
    }
}

/// A connection as a client makes it; the error is the one of the handshake.
pub(crate) async fn dial(
    address: SocketAddr,
    authority: &Authority,
    identity: Option<&PemIdentity>,
) -> Result<Channel, tonic::transport::Error> {
    let tls = server::tls::client(identity, &authority.certificate_pem()).unwrap();
    let connector = tower::service_fn(move |_: http::Uri| {
        let tls = tokio_rustls::TlsConnector::from(tls.clone());
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let name = rustls_pki_types::ServerName::IpAddress(address.ip().into());
            tls.connect(name, stream).await.map(TokioIo::new)
        }
    });
    Endpoint::from_static("http://node")
        .initial_stream_window_size(65535 * 32)
        .initial_connection_window_size(65535 * 16)
        .connect_with_connector(connector)
        .await
}
