//! `cluster create`: from nothing to nodes that are ready.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use client::{AccessFile, Connection, ConnectionOptions, Endpoint, Node, Search, Trust};
use pki::{Access, Secrets, System};
use provision::preflight::{self, Host, Severity};
use provision::qemu::Emulation;
use provision::spec::{
    ClusterSpec, Forward, KUBERNETES_API_PORT, MACHINE_API_PORT, Provisioner, Request, RootImage,
    Size,
};
use provision::state::ClusterDirectory;
use provision::supervisor;

use super::configuration::{Links, Surroundings};
use super::progress::Progress;
use super::wait::Wait;
use super::{Kind, Place, configuration, health, kubeconfig, machines, show};
use crate::output::{age, style};
use crate::{files, remote};

/// Arguments of `cluster create`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Kind of cluster: native for nodes in namespaces of this machine, qemu for virtual machines
    #[arg(value_enum, value_name = "KIND", default_value = "native")]
    kind: Kind,
    /// The same as an option
    #[arg(long, value_enum, value_name = "KIND")]
    provisioner: Option<Kind>,
    /// Number of control planes
    #[arg(long, value_name = "N", default_value_t = 1)]
    controlplanes: usize,
    /// Number of workers
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
    /// Network of the nodes
    #[arg(long, visible_alias = "subnet", default_value = "10.5.0.0/24")]
    cidr: ipnet::Ipv4Net,
    /// Largest packet of that network
    #[arg(long, default_value_t = 1500)]
    mtu: u32,
    /// Processors of each control plane
    #[arg(long, value_name = "N", default_value = "2.0", value_parser = processors)]
    cpus_controlplanes: u32,
    /// Processors of each worker
    #[arg(long, value_name = "N", default_value = "2.0", value_parser = processors)]
    cpus_workers: u32,
    /// Memory of each control plane
    #[arg(long, value_name = "SIZE", default_value = "2.0GiB", value_parser = memory)]
    memory_controlplanes: u64,
    /// Memory of each worker
    #[arg(long, value_name = "SIZE", default_value = "2.0GiB", value_parser = memory)]
    memory_workers: u64,
    /// Root image of the nodes: a squashfs file or a directory
    #[arg(long, value_name = "PATH", default_value = "out/image/root.sqfs")]
    root_image: PathBuf,
    /// Container images that the nodes ask first; without, they pull everything from the network
    #[arg(long, value_name = "DIRECTORY")]
    image_cache: Option<PathBuf>,
    #[command(flatten)]
    machines: machines::MachineArgs,
    #[command(flatten)]
    configuration: configuration::ConfigurationArgs,
    /// Where the client configuration goes besides the cluster's directory
    #[arg(long, value_name = "FILE")]
    talosconfig_destination: Option<PathBuf>,
    /// Where the kubeconfig goes besides the cluster's directory
    #[arg(long, value_name = "FILE")]
    kubeconfig_destination: Option<PathBuf>,
    /// Also add the cluster to the user's own client configuration and kubeconfig
    #[arg(long)]
    merge: bool,
    /// Wait until the cluster works
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    wait: bool,
    /// How long to wait for it
    #[arg(long, value_name = "SPAN", default_value = "20m", value_parser = age::parse)]
    wait_timeout: Duration,
}

fn processors(text: &str) -> Result<u32, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number such as 2.0".to_owned())?;
    if !(0.1..=1024.0).contains(&number) {
        return Err("expected 0.1 to 1024 processors".to_owned());
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // In range by the check above.
    Ok((number * 1000.0).round() as u32)
}

