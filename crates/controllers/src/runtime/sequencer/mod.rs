//! The sequencer: boot, reboot and shutdown as sequences of phases, and the requests of the API.
//!
//! Everything that can be a controller is one; what is left here is the order in which a machine comes up and goes
//! down, told as events. Start reading at [`Sequencer::run`].

mod apply;
mod machine;
mod stop;
mod told;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::runtime::command::{
    ActorId, Command, CommandError, RebootMode, Receiver, Refusal, ServiceAction,
};
use ::runtime::event::SequenceErrorCode;
use ::runtime::service::Service;
use boot::command_line::arguments::Shutdown;
use resource::config::MachineTypeSpec;
use resource::enums::{MachineStage, MachineType};
use resource::runtime::MaintenanceServiceRequestSpec;
use resource::v1alpha1::AcquireConfigStatusSpec;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::apply::Applier;
use self::told::Sequence;
use super::boot_image;
use super::service::{SupervisorError, error_chain};
use crate::Node;
use crate::volume::Mounted;

/// How the machine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It starts again.
    Reboot,
    /// It starts again with the kernel that was loaded, past the firmware.
    Kexec,
    /// It stays off.
    PowerOff,
    /// Its processors stop, and its power stays on.
    Halt,
}

/// What a signal to machined asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signalled {
    /// SIGTERM: power off.
    Terminate,
    /// SIGINT: reboot (Ctrl-Alt-Del).
    Interrupt,
}

/// A boot that takes longer has failed.
const BOOT_LIMIT: Duration = Duration::from_secs(70 * 60);

/// The sequencer of a node.
pub struct Sequencer {
    commands: Receiver,
    signals: mpsc::Receiver<Signalled>,
}

/// An end that was asked for.
struct Asked {
    ending: Ending,
    actor: String,
    orderly: bool,
}

impl Asked {
    /// By a signal or a button, or because the boot has failed.
    fn by_nobody(ending: Ending) -> Self {
        Self { ending, actor: String::new(), orderly: true }
    }
}

/// What a shutdown ends with: the argument `talos.shutdown` says it.
fn off(node: &Node) -> Ending {
    match node.arguments.shutdown {
        Some(Shutdown::Halt) => Ending::Halt,
        Some(Shutdown::PowerOff) | None => Ending::PowerOff,
    }
}

/// What a reboot ends with: only the usual one may go past the firmware, and a container has none.
fn again(node: &Node, mode: RebootMode) -> Ending {
    match mode {
        RebootMode::Default if !node.platform.in_container() => Ending::Kexec,
        _ => Ending::Reboot,
    }
}

impl Sequencer {
    /// A sequencer that takes requests and signals.
    #[must_use]
    pub fn new(commands: Receiver, signals: mpsc::Receiver<Signalled>) -> Self {
        Self { commands, signals }
    }

    /// Boots the node, serves requests, and returns how the machine ends once it has come down in order.
    pub async fn run(mut self, node: Node) -> Ending {
        let held = Held::default();
        let mut boot = tokio::spawn(boot(node.clone(), Arc::clone(&held)));
        let mut booting = true;
        let applier = Arc::new(Applier::new(node.clone()));
        let asked = loop {
            tokio::select! {
                Some(signal) = self.signals.recv() => break match signal {
                    Signalled::Terminate => Asked::by_nobody(off(&node)),
                    Signalled::Interrupt => Asked::by_nobody(Ending::Reboot),
                },
                booted = &mut boot, if booting => {
                    booting = false;
                    if booted.is_ok_and(|booted| booted.is_err()) && gives_up(&node).await {
                        break Asked::by_nobody(Ending::Reboot);
                    }
                }
                () = node.power_button.notified() => break Asked::by_nobody(off(&node)),
                Some(command) = self.commands.recv() => {
                    if let Some(asked) = handle(&node, &applier, command) {
                        break asked;
                    }
                }
            }
        };
        if booting {
            boot.abort();
            told::canceled(&node, "boot");
        }
        // Who asks now is told that the node is going down, because nobody receives any more.
        drop(self.commands);
        let held = held.lock().unwrap_or_else(PoisonError::into_inner).take();
        match asked.ending {
            Ending::Reboot | Ending::Kexec => stop::reboot(&node, &asked, held).await,
            Ending::PowerOff | Ending::Halt => {
                stop::shutdown(&node, &asked, held).await;
                asked.ending
            }
        }
    }
}

