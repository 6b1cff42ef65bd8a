//! Runs a DHCPv4 client on a link: its sockets and its timer. What is said and when, the client decides.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ::network::dhcp::{Action, Client, Event, Lease, Listening, Settings, frame};
use sys::packet::{PacketSocket, Packets};
use sys::readiness::Readiness;
use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::tasks::Report;

/// ff:ff:ff:ff:ff:ff: everybody on the link.
const EVERYBODY: [u8; 6] = [0xff; 6];
/// The largest packet that an Ethernet link brings.
const LARGEST: usize = 9216;

/// The link that a client works on, and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Link {
    pub index: u32,
    pub name: String,
    pub settings: Settings,
}

/// What a client is told while it runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Input {
    /// Whether the link has a carrier.
    pub carrier: bool,
    /// The node's name, when the server is to know it.
    pub hostname: Option<String>,
}

/// What a client has found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// The lease that holds.
    pub lease: Option<Lease>,
    /// What the client is doing, in a few words.
    pub doing: &'static str,
}

/// A number that nobody can guess.
pub(crate) fn seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    pki::Random::fill(&mut pki::System, &mut bytes).map_err(io::Error::other)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// A packet socket and the event of something to read.
struct Watched {
    socket: PacketSocket,
    readiness: Readiness,
}

impl Watched {
    fn open(index: u32, packets: Packets) -> io::Result<Self> {
        let socket = PacketSocket::open(index, packets)?;
        let readiness = Readiness::of(&socket)?;
        Ok(Self { socket, readiness })
    }

    /// The next packet, and whether its checksum is filled in.
    async fn next(&self) -> io::Result<(Vec<u8>, bool)> {
        let mut buffer = vec![0; LARGEST];
        let received = self.readiness.until(|| match self.socket.receive(&mut buffer) {
            // The carrier's coming and going is told by the link itself.
            Err(error) if error.raw_os_error() == Some(ENETDOWN) => Ok(None),
            received => received,
        });
        let received = received.await?;
        buffer.truncate(received.length);
        Ok((buffer, received.checked))
    }
}

/// "Network is down": what a socket says once when its link goes down.
const ENETDOWN: i32 = 100;

/// The sockets that are open at present.
#[derive(Default)]
struct Sockets {
    frames: Option<Watched>,
    arp: Option<Watched>,
    port: Option<(Ipv4Addr, UdpSocket)>,
}

/// What came in.
enum Heard {
    Frame(Vec<u8>, bool),
    Arp(Vec<u8>),
    Message(Vec<u8>),
}

impl Sockets {
    fn listen(&mut self, link: &Link, listening: Listening) -> io::Result<()> {
        let (frames, arp) = match listening {
            Listening::Frames => (true, false),
            Listening::FramesAndArp => (true, true),
            Listening::Nothing | Listening::Port(_) => (false, false),
        };
        if !frames {
            self.frames = None;
        } else if self.frames.is_none() {
            let packets = Packets::UdpTo(frame::CLIENT_PORT);
            self.frames = Some(Watched::open(link.index, packets)?);
        }
        if !arp {
            self.arp = None;
        } else if self.arp.is_none() {
            self.arp = Some(Watched::open(link.index, Packets::Arp)?);
        }
        match listening {
            Listening::Port(own) if self.port.as_ref().is_none_or(|(at, _)| *at != own) => {
                self.port = port(&link.name, own).map(|socket| (own, socket));
            }
            Listening::Port(_) => {}
            _ => self.port = None,
        }
        Ok(())
    }

    async fn next(&self) -> io::Result<Heard> {
        let message = async {
            let Some((_, socket)) = &self.port else { return std::future::pending().await };
            let mut buffer = vec![0; LARGEST];
            let (length, _) = socket.recv_from(&mut buffer).await?;
            buffer.truncate(length);
            Ok::<_, io::Error>(buffer)
        };
        tokio::select! {
            found = packet(self.frames.as_ref()) => found.map(|(bytes, checked)| Heard::Frame(bytes, checked)),
            found = packet(self.arp.as_ref()) => found.map(|(bytes, _)| Heard::Arp(bytes)),
            found = message => found.map(Heard::Message),
        }
    }

