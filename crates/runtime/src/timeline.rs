//! The timeline of a start: every step with when it began, when it ended, and what it waited for.
//!
//! Written by whoever starts or waits; read as resources and printed by `health --timeline`. Must never: decide
//! anything; it is a record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

/// Steps kept; a node that restarts services for months must not grow.
pub const STEPS: usize = 512;

/// What kind of time a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Waiting for something else.
    Wait,
    /// Doing something.
    Work,
    /// A moment worth knowing, without a length.
    Mark,
}

impl Kind {
    /// The word shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Work => "work",
            Self::Mark => "mark",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Position in the record; unique on this node since machined started.
    pub number: u64,
    /// Who: a service or a controller.
    pub subject: String,
    /// Waiting, working or a moment.
    pub kind: Kind,
    /// What it did, or what it waited for.
    pub what: String,
    /// When it began.
    pub begun: SystemTime,
    /// When it ended; `None` while it lasts.
    pub ended: Option<SystemTime>,
}

#[derive(Debug, Default)]
struct Record {
    next: u64,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Shared {
    record: Mutex<Record>,
    changed: watch::Sender<u64>,
    clock: fn() -> SystemTime,
}

/// The record of this node. Clones are handles to the same record.
#[derive(Clone, Debug)]
pub struct Timeline {
    shared: Arc<Shared>,
}

/// An open step; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "a step ends when its guard is dropped"]
pub struct Open {
    timeline: Timeline,
    number: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.timeline.end(self.number);
    }
}

impl Timeline {
    /// An empty record with times from `clock`.
    #[must_use]
    pub fn new(clock: fn() -> SystemTime) -> Self {
        Self {
            shared: Arc::new(Shared {
                record: Mutex::default(),
                changed: watch::Sender::new(0),
                clock,
            }),
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        // Every statement under the lock leaves the record consistent.
        self.shared.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, subject: &str, kind: Kind, what: String, ended: bool) -> u64 {
        let now = (self.shared.clock)();
        let mut record = self.record();
        let number = record.next;
        record.next += 1;
        if record.steps.len() == STEPS {
            record.steps.remove(0);
        }
        record.steps.push(Step {
            number,
            subject: subject.to_owned(),
            kind,
            what,
            begun: now,
            ended: ended.then_some(now),
        });
        drop(record);
        self.shared.changed.send_modify(|generation| *generation += 1);
        number
    }

    fn end(&self, number: u64) {
        let now = (self.shared.clock)();
        let mut record = self.record();
        if let Some(step) = record.steps.iter_mut().rev().find(|step| step.number == number) {
            step.ended = Some(now);
        }
        drop(record);
        self.shared.changed.send_modify(|generation| *generation += 1);
    }

    /// Begins to wait for `what`.
    pub fn wait(&self, subject: &str, what: impl Into<String>) -> Open {
        Open { timeline: self.clone(), number: self.push(subject, Kind::Wait, what.into(), false) }
    }

    /// Begins to do `what`.
    pub fn work(&self, subject: &str, what: impl Into<String>) -> Open {
        Open { timeline: self.clone(), number: self.push(subject, Kind::Work, what.into(), false) }
    }

    /// Notes a moment.
    pub fn mark(&self, subject: &str, what: impl Into<String>) {
        self.push(subject, Kind::Mark, what.into(), true);
    }

    /// The steps so far, in the order in which they began.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.record().steps.clone()
    }

    /// A number that grows with every change, to wait on.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_lasts_as_long_as_its_guard() {
        let timeline = Timeline::new(|| SystemTime::UNIX_EPOCH);
        let open = timeline.wait("service/etcd", "service cri to be up");
        timeline.mark("service/cri", "healthy");
        assert_eq!(timeline.steps()[0].ended, None);
        assert_eq!(timeline.steps()[1].ended, Some(SystemTime::UNIX_EPOCH));
        drop(open);
        assert_eq!(timeline.steps()[0].ended, Some(SystemTime::UNIX_EPOCH));
    }

    #[test]
    fn the_record_is_bounded() {
        let timeline = Timeline::new(|| SystemTime::UNIX_EPOCH);
        for n in 0..STEPS + 3 {
            timeline.mark("a", n.to_string());
        }
        let steps = timeline.steps();
        assert_eq!((steps.len(), steps[0].number), (STEPS, 3));
    }
}
