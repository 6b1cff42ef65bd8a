//! The client's states: which server is asked when, and which answer is believed.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::Clock;
use super::filter::{Filter, Sample};
use super::packet::{Leap, PacketError, Response, SIZE, question};
use crate::sequence::Sequence;

/// An error that is larger is set, a smaller one slewed (STEPT of RFC 5905).
const STEP: Duration = Duration::from_millis(128);
/// Answers that differ from those before by less are never called a spike.
const SPIKE_FLOOR: Duration = Duration::from_millis(5);
/// How often an answer must differ in a row to be believed.
const SPIKES: u32 = 3;
/// How many answers must be there before one can be called a spike.
const SPIKE_HISTORY: usize = 3;
/// The first questions to a server come quickly one after the other (iburst).
const BURST: u32 = 4;
const BURST_PAUSE: Duration = Duration::from_secs(2);
/// How long an answer may take; each further question waits twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How many questions a server may leave unanswered.
const ATTEMPTS: u32 = 3;
/// The pause between questions, as a power of two in seconds.
const SHORTEST_POLL: u8 = 6;
const LONGEST_POLL: u8 = 10;
/// How many good answers make the pause longer.
const GOOD: u32 = 4;
/// The pause after no server at all answered; it doubles to its limit.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(128);

/// What happens to the client.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// These many servers can be asked from now on, best first; what is going on ends.
    Servers(usize),
    /// A packet came from a server.
    Packet {
        /// Its place in the list.
        server: usize,
        /// The packet.
        bytes: &'a [u8],
    },
    /// A hardware clock was read, which was asked like a server.
    Reading {
        /// Its place in the list.
        server: usize,
        /// What it said, in nanoseconds since the Unix epoch.
        wall: i64,
    },
    /// The time of [`Client::wake_at`] has come.
    Timer,
}

/// A change of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// How far the clock is behind, in nanoseconds.
    pub offset: i64,
    /// Set it; otherwise let the kernel slew it.
    pub step: bool,
    /// About leap seconds.
    pub leap: Leap,
    /// The pause between questions, as a power of two in seconds: the kernel's time constant.
    pub poll: u8,
    /// How wrong the clock may be at most, after the change.
    pub max_error: Duration,
    /// How wrong it likely is.
    pub estimated_error: Duration,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a packet, at once: its time of leaving is the time of the event.
    Send {
        /// To the server at this place of the list.
        server: usize,
        /// The packet.
        packet: [u8; SIZE],
    },
    /// Change the clock.
    Adjust(Adjustment),
    /// Look the servers' names up again, and say how many there are.
    Resolve,
}

/// A question that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Asked {
    nonce: u64,
    at: Clock,
}

/// A time client.
#[derive(Debug)]
pub struct Client {
    random: Sequence,
    servers: usize,
    server: usize,
    asked: Option<Asked>,
    /// Questions without an answer in a row.
    unanswered: u32,
    /// Questions of the burst that are still to come.
    burst: u32,
    next: Option<Duration>,
    filter: Filter,
    poll: u8,
    shortest_poll: u8,
    good: u32,
    spikes: u32,
    /// The offset that was believed last.
    last: i64,
    is_synced: bool,
    retry: Duration,
}

