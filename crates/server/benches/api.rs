//! How fast the API answers through apid: machined and apid as processes of their own, the client on the same cores.
//!
//! `cargo bench -p server --bench api` prints one line per figure with its goal. The processes are this program under
//! other names: machined serves the machine API and apid's state, apid is fed by that state and passes calls on.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use api::{
    cosi::resource::{ListRequest, state_client::StateClient},
    machine::machine_service_client::MachineServiceClient,
};
use hyper_util::rt::TokioIo;
use pki::{Algorithm, Authority, ExtendedUsage, Leaf, PrivateKey, System, Validity};
use resource::{
    config::{MachineConfigSpec, MachineTypeSpec},
    enums::MachineType,
    network::HostnameStatusSpec,
    runtime::{APIServiceConfigSpec, ServicePIDSpec},
    secrets::APICertsSpec,
    types::{PemEncodedCertificate, PemEncodedCertificateAndKey},
};
use runtime::{Store, command, event, log, service};
use server::{
    apid,
    machine::{Machine, Node, Places, Platform, serve_state},
    state::Scope,
    tls::PemIdentity,
};
use tokio::net::{TcpStream, UnixListener};
use tonic::transport::{Channel, Endpoint};

/// The allocator of the daemons.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const SERVICES: [&str; 7] = ["machined", "containerd", "cri", "apid", "trustd", "etcd", "kubelet"];
const MEASURE: Duration = Duration::from_secs(5);
const WARM: Duration = Duration::from_secs(1);

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1).skip_while(|argument| argument.starts_with("--"));
    match arguments.next().as_deref() {
        Some("machined") => machined(Path::new(&arguments.next().ok_or("no directory")?)),
        Some("apid") => apid_process(Path::new(&arguments.next().ok_or("no directory")?)),
        _ => measure(),
    }
}

fn runtime(threads: usize) -> Result<tokio::runtime::Runtime> {
    // As the daemons are started on a node.
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?)
}

fn read(directory: &Path, file: &str) -> Result<String> {
    Ok(std::fs::read_to_string(directory.join(file))?)
}

fn pair(directory: &Path, name: &str) -> Result<PemEncodedCertificateAndKey> {
    Ok(PemEncodedCertificateAndKey {
        crt: read(directory, &format!("{name}.crt"))?.into(),
        key: read(directory, &format!("{name}.key"))?.into(),
    })
}

/// A node's tables with its sockets. The first line of its input is apid's pid.
fn machined(directory: &Path) -> Result<()> {
    let store = Store::new();
    let certificates = APICertsSpec {
        accepted_cas: vec![PemEncodedCertificate { crt: read(directory, "ca.crt")?.into() }],
        client: pair(directory, "client")?,
        server: pair(directory, "server")?,
        skip_verifying_client_cert: false,
    };
    let service = APIServiceConfigSpec {
        listen_address: read(directory, "listen")?,
        ..APIServiceConfigSpec::default()
    };
    let hostname = HostnameStatusSpec { hostname: "bench".into(), domainname: String::new() };
    let kind = MachineTypeSpec { machine_type: MachineType::CONTROL_PLANE };
    store.create("", "secrets", "api", certificates)?;
    store.create("", "runtime", "apid", service)?;
    store.create("", "network", "hostname", hostname)?;
    store.create("", "config", "machine-type", kind)?;
    store.create("", "config", "v1alpha1", MachineConfigSpec::default())?;
    let events = event::Bus::new([0; 5], SystemTime::now);
    let services = service::Registry::new(events.clone(), SystemTime::now);
    for id in SERVICES {
        services.declare(id, service::Declaration { checked: true, ..Default::default() });
        for state in [service::State::Starting, service::State::Preparing, service::State::Running]
        {
            services.transition(id, state, format!("Service {} {id}", state.as_str()));
        }
        services.report(id, true, "");
    }
    let (sender, _receiver) = command::channel();
    runtime(2)?.block_on(async move {
        let api = Machine::new(Node {
            store: store.clone(),
            services,
            events,
            logs: log::Registry::new(directory),
            commands: sender,
            platform: Platform { name: "container".into(), mode: "container".into() },
            places: Places::default(),
            edges: Arc::new(Vec::new),
        });
        tokio::spawn(api.serve_apart(UnixListener::bind(directory.join("machine.sock"))?));
        let state = UnixListener::bind(directory.join("apid.sock"))?;
        tokio::spawn(serve_state(store.clone(), Scope::APID, state));
        println!("ready");
        let mut lines = BufReader::new(std::io::stdin()).lines();
        let pid = lines.next().ok_or("no pid of apid")??.trim().parse()?;
        store.create("", "runtime", "apid", ServicePIDSpec { pid, ..Default::default() })?;
        println!("ready");
        // The end of the input is the end of the measurement.
        tokio::task::spawn_blocking(move || lines.next()).await?;
        Ok(())
    })
}

fn apid_process(directory: &Path) -> Result<()> {
    let options = apid::Options {
        state: directory.join("apid.sock"),
        machine: directory.join("machine.sock"),
        ..apid::Options::default()
    };
    runtime(1)?.block_on(apid::run(options, std::future::pending()))?;
    Ok(())
}

/// A process that ends with its handle.
struct Process(Child);