pub(super) fn memory(text: &str) -> Result<u64, String> {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let expected =
        || "expected a size such as 2.0GiB or 1536MiB; a bare number is in MiB".to_owned();
    let (number, shift) = units
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
        .unwrap_or((text, 20));
    let number: f64 = number.trim().parse().map_err(|_| expected())?;
    if !(0.0..=1e9).contains(&number) {
        return Err(expected());
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // In range by the check above.
    let thousandths = (number * 1000.0).round() as u64;
    Ok(((u128::from(thousandths) << shift) / 1000).try_into().unwrap_or(u64::MAX))
}

/// The phases that are shown, and those that only virtual machines have.
const PHASES: usize = 7;
const MACHINE_PHASES: usize = 2;

/// Gives power to nodes of a running cluster that have none, and returns their names. One that failed is for the user to look
/// at first.
fn give_power(directory: &ClusterDirectory) -> anyhow::Result<Vec<String>> {
    let states = supervisor::ask(directory.path(), &supervisor::Command::Status)?;
    let off = states.into_iter().filter(|state| state.power == supervisor::Power::Off);
    let off: Vec<String> = off.map(|state| state.name).collect();
    for name in &off {
        supervisor::ask(directory.path(), &supervisor::Command::PowerOn(name.clone()))?;
    }
    Ok(off)
}

/// Creates the cluster, or finishes what an interrupted run has begun.
pub(super) fn run(arguments: Args, place: &Place) -> anyhow::Result<()> {
    let state = place.state()?;
    let directory = place.directory()?;
    let kind = arguments.provisioner.unwrap_or(arguments.kind);
    let more = if kind == Kind::Qemu { MACHINE_PHASES } else { 0 };
    let mut progress = Progress::new(PHASES + more);
    let wanted = request(&arguments, kind, place)?.plan()?;
    let spec = progress.phase("check the host", |_| {
        let spec = reuse_or_plan(&directory, wanted)?;
        let running = supervisor::ask(directory.path(), &supervisor::Command::Status).is_ok();
        if !running {
            check_host(&spec, &state)?;
        }
        Ok(spec)
    })?;
    let emulation = match spec.provisioner.machine() {
        None => None,
        Some(machine) => progress.phase("try to run a guest", |step| {
            let emulation = Emulation::of_cluster(&directory, &spec, machine)?;
            step.detail(machines::describe(&emulation));
            Ok(Some(emulation))
        })?,
    };
    let access = progress.phase("secrets and configurations", |_| {
        directory.create()?;
        directory.save_spec(&spec)?;
        if let (Some(machine), Some(emulation)) = (spec.provisioner.machine(), &emulation) {
            machines::make_image(&directory, machine, emulation)?;
        }
        prepare(&arguments, &spec, &directory, emulation.as_ref())
    })?;
    progress.phase("start the nodes", |step| {
        if supervisor::start(&directory)? {
            return Ok(());
        }
        let off = give_power(&directory)?;
        let begun = format!("{} had no power", off.join(", "));
        step.detail(if off.is_empty() { "they run already" } else { &begun });
        Ok(())
    })?;
    if arguments.wait {
        let nodes = connect(&access, &spec)?;
        let wait = Wait::begin(arguments.wait_timeout, &spec, &directory);
        remote::block_on(async {
            if let Some(emulation) = &emulation {
                let setup = machines::Setup {
                    spec: &spec,
                    directory: &directory,
                    access: &access,
                    secrets: &read_secrets(&directory)?,
                    arguments: &arguments.configuration,
                    emulation,
                };
                setup.configure(&mut progress, &wait).await?;
            }
            start_kubernetes(&mut progress, &nodes, &spec, &directory, &wait).await
        })?;
    }
    publish(&arguments, &directory, &access)?;
    let states = supervisor::ask(directory.path(), &supervisor::Command::Status)?;
    files::print(&show::text(&spec, &states))?;
    files::print(&next_commands(&directory, arguments.wait))?;
    eprintln!("\nready after {:.1} s", progress.elapsed().as_secs_f64());
    Ok(())
}

const SECRETS: &str = "secrets.yaml";
pub(super) const TALOSCONFIG: &str = "talosconfig";
const KUBECONFIG: &str = "kubeconfig";

/// The path as the supervisor, which has another working directory, must know it.
pub(super) fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("finding {}", path.display()))
}

fn request(arguments: &Args, kind: Kind, place: &Place) -> anyhow::Result<Request> {
    let provisioner = match kind {
        Kind::Qemu => Provisioner::Qemu(arguments.machines.spec()?),
        Kind::Native => {
            let root = absolute(&arguments.root_image)?;
            let directory = root.is_dir();
            let root =
                if directory { RootImage::Directory(root) } else { RootImage::Squashfs(root) };
            Provisioner::Native { root }
        }
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
        provisioner,
        image_cache: arguments.image_cache.as_deref().map(absolute).transpose()?,
    })
}

