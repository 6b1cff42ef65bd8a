//! The event stream on the wire: an empty message when it stands, then what happened.
//!
//! Must never: go on after events were lost without saying so.

use std::time::Duration;

use api::machine::{
    self, AddressEvent, ConfigLoadErrorEvent, ConfigValidationErrorEvent, EventsRequest,
    MachineStatusEvent, PhaseEvent, RestartEvent, SequenceEvent, ServiceStateEvent, TaskEvent,
    machine_status_event::{MachineStage, MachineStatus, machine_status::UnmetCondition},
};
use futures::{StreamExt, stream};
use prost::Message;
use prost_types::Any;
use runtime::{
    event::{self, EventId, Payload, SequenceErrorCode, Step, Tail, Watch},
    service::State,
};
use tonic::Status;

use super::{Node, rpc::Stream, services};

pub(super) fn stream(
    node: &Node,
    request: EventsRequest,
) -> Result<Stream<machine::Event>, Status> {
    let watch = node.events.watch(&tail(&request)?);
    let actor = request.with_actor_id;
    let ready = stream::once(async { Ok(machine::Event::default()) });
    let live = stream::unfold(Some(watch), move |watch| next(watch, actor.clone()));
    Ok(ready.chain(live).boxed())
}

/// The narrowest wish counts: an id, then an age, then a number.
fn tail(request: &EventsRequest) -> Result<Tail, Status> {
    if !request.tail_id.is_empty() {
        return EventId::parse(&request.tail_id).map(Tail::After).ok_or_else(|| {
            Status::invalid_argument(format!("{:?} is not the id of an event", request.tail_id))
        });
    }
    if let Ok(seconds @ 1..) = u64::try_from(request.tail_seconds) {
        return Ok(Tail::Within(Duration::from_secs(seconds)));
    }
    Ok(match request.tail_events {
        0 => Tail::None,
        number => usize::try_from(number).map_or(Tail::All, Tail::Events),
    })
}

type Next = (Result<machine::Event, Status>, Option<Watch>);

async fn next(watch: Option<Watch>, actor: String) -> Option<Next> {
    let mut watch = watch?;
    loop {
        match watch.next().await {
            Ok(event) if !actor.is_empty() && event.actor_id != actor => {}
            Ok(event) => return Some((Ok(wire(&event)), Some(watch))),
            Err(lost) => return Some((Err(Status::data_loss(lost.to_string())), None)),
        }
    }
}

fn wire(event: &event::Event) -> machine::Event {
    let (name, value) = payload(&event.payload);
    machine::Event {
        metadata: None,
        data: Some(Any { type_url: format!("talos/runtime/machine.{name}"), value }),
        id: event.id.to_string(),
        actor_id: event.actor_id.clone(),
    }
}

