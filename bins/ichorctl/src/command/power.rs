//! `reboot` and `shutdown`, and following what they start.

use std::{convert::Infallible, io::IsTerminal, time::Duration};

use anyhow::bail;
use api::machine::{
    DmesgRequest, Event, EventsRequest, MachineStatusEvent, PhaseEvent, ReadRequest, RebootRequest,
    SequenceEvent, ShutdownRequest, TaskEvent, machine_status_event::MachineStage, reboot_request,
};
use client::{CallError, Named, Node};
use prost::Message;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    drain::{self, DrainArgs},
    logs,
};
use crate::{
    output::{age, failure::Failures},
    remote::{self, RemoteArgs},
};

/// How to reboot.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Mode {
    /// As the machine sees fit
    Default,
    /// Without stopping things in order
    Force,
    /// Through the firmware
    Powercycle,
}

/// Arguments of `reboot`.
#[derive(Debug, clap::Args)]
pub(crate) struct RebootArgs {
    /// How to reboot
    #[arg(short, long, value_enum, default_value = "default")]
    mode: Mode,
    #[command(flatten)]
    drain: DrainArgs,
    #[command(flatten)]
    wait: WaitArgs,
    /// How to show what happens meanwhile
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressForm,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// How what happens is shown.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
enum ProgressForm {
    /// One line that is written anew when it is for one machine and on a terminal; else as plain
    Auto,
    /// A line for each step
    Plain,
}

/// Arguments of `shutdown`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShutdownArgs {
    /// Without cordoning and draining first
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Whether and how long to wait for the end.
#[derive(Clone, Debug, clap::Args)]
struct WaitArgs {
    /// Wait until it is done
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "SPAN", default_value = "30m", value_parser = age::parse)]
    timeout: Duration,
    /// Keep the kernel's log meanwhile, and print it when the machine does not reach the end
    #[arg(long)]
    debug: bool,
}

/// What the end looks like.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Rebooted,
    Gone,
}

/// Reboots the machines.
pub(crate) fn reboot(arguments: RebootArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(None)?;
    let mode = match arguments.mode {
        Mode::Default => reboot_request::Mode::Default,
        Mode::Force => reboot_request::Mode::Force,
        Mode::Powercycle => reboot_request::Mode::Powercycle,
    };
    let wait = &arguments.wait;
    let down = async |nodes: &[Node]| {
        run(nodes, wait, arguments.progress, End::Rebooted, |node| async move {
            let answer = node
                .machine()
                .reboot(RebootRequest { mode: mode.into() })
                .await
                .named(node, "MachineService/Reboot")?;
            Ok(first(answer.messages).actor_id)
        })
        .await
    };
    remote::block_on(async {
        if !arguments.drain.drain {
            return down(&nodes).await;
        }
        drain::around(&nodes, &arguments.drain, wait.wait, async |node| {
            down(std::slice::from_ref(node)).await
        })
        .await
    })
}

/// Shuts the machines down.
pub(crate) fn shutdown(arguments: ShutdownArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(None)?;
    let force = arguments.force;
    remote::block_on(run(
        &nodes,
        &arguments.wait,
        ProgressForm::Plain,
        End::Gone,
        |node| async move {
            let answer = node
                .machine()
                .shutdown(ShutdownRequest { force })
                .await
                .named(node, "MachineService/Shutdown")?;
            Ok(first(answer.messages).actor_id)
        },
    ))
}

/// A node answers for itself alone: its answers are one.
fn first<M: Default>(messages: Vec<M>) -> M {
    messages.into_iter().next().unwrap_or_default()
}