/// The cluster that is there if it is the one wanted, else the new plan with ports of this host.
fn reuse_or_plan(
    directory: &ClusterDirectory,
    mut wanted: ClusterSpec,
) -> anyhow::Result<ClusterSpec> {
    if directory.exists() {
        let existing = directory.spec()?;
        wanted.forwards.clone_from(&existing.forwards);
        if existing != wanted {
            bail!(
                "there is a cluster {:?} already, and it is another one than asked for; remove it with `ichorctl cluster destroy --name {}`, or choose another --name",
                existing.name,
                existing.name
            );
        }
        return Ok(existing);
    }
    let control_planes: Vec<_> = wanted.control_planes().map(|node| node.address).collect();
    let ways: Vec<(u16, Vec<Ipv4Addr>)> = match &wanted.provisioner {
        Provisioner::Native { .. } => [MACHINE_API_PORT, KUBERNETES_API_PORT]
            .map(|port| (port, control_planes.clone()))
            .into(),
        // A machine is reached before it has an address that anybody knows.
        Provisioner::Qemu(_) => {
            let api = wanted.nodes.iter().map(|node| (MACHINE_API_PORT, vec![node.address]));
            let kubernetes = control_planes.iter().map(|node| (KUBERNETES_API_PORT, vec![*node]));
            api.chain(kubernetes).collect()
        }
    };
    let mut listening = Vec::new();
    for (port, nodes) in ways {
        // All are held until all are chosen, so that none is chosen twice.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.context("finding a free port on 127.0.0.1")?;
        let listen = listener.local_addr().context("finding a free port on 127.0.0.1")?;
        wanted.forwards.push(Forward { listen, port, nodes });
        listening.push(listener);
    }
    Ok(wanted)
}

