//! The machine event stream: what happened on this node, newest last.
//!
//! A bounded ring keeps the last [`CAPACITY`] events. Every reader has its own position; a reader that falls
//! behind the ring is told so ([`Overrun`]) instead of silently losing events, and a slow reader
//! never holds up a writer. Must never: block a publisher, know about the wire format of an event.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::service;

/// How many events the ring keeps.
pub const CAPACITY: usize = 1000;

/// A sortable event id: seconds, a node part and a counter, as 20 characters of base32hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 12]);

const BASE32HEX: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

impl EventId {
    /// Builds an id from its parts; ids of one bus are strictly increasing with `counter`.
    #[must_use]
    pub fn new(seconds: u32, node: [u8; 5], counter: u32) -> Self {
        let [a, b, c, d] = seconds.to_be_bytes();
        let [_, x, y, z] = counter.to_be_bytes();
        let [n0, n1, n2, n3, n4] = node;
        Self([a, b, c, d, n0, n1, n2, n3, n4, x, y, z])
    }

    /// Parses the 20 character text form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 20 {
            return None;
        }
        let mut bits: u128 = 0;
        for byte in text.bytes() {
            let digit = BASE32HEX.iter().position(|candidate| *candidate == byte)?;
            bits = bits << 5 | u128::try_from(digit).ok()?;
        }
        // 20 digits carry 100 bits; the id is the upper 96 and the rest must be zero.
        if bits & 0xf != 0 {
            return None;
        }
        let bytes = (bits >> 4).to_be_bytes();
        Some(Self(bytes.last_chunk::<12>().copied()?))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut wide = [0u8; 16];
        wide[4..].copy_from_slice(&self.0);
        let bits = u128::from_be_bytes(wide) << 4;
        for digit in (0..20u32).rev() {
            let index = usize::try_from(bits >> (digit * 5) & 0x1f).map_err(|_| fmt::Error)?;
            fmt::Write::write_char(f, char::from(BASE32HEX[index]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Start or stop of a sequence, phase or task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It has begun.
    Start,
    /// It has ended, well or not.
    Stop,
}

/// Why a sequence ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceErrorCode {
    /// It failed and the machine restarts.
    Fatal,
    /// Another sequence holds the machine.
    Locked,
    /// It was taken over by a more important one.
    Canceled,
}

/// The error of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceError {
    /// What kind of end it was.
    pub code: SequenceErrorCode,
    /// The error text, with its causes.
    pub message: String,
}

/// Where the machine is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the contract say it all")]
pub enum MachineStage {
    #[default]
    Unknown,
    Booting,
    Installing,
    Maintenance,
    Running,
    Rebooting,
    ShuttingDown,
    Resetting,
    Upgrading,
}

/// A reason why the machine is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmetCondition {
    /// The condition's name.
    pub name: String,
    /// What is missing.
    pub reason: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// A sequence (boot, reboot, shutdown …) began or ended.
    Sequence {
        /// The sequence's name.
        sequence: String,
        /// Begin or end; `None` is a rejection before the start.
        action: Option<Step>,
        /// Why it ended early.
        error: Option<SequenceError>,
    },
    /// A phase of a sequence.
    Phase {
        /// The phase's name.
        phase: String,
        /// Begin or end.
        action: Step,
    },
    /// A task of a phase.
    Task {
        /// The task's name.
        task: String,
        /// Begin or end.
        action: Step,
    },
    /// A service changed its state or health.
    ServiceState {
        /// The service's id.
        service: String,
        /// Its state.
        state: service::State,
        /// What it does, for people.
        message: String,
        /// Its health.
        health: service::Health,
    },
    /// The machine restarts with this reboot command.
    Restart {
        /// The reboot(2) command.
        command: i64,
    },
    /// The machine configuration could not be loaded.
    ConfigLoadError {
        /// The error text.
        error: String,
    },
    /// The machine configuration is not valid.
    ConfigValidationError {
        /// The error text.
        error: String,
    },
    /// The node's name or addresses changed.
    Address {
        /// Host name.
        hostname: String,
        /// Addresses without prefix length.
        addresses: Vec<String>,
    },
    /// Stage or readiness of the machine changed.
    MachineStatus {
        /// The stage.
        stage: MachineStage,
        /// Whether everything asked for runs.
        ready: bool,
        /// What is missing.
        unmet: Vec<UnmetCondition>,
    },
}

