//! `cluster create`: plan, configure, start, bootstrap, wait.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, bail};
use api::{cluster::ClusterInfo, machine::BootstrapRequest};
use client::{CallError, Connection, ConnectionOptions, Endpoint, Named, Node, Trust};
use pki::{Context, Secrets, System};
use provision::{
    native,
    spec::{
        ClusterSpec, Forward, KUBERNETES_API_PORT, MACHINE_API_PORT, Request, Role, RootImage, Size,
    },
    state::ClusterDirectory,
};
use tokio::time::Instant;

use super::{
    Place, kept, machines,
    ready::{self, Wanted},
};
use crate::{
    command::{get, health, kubeconfig},
    files,
    output::{age, progress::Progress, size, table::Table, value},
    remote,
};

/// What a cluster is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Provisioner {
    /// Linux namespaces on this machine
    Native,
}

/// Arguments of `cluster create`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the machines are made of
    #[arg(value_enum, default_value = "native")]
    provisioner: Provisioner,
    /// Root image of the machines: a squashfs file, or a directory with its content [default: image/root.sqfs beside this program's directory]
    #[arg(long, value_name = "PATH")]
    root_image: Option<PathBuf>,
    /// Directory with container images (OCI layout) that the machines ask before any registry
    #[arg(long, value_name = "DIR")]
    image_cache: Option<PathBuf>,
    /// How many control plane nodes
    #[arg(long, value_name = "N", default_value_t = 1)]
    controlplanes: usize,
    /// How many workers
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
    /// Network of the machines
    #[arg(long, value_name = "CIDR", default_value = "10.5.0.0/24")]
    cidr: ipnet::Ipv4Net,
    /// Largest packet of that network
    #[arg(long, default_value_t = 1500)]
    mtu: u32,
    /// Processors of each control plane node
    #[arg(long, value_name = "N", default_value = "2.0", value_parser = cpus)]
    cpus_controlplanes: u32,
    /// Processors of each worker
    #[arg(long, value_name = "N", default_value = "2.0", value_parser = cpus)]
    cpus_workers: u32,
    /// Memory of each control plane node
    #[arg(long, value_name = "SIZE", default_value = "2.0GiB", value_parser = size::parse)]
    memory_controlplanes: u64,
    /// Memory of each worker
    #[arg(long, value_name = "SIZE", default_value = "2.0GiB", value_parser = size::parse)]
    memory_workers: u64,
    #[command(flatten)]
    machines: machines::Args,
    /// Wait until the cluster is well
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "SPAN", default_value = "20m", value_parser = age::parse)]
    wait_timeout: Duration,
    /// Put the cluster into your own client configuration and kubeconfig, too
    #[arg(long)]
    merge: bool,
}

fn cpus(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is not a number of processors such as 2 or 0.5");
    let number: f64 = text.parse().map_err(|_| wrong())?;
    if !(0.1..=1024.0).contains(&number) {
        return Err(wrong());
    }
    // The range above fits a u32 of thousandths.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok((number * 1000.0).round() as u32)
}

/// Creates the cluster, or starts it again.
pub(crate) fn run(place: &Place, arguments: &Args) -> anyhow::Result<()> {
    let state = place.state()?;
    let directory = place.directory()?;
    let planned = plan(place, arguments)?;
    let mut progress = Progress::new(if arguments.wait { 7 } else { 2 });

    progress.phase("secrets and configurations");
    let known = directory.exists();
    let spec = if known {
        compare(&directory, &planned)?
    } else {
        prepare(&directory, planned, arguments)?
    };
    let context = access(&directory, &spec)?;
    kept::store_access(&directory, &state, &spec.name, &context)?;
    if arguments.merge {
        let path = client::Search::from_environment(None).choose()?;
        kept::put_access(&path, &spec.name, &context)?;
    }

    progress.phase("machines started");
    if let Err(error) = native::start(&directory) {
        // What was made for a cluster that never ran is not left behind.
        if !known {
            directory.remove()?;
            kept::forget(&state, &spec.name)?;
            std::fs::remove_dir(&state).ok();
        }
        return Err(error.into());
    }
    if !arguments.wait {
        progress.finish();
        return Ok(());
    }
    remote::block_on(async {
        let deadline = Instant::now() + arguments.wait_timeout;
        let nodes = nodes(&spec, &context)?;
        let kubeconfig = wait(&spec, &nodes, deadline, &mut progress).await?;
        kept::store_kubeconfig(&directory, &state, &kubeconfig)?;
        if arguments.merge {
            kubeconfig::merge_file(&kubeconfig::default_path()?, &kubeconfig, true)?;
        }
        progress.phase("cluster healthy");
        let first = nodes.first().context("the cluster has no node")?;
        let left = deadline.saturating_duration_since(Instant::now());
        health::check(first, left, expected(&spec), |line| progress.detail(line)).await?;
        let table = summary(&spec, &nodes).await;
        let took = progress.finish();
        eprintln!("the cluster is ready after {:.1} s\n", took.as_secs_f64());
        files::print(&table.to_string())
    })
}

