//! What IPv6 routers advertise. The kernel is told to take addresses and routes from them; name servers and search
//! domains are taken here.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use ::network::operator;
use ::network::router::{Action, Event, Listener};
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use resource::network::{LinkStatusSpec, OperatorSpecSpec, ResolverSpecSpec};
use sys::readiness::Readiness;
use sys::router::RouterSocket;
use tokio::sync::watch;

use super::NETWORK;
use super::cmdline::Arguments;
use super::dhcp::sleep_until;
use super::machine_config::replace;
use super::operator::find;
use super::source::is_physical;
use super::tasks::{Report, Tasks};
use crate::Node;

/// Take advertisements although packets are forwarded, as they are for pods (`ip-sysctl`, `accept_ra`).
const ALWAYS: &str = "2";
/// The largest ICMPv6 message of an Ethernet link.
const LARGEST: usize = 9216;

/// The link that is listened to.
#[derive(Clone, Debug, PartialEq)]
struct Link {
    index: u32,
    name: String,
}

/// What routers of a link said last.
#[derive(Clone, Debug, Default, PartialEq)]
struct Outcome {
    servers: Vec<Ipv6Addr>,
    domains: Vec<String>,
}

/// Listens on every physical link, and on those that ask for their settings.
pub(super) struct Routers {
    arguments: Arguments,
    settings: PathBuf,
    tasks: Tasks<Link, bool, Outcome>,
}

impl Routers {
    pub(super) fn new(node: &Node, arguments: Arguments) -> Self {
        let settings = node.paths.at("/proc/sys/net/ipv6/conf");
        Self { arguments, settings, tasks: Tasks::default() }
    }

    /// Tells the kernel to take advertisements on a link; `false` when it does no IPv6 there.
    fn accept(&self, link: &str) -> io::Result<bool> {
        let path = self.settings.join(link).join("accept_ra");
        match std::fs::read_to_string(&path) {
            Ok(present) if present.trim() == ALWAYS => Ok(true),
            Ok(_) => std::fs::write(&path, ALWAYS).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Controller for Routers {
    fn name(&self) -> &'static str {
        "network.RouterDiscoveryController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<LinkStatusSpec>(NETWORK), Input::weak::<OperatorSpecSpec>(NETWORK)]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::shared::<ResolverSpecSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        async {
            let links = context.list::<LinkStatusSpec>(NETWORK);
            let operators = context.list::<OperatorSpecSpec>(NETWORK);
            let operated = operators.iter().filter_map(|spec| find(&links, &spec.spec.link_name));
            let physical = links.iter().filter(|link| is_physical(&link.spec));
            let mut wanted = BTreeMap::new();
            for link in physical.chain(operated) {
                // A link below a bridge or bond speaks through it.
                let is_free = !self.arguments.ignores(link.id()) && link.spec.master_index == 0;
                if is_free && self.accept(link.id())? {
                    let key = Link { index: link.spec.index, name: link.id().to_owned() };
                    wanted.insert(link.id().to_owned(), (key, link.spec.link_state));
                }
            }
            self.tasks.settle(&context.waker(), &wanted, run)?;
            let found = self.tasks.found().into_iter().filter_map(|(link, outcome)| {
                let settings = operator::advertised(&outcome.servers, &outcome.domains);
                Some((format!("ra/{link}/resolvers"), settings.resolvers?))
            });
            replace::<ResolverSpecSpec>(context, found)?;
            Ok(Next::OnChange)
        }
        .boxed()
    }
}

async fn run(
    link: Link,
    mut carrier: watch::Receiver<bool>,
    report: Report<Outcome>,
) -> io::Result<()> {
    let socket = RouterSocket::open(link.index, &link.name)?;
    let readiness = Readiness::of(&socket)?;
    let mut listener = Listener::default();
    let mut buffer = vec![0; LARGEST];
    let is_up = *carrier.borrow_and_update();
    let mut event = if is_up { Event::LinkUp } else { Event::LinkDown };
    loop {
        for action in listener.handle(event, sys::clock::steady()?) {
            match action {
                Action::Solicit(message) => {
                    if let Err(error) = socket.send_to_routers(&message) {
                        tracing::debug!(link = link.name, %error, "cannot ask for routers");
                    }
                }
                Action::Resolvers { servers, domains } => {
                    report.tell(Outcome { servers, domains });
                }
            }
        }
        event = tokio::select! {
            changed = carrier.changed() => match changed {
                Ok(()) if *carrier.borrow_and_update() => Event::LinkUp,
                Ok(()) => Event::LinkDown,
                Err(_) => return Ok(()),
            },
            slept = sleep_until(listener.wake_at()) => { slept?; Event::Timer }
            received = readiness.until(|| socket.receive(&mut buffer)) => {
                let received = received?;
                let bytes = buffer.get(..received.length).unwrap_or_default();
                Event::Message { from: received.from, hops: received.hops, bytes }
            }
        };
    }
}
