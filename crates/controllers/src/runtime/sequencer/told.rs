//! Sequences, phases and tasks as events and on the timeline.

use ::runtime::event::{Payload, SequenceError, SequenceErrorCode, Step};

use crate::Node;

/// A sequence under way.
pub(super) struct Sequence<'a> {
    node: &'a Node,
    actor: String,
    name: &'static str,
    _step: ::runtime::timeline::Open,
}

impl<'a> Sequence<'a> {
    pub(super) fn begin(node: &'a Node, actor: &str, name: &'static str) -> Self {
        let step = node.timeline.work("machine", format!("sequence {name}"));
        let sequence = Self { node, actor: actor.to_owned(), name, _step: step };
        sequence.tell(Some(Step::Start), None);
        sequence
    }

    fn tell(&self, action: Option<Step>, error: Option<SequenceError>) {
        let payload = Payload::Sequence { sequence: self.name.to_owned(), action, error };
        self.node.events.publish_for(&self.actor, payload);
    }

    pub(super) fn end(self) {
        self.tell(Some(Step::Stop), None);
    }

    pub(super) fn fail(self, code: SequenceErrorCode, message: &str) {
        tracing::error!(sequence = self.name, message, "a sequence has failed");
        self.tell(Some(Step::Stop), Some(SequenceError { code, message: message.to_owned() }));
    }

    pub(super) fn phase(&self, name: &'static str) -> Phase<'_> {
        let phase = Phase { sequence: self, name };
        phase.tell(Step::Start);
        phase
    }
}

/// A phase under way; it ends when dropped.
pub(super) struct Phase<'a> {
    sequence: &'a Sequence<'a>,
    name: &'static str,
}

impl Phase<'_> {
    fn tell(&self, action: Step) {
        let payload = Payload::Phase { phase: self.name.to_owned(), action };
        self.sequence.node.events.publish_for(&self.sequence.actor, payload);
    }

    pub(super) async fn task<T>(&self, name: &'static str, work: impl Future<Output = T>) -> T {
        let tell = |action| {
            let payload = Payload::Task { task: name.to_owned(), action };
            self.sequence.node.events.publish_for(&self.sequence.actor, payload);
        };
        tell(Step::Start);
        let done = work.await;
        tell(Step::Stop);
        done
    }
}

impl Drop for Phase<'_> {
    fn drop(&mut self) {
        self.tell(Step::Stop);
    }
}

/// A task outside of a sequence's own count.
pub(super) fn task(node: &Node, name: &str, action: Step) {
    node.events.publish(Payload::Task { task: name.to_owned(), action });
}

/// A sequence that another one took over.
pub(super) fn canceled(node: &Node, name: &str) {
    let error = SequenceError {
        code: SequenceErrorCode::Canceled,
        message: "another sequence has taken over".to_owned(),
    };
    node.events.publish(Payload::Sequence {
        sequence: name.to_owned(),
        action: Some(Step::Stop),
        error: Some(error),
    });
}