fn plan(place: &Place, arguments: &Args) -> anyhow::Result<ClusterSpec> {
    let root = match &arguments.root_image {
        Some(path) => std::path::absolute(path)?,
        None => default_root_image()?,
    };
    let root = if root.is_dir() {
        RootImage::Directory(root)
    } else if root.is_file() {
        RootImage::Squashfs(root)
    } else {
        bail!(
            "there is no root image at {}; build one with `make build`, or name it with --root-image",
            root.display()
        );
    };
    let image_cache = match &arguments.image_cache {
        Some(path) if !path.is_dir() => {
            bail!(
                "the image cache {} is not a directory; build it with `make build`",
                path.display()
            )
        }
        Some(path) => Some(std::path::absolute(path)?),
        None => None,
    };
    Ok(Request {
        name: place.name.clone(),
        network: arguments.cidr,
        mtu: arguments.mtu,
        control_planes: arguments.controlplanes,
        workers: arguments.workers,
        control_plane_size: Size {
            millicpus: arguments.cpus_controlplanes,
            memory: arguments.memory_controlplanes,
        },
        worker_size: Size { millicpus: arguments.cpus_workers, memory: arguments.memory_workers },
        root,
        image_cache,
    }
    .plan()?)
}

/// Beside the program's directory, where a build puts both.
fn default_root_image() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("finding this program")?;
    let out = program.parent().and_then(|bin| bin.parent());
    Ok(out.map(|out| out.join("image/root.sqfs")).unwrap_or_default())
}

/// The cluster as it was created, when that is what is asked for now.
fn compare(directory: &ClusterDirectory, planned: &ClusterSpec) -> anyhow::Result<ClusterSpec> {
    let known = directory.spec()?;
    let same = ClusterSpec { forwards: Vec::new(), ..known.clone() } == *planned;
    if !same {
        bail!(
            "the cluster {:?} exists with other settings; remove it first with `ichorctl cluster destroy --name {}`, or choose another --name",
            known.name,
            known.name
        );
    }
    Ok(known)
}

/// Writes everything that the cluster is started from; the plan comes last, so that an interrupted preparation is begun anew.
fn prepare(
    directory: &ClusterDirectory,
    mut spec: ClusterSpec,
    arguments: &Args,
) -> anyhow::Result<ClusterSpec> {
    directory.create()?;
    let addresses: Vec<Ipv4Addr> = spec.control_planes().map(|node| node.address).collect();
    for port in [MACHINE_API_PORT, KUBERNETES_API_PORT] {
        spec.forwards.push(Forward { listen: free_port()?, port, nodes: addresses.clone() });
    }
    let secrets = Secrets::generate(remote::now(), &mut System)?;
    files::write(&directory.file(SECRETS), secrets.to_yaml().as_bytes(), 0o600)?;
    for (node, configuration) in machines::configurations(&spec, &secrets, &arguments.machines)? {
        let home = directory.node(&node);
        std::fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
        files::write(&home.join("config.yaml"), configuration.as_bytes(), 0o600)?;
    }
    directory.save_spec(&spec)?;
    Ok(spec)
}

const SECRETS: &str = "secrets.yaml";

/// A port that nobody listens on now; the supervisor takes it in a moment, and says so when somebody was faster.
fn free_port() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    listener.local_addr().context("finding a free port")
}

/// The client configuration: kept while its certificate is good, otherwise made from the secrets.
fn access(directory: &ClusterDirectory, spec: &ClusterSpec) -> anyhow::Result<Context> {
    let text = std::fs::read(directory.file(SECRETS)).context("reading the cluster's secrets")?;
    let secrets = Secrets::from_yaml(&text)?;
    let identity = secrets.client(&["os:admin".to_owned()], remote::now(), &mut System)?;
    let mut context = Context::new(&secrets.os.certificate, &identity)?;
    context.endpoints = spec.forwarded(MACHINE_API_PORT).iter().map(ToString::to_string).collect();
    context.nodes = spec.nodes.iter().map(|node| node.address.to_string()).collect();
    Ok(context)
}