/// One event with its identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Sortable id.
    pub id: EventId,
    /// When it was published.
    pub time: SystemTime,
    /// The request that caused it, empty for the node's own doing.
    pub actor_id: String,
    /// What happened.
    pub payload: Payload,
}

/// Which past events a reader wants before the live ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// None.
    #[default]
    None,
    /// Everything the ring still has.
    All,
    /// The last so many.
    Events(usize),
    /// Those after the event with this id.
    After(EventId),
    /// Those not older than this.
    Within(Duration),
}

/// A reader was too slow: events were overwritten before it saw them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missed} events were overwritten before this reader saw them; read again with a tail")]
pub struct Overrun {
    /// How many are gone.
    pub missed: u64,
}

struct Ring {
    events: VecDeque<Arc<Event>>,
    /// Sequence number of the event that will be published next.
    next: u64,
    counter: u32,
}

impl Ring {
    fn first(&self) -> u64 {
        self.next - self.events.len() as u64
    }
}

struct Shared {
    ring: Mutex<Ring>,
    changed: watch::Sender<u64>,
    node: [u8; 5],
    clock: fn() -> SystemTime,
}

/// The event stream of this node. Clones are handles to the same stream.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
}

impl Bus {
    /// A bus whose ids carry `node` and whose times come from `clock`.
    #[must_use]
    pub fn new(node: [u8; 5], clock: fn() -> SystemTime) -> Self {
        let ring = Ring { events: VecDeque::with_capacity(64), next: 0, counter: 0 };
        Self {
            shared: Arc::new(Shared {
                ring: Mutex::new(ring),
                changed: watch::Sender::new(0),
                node,
                clock,
            }),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing panics while the lock is held, and a ring is consistent after every statement.
        self.shared.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes an event that nobody asked for.
    pub fn publish(&self, payload: Payload) -> EventId {
        self.publish_for("", payload)
    }

    /// Publishes an event caused by the request `actor_id`.
    pub fn publish_for(&self, actor_id: &str, payload: Payload) -> EventId {
        let time = (self.shared.clock)();
        let seconds =
            time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut ring = self.ring();
        ring.counter = ring.counter.wrapping_add(1) & 0x00ff_ffff;
        // The id's clock has 32 bits of seconds, which last until 2106.
        let id = EventId::new(
            u32::try_from(seconds).unwrap_or(u32::MAX),
            self.shared.node,
            ring.counter,
        );
        if ring.events.len() == CAPACITY {
            ring.events.pop_front();
        }
        ring.events.push_back(Arc::new(Event { id, time, actor_id: actor_id.to_owned(), payload }));
        ring.next += 1;
        let next = ring.next;
        drop(ring);
        self.shared.changed.send_replace(next);
        id
    }

    /// Reads events from the place that `tail` names, then live ones.
    #[must_use]
    pub fn watch(&self, tail: &Tail) -> Watch {
        // Subscribing before looking at the ring means that no event falls between the two.
        let changed = self.shared.changed.subscribe();
        let ring = self.ring();
        let keep = match tail {
            Tail::None => 0,
            Tail::All => ring.events.len(),
            Tail::Events(count) => (*count).min(ring.events.len()),
            Tail::After(id) => ring.events.iter().rev().take_while(|event| event.id > *id).count(),
            Tail::Within(age) => {
                let since =
                    (self.shared.clock)().checked_sub(*age).unwrap_or(SystemTime::UNIX_EPOCH);
                ring.events.iter().rev().take_while(|event| event.time >= since).count()
            }
        };
        let position = ring.next - keep as u64;
        drop(ring);
        Watch { bus: self.clone(), changed, position }
    }

    /// The events in the ring, oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<Arc<Event>> {
        self.ring().events.iter().cloned().collect()
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("published", &self.ring().next).finish_non_exhaustive()
    }
}

/// One reader's position in the stream.
#[derive(Debug)]
pub struct Watch {
    bus: Bus,
    changed: watch::Receiver<u64>,
    position: u64,
}

impl Watch {
    /// The next event if there already is one.
    ///
    /// # Errors
    /// [`Overrun`] when events were dropped; the reader then continues with the oldest one kept.
    pub fn try_next(&mut self) -> Result<Option<Arc<Event>>, Overrun> {
        let ring = self.bus.ring();
        let first = ring.first();
        if let Some(missed) = first.checked_sub(self.position).filter(|missed| *missed > 0) {
            drop(ring);
            self.position = first;
            return Err(Overrun { missed });
        }
        let index = usize::try_from(self.position - first).unwrap_or(usize::MAX);
        let event = ring.events.get(index).cloned();
        drop(ring);
        if event.is_some() {
            self.position += 1;
        }
        Ok(event)
    }