/// A boot that failed, which was told.
struct BootError;

/// How long the reason of a failed boot stays on the screen, unless the argument `panic` says otherwise.
const FATAL_DELAY: Duration = Duration::from_secs(10);

/// Whether a failed boot ends in a new start, after a while in which a person can read why. A container waits for
/// whoever made it, and so does a machine with the argument `panic=0`.
async fn gives_up(node: &Node) -> bool {
    if node.platform.in_container() || node.arguments.panic == Some(0) {
        return false;
    }
    let delay = node.arguments.panic.map_or(FATAL_DELAY, |seconds| {
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    });
    tracing::error!("the boot has failed; the machine starts again in {} s", delay.as_secs());
    tokio::time::sleep(delay).await;
    true
}

fn actor() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Starts the first etcd member of a new cluster on this node.
fn bootstrap(node: &Node, request: ::runtime::command::Bootstrap) -> Result<(), CommandError> {
    use crate::etcd::BootstrapError;
    node.etcd.bootstrap(node, request).map_err(|error| {
        let refusal = match &error {
            BootstrapError::DataExists | BootstrapError::UnderWay => Refusal::AlreadyExists,
            BootstrapError::NotControlPlane | BootstrapError::NoSnapshot => {
                Refusal::FailedPrecondition
            }
        };
        CommandError::new(refusal, error.to_string())
    })
}

/// Takes one request; an end of the machine is returned, everything else is done on the side.
fn handle(node: &Node, applier: &Arc<Applier>, command: Command) -> Option<Asked> {
    // A caller that has gone away does not take its request back.
    match command {
        Command::ApplyConfiguration(request, reply) => {
            let applier = Arc::clone(applier);
            tokio::spawn(async move {
                let _ = reply.send(applier.apply(request));
            });
        }
        Command::Bootstrap(request, reply) => {
            let _ = reply.send(bootstrap(node, request));
        }
        Command::Service { id, action, reply } => {
            let node = node.clone();
            tokio::spawn(async move {
                let _ = reply.send(service(&node, &id, action).await);
            });
        }
        Command::Reboot(mode, reply) => {
            let actor = actor();
            let _ = reply.send(Ok(ActorId(actor.clone())));
            let orderly = mode != RebootMode::Force;
            return Some(Asked { ending: again(node, mode), actor, orderly });
        }
        Command::Shutdown { force, reply } => {
            let actor = actor();
            let _ = reply.send(Ok(ActorId(actor.clone())));
            return Some(Asked { ending: off(node), actor, orderly: !force });
        }
        Command::Reset(_, reply) => {
            let refusal = CommandError::new(
                Refusal::Unimplemented,
                if node.platform.in_container() {
                    "this node runs in a container: destroy it with the tool that made it instead of resetting it"
                } else {
                    "this version cannot reset a machine: write its disk image anew"
                },
            );
            let _ = reply.send(Err(refusal));
        }
    }
    None
}

fn machine_type(node: &Node) -> MachineType {
    node.store
        .get::<MachineTypeSpec>("config", "machine-type")
        .map(|spec| spec.spec.machine_type)
        .unwrap_or_default()
}

/// Starts, stops or restarts a service for the API, where the service allows it.
async fn service(node: &Node, id: &str, action: ServiceAction) -> Result<String, CommandError> {
    let Some(known) = node.services.service(id) else {
        let text = format!("service {id:?} is not known on this node; list them to see which are");
        return Err(CommandError::new(Refusal::NotFound, text));
    };
    let allowed = known.declaration.allowed;
    let (allowed, verb, done) = match action {
        ServiceAction::Start => (allowed.start, "start", "started"),
        ServiceAction::Stop => (allowed.stop, "stop", "stopped"),
        ServiceAction::Restart => (allowed.restart, "restart", "restarted"),
    };
    if !allowed {
        let text = format!("service {id:?} doesn't support {verb} operation via API");
        return Err(CommandError::new(Refusal::FailedPrecondition, text));
    }
    let result = match action {
        ServiceAction::Start => node.supervisor.start(id).await,
        ServiceAction::Stop => node.supervisor.stop_with_dependents(id).await,
        ServiceAction::Restart => node.supervisor.restart(id).await,
    };
    result.map_err(|error| {
        let refusal = match error {
            SupervisorError::Unknown { .. } => Refusal::NotFound,
            SupervisorError::Closing { .. } => Refusal::Unavailable,
        };
        CommandError::new(refusal, error.to_string())
    })?;
    Ok(format!("Service {id:?} {done}"))
}

