//! Runs the time client: names, sockets, hardware clocks and the timer. What is asked when, and what is believed, the
//! client decides.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ::network::ntp::{Action, Adjustment, Client, Clock as Clocks, Event, Leap};
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// The port of time servers.
const PORT: u16 = 123;
/// How many addresses of one name are used.
const ADDRESSES: usize = 4;
/// How long a name may take to be looked up.
const LOOKUP: Duration = Duration::from_secs(10);
/// A jump of the clock from which on everything that depends on the time of day is looked at again: a small part of
/// the shortest life of a certificate.
const EPOCH: Duration = Duration::from_secs(15 * 60);
/// A packet is larger only by extensions, which are not read.
const BUFFER: usize = 512;

/// What is wanted of the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names, addresses, addresses with ports, or `/dev/ptpN`, the best first.
    pub servers: Vec<String>,
    /// Whether the network leads anywhere; when it begins to, names are looked up at once.
    pub connected: bool,
}

/// What has become of the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the clock is right.
    pub synced: bool,
    /// How often it has jumped far.
    pub epoch: i64,
    /// How many answers in a row were not believed.
    pub spikes: u32,
    /// How often the clock has been corrected.
    pub corrections: u64,
    /// What is being done while it is not right yet.
    pub doing: &'static str,
}

/// The clock that is kept right.
pub trait Clock: Send + Sync + 'static {
    /// What it says now, beside the clock that never jumps.
    ///
    /// # Errors
    /// When it cannot be read.
    fn now(&self) -> io::Result<Clocks>;

    /// Corrects it.
    ///
    /// # Errors
    /// When it cannot be changed.
    fn adjust(&mut self, adjustment: &Adjustment) -> io::Result<()>;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> io::Result<Clocks> {
        Ok(Clocks { steady: sys::clock::steady()?, wall: sys::clock::wall()? })
    }

    fn adjust(&mut self, adjustment: &Adjustment) -> io::Result<()> {
        if adjustment.step {
            sys::clock::step(adjustment.offset)?;
        }
        sys::clock::slew(&sys::clock::Slew {
            offset: if adjustment.step { 0 } else { adjustment.offset },
            constant: i64::from(adjustment.poll),
            leap: match adjustment.leap {
                Leap::None => sys::clock::Leap::None,
                Leap::Insert => sys::clock::Leap::Insert,
                Leap::Delete => sys::clock::Leap::Delete,
            },
            max_error: adjustment.max_error,
            estimated_error: adjustment.estimated_error,
        })
    }
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Server {
    Address(SocketAddr),
    Hardware(PathBuf),
}

/// The servers behind names. A name that leads nowhere is left out.
async fn resolve(names: &[String]) -> Vec<Server> {
    let mut servers = Vec::new();
    for name in names {
        if name.starts_with("/dev/") {
            servers.push(Server::Hardware(PathBuf::from(name)));
            continue;
        }
        let target = name.parse().map_or_else(
            |_| match name.parse::<SocketAddr>() {
                Ok(address) => (address.ip().to_string(), address.port()),
                Err(_) => (name.clone(), PORT),
            },
            |ip: std::net::IpAddr| (ip.to_string(), PORT),
        );
        match tokio::time::timeout(LOOKUP, tokio::net::lookup_host(target)).await {
            Ok(Ok(found)) => servers.extend(found.take(ADDRESSES).map(Server::Address)),
            Ok(Err(error)) => tracing::info!(name, %error, "the time server is not found"),
            Err(_) => tracing::info!(name, "looking up the time server takes too long"),
        }
    }
    servers.dedup();
    servers
}

/// The socket of the question that waits for its answer.
struct Question {
    server: usize,
    socket: UdpSocket,
}

impl Question {
    /// Every question is asked from another port, so that an answer is hard to forge.
    async fn ask(server: usize, address: SocketAddr, packet: &[u8]) -> io::Result<Self> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(address).await?;
        socket.send(packet).await?;
        Ok(Self { server, socket })
    }
}

struct Session<C, W> {
    clock: C,
    client: Client,
    servers: Vec<Server>,
    question: Option<Question>,
    outcome: Outcome,
    told: watch::Sender<Outcome>,
    wake: W,
}