impl Client {
    /// A client without servers. `seed` must be random.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: Sequence::new(seed),
            servers: 0,
            server: 0,
            asked: None,
            unanswered: 0,
            burst: 0,
            next: None,
            filter: Filter::default(),
            poll: SHORTEST_POLL,
            shortest_poll: SHORTEST_POLL,
            good: 0,
            spikes: 0,
            last: 0,
            is_synced: false,
            retry: FIRST_RETRY,
        }
    }

    /// Whether the clock has been right since some answer.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.is_synced
    }

    /// How many answers in a row were too far from those before to be believed.
    #[must_use]
    pub fn spikes(&self) -> u32 {
        self.spikes
    }

    /// When [`Event::Timer`] is due, if nothing else happens; `None` never.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        self.next
    }

    /// Takes an event; says what to do.
    pub fn handle(&mut self, event: Event<'_>, now: Clock) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Servers(count) => {
                self.servers = count;
                self.select(0, now);
                if count == 0 {
                    self.retry_later(now);
                }
            }
            Event::Packet { server, bytes } => {
                if server == self.server {
                    self.packet(bytes, now, &mut actions);
                }
            }
            Event::Reading { server, wall } => {
                if let Some(asked) = self.asked.filter(|_| server == self.server) {
                    let distance = Duration::ZERO;
                    let (leap, stratum) = (Leap::None, 1);
                    let response = Response { leap, stratum, distance, received: wall, sent: wall };
                    self.answered(&asked, &response, now, &mut actions);
                }
            }
            Event::Timer => {}
        }
        if self.next.is_some_and(|next| next <= now.steady) {
            self.due(now, &mut actions);
        }
        actions
    }

    /// Asks another server from now on.
    fn select(&mut self, server: usize, now: Clock) {
        self.server = server;
        self.asked = None;
        self.unanswered = 0;
        self.begin_burst(now);
        self.filter.clear();
        self.poll = SHORTEST_POLL;
        self.shortest_poll = SHORTEST_POLL;
        self.good = 0;
        self.spikes = 0;
    }

    fn begin_burst(&mut self, now: Clock) {
        self.burst = BURST;
        self.next = Some(now.steady);
    }

    fn retry_later(&mut self, now: Clock) {
        self.servers = 0;
        self.asked = None;
        self.next = Some(now.steady + self.random.spread(self.retry));
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
    }

    fn due(&mut self, now: Clock, actions: &mut Vec<Action>) {
        if self.servers == 0 {
            // Should nobody look them up, this comes again.
            self.next = Some(now.steady + LONGEST_RETRY);
            actions.push(Action::Resolve);
            return;
        }
        if self.asked.is_some() {
            self.unanswered += 1;
            if self.unanswered >= ATTEMPTS {
                self.give_up(now);
                if self.servers == 0 {
                    return;
                }
            }
        }
        let nonce = self.random.next();
        self.asked = Some(Asked { nonce, at: now });
        self.next = Some(now.steady + FIRST_WAIT * 2_u32.pow(self.unanswered.min(ATTEMPTS)));
        actions.push(Action::Send { server: self.server, packet: question(nonce) });
    }

    /// The present server does not answer, or refuses to.
    fn give_up(&mut self, now: Clock) {
        let next = self.server + 1;
        if next < self.servers {
            self.select(next, now);
        } else {
            self.retry_later(now);
        }
    }

    fn packet(&mut self, bytes: &[u8], now: Clock, actions: &mut Vec<Action>) {
        let Some(asked) = self.asked else { return };
        let response = match Response::parse(bytes, asked.nonce) {
            Ok(response) => response,
            Err(PacketError::Refused | PacketError::Unsynchronised) => return self.give_up(now),
            Err(PacketError::TooOften) => {
                self.asked = None;
                self.unanswered = 0;
                self.burst = 0;
                self.shortest_poll = (self.poll + 1).min(LONGEST_POLL);
                self.poll = self.shortest_poll;
                return self.pause(now);
            }
            // Whoever sent it, the answer may still come.
            Err(_) => return,
        };
        self.answered(&asked, &response, now, actions);
    }

    fn answered(
        &mut self,
        asked: &Asked,
        response: &Response,
        now: Clock,
        actions: &mut Vec<Action>,
    ) {
        self.asked = None;
        self.unanswered = 0;
        self.retry = FIRST_RETRY;
        let sample = sample(asked, response, now);
        self.believe(sample, response.leap, now, actions);
        self.burst = self.burst.saturating_sub(1);
        self.pause(now);
    }

    /// The time of the next question.
    fn pause(&mut self, now: Clock) {
        let pause = if self.burst > 0 {
            BURST_PAUSE
        } else {
            self.random.spread(Duration::from_secs(1 << self.poll))
        };
        self.next = Some(now.steady + pause);
    }

    fn believe(&mut self, sample: Sample, leap: Leap, now: Clock, actions: &mut Vec<Action>) {
        let large = sample.offset.unsigned_abs() > nanoseconds(STEP);
        if self.is_synced && (large || self.is_spike(&sample)) {
            self.spikes += 1;
            if self.spikes < SPIKES {
                // Whether it is true shows soon.
                self.burst = self.burst.max(SPIKES);
                return;
            }
            // What was measured before is of another time.
            self.filter.clear();
        }
        self.spikes = 0;
        let Some(best) = self.filter.add(sample) else { return };
        let step = best.offset.unsigned_abs() > nanoseconds(STEP);
        let jitter = self.filter.jitter(best.offset);
        self.tune(&best, jitter);
        let max_error = best.error(now.steady);
        let offset = best.offset;
        let poll = self.poll;
        let estimated_error = jitter.max(Duration::from_micros(1)).min(max_error);
        actions.push(Action::Adjust(Adjustment {
            offset,
            step,
            leap,
            poll,
            max_error,
            estimated_error,
        }));
        self.is_synced = true;
        self.last = if step { 0 } else { offset };
        if step {
            self.filter.clear();
        }
    }

    /// Whether the answer is far from those before, by what those differ among themselves.
    fn is_spike(&self, sample: &Sample) -> bool {
        if self.filter.len() < SPIKE_HISTORY {
            return false;
        }
        let usual = self.filter.jitter(self.last).saturating_mul(3).max(SPIKE_FLOOR);
        sample.offset.abs_diff(self.last) > nanoseconds(usual.max(sample.delay / 2))
    }

    /// Asks less often as long as the clock is good, more often when it is not.
    fn tune(&mut self, best: &Sample, jitter: Duration) {
        let usual = nanoseconds(jitter.saturating_mul(4).max(Duration::from_micros(500)));
        if best.offset.unsigned_abs() < usual {
            self.good += 1;
            if self.good >= GOOD && self.burst == 0 {
                self.good = 0;
                self.poll = (self.poll + 1).min(LONGEST_POLL);
            }
        } else {
            self.good = 0;
            self.poll = self.poll.saturating_sub(1).max(self.shortest_poll);
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Offset and delay (RFC 5905 chapter 8). The time on the way is measured with the clock that never jumps, so that a
/// clock set meanwhile does no harm.
fn sample(asked: &Asked, response: &Response, now: Clock) -> Sample {
    let round = now.steady.saturating_sub(asked.at.steady);
    let round = i64::try_from(round.as_nanos()).unwrap_or(i64::MAX);
    let received = asked.at.wall.saturating_add(round);
    let there = i128::from(response.received) - i128::from(asked.at.wall);
    let back = i128::from(response.sent) - i128::from(received);
    let held = response.sent.saturating_sub(response.received);
    let delay = u64::try_from(round.saturating_sub(held)).unwrap_or(0);
    Sample {
        offset: i64::try_from((there + back) / 2).unwrap_or(i64::MAX),
        delay: Duration::from_nanos(delay),
        distance: response.distance,
        at: now.steady,
    }
}