/// The volume that the machine works on, while it does.
type Held = Arc<Mutex<Option<Mounted>>>;

/// Brings the machine up and says so as events. Ends when everything that belongs to the node runs.
async fn boot(node: Node, held: Held) -> Result<(), BootError> {
    let initialize = Sequence::begin(&node, "", "initialize");
    let in_container = node.platform.in_container();
    if !in_container {
        let phase = initialize.phase("earlyServices");
        phase.task("waitForDevices", machine::devices_settled(&node)).await;
    }
    {
        let phase = initialize.phase("config");
        phase.task("acquireConfig", acquire(&node)).await;
    }
    initialize.end();
    let boot = Sequence::begin(&node, "", "boot");
    if !in_container {
        {
            let phase = boot.phase("memorySizeCheck");
            let memory = sys::system::load().memory;
            phase
                .task("memorySizeCheck", async { machine::memory(machine_type(&node), memory) })
                .await;
        }
        let phase = boot.phase("ephemeral");
        let mounted = phase.task("mountEphemeralPartition", machine::ephemeral(&node)).await;
        let prepared = match mounted {
            Ok(mounted) => {
                held.lock().unwrap_or_else(PoisonError::into_inner).replace(mounted);
                phase.task("setupVarDirectory", async { machine::prepare(&node) }).await
            }
            Err(error) => Err(error),
        };
        drop(phase);
        if let Err(error) = prepared {
            boot.fail(SequenceErrorCode::Fatal, &error_chain(&error));
            return Err(BootError);
        }
    }
    let started = {
        let phase = boot.phase("startEverything");
        phase.task("startAllServices", timeout(BOOT_LIMIT, everything_up(&node))).await
    };
    match started {
        Ok(()) => {
            boot.end();
            node.timeline.mark("machine", "every service is up");
            node.stage.send_replace(MachineStage::RUNNING);
            if !in_container {
                tokio::spawn(boot_image::confirm_when_ready(node));
            }
            Ok(())
        }
        Err(_) => {
            let minutes = BOOT_LIMIT.as_secs() / 60;
            let text = format!("not all services came up within {minutes} minutes");
            boot.fail(SequenceErrorCode::Fatal, &text);
            Err(BootError)
        }
    }
}

/// Waits for a complete configuration; without one the machine is in maintenance.
async fn acquire(node: &Node) {
    let acquired =
        node.store.wait_for::<AcquireConfigStatusSpec>("runtime", "acquire-config", |status| {
            status.is_some()
        });
    let maintenance = async {
        node.store
            .wait_for::<MaintenanceServiceRequestSpec>("runtime", "maintenance", |request| {
                request.is_some()
            })
            .await;
        told::task(node, "runningMaintenance", ::runtime::event::Step::Start);
        node.stage.send_replace(MachineStage::MAINTENANCE);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = acquired => {}
        () = maintenance => {}
    }
    let was_in_maintenance = *node.stage.borrow() == MachineStage::MAINTENANCE;
    if was_in_maintenance {
        told::task(node, "runningMaintenance", ::runtime::event::Step::Stop);
        node.stage.send_replace(MachineStage::BOOTING);
    }
}

/// The services that a node of this type has to have.
fn required(machine_type: MachineType) -> &'static [&'static str] {
    match machine_type {
        MachineType::CONTROL_PLANE | MachineType::INIT => {
            &["machined", "apid", "trustd", "cri", "etcd", "kubelet"]
        }
        _ => &["machined", "apid", "cri", "kubelet"],
    }
}

async fn everything_up(node: &Node) {
    let mut changes = node.services.subscribe();
    loop {
        changes.borrow_and_update();
        let services = node.services.list();
        let up = |id: &str| services.iter().any(|service| service.id == id && service.is_up());
        let settled = |service: &Arc<Service>| service.is_up() || service.state.is_ended();
        if required(machine_type(node)).iter().all(|id| up(id)) && services.iter().all(settled) {
            return;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}
