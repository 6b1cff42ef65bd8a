//! `events`: what happens on a machine, as it happens.

use api::machine::{
    AddressEvent, ConfigLoadErrorEvent, ConfigValidationErrorEvent, Event, EventsRequest,
    MachineStatusEvent, PhaseEvent, RestartEvent, SequenceEvent, ServiceStateEvent, TaskEvent,
    machine_status_event::MachineStage, phase_event, sequence_event, service_state_event,
    task_event,
};
use client::{CallError, Named, Node};
use prost::Message;

use crate::{
    files,
    output::age,
    remote::{self, RemoteArgs},
};

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also the last so many past events; -1 prints all that are kept
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    tail: Option<i32>,
    /// Also the past events after the one with this id
    #[arg(long, value_name = "ID")]
    since: Option<String>,
    /// Also the events of this last span of time
    #[arg(long, value_name = "SPAN", value_parser = age::parse)]
    duration: Option<std::time::Duration>,
    /// Only events of the sequence with this actor id
    #[arg(long, value_name = "ID")]
    actor_id: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Prints events until the connection ends.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let nodes = arguments.remote.over(before).open(None)?;
    let request = EventsRequest {
        tail_events: arguments.tail.unwrap_or_default(),
        tail_id: arguments.since.unwrap_or_default(),
        tail_seconds: arguments
            .duration
            .map_or(0, |span| i32::try_from(span.as_secs()).unwrap_or(i32::MAX)),
        with_actor_id: arguments.actor_id.unwrap_or_default(),
    };
    remote::block_on(async {
        files::print(&row(
            "NODE",
            ["ID", "EVENT", "ACTOR", "SOURCE", "MESSAGE"].map(String::from),
        ))?;
        remote::follow(&nodes, |node| follow(node, request.clone())).await
    })
}

async fn follow(node: &Node, request: EventsRequest) -> Result<anyhow::Result<()>, CallError> {
    const CALL: &str = "MachineService/Events";
    let mut stream = node.machine().events(request).await.named(node, CALL)?;
    while let Some(event) =
        stream.message().await.map_err(|status| CallError::new(node, CALL, status))?
    {
        // The first message is empty: it says that the subscription is live.
        let Some(described) = describe(&event) else { continue };
        let cells = [event.id, described.kind, event.actor_id, described.source, described.message];
        if let Err(error) = files::print(&row(node.name(), cells)) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// One line. Events come one at a time, so the widths are fixed.
fn row(node: &str, cells: [String; 5]) -> String {
    let [id, event, actor, source, message] = cells;
    format!("{node:<15}   {id:<20}   {event:<26}   {actor:<36}   {source:<28}   {message}\n")
}

struct Described {
    kind: String,
    source: String,
    message: String,
}

fn describe(event: &Event) -> Option<Described> {
    let data = event.data.as_ref()?;
    let kind = data.type_url.rsplit(['/', '.']).next().unwrap_or_default();
    let bytes = data.value.as_slice();
    let (source, message) = match kind {
        "SequenceEvent" => SequenceEvent::decode(bytes).ok().map(|event| {
            let action = sequence_event::Action::try_from(event.action).unwrap_or_default();
            match event.error {
                Some(error) => (event.sequence, format!("error: {}", error.message)),
                None => (event.sequence, action.as_str_name().to_owned()),
            }
        }),
        "PhaseEvent" => PhaseEvent::decode(bytes).ok().map(|event| {
            let action = phase_event::Action::try_from(event.action).unwrap_or_default();
            (event.phase, action.as_str_name().to_owned())
        }),
        "TaskEvent" => TaskEvent::decode(bytes).ok().map(|event| {
            let action = task_event::Action::try_from(event.action).unwrap_or_default();
            (event.task, action.as_str_name().to_owned())
        }),
        "ServiceStateEvent" => ServiceStateEvent::decode(bytes).ok().map(|event| {
            let action = service_state_event::Action::try_from(event.action).unwrap_or_default();
            (event.service, format!("{}: {}", action.as_str_name(), event.message))
        }),
        "ConfigLoadErrorEvent" => {
            ConfigLoadErrorEvent::decode(bytes).ok().map(|event| (String::new(), event.error))
        }
        "ConfigValidationErrorEvent" => {
            ConfigValidationErrorEvent::decode(bytes).ok().map(|event| (String::new(), event.error))
        }
        "AddressEvent" => AddressEvent::decode(bytes)
            .ok()
            .map(|event| (event.hostname, format!("ADDRESSES: {}", event.addresses.join(",")))),
        "RestartEvent" => RestartEvent::decode(bytes)
            .ok()
            .map(|event| (String::new(), format!("cmd {}", event.cmd))),
        "MachineStatusEvent" => MachineStatusEvent::decode(bytes).ok().map(|event| {
            let stage = MachineStage::try_from(event.stage).unwrap_or_default();
            let status = event.status.unwrap_or_default();
            let unmet: Vec<String> = status
                .unmet_conditions
                .iter()
                .map(|condition| format!("{} ({})", condition.name, condition.reason))
                .collect();
            let unmet = if unmet.is_empty() {
                String::new()
            } else {
                format!(", unmet conditions: {}", unmet.join(", "))
            };
            (stage.as_str_name().to_owned(), format!("ready: {}{unmet}", status.ready))
        }),
        _ => None,
    }
    .unwrap_or_else(|| (String::new(), format!("{} bytes", bytes.len())));
    Some(Described { kind: kind.to_owned(), source, message })
}
