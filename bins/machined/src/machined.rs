//! The node itself: its tables, its controllers, its sockets, and how it ends.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use boot::command_line::CommandLine;
use boot::command_line::arguments::{Arguments, Understood};
use controllers::runtime::daemons::{APID_USER, TRUSTD_USER};
use controllers::runtime::sequencer::{Ending, Sequencer, Signalled};
use controllers::runtime::service::{Condition, HealthCheck, RunError, Spec, TaskRunner};
use controllers::{Mode, Node, Paths, Platform};
use pki::{Random as _, System};
use runtime::command;
use runtime::controller::Runtime as Controllers;
use server::machine::{Machine, serve_state};
use server::state::Scope;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::log;

/// The exit codes by which init learns how the machine ends.
const REBOOT: u8 = 100;
const POWER_OFF: u8 = 101;
const HALT: u8 = 102;
const KEXEC: u8 = 103;

pub(crate) const MACHINE_SOCKET: &str = "/system/run/machined/machine.sock";
const APID_STATE_SOCKET: &str = "/system/run/apid/runtime.sock";
const TRUSTD_STATE_SOCKET: &str = "/system/run/trustd/runtime.sock";

/// Runs the node until it ends.
pub(crate) fn run() -> Result<ExitCode> {
    let (platform, understood) = platform();
    let paths = Paths::new("/");
    let file = paths.logs(platform.mode).join("machined.log");
    let logged = match platform.mode {
        Mode::Container => log::to_file(&file),
        Mode::Metal | Mode::Cloud => log::to_kernel_log_and_file(&file),
    };
    if let Err(error) = logged {
        tracing::warn!("{error:#}");
    }
    for problem in &understood.problems {
        tracing::warn!("{problem}");
    }
    tracing::info!(platform = platform.name, mode = platform.mode.as_str(), "machined starts");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // Threads are made when needed; each caller that reads files holds one while it reads.
        .max_blocking_threads(64)
        .thread_name("machined")
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let ending = runtime.block_on(node(platform, paths, understood.arguments))?;
    // What still runs is nothing that the end of the machine has to wait for.
    runtime.shutdown_background();
    Ok(match ending {
        Ending::Reboot => ExitCode::from(REBOOT),
        Ending::PowerOff => ExitCode::from(POWER_OFF),
        Ending::Halt => ExitCode::from(HALT),
        Ending::Kexec => ExitCode::from(KEXEC),
    })
}

/// What the node runs on: the environment says it, or the kernel's command line, which in a container is another
/// system's.
fn platform() -> (Platform, Understood) {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = variable("PLATFORM");
    let understood = match named.as_deref() {
        Some("container") => Understood::default(),
        _ => {
            let text = fs::read_to_string("/proc/cmdline").unwrap_or_default();
            CommandLine::from(text.as_str()).understand()
        }
    };
    let name = named.or_else(|| understood.arguments.platform.clone());
    let name = name.unwrap_or_else(|| "metal".to_owned());
    let mode = match name.as_str() {
        "container" => Mode::Container,
        "metal" => Mode::Metal,
        _ => Mode::Cloud,
    };
    let platform = Platform {
        mode,
        instance_type: variable("TALOSSKU").unwrap_or_default(),
        user_data: variable("USERDATA"),
        name,
    };
    (platform, understood)
}

async fn node(platform: Platform, paths: Paths, arguments: Arguments) -> Result<Ending> {
    let mut machine = [0; 5];
    System.fill(&mut machine).context("cannot name this start")?;
    let node = Node::new(platform, paths, machine).with_arguments(arguments);
    // It is written already; here it is made known.
    let _ = node.log("machined");
    let (commands, requests) = command::channel();
    let mut controllers = Controllers::new(node.store.clone());
    controllers::register(&mut controllers, &node)?;
    let graph = controllers.graph();
    let api = server::machine::Node {
        store: node.store.clone(),
        services: node.services.clone(),
        events: node.events.clone(),
        logs: node.logs.clone(),
        commands,
        platform: server::machine::Platform {
            name: node.platform.name.clone(),
            mode: node.platform.mode.as_str().to_owned(),
        },
        places: server::machine::Places::default(),
        edges: Arc::new(move || graph.edges()),
    };
    serve_states(&node)?;
    node.supervisor.load(machine_service(&node, Machine::new(api))).await;
    node.supervisor.start("machined").await?;
    tokio::spawn(controllers.run(std::future::pending()));
    node.timeline.mark("machine", "machined runs");
    Ok(Sequencer::new(requests, signals()?).run(node).await)
}

/// The signals that end the machine in order.
fn signals() -> Result<mpsc::Receiver<Signalled>> {
    let (told, signals) = mpsc::channel(2);
    let kinds = [
        (SignalKind::terminate(), Signalled::Terminate),
        (SignalKind::interrupt(), Signalled::Interrupt),
    ];
    for (kind, signalled) in kinds {
        let mut signal = signal(kind).context("cannot receive signals")?;
        let told = told.clone();
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                if told.send(signalled).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(signals)
}

/// A socket that only root and the group `group` can open. One left behind by an earlier machined is replaced.
fn listen(path: &Path, group: u32) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
        chown(directory, None, Some(group))?;
        fs::set_permissions(directory, Permissions::from_mode(0o750))?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    chown(path, None, Some(group))?;
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// What apid and trustd may see of the resources.
fn serve_states(node: &Node) -> Result<()> {
    let sockets = [
        (APID_STATE_SOCKET, Scope::APID, APID_USER),
        (TRUSTD_STATE_SOCKET, Scope::TRUSTD, TRUSTD_USER),
    ];
    for (path, scope, group) in sockets {
        let listener = listen(&node.paths.at(path), group)
            .with_context(|| format!("cannot listen on {path}"))?;
        tokio::spawn(serve_state(node.store.clone(), scope, listener));
    }
    Ok(())
}

/// The machine API as a service of its own.
fn machine_service(node: &Node, machine: Machine) -> Spec {
    let path: Arc<PathBuf> = Arc::new(node.paths.at(MACHINE_SOCKET));
    let check = HealthCheck::new({
        let path = Arc::clone(&path);
        move || {
            let path = Arc::clone(&path);
            async move {
                UnixStream::connect(path.as_path())
                    .await
                    .map(drop)
                    .map_err(|error| error.to_string())
            }
        }
    })
    .when(Condition::file(path.as_path()));
    let runner = TaskRunner::new(move || {
        let (machine, path) = (machine.clone(), Arc::clone(&path));
        async move {
            let listener = listen(&path, APID_USER).map_err(|error| {
                RunError::new(format!("cannot listen on {}", path.display()), error)
            })?;
            machine
                .serve_apart(listener)
                .await
                .map_err(|error| RunError::new("cannot serve the machine API".to_owned(), error))
        }
    });
    Spec::new("machined", runner).checked(check)
}