/// Says everything that is missing, or goes on.
fn check_host(spec: &ClusterSpec, state: &Path) -> anyhow::Result<()> {
    let findings = preflight::judge(&Host::look(spec, state), spec);
    let (missing, warnings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.severity == Severity::Missing);
    for warning in warnings {
        eprintln!("{} {warning}", style::warning("warning:"));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = missing.iter().map(|finding| format!("\n  - {finding}")).collect();
    bail!("this machine cannot run the cluster yet; nothing was started:{}", list.concat())
}

fn read_secrets(directory: &ClusterDirectory) -> anyhow::Result<Secrets> {
    let path = directory.file(SECRETS);
    let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    Secrets::from_yaml(&text).with_context(|| format!("using {}", path.display()))
}

/// Makes what is not there yet: secrets once, configurations from them.
fn prepare(
    arguments: &Args,
    spec: &ClusterSpec,
    directory: &ClusterDirectory,
    emulation: Option<&Emulation>,
) -> anyhow::Result<Access> {
    let path = directory.file(SECRETS);
    let secrets = if path.exists() {
        read_secrets(directory)?
    } else {
        let secrets = Secrets::generate(remote::now(), &mut System)?;
        files::write(&path, secrets.to_yaml().as_bytes(), 0o600)?;
        secrets
    };
    for node in &spec.nodes {
        let path = directory.node_config(&node.name)?;
        if !path.exists() {
            // What a machine calls its links is only known when it runs; what is wrong otherwise
            // is said now.
            let links = Links::default();
            let surroundings = emulation.map_or(Surroundings::Namespace, |emulation| {
                Surroundings::Machine(emulation, &links)
            });
            let text =
                configuration::of(&arguments.configuration, spec, node, &secrets, surroundings)?;
            files::write(&path, text.as_bytes(), 0o600)?;
        }
    }
    let path = directory.file(TALOSCONFIG);
    if !path.exists() {
        let identity = secrets.client(&["os:admin".to_owned()], remote::now(), &mut System)?;
        let mut context = pki::Context::new(&secrets.os.certificate, &identity)?;
        let mut endpoints: Vec<_> = spec
            .control_planes()
            .filter_map(|node| spec.forwarded_to(node.address, MACHINE_API_PORT))
            .map(|address| address.to_string())
            .collect();
        endpoints.dedup();
        context.endpoints = endpoints;
        context.nodes = spec.nodes.iter().map(|node| node.address.to_string()).collect();
        files::write(&path, Access::with(&spec.name, context).to_yaml().as_bytes(), 0o600)?;
    }
    Ok(AccessFile::load(path)?.access)
}

/// Every node, reached through the forwarded port, control planes first.
fn connect(access: &Access, spec: &ClusterSpec) -> anyhow::Result<Vec<Node>> {
    let context =
        access.context(&spec.name).context("the client configuration is not this cluster's")?;
    let endpoints = context
        .endpoints
        .iter()
        .map(|text| text.parse::<Endpoint>().map_err(anyhow::Error::from))
        .collect::<Result<Vec<_>, _>>()?;
    let connection = Connection::open(&ConnectionOptions {
        endpoints,
        trust: Trust::Mutual {
            ca: context.ca.clone(),
            crt: context.crt.clone(),
            key: context.key.clone(),
        },
        cluster: None,
        basic: None,
    })?;
    Ok(context.nodes.iter().map(|node| connection.node(node)).collect())
}

async fn start_kubernetes(
    progress: &mut Progress,
    nodes: &[Node],
    spec: &ClusterSpec,
    directory: &ClusterDirectory,
    wait: &Wait<'_>,
) -> anyhow::Result<()> {
    let first = nodes.first().context("the cluster has no node")?;
    progress
        .phase_async("wait for the machine API", async |step| {
            wait.until(step, async |_| health::api(first, directory).await).await
        })
        .await?;
    progress
        .phase_async("bootstrap etcd", async |step| {
            wait.until(step, async |_| health::bootstrap(first).await).await
        })
        .await?;
    progress
        .phase_async("wait for every node", async |step| {
            wait.until(step, async |step| health::ready(nodes, step).await).await
        })
        .await?;
    progress
        .phase_async("kubeconfig", async |step| {
            let server = spec
                .forwarded(KUBERNETES_API_PORT)
                .context("the cluster has no Kubernetes port")?;
            let text = wait.until(step, async |_| kubeconfig::fetch(first, server).await).await?;
            files::write(&directory.file(KUBECONFIG), text.as_bytes(), 0o600)
        })
        .await
}

/// Copies and merges the access files to where they were asked for.
fn publish(arguments: &Args, directory: &ClusterDirectory, access: &Access) -> anyhow::Result<()> {
    let copies = [
        (TALOSCONFIG, &arguments.talosconfig_destination),
        (KUBECONFIG, &arguments.kubeconfig_destination),
    ];
    for (name, destination) in copies {
        let source = directory.file(name);
        if let (Some(destination), true) = (destination, source.exists()) {
            let content =
                fs::read(&source).with_context(|| format!("reading {}", source.display()))?;
            files::write(destination, &content, 0o600)?;
        }
    }
    if arguments.merge {
        let mut own = AccessFile::load(Search::from_environment(None).choose()?)?;
        for (old, new) in own.access.merge(access.clone()) {
            eprintln!("the context {old} is called {new} in {}", own.path.display());
        }
        own.save()?;
        kubeconfig::merge_into_users(&directory.file(KUBECONFIG))?;
    }
    Ok(())
}

fn next_commands(directory: &ClusterDirectory, waited: bool) -> String {
    let file = |name| directory.file(name).display().to_string();
    let mut text = format!("\nTry next:\n\n  export TALOSCONFIG={}\n", file(TALOSCONFIG));
    if waited {
        text.push_str(&format!("  kubectl --kubeconfig {} get pods -A\n", file(KUBECONFIG)));
    }
    text.push_str("  ichorctl dashboard\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_understood_or_refused() {
        assert_eq!(memory("2.0GiB"), Ok(2 << 30));
        assert_eq!(memory("1536MiB"), Ok(1536 << 20));
        assert_eq!(memory("2048"), Ok(2 << 30));
        assert!(memory("2 GB").is_err() && memory("-1").is_err() && memory("x").is_err());
        assert_eq!(processors("2.0"), Ok(2000));
        assert_eq!(processors("0.5"), Ok(500));
        assert!(processors("0").is_err() && processors("x").is_err() && processors("NaN").is_err());
    }
}