/// Keeps a clock right until `wanted` ends; tells `outcome` and calls `wake` at every change.
///
/// # Errors
/// When the clock cannot be read.
pub async fn synchronise(
    clock: impl Clock,
    mut wanted: watch::Receiver<Wanted>,
    outcome: watch::Sender<Outcome>,
    wake: impl Fn() + Send + Sync,
) -> io::Result<()> {
    let client = Client::new(crate::network::seed()?);
    let last = outcome.borrow().clone();
    let mut session = Session {
        clock,
        client,
        servers: Vec::new(),
        question: None,
        outcome: last,
        told: outcome,
        wake,
    };
    let mut present = Wanted::default();
    loop {
        let next = wanted.borrow_and_update().clone();
        let found_a_way = next.connected && !present.connected && !session.outcome.synced;
        if next.servers != present.servers || found_a_way {
            session.find(&next.servers).await?;
        }
        present = next;
        let heard = tokio::select! {
            changed = wanted.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
            () = session.timer() => None,
            heard = hear(session.question.as_ref()) => heard,
        };
        let again = match &heard {
            None => session.handle(Event::Timer).await?,
            Some((server, bytes)) => {
                session.handle(Event::Packet { server: *server, bytes }).await?
            }
        };
        if again {
            session.find(&present.servers).await?;
        }
    }
}

/// The answer to the question, if one is open.
async fn hear(question: Option<&Question>) -> Option<(usize, Vec<u8>)> {
    let Some(question) = question else { return std::future::pending().await };
    let mut buffer = vec![0; BUFFER];
    match question.socket.recv(&mut buffer).await {
        Ok(length) => {
            buffer.truncate(length);
            Some((question.server, buffer))
        }
        // The port is closed, or there is no way: the client's own patience decides what follows.
        Err(_) => std::future::pending().await,
    }
}

impl<C: Clock, W: Fn()> Session<C, W> {
    async fn timer(&self) {
        let now = self.clock.now().map(|now| now.steady).unwrap_or_default();
        match self.client.wake_at() {
            Some(at) => tokio::time::sleep(at.saturating_sub(now)).await,
            None => std::future::pending().await,
        }
    }

    async fn find(&mut self, names: &[String]) -> io::Result<()> {
        self.question = None;
        self.doing("looks up its name");
        self.servers = resolve(names).await;
        if names.is_empty() {
            self.client = Client::new(crate::network::seed()?);
            return Ok(());
        }
        self.doing(if self.servers.is_empty() { "its name is not found" } else { "is asked" });
        self.handle(Event::Servers(self.servers.len())).await?;
        Ok(())
    }

    fn doing(&mut self, what: &'static str) {
        self.outcome.doing = what;
        self.tell();
    }

    fn tell(&mut self) {
        let news = self.outcome.clone();
        let changed = self.told.send_if_modified(|told| {
            let changed = *told != news;
            *told = news;
            changed
        });
        if changed {
            (self.wake)();
        }
    }

    /// Gives an event to the client and does what it says; `true` when names are to be looked up again.
    async fn handle(&mut self, event: Event<'_>) -> io::Result<bool> {
        let mut again = false;
        let mut pending = self.client.handle(event, self.clock.now()?);
        // Reading a hardware clock is an event of its own, which is over at once.
        while !pending.is_empty() {
            let mut readings = Vec::new();
            for action in std::mem::take(&mut pending) {
                match action {
                    Action::Send { server, packet } => match self.servers.get(server) {
                        Some(Server::Address(address)) => {
                            let asked = Question::ask(server, *address, &packet).await;
                            if let Err(error) = &asked {
                                tracing::debug!(%address, %error, "a time server cannot be asked");
                            }
                            self.question = asked.ok();
                        }
                        Some(Server::Hardware(path)) => match sys::clock::hardware(path) {
                            Ok(wall) => readings.push((server, wall)),
                            Err(error) => {
                                let path = path.display();
                                tracing::warn!(%path, %error, "the hardware clock does not read");
                            }
                        },
                        None => {}
                    },
                    Action::Adjust(adjustment) => self.adjust(&adjustment)?,
                    Action::Resolve => again = true,
                }
            }
            for (server, wall) in readings {
                let now = self.clock.now()?;
                pending.extend(self.client.handle(Event::Reading { server, wall }, now));
            }
        }
        self.outcome.spikes = self.client.spikes();
        self.tell();
        Ok(again)
    }

    fn adjust(&mut self, adjustment: &Adjustment) -> io::Result<()> {
        let offset = Duration::from_nanos(adjustment.offset.unsigned_abs());
        if let Err(error) = self.clock.adjust(adjustment) {
            tracing::warn!(%error, ?offset, "the clock cannot be corrected");
            self.outcome.doing = "the clock cannot be corrected";
            return Ok(());
        }
        if adjustment.step {
            let back = adjustment.offset < 0;
            tracing::info!(?offset, back, "the clock was set");
            if offset >= EPOCH {
                self.outcome.epoch += 1;
            }
        }
        self.outcome.synced = true;
        self.outcome.corrections += 1;
        Ok(())
    }
}