    /// The next event, as soon as there is one.
    ///
    /// # Errors
    /// [`Overrun`] as for [`Watch::try_next`].
    pub async fn next(&mut self) -> Result<Arc<Event>, Overrun> {
        loop {
            self.changed.borrow_and_update();
            if let Some(event) = self.try_next()? {
                return Ok(event);
            }
            // The sender lives as long as this reader's handle to the bus, so this only ends with a change.
            if self.changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn restart(command: i64) -> Payload {
        Payload::Restart { command }
    }

    #[test]
    fn ids_sort_by_publication_and_survive_their_text_form() {
        let bus = Bus::new([1, 2, 3, 4, 5], clock);
        let ids: Vec<EventId> = (0..300).map(|n| bus.publish(restart(n))).collect();
        assert!(ids.is_sorted());
        for pair in ids.windows(2) {
            assert!(pair[0].to_string() < pair[1].to_string());
        }
        for id in &ids {
            assert_eq!(EventId::parse(&id.to_string()), Some(*id));
        }
        assert_eq!(ids[0].to_string().len(), 20);
        assert_eq!(EventId::parse("00000000000000000001"), None, "padding bits must be zero");
        assert_eq!(EventId::parse("0000000000000000000z"), None);
        assert_eq!(EventId::parse("short"), None);
    }

    fn drain(watch: &mut Watch) -> Vec<i64> {
        let mut seen = Vec::new();
        while let Some(event) = watch.try_next().unwrap() {
            if let Payload::Restart { command } = event.payload {
                seen.push(command);
            }
        }
        seen
    }

    #[test]
    fn tails_start_where_they_say() {
        let bus = Bus::new([0; 5], clock);
        let ids: Vec<EventId> = (0..5).map(|n| bus.publish(restart(n))).collect();
        assert_eq!(drain(&mut bus.watch(&Tail::None)), []);
        assert_eq!(drain(&mut bus.watch(&Tail::All)), [0, 1, 2, 3, 4]);
        assert_eq!(drain(&mut bus.watch(&Tail::Events(2))), [3, 4]);
        assert_eq!(drain(&mut bus.watch(&Tail::Events(99))), [0, 1, 2, 3, 4]);
        assert_eq!(drain(&mut bus.watch(&Tail::After(ids[2]))), [3, 4]);
        assert_eq!(drain(&mut bus.watch(&Tail::Within(Duration::ZERO))), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_slow_reader_is_told_what_it_missed() {
        let bus = Bus::new([0; 5], clock);
        let mut slow = bus.watch(&Tail::None);
        for n in 0..1007 {
            bus.publish(restart(n));
        }
        assert_eq!(slow.try_next(), Err(Overrun { missed: 7 }));
        assert_eq!(drain(&mut slow).len(), CAPACITY);
    }

    #[tokio::test]
    async fn a_waiting_reader_wakes_on_publication() {
        let bus = Bus::new([0; 5], clock);
        let mut watch = bus.watch(&Tail::None);
        let reader = tokio::spawn(async move { watch.next().await });
        tokio::task::yield_now().await;
        let id = bus.publish_for("actor", restart(1));
        let event = reader.await.unwrap().unwrap();
        assert_eq!((event.id, event.actor_id.as_str()), (id, "actor"));
    }
}