fn nodes(spec: &ClusterSpec, context: &Context) -> anyhow::Result<Vec<Node>> {
    let endpoints: Result<Vec<Endpoint>, _> =
        context.endpoints.iter().map(|endpoint| endpoint.parse()).collect();
    let connection = Connection::open(&ConnectionOptions {
        endpoints: endpoints?,
        trust: Trust::Mutual {
            ca: context.ca.clone(),
            crt: context.crt.clone(),
            key: context.key.clone(),
        },
        cluster: None,
        basic: None,
    })?;
    Ok(spec.nodes.iter().map(|node| connection.node(&node.address.to_string())).collect())
}

fn expected(spec: &ClusterSpec) -> ClusterInfo {
    let of = |role| {
        spec.nodes
            .iter()
            .filter(|node| node.role == role)
            .map(|node| node.address.to_string())
            .collect()
    };
    ClusterInfo {
        control_plane_nodes: of(Role::ControlPlane),
        worker_nodes: of(Role::Worker),
        force_endpoint: String::new(),
    }
}

/// From machines that have power to nodes that are Ready. Gives the kubeconfig.
async fn wait(
    spec: &ClusterSpec,
    nodes: &[Node],
    deadline: Instant,
    progress: &mut Progress,
) -> anyhow::Result<yaml::Value> {
    let first = nodes.first().context("the cluster has no node")?;
    progress.phase("API answers");
    ready::before(
        deadline,
        "waiting for the API of the first machine",
        ready::answers(first, deadline),
    )
    .await?;

    progress.phase("etcd started");
    let runtime = Wanted {
        kind: "Services.v1alpha1.talos.dev",
        namespace: "runtime",
        id: "cri",
        what: "the container runtime",
        test: ready::service_is_healthy,
    };
    ready::resource(first, &runtime, deadline, progress).await?;
    bootstrap(first).await?;
    let etcd = Wanted { id: "etcd", what: "etcd", ..runtime };
    ready::resource(first, &etcd, deadline, progress).await?;

    progress.phase("control plane ready");
    let text = kubeconfig::fetch(first).await?;
    let server = spec
        .forwarded(KUBERNETES_API_PORT)
        .map(|address| format!("https://{address}"))
        .context("the cluster has no way to its Kubernetes API")?;
    let kubeconfig = kubeconfig::with_server(&text, &server)?;
    let machine = Wanted {
        kind: "MachineStatuses.runtime.talos.dev",
        namespace: "runtime",
        id: "machine",
        what: "the machine to be ready",
        test: ready::machine_is_ready,
    };
    let planes = spec.control_planes().count();
    for node in nodes.iter().take(planes) {
        ready::resource(node, &machine, deadline, progress).await?;
    }
    progress.phase("workers ready");
    for node in nodes.iter().skip(planes) {
        ready::before(deadline, "waiting for the API of a worker", ready::answers(node, deadline))
            .await?;
        ready::resource(node, &machine, deadline, progress).await?;
    }
    Ok(kubeconfig)
}

/// Begins etcd, unless it was begun before.
async fn bootstrap(node: &Node) -> Result<(), CallError> {
    let request = BootstrapRequest { recover_etcd: false, recover_skip_hash_check: false };
    match node.machine().bootstrap(request).await.named(node, "MachineService/Bootstrap") {
        Err(error) if error.code() == tonic::Code::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

async fn summary(spec: &ClusterSpec, nodes: &[Node]) -> Table {
    let mut table = Table::new(["NAME", "ROLE", "ADDRESS", "KUBERNETES", "VERSION"]);
    for (spec, node) in spec.nodes.iter().zip(nodes) {
        let statuses =
            get::list(node, "k8s", "NodeStatuses.kubernetes.talos.dev").await.unwrap_or_default();
        let ready = statuses
            .first()
            .and_then(|status| get::spec(status).ok())
            .and_then(|spec| spec.entry("nodeReady").map(value::cell));
        let version = node.machine().version(()).await.named(node, "MachineService/Version");
        let tag = version
            .ok()
            .and_then(|answer| answer.messages.into_iter().next())
            .and_then(|message| message.version)
            .map(|version| version.tag);
        table.row(vec![
            spec.name.clone(),
            spec.role.to_string(),
            spec.address.to_string(),
            match ready.as_deref() {
                Some("true") => "Ready",
                Some(_) => "NotReady",
                None => "-",
            }
            .to_owned(),
            tag.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table
}