    /// Does what the client wants. What cannot be sent is said again later by the client itself.
    async fn perform(&self, link: &Link, action: &Action) -> io::Result<()> {
        let open = |packets| PacketSocket::open(link.index, packets);
        match action {
            Action::Broadcast { from, message } => {
                let packet = frame::packet(*from, Ipv4Addr::BROADCAST, message);
                let packet = packet.ok_or(io::ErrorKind::InvalidInput)?;
                match &self.frames {
                    Some(watched) => watched.socket.send(EVERYBODY, &packet),
                    None => open(Packets::UdpTo(frame::CLIENT_PORT))?.send(EVERYBODY, &packet),
                }
            }
            Action::Arp(packet) => match &self.arp {
                Some(watched) => watched.socket.send(EVERYBODY, packet),
                None => open(Packets::Arp)?.send(EVERYBODY, packet),
            },
            Action::Unicast { to, message } => {
                let Some((_, socket)) = &self.port else {
                    return Err(io::ErrorKind::AddrNotAvailable.into());
                };
                socket.send_to(message, SocketAddrV4::new(*to, frame::SERVER_PORT)).await?;
                Ok(())
            }
            Action::Use(_) | Action::Lose { .. } => Ok(()),
        }
    }
}

/// The next packet of a socket that may not be open.
async fn packet(watched: Option<&Watched>) -> io::Result<(Vec<u8>, bool)> {
    match watched {
        Some(watched) => watched.next().await,
        None => std::future::pending().await,
    }
}

/// The client's port on the link; `None` when the kernel does not have the address (yet).
fn port(link: &str, own: Ipv4Addr) -> Option<UdpSocket> {
    let open = || {
        let socket = std::net::UdpSocket::bind(SocketAddrV4::new(own, frame::CLIENT_PORT))?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        socket.bind_device(Some(link.as_bytes()))?;
        Ok::<_, io::Error>(socket)
    };
    let opened = open();
    if let Err(error) = &opened {
        tracing::warn!(link, %own, %error, "cannot speak to the DHCP server from the address");
    }
    opened.ok()
}

/// The time until a moment of the steady clock.
pub(super) async fn sleep_until(moment: Option<Duration>) -> io::Result<()> {
    match moment {
        Some(moment) => {
            tokio::time::sleep(moment.saturating_sub(sys::clock::steady()?)).await;
            Ok(())
        }
        None => std::future::pending().await,
    }
}

/// Runs a client until its input ends.
pub(super) async fn run(
    link: Link,
    mut input: watch::Receiver<Input>,
    report: Report<Outcome>,
) -> io::Result<()> {
    let mut client = Client::new(link.settings.clone(), seed()?);
    let mut sockets = Sockets::default();
    let mut told = Input::default();
    loop {
        let wanted = input.borrow_and_update().clone();
        let mut events = Vec::new();
        if wanted.carrier != told.carrier {
            events.push(if wanted.carrier { Event::LinkUp } else { Event::LinkDown });
        }
        if wanted.hostname != told.hostname {
            events.push(Event::Hostname(wanted.hostname.as_deref()));
        }
        for event in events {
            handle(&mut client, event, &link, &mut sockets).await?;
        }
        told = wanted;
        report.tell(Outcome { lease: client.lease().cloned(), doing: client.doing() });
        let heard = tokio::select! {
            changed = input.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
            slept = sleep_until(client.wake_at()) => { slept?; None }
            heard = sockets.next() => Some(heard?),
        };
        let event = match &heard {
            None => Event::Timer,
            Some(Heard::Frame(packet, checked)) => match frame::message(packet, *checked) {
                Some(message) => Event::Message(message),
                None => continue,
            },
            Some(Heard::Arp(packet)) => Event::Arp(packet),
            Some(Heard::Message(message)) => Event::Message(message),
        };
        handle(&mut client, event, &link, &mut sockets).await?;
    }
}

async fn handle(
    client: &mut Client,
    event: Event<'_>,
    link: &Link,
    sockets: &mut Sockets,
) -> io::Result<()> {
    let actions = client.handle(event, sys::clock::steady()?);
    // Before anything is said, so that no answer is missed.
    sockets.listen(link, client.listening())?;
    for action in actions {
        match &action {
            Action::Use(lease) => {
                let (address, server) = (lease.address, lease.server);
                tracing::info!(link = link.name, %address, bits = lease.bits, %server, "DHCP lease");
            }
            Action::Lose { reason } => {
                tracing::warn!(link = link.name, reason, "the DHCP lease is lost");
            }
            _ => {}
        }
        if let Err(error) = sockets.perform(link, &action).await {
            tracing::debug!(link = link.name, %error, "a DHCP message could not be sent");
        }
    }
    Ok(())
}
