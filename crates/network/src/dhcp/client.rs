//! The client's states (RFC 2131 chapter 4.4).
//!
//! What is lent and what is being said are two things: a lease holds until its time is over, whether the link is
//! down, a renewal is under way or a new server is being looked for. It is given up early only when a server says
//! no, or another machine turns out to have the address.

mod event;
mod exchange;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::time::Duration;

use super::frame;
use super::lease::Lease;
use super::message::{Kind, Reply};
use crate::sequence::Sequence;
use exchange::Exchange;

pub use event::{Action, Event, Identifier, Listening, Settings};

/// How often a REQUEST is said before the server counts as gone.
const REQUESTS: u32 = 4;
/// How often a server is asked whether an earlier lease still holds, before all servers are asked for a new one.
const CONFIRMATIONS: u32 = 3;
/// The shortest pause between renewals that are not answered (RFC 2131 chapter 4.4.5).
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);
/// The pause after another machine turned out to have the address (RFC 2131 chapter 3.1, point 5).
const DECLINED_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause after servers said no one after the other.
const REFUSED_PAUSE: Duration = Duration::from_secs(64);
/// How many ARP probes ask whether another machine has the address, and how long each waits for an answer. RFC 5227
/// would take seconds; the probes begin with the REQUEST, so that a start is hardly later for them.
const PROBES: u32 = 2;
const PROBE_WAIT: Duration = Duration::from_millis(50);

#[derive(Debug)]
enum State {
    /// There is no carrier.
    Down,
    /// Silent until a time.
    Silent { until: Duration },
    /// Asks all servers for an offer.
    Selecting(Exchange),
    /// Took an offer.
    Requesting { exchange: Exchange, offer: Lease },
    /// Asks whether an earlier lease still holds.
    Confirming { exchange: Exchange, address: Ipv4Addr },
    /// Has an ACK; waits whether another machine answers to the address.
    Probing { lease: Lease, since: Duration },
    /// Has a lease.
    Bound,
    /// Asks its server for more time.
    Renewing(Exchange),
    /// Asks all servers for more time.
    Rebinding(Exchange),
}

/// The lease that holds, and from when.
#[derive(Debug)]
struct Held {
    lease: Lease,
    since: Duration,
}

impl Held {
    fn end(&self) -> Option<Duration> {
        Some(self.since + self.lease.lifetime?)
    }

    fn renewal(&self) -> Option<(Duration, Duration)> {
        let (renew, rebind) = self.lease.renewal?;
        Some((self.since + renew, self.since + rebind))
    }
}

/// ARP probes for an address.
#[derive(Clone, Copy, Debug)]
struct Probe {
    address: Ipv4Addr,
    sent: u32,
    next: Duration,
}

impl Probe {
    fn is_over(&self, now: Duration) -> bool {
        self.sent >= PROBES && self.next <= now
    }
}

/// A DHCPv4 client of one link. Times are durations since any moment that stays the same.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    random: Sequence,
    state: State,
    held: Option<Held>,
    probe: Option<Probe>,
    /// The address of the last lease, which is asked for again.
    previous: Option<Ipv4Addr>,
    /// Servers said no this often since the last lease.
    refusals: u32,
    hostname: Option<String>,
}