impl Process {
    fn start(role: &str, directory: &Path) -> Result<Self> {
        let child = Command::new(env::current_exe()?)
            .args([role.as_ref(), directory.as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self(child))
    }

    fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.0.stdin.as_mut().ok_or("no input")?;
        Ok(writeln!(input, "{line}")?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both calls fail only when the process has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Setup {
    directory: tempfile::TempDir,
    address: SocketAddr,
    authority: String,
    own: PemIdentity,
}

fn setup() -> Result<Setup> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = i64::try_from(now.as_secs())?;
    let validity = Validity::starting(now - 60, 3600);
    let key = PrivateKey::generate(Algorithm::Ed25519)?;
    let authority = Authority::create(key, "talos", validity, &mut System)?;
    let directory = tempfile::tempdir()?;
    let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text);
    let server = Leaf::new(&[ExtendedUsage::ServerAuth], validity)
        .names([], ["127.0.0.1".parse().map_err(|_| "address")?]);
    let client = Leaf::client(&["os:impersonator".to_owned()], validity);
    for (name, leaf) in [("server", server), ("client", client)] {
        let identity = authority.issue(&leaf, &mut System)?;
        write(&format!("{name}.crt"), &identity.certificate_pem())?;
        write(&format!("{name}.key"), &identity.key_pem()?)?;
    }
    write("ca.crt", &authority.certificate_pem())?;
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    write("listen", &address.to_string())?;
    let identity =
        authority.issue(&Leaf::client(&["os:admin".to_owned()], validity), &mut System)?;
    let own = PemIdentity { certificate: identity.certificate_pem(), key: identity.key_pem()? };
    Ok(Setup { directory, address, authority: authority.certificate_pem(), own })
}

async fn dial(setup: &Setup) -> Result<Channel> {
    let tls = server::tls::client(Some(&setup.own), &setup.authority)?;
    let address = setup.address;
    let connector = tower::service_fn(move |_: http::Uri| {
        let tls = tokio_rustls::TlsConnector::from(tls.clone());
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let name = rustls_pki_types::ServerName::IpAddress(address.ip().into());
            tls.connect(name, stream).await.map(TokioIo::new)
        }
    });
    let endpoint = Endpoint::from_static("http://node")
        .initial_stream_window_size(65535 * 32)
        .initial_connection_window_size(65535 * 16);
    let started = Instant::now();
    loop {
        match endpoint.connect_with_connector(connector.clone()).await {
            Ok(channel) => return Ok(channel),
            Err(error) if started.elapsed() > Duration::from_secs(10) => return Err(error.into()),
            // apid listens as soon as it has read its settings.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Calls again and again, `width` at a time, and gives every call's time.
async fn run<F>(
    width: usize,
    call: impl Fn() -> F + Clone + Send + 'static,
) -> Result<Vec<Duration>>
where
    F: Future<Output = Result<()>> + Send,
{
    let begin = Instant::now();
    let callers = (0..width).map(|_| {
        let call = call.clone();
        tokio::spawn(async move {
            let mut times = Vec::new();
            while begin.elapsed() < WARM + MEASURE {
                let start = Instant::now();
                call().await?;
                if start > begin + WARM {
                    times.push(start.elapsed());
                }
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
        })
    });
    let mut all = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        all.extend(caller.await??);
    }
    all.sort_unstable();
    Ok(all)
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    times.get(times.len() * percent / 100).copied().unwrap_or_default()
}

fn line(what: &str, times: &[Duration], goal: &str) {
    let rate = times.len() as u64 / MEASURE.as_secs();
    let (p50, p99) = (percentile(times, 50), percentile(times, 99));
    println!(
        "{what:<44} {rate:>8}/s   p50 {:>7.3} ms   p99 {:>7.3} ms   goal {goal}",
        p50.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3
    );
}

fn list() -> ListRequest {
    ListRequest {
        namespace: "meta".into(),
        r#type: "ResourceDefinitions.meta.cosi.dev".into(),
        options: None,
    }
}

fn measure() -> Result<()> {
    let setup = setup()?;
    let directory: PathBuf = setup.directory.path().to_owned();
    let mut machined = Process::start("machined", &directory)?;
    let mut lines = BufReader::new(machined.0.stdout.take().ok_or("no output")?).lines();
    lines.next().ok_or("machined ended")??;
    let apid = Process::start("apid", &directory)?;
    machined.tell(&apid.0.id().to_string())?;
    lines.next().ok_or("machined ended")??;
    // A caller that hands its own work from thread to thread measures itself.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let channel = dial(&setup).await?;
        let client = MachineServiceClient::new(channel.clone());
        let state = StateClient::new(channel);
        let count = {
            let mut stream = state.clone().list(list()).await?.into_inner();
            let mut count = 0;
            while stream.message().await?.is_some() {
                count += 1;
            }
            count
        };
        let version = {
            let client = client.clone();
            move || {
                let mut client = client.clone();
                async move {
                    client.version(()).await?;
                    Ok(())
                }
            }
        };
        line("Version, one at a time", &run(1, version.clone()).await?, "p50 <= 0.2 ms");
        line("Version, 32 at a time", &run(32, version).await?, ">= 20000/s");
        let services = move || {
            let mut client = client.clone();
            async move {
                let reply = client.service_list(()).await?.into_inner();
                let [list] = reply.messages.as_slice() else { return Err("no list".into()) };
                if list.services.len() == SERVICES.len() { Ok(()) } else { Err("services".into()) }
            }
        };
        line("ServiceList of 7 services, 32 at a time", &run(32, services).await?, ">= 12000/s");
        let definitions = move || {
            let mut state = state.clone();
            async move {
                let mut stream = state.list(list()).await?.into_inner();
                let mut seen = 0;
                while let Some(reply) = stream.message().await? {
                    seen += usize::from(reply.resource.is_some());
                }
                if seen == count { Ok(()) } else { Err("definitions".into()) }
            }
        };
        line(
            &format!("List of all {count} definitions, 8 at a time"),
            &run(8, definitions).await?,
            ">= 1500/s",
        );
        Ok(())
    })
}