fn payload(payload: &Payload) -> (&'static str, Vec<u8>) {
    match payload {
        Payload::Sequence { sequence, action, error } => {
            use machine::sequence_event::Action;
            let action = match action {
                None => Action::Noop,
                Some(Step::Start) => Action::Start,
                Some(Step::Stop) => Action::Stop,
            };
            let error = error.as_ref().map(|error| api::common::Error {
                code: match error.code {
                    SequenceErrorCode::Fatal => api::common::Code::Fatal,
                    SequenceErrorCode::Locked => api::common::Code::Locked,
                    SequenceErrorCode::Canceled => api::common::Code::Canceled,
                }
                .into(),
                message: error.message.clone(),
                details: Vec::new(),
            });
            let event = SequenceEvent { sequence: sequence.clone(), action: action.into(), error };
            ("SequenceEvent", event.encode_to_vec())
        }
        Payload::Phase { phase, action } => {
            use machine::phase_event::Action;
            let action = if *action == Step::Start { Action::Start } else { Action::Stop };
            let event = PhaseEvent { phase: phase.clone(), action: action.into() };
            ("PhaseEvent", event.encode_to_vec())
        }
        Payload::Task { task, action } => {
            use machine::task_event::Action;
            let action = if *action == Step::Start { Action::Start } else { Action::Stop };
            let event = TaskEvent { task: task.clone(), action: action.into() };
            ("TaskEvent", event.encode_to_vec())
        }
        Payload::ServiceState { service, state, message, health } => {
            let event = ServiceStateEvent {
                service: service.clone(),
                action: action(*state).into(),
                message: message.clone(),
                health: Some(services::health(health)),
            };
            ("ServiceStateEvent", event.encode_to_vec())
        }
        Payload::Restart { command } => {
            ("RestartEvent", RestartEvent { cmd: *command }.encode_to_vec())
        }
        Payload::ConfigLoadError { error } => {
            let event = ConfigLoadErrorEvent { error: error.clone() };
            ("ConfigLoadErrorEvent", event.encode_to_vec())
        }
        Payload::ConfigValidationError { error } => {
            let event = ConfigValidationErrorEvent { error: error.clone() };
            ("ConfigValidationErrorEvent", event.encode_to_vec())
        }
        Payload::Address { hostname, addresses } => {
            let event = AddressEvent { hostname: hostname.clone(), addresses: addresses.clone() };
            ("AddressEvent", event.encode_to_vec())
        }
        Payload::MachineStatus { stage, ready, unmet } => {
            let unmet_conditions = unmet
                .iter()
                .map(|c| UnmetCondition { name: c.name.clone(), reason: c.reason.clone() })
                .collect();
            let event = MachineStatusEvent {
                stage: machine_stage(*stage).into(),
                status: Some(MachineStatus { ready: *ready, unmet_conditions }),
            };
            ("MachineStatusEvent", event.encode_to_vec())
        }
    }
}

fn action(state: State) -> machine::service_state_event::Action {
    use machine::service_state_event::Action;
    match state {
        State::Initialized => Action::Initialized,
        State::Preparing => Action::Preparing,
        State::Waiting => Action::Waiting,
        State::Running => Action::Running,
        State::Stopping => Action::Stopping,
        State::Finished => Action::Finished,
        State::Failed => Action::Failed,
        State::Skipped => Action::Skipped,
        State::Starting => Action::Starting,
    }
}

fn machine_stage(stage: event::MachineStage) -> MachineStage {
    match stage {
        event::MachineStage::Unknown => MachineStage::Unknown,
        event::MachineStage::Booting => MachineStage::Booting,
        event::MachineStage::Installing => MachineStage::Installing,
        event::MachineStage::Maintenance => MachineStage::Maintenance,
        event::MachineStage::Running => MachineStage::Running,
        event::MachineStage::Rebooting => MachineStage::Rebooting,
        event::MachineStage::ShuttingDown => MachineStage::ShuttingDown,
        event::MachineStage::Resetting => MachineStage::Resetting,
        event::MachineStage::Upgrading => MachineStage::Upgrading,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_as_the_caller_wishes() {
        let id = EventId::new(1, [0; 5], 1);
        for (request, expected) in [
            (EventsRequest::default(), Tail::None),
            (EventsRequest { tail_events: -1, ..Default::default() }, Tail::All),
            (EventsRequest { tail_events: 7, ..Default::default() }, Tail::Events(7)),
            (
                EventsRequest { tail_seconds: 2, tail_events: 7, ..Default::default() },
                Tail::Within(Duration::from_secs(2)),
            ),
            (EventsRequest { tail_id: id.to_string(), ..Default::default() }, Tail::After(id)),
        ] {
            assert_eq!(tail(&request).unwrap(), expected, "{request:?}");
        }
        let bad = EventsRequest { tail_id: "x".into(), ..Default::default() };
        assert_eq!(tail(&bad).unwrap_err().code(), tonic::Code::InvalidArgument);
    }

    #[test]
    fn an_event_names_its_type_and_can_be_read_again() {
        let (name, value) = payload(&Payload::MachineStatus {
            stage: event::MachineStage::Running,
            ready: false,
            unmet: vec![event::UnmetCondition { name: "n".into(), reason: "r".into() }],
        });
        assert_eq!(name, "MachineStatusEvent");
        let event = MachineStatusEvent::decode(&*value).unwrap();
        assert_eq!(event.stage(), MachineStage::Running);
        assert_eq!(event.status.unwrap().unmet_conditions[0].reason, "r");
    }
}