impl Client {
    /// A client of a link without a carrier. `seed` must be random.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            random: Sequence::new(seed),
            state: State::Down,
            held: None,
            probe: None,
            previous: None,
            refusals: 0,
            hostname: None,
        }
    }

    /// The lease that holds.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        self.held.as_ref().map(|held| &held.lease)
    }

    /// What to listen to until the next event.
    #[must_use]
    pub fn listening(&self) -> Listening {
        match &self.state {
            State::Down | State::Silent { .. } | State::Bound => Listening::Nothing,
            State::Selecting(_) | State::Rebinding(_) => Listening::Frames,
            State::Requesting { .. } | State::Confirming { .. } | State::Probing { .. } => {
                Listening::FramesAndArp
            }
            State::Renewing(_) => match &self.held {
                Some(held) => Listening::Port(held.lease.address),
                None => Listening::Frames,
            },
        }
    }

    /// In a few words, what the client is doing: for those who wait for a lease.
    #[must_use]
    pub fn doing(&self) -> &'static str {
        match self.state {
            State::Down => "waits for a carrier",
            State::Silent { .. } => "pauses after a refusal",
            State::Selecting(_) => "waits for an offer of a DHCP server",
            State::Requesting { .. } => "waits for a DHCP server to confirm its offer",
            State::Confirming { .. } => "waits for a DHCP server to confirm the earlier lease",
            State::Probing { .. } => "asks whether another machine has the address",
            State::Bound => "has a lease",
            State::Renewing(_) => "renews its lease",
            State::Rebinding(_) => "asks every DHCP server to renew its lease",
        }
    }

    /// When [`Event::Timer`] is due, if nothing else happens; `None` never.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let held = self.held.as_ref();
        let state = match &self.state {
            State::Down => None,
            State::Silent { until } => Some(*until),
            State::Selecting(exchange)
            | State::Requesting { exchange, .. }
            | State::Confirming { exchange, .. }
            | State::Rebinding(exchange) => Some(exchange.next),
            State::Probing { .. } => None,
            State::Bound => held.and_then(Held::renewal).map(|(renew, _)| renew),
            State::Renewing(exchange) => {
                let rebind = held.and_then(Held::renewal).map(|(_, rebind)| rebind);
                Some(rebind.unwrap_or(exchange.next).min(exchange.next))
            }
        };
        let waits = matches!(self.state, State::Probing { .. });
        let probe = self.probe.filter(|probe| waits || probe.sent < PROBES).map(|probe| probe.next);
        [state, held.and_then(Held::end), probe].into_iter().flatten().min()
    }

    /// Takes an event; says what to do.
    pub fn handle(&mut self, event: Event<'_>, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        // What is over is over, whatever came in a moment later.
        self.expire(now, &mut actions);
        match event {
            Event::LinkUp => self.link_up(now),
            Event::LinkDown => {
                self.state = State::Down;
                self.probe = None;
            }
            Event::Message(bytes) => {
                if let Ok(reply) = Reply::parse(bytes)
                    && reply.hardware == self.settings.hardware
                {
                    self.message(&reply, now, &mut actions);
                }
            }
            Event::Arp(packet) => self.arp(packet, now, &mut actions),
            Event::Hostname(name) => self.name(name, now),
            Event::Timer => {}
        }
        self.advance(now, &mut actions);
        actions
    }

    fn link_up(&mut self, now: Duration) {
        if !matches!(self.state, State::Down) {
            return;
        }
        // The cable may be in another network now: the lease is confirmed before it is relied on much longer.
        self.state = match &self.held {
            Some(held) => {
                let address = held.lease.address;
                self.begin_probe(address, now);
                State::Confirming { exchange: self.exchange(now), address }
            }
            None => State::Selecting(self.exchange(now)),
        };
    }

    fn exchange(&mut self, now: Duration) -> Exchange {
        Exchange::new(self.random.next_u32(), now)
    }

    fn begin_probe(&mut self, address: Ipv4Addr, now: Duration) {
        self.probe = Some(Probe { address, sent: 0, next: now });
    }

    fn name(&mut self, name: Option<&str>, now: Duration) {
        if self.hostname.as_deref() == name {
            return;
        }
        self.hostname = name.map(str::to_owned);
        // The server learns the name with a renewal, which keeps the address in use meanwhile.
        if matches!(self.state, State::Bound) && self.hostname.is_some() {
            self.state = State::Renewing(self.exchange(now));
        }
    }

    fn message(&mut self, reply: &Reply, now: Duration, actions: &mut Vec<Action>) {
        let ours = |exchange: &Exchange| exchange.id == reply.exchange && exchange.sent > 0;
        let lease = Lease::of(reply);
        match (&self.state, reply.kind) {
            (State::Selecting(exchange), Kind::Offer) if ours(exchange) => {
                let Some(offer) = lease else { return };
                let exchange = exchange.again(now);
                self.begin_probe(offer.address, now);
                self.state = State::Requesting { exchange, offer };
            }
            (State::Requesting { exchange, offer }, Kind::Ack) if ours(exchange) => {
                let same =
                    |lease: &Lease| lease.address == offer.address && lease.server == offer.server;
                if let Some(lease) = lease.filter(same) {
                    let since = exchange.last;
                    self.state = State::Probing { lease, since };
                }
            }
            (State::Confirming { exchange, address }, Kind::Ack) if ours(exchange) => {
                if let Some(lease) = lease.filter(|lease| lease.address == *address) {
                    let since = exchange.last;
                    self.state = State::Probing { lease, since };
                }
            }
            (State::Renewing(exchange) | State::Rebinding(exchange), Kind::Ack)
                if ours(exchange) =>
            {
                let own = self.lease().map(|held| held.address);
                if let Some(lease) = lease.filter(|lease| Some(lease.address) == own) {
                    let since = exchange.last;
                    self.bind(lease, since, actions);
                }
            }
            (State::Requesting { exchange, offer }, Kind::Nak)
                if ours(exchange) && reply.server == Some(offer.server) =>
            {
                self.refused(now, actions);
            }
            (State::Renewing(exchange), Kind::Nak)
                if ours(exchange) && reply.server == self.lease().map(|held| held.server) =>
            {
                self.refused(now, actions);
            }
            (State::Confirming { exchange, .. } | State::Rebinding(exchange), Kind::Nak)
                if ours(exchange) =>
            {
                self.refused(now, actions);
            }
            _ => {}
        }
    }

    /// A server said no: the address belongs to nobody here.
    fn refused(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.lose("the DHCP server refused it", actions);
        self.previous = None;
        self.probe = None;
        // The first refusal is how one learns of a new network; many are a server that does not know what it wants.
        let pause = match self.refusals {
            0 => Duration::ZERO,
            count => Duration::from_secs(1 << count.min(6)).min(REFUSED_PAUSE),
        };
        self.refusals = self.refusals.saturating_add(1);
        self.state = State::Silent { until: now + pause };
    }

    fn arp(&mut self, packet: &[u8], now: Duration, actions: &mut Vec<Action>) {
        let Some(probe) = self.probe else { return };
        if !frame::is_conflict(packet, self.settings.hardware, probe.address) {
            return;
        }
        let server = match &self.state {
            State::Requesting { offer, .. } => Some(offer.server),
            State::Probing { lease, .. } => Some(lease.server),
            _ => self.lease().map(|held| held.server),
        };
        let exchange = self.exchange(now);
        let message = exchange.decline(&self.settings, probe.address, server);
        actions.push(Action::Broadcast { from: Ipv4Addr::UNSPECIFIED, message });
        self.lose("another machine has the address", actions);
        self.previous = None;
        self.probe = None;
        self.state = State::Silent { until: now + DECLINED_PAUSE };
    }

    fn lose(&mut self, reason: &'static str, actions: &mut Vec<Action>) {
        if let Some(held) = self.held.take() {
            self.previous = Some(held.lease.address);
            actions.push(Action::Lose { reason });
        }
    }

    fn bind(&mut self, mut lease: Lease, since: Duration, actions: &mut Vec<Action>) {
        if self.hostname.is_some() {
            // A server repeats the name that it was told.
            lease.hostname = None;
        }
        let changed = self.lease().is_none_or(|held| !held.is_same(&lease));
        if changed {
            actions.push(Action::Use(lease.clone()));
        }
        self.refusals = 0;
        self.probe = None;
        self.held = Some(Held { lease, since });
        self.state = State::Bound;
    }

    fn expire(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.held.as_ref().and_then(Held::end).is_none_or(|end| end > now) {
            return;
        }
        self.lose("its time is over", actions);
        if matches!(self.state, State::Bound | State::Renewing(_) | State::Rebinding(_)) {
            self.state = State::Selecting(self.exchange(now));
        }
    }

    /// Does what is due.
    fn advance(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.say_probe(now, actions);
        match &mut self.state {
            State::Silent { until } if *until <= now => {
                self.state = State::Selecting(self.exchange(now));
            }
            State::Probing { lease, since }
                if self.probe.is_none_or(|probe| probe.is_over(now)) =>
            {
                let (lease, since) = (lease.clone(), *since);
                self.bind(lease, since, actions);
                // Since the answer the time of a short lease may have run.
                self.expire(now, actions);
            }
            State::Requesting { exchange, .. }
                if exchange.next <= now && exchange.sent >= REQUESTS =>
            {
                self.state = State::Selecting(self.exchange(now));
            }
            // Nobody confirms, nobody refuses: the lease holds for its time, but the network may be another one.
            State::Confirming { exchange, .. }
                if exchange.next <= now && exchange.sent >= CONFIRMATIONS =>
            {
                self.probe = None;
                self.state = State::Selecting(self.exchange(now));
            }
            _ => {}
        }
        self.renew(now);
        self.say(now, actions);
    }

    fn renew(&mut self, now: Duration) {
        let Some((renew, rebind)) = self.held.as_ref().and_then(Held::renewal) else { return };
        if matches!(self.state, State::Bound) && renew <= now {
            self.state = State::Renewing(self.exchange(now));
        }
        if matches!(self.state, State::Renewing(_)) && rebind <= now {
            self.state = State::Rebinding(self.exchange(now));
        }
    }

    fn say_probe(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if let Some(probe) = &mut self.probe
            && probe.next <= now
            && probe.sent < PROBES
        {
            probe.sent += 1;
            probe.next = now + PROBE_WAIT;
            actions.push(Action::Arp(frame::probe(self.settings.hardware, probe.address)));
        }
    }

    /// Says what the present exchange has to say, if it is time.
    fn say(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let held = self.held.as_ref();
        let own = held.map_or(Ipv4Addr::UNSPECIFIED, |held| held.lease.address);
        let end = held.and_then(Held::end);
        let rebind = held.and_then(Held::renewal).map(|(_, rebind)| rebind);
        let hostname = self.hostname.as_deref();
        let speaker = exchange::Speaker { settings: &self.settings, hostname };
        let halfway = |to: Option<Duration>| {
            let left = to.map(|to| to.saturating_sub(now) / 2);
            left.unwrap_or(RENEWAL_PAUSE).max(RENEWAL_PAUSE)
        };
        match &mut self.state {
            State::Selecting(exchange) if exchange.next <= now => {
                let previous = self.previous.or(held.map(|held| held.lease.address));
                let message = exchange.discover(&speaker, previous, now);
                exchange.pause(now, &mut self.random);
                actions.push(Action::Broadcast { from: Ipv4Addr::UNSPECIFIED, message });
            }
            State::Requesting { exchange, offer } if exchange.next <= now => {
                let (address, server) = (Some(offer.address), Some(offer.server));
                let none = Ipv4Addr::UNSPECIFIED;
                let message = exchange.request(&speaker, none, address, server, now);
                exchange.pause(now, &mut self.random);
                actions.push(Action::Broadcast { from: none, message });
            }
            State::Confirming { exchange, address } if exchange.next <= now => {
                let none = Ipv4Addr::UNSPECIFIED;
                let message = exchange.request(&speaker, none, Some(*address), None, now);
                exchange.pause(now, &mut self.random);
                actions.push(Action::Broadcast { from: none, message });
            }
            State::Renewing(exchange) if exchange.next <= now => {
                let Some(held) = held else { return };
                let message = exchange.request(&speaker, own, None, None, now);
                exchange.next = now + halfway(rebind);
                actions.push(Action::Unicast { to: held.lease.server, message });
            }
            State::Rebinding(exchange) if exchange.next <= now => {
                let message = exchange.request(&speaker, own, None, None, now);
                exchange.next = now + halfway(end);
                actions.push(Action::Broadcast { from: own, message });
            }
            _ => {}
        }
    }
}
