//! One exchange of messages: its number, what was said when, and the messages themselves.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Identifier, Settings};
use crate::dhcp::message::{Kind, Request, code};
use crate::sequence::Sequence;

/// The pause after the first message; each later one is twice as long, to this limit (RFC 2131 chapter 4.1, with a
/// shorter first pause, since a lost frame must not cost a start four seconds).
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(64);

/// What every client asks for; classless routes go before routers (RFC 3442).
const PARAMETERS: [u8; 11] = [
    code::ROUTES,
    code::MASK,
    code::ROUTER,
    code::RESOLVERS,
    code::SEARCH,
    code::TIME_SERVERS,
    code::MTU,
    code::LIFETIME,
    code::RENEW,
    code::REBIND,
    code::DOMAIN,
];

/// Who speaks.
pub(super) struct Speaker<'a> {
    pub settings: &'a Settings,
    pub hostname: Option<&'a str>,
}

impl Speaker<'_> {
    /// A node that brings a name does not ask for one.
    fn parameters(&self) -> Vec<u8> {
        let mut parameters = PARAMETERS.to_vec();
        if !self.settings.ask_hostname {
            parameters.retain(|parameter| *parameter != code::DOMAIN);
        } else if self.hostname.is_none() {
            parameters.push(code::HOSTNAME);
        }
        parameters
    }
}

fn identifier(settings: &Settings) -> Vec<u8> {
    match &settings.identifier {
        Identifier::None => Vec::new(),
        // 1 is Ethernet.
        Identifier::Hardware => [&[1], settings.hardware.as_slice()].concat(),
        Identifier::Given(bytes) => bytes.clone(),
    }
}

/// One exchange of messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    /// Its number.
    pub id: u32,
    began: Duration,
    /// How often this step has been said.
    pub sent: u32,
    /// When it was said last.
    pub last: Duration,
    /// When it is said again.
    pub next: Duration,
}

impl Exchange {
    pub(super) fn new(id: u32, now: Duration) -> Self {
        Self { id, began: now, sent: 0, last: now, next: now }
    }

    /// The next step of the same exchange.
    pub(super) fn again(&self, now: Duration) -> Self {
        Self { sent: 0, last: now, next: now, ..*self }
    }

    /// Waits before it is said again.
    pub(super) fn pause(&mut self, now: Duration, random: &mut Sequence) {
        let doubled = FIRST_PAUSE * 2_u32.saturating_pow(self.sent.saturating_sub(1).min(16));
        self.next = now + random.spread(doubled.min(LONGEST_PAUSE));
    }

    fn said(&mut self, now: Duration) -> u16 {
        self.sent = self.sent.saturating_add(1);
        self.last = now;
        u16::try_from(now.saturating_sub(self.began).as_secs()).unwrap_or(u16::MAX)
    }

    pub(super) fn discover(
        &mut self,
        speaker: &Speaker<'_>,
        previous: Option<Ipv4Addr>,
        now: Duration,
    ) -> Vec<u8> {
        let seconds = self.said(now);
        Request {
            kind: Kind::Discover,
            exchange: self.id,
            seconds,
            own: Ipv4Addr::UNSPECIFIED,
            hardware: speaker.settings.hardware,
            identifier: &identifier(speaker.settings),
            requested: previous,
            server: None,
            hostname: speaker.hostname,
            parameters: &speaker.parameters(),
        }
        .encode()
    }

    pub(super) fn request(
        &mut self,
        speaker: &Speaker<'_>,
        own: Ipv4Addr,
        requested: Option<Ipv4Addr>,
        server: Option<Ipv4Addr>,
        now: Duration,
    ) -> Vec<u8> {
        let seconds = self.said(now);
        Request {
            kind: Kind::Request,
            exchange: self.id,
            seconds,
            own,
            hardware: speaker.settings.hardware,
            identifier: &identifier(speaker.settings),
            requested,
            server,
            hostname: speaker.hostname,
            parameters: &speaker.parameters(),
        }
        .encode()
    }

    pub(super) fn decline(
        self,
        settings: &Settings,
        address: Ipv4Addr,
        server: Option<Ipv4Addr>,
    ) -> Vec<u8> {
        Request {
            kind: Kind::Decline,
            exchange: self.id,
            seconds: 0,
            own: Ipv4Addr::UNSPECIFIED,
            hardware: settings.hardware,
            identifier: &identifier(settings),
            requested: Some(address),
            server,
            hostname: None,
            parameters: &[],
        }
        .encode()
    }
}