async fn run<'a, F>(
    nodes: &'a [Node],
    wait: &WaitArgs,
    form: ProgressForm,
    end: End,
    start: impl Fn(&'a Node) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = Result<String, CallError>>,
{
    let deadline = Instant::now() + wait.timeout;
    let rewrite = form == ProgressForm::Auto && nodes.len() == 1 && std::io::stderr().is_terminal();
    let (answers, failures) = remote::each(nodes, |node| {
            let started = start(node);
            async move {
                let boot = if wait.wait && end == End::Rebooted { boot_id(node).await.ok() } else { None };
                let actor = started.await?;
                eprintln!("{}: accepted", node.name());
                if !wait.wait {
                    return Ok(Ok(()));
                }
                let mut kept = Vec::new();
                let done = async {
                    match timeout_at(deadline, follow(node, &actor, end, boot, rewrite)).await {
                        Ok(result) => result,
                        Err(_) => Err(anyhow::anyhow!(
                            "{}: not done within --timeout; it goes on by itself, `ichorctl events` shows how",
                            node.name()
                        )),
                    }
                };
                let result = tokio::select! {
                    result = done => result,
                    never = keep_log(node, &mut kept), if wait.debug => match never {},
                };
                if result.is_err() {
                    eprint!("{}", String::from_utf8_lossy(&logs::prefixed(node.name(), &kept)));
                }
                Ok(result)
            }
        })
        .await;
    let mut failed = false;
    for (_, result) in answers {
        if let Err(error) = result {
            eprintln!("{error:#}");
            failed = true;
        }
    }
    failures.into_result()?;
    if failed {
        bail!("the machines did not all reach the end");
    }
    Ok(())
}

/// Adds what the kernel says to `kept` until the task is dropped.
async fn keep_log(node: &Node, kept: &mut Vec<u8>) -> Infallible {
    let request = DmesgRequest { follow: true, tail: true };
    if let Ok(answer) = node.machine().dmesg(request).await {
        let mut stream = answer.into_inner();
        while let Ok(Some(piece)) = stream.message().await {
            kept.extend_from_slice(&piece.bytes);
        }
    }
    // A machine that is down says nothing more.
    std::future::pending().await
}

async fn boot_id(node: &Node) -> Result<Vec<u8>, CallError> {
    const CALL: &str = "MachineService/Read";
    let request = ReadRequest { path: "/proc/sys/kernel/random/boot_id".to_owned() };
    let mut stream = node.machine().read(request).await.named(node, CALL)?;
    let mut id = Vec::new();
    while let Some(chunk) =
        stream.message().await.map_err(|status| CallError::new(node, CALL, status))?
    {
        id.extend_from_slice(&chunk.bytes);
    }
    Ok(id)
}

/// Follows the sequence of an actor to its end, across the time when the machine does not answer.
async fn follow(
    node: &Node,
    actor: &str,
    end: End,
    boot: Option<Vec<u8>>,
    rewrite: bool,
) -> anyhow::Result<()> {
    let mut progress = Progress { node: node.name(), last: String::new(), stopped: false, rewrite };
    let mut lost = false;
    loop {
        match watch(node, actor, end, lost, &mut progress).await {
            Ok(true) => {}
            Ok(false) => bail!("{}: the machine's event stream ended early", node.name()),
            Err(error) => {
                if end == End::Gone && progress.stopped {
                    progress.say("the machine is off");
                    return Ok(());
                }
                if !error.is_unreachable() && !lost && progress.last.is_empty() {
                    return Err(Failures::from(error).into());
                }
                lost = true;
                progress.say("waiting for the machine to answer again");
                // There is no event to wait for on a machine that is off: ask again.
                sleep(Duration::from_millis(500)).await;
                continue;
            }
        }
        if end == End::Rebooted && boot.is_some() && boot_id(node).await.ok() == boot && !lost {
            continue;
        }
        progress.say("done");
        return Ok(());
    }
}

/// Reads events until the end is seen. False when the stream ended before it.
async fn watch(
    node: &Node,
    actor: &str,
    end: End,
    rebooted: bool,
    progress: &mut Progress<'_>,
) -> Result<bool, CallError> {
    const CALL: &str = "MachineService/Events";
    let request = EventsRequest {
        tail_events: -1,
        // After the reboot nothing is done in the actor's name any more.
        with_actor_id: if rebooted { String::new() } else { actor.to_owned() },
        ..EventsRequest::default()
    };
    let failed = |status| CallError::new(node, CALL, status);
    let mut stream = node.machine().events(request).await.named(node, CALL)?;
    while let Some(event) = stream.message().await.map_err(failed)? {
        progress.event(&event);
        if end == End::Rebooted && rebooted && is_running(&event) {
            return Ok(true);
        }
    }
    // A machine that goes down closes its streams in order.
    Err(failed(tonic::Status::unavailable("the machine closed the stream")))
}

fn is_running(event: &Event) -> bool {
    event.data.as_ref().is_some_and(|data| {
        data.type_url.ends_with("MachineStatusEvent")
            && MachineStatusEvent::decode(data.value.as_slice()).is_ok_and(|event| {
                event.stage() == MachineStage::Running
                    && event.status.is_some_and(|status| status.ready)
            })
    })
}

struct Progress<'a> {
    node: &'a str,
    last: String,
    stopped: bool,
    /// Each step replaces the one before on the terminal.
    rewrite: bool,
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.rewrite {
            eprintln!();
        }
    }
}

impl Progress<'_> {
    fn say(&mut self, text: &str) {
        if self.last != text {
            if self.rewrite {
                eprint!("\r\x1b[K{}: {text}", self.node);
            } else {
                eprintln!("{}: {text}", self.node);
            }
            text.clone_into(&mut self.last);
        }
    }

    fn event(&mut self, event: &Event) {
        let Some(data) = &event.data else { return };
        let bytes = data.value.as_slice();
        match data.type_url.rsplit('.').next() {
            Some("SequenceEvent") => {
                if let Ok(event) = SequenceEvent::decode(bytes) {
                    match event.error {
                        Some(error) => self.say(&format!("{}: {}", event.sequence, error.message)),
                        None => self.say(&format!("sequence {}", event.sequence)),
                    }
                }
            }
            Some("PhaseEvent") => {
                if let Ok(event) = PhaseEvent::decode(bytes) {
                    self.say(&format!("phase {}", event.phase));
                }
            }
            Some("TaskEvent") => {
                if let Ok(event) = TaskEvent::decode(bytes) {
                    self.stopped |= event.task == "stopAllServices";
                    self.say(&format!("task {}", event.task));
                }
            }
            Some("MachineStatusEvent") => {
                if let Ok(event) = MachineStatusEvent::decode(bytes) {
                    let stage = event.stage().as_str_name().to_lowercase().replace('_', " ");
                    self.say(&format!("stage {stage}"));
                }
            }
            _ => {}
        }
    }
}
