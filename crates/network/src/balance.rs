//! The balancer of API servers as a state machine: which server a connection goes to, and which
//! servers are tried again when.
//!
//! It acts on events: a connection that fails or succeeds, a server that appears. A server is
//! tried at once when it appears; one that refuses is tried again after a pause that begins
//! short and stays short, so that a server that starts is found within moments: nothing tells
//! when a port is opened. A server that answers is not tried again until a connection to it
//! fails.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// A server: host and port.
pub type Server = (String, u16);

/// The pause before a server that refused is tried for the second time.
pub const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two tries.
pub const LONGEST_PAUSE: Duration = Duration::from_millis(800);
/// The longest pause between two tries on the node itself, where a try costs next to nothing.
pub const LONGEST_PAUSE_HERE: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    health: Health,
    failures: u32,
    connections: usize,
    /// A try is under way or about to begin.
    trying: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Unknown,
    Healthy,
    Failed,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// These are the servers now.
    Servers(Vec<Server>),
    /// A try ended.
    Tried {
        /// The server.
        server: Server,
        /// Whether it answered.
        reached: bool,
    },
    /// A connection for a client was made.
    Reached(Server),
    /// A connection for a client could not be made.
    Refused(Server),
    /// A connection of a client began.
    Opened(Server),
    /// A connection of a client ended.
    Closed(Server),
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Try the server after a pause.
    Try {
        /// The server.
        server: Server,
        /// The pause.
        after: Duration,
    },
    /// Forget about the server: end its connections and tries.
    Drop(Server),
    /// Whether any server answers has changed.
    Healthy(bool),
}

/// The balancer.
#[derive(Clone, Debug, Default)]
pub struct Balancer {
    servers: BTreeMap<Server, State>,
    healthy: bool,
}

impl Balancer {
    /// Takes in what happened, and says what to do.
    pub fn handle(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Servers(wanted) => self.replace(&wanted, &mut actions),
            Event::Reached(server) => {
                if let Some(state) = self.servers.get_mut(&server) {
                    (state.health, state.failures) = (Health::Healthy, 0);
                }
            }
            Event::Tried { server, reached: true } => {
                if let Some(state) = self.servers.get_mut(&server) {
                    (state.health, state.failures, state.trying) = (Health::Healthy, 0, false);
                }
            }
            Event::Tried { server, reached: false } => {
                if let Some(state) = self.servers.get_mut(&server) {
                    let after = pause(&server, state.failures);
                    state.health = Health::Failed;
                    state.failures = state.failures.saturating_add(1);
                    actions.push(Action::Try { server, after });
                }
            }
            Event::Refused(server) => {
                if let Some(state) = self.servers.get_mut(&server) {
                    state.health = Health::Failed;
                    if !std::mem::replace(&mut state.trying, true) {
                        actions.push(Action::Try { server, after: FIRST_PAUSE });
                    }
                }
            }
            Event::Opened(server) => {
                if let Some(state) = self.servers.get_mut(&server) {
                    state.connections += 1;
                }
            }
            Event::Closed(server) => {
                if let Some(state) = self.servers.get_mut(&server) {
                    state.connections = state.connections.saturating_sub(1);
                }
            }
        }
        let healthy = self.servers.values().any(|state| state.health == Health::Healthy);
        if healthy != self.healthy {
            self.healthy = healthy;
            actions.push(Action::Healthy(healthy));
        }
        actions
    }

    fn replace(&mut self, wanted: &[Server], actions: &mut Vec<Action>) {
        let gone: Vec<Server> =
            self.servers.keys().filter(|server| !wanted.contains(server)).cloned().collect();
        for server in gone {
            self.servers.remove(&server);
            actions.push(Action::Drop(server));
        }
        for server in wanted {
            if !self.servers.contains_key(server) {
                let state =
                    State { health: Health::Unknown, failures: 0, connections: 0, trying: true };
                self.servers.insert(server.clone(), state);
                actions.push(Action::Try { server: server.clone(), after: Duration::ZERO });
            }
        }
    }

    /// The servers in the order in which a new connection tries them: healthy ones first, among
    /// them the one with the fewest connections.
    #[must_use]
    pub fn order(&self) -> Vec<Server> {
        let mut order: Vec<(&Server, &State)> = self.servers.iter().collect();
        order.sort_by_key(|(server, state)| {
            let rank = match state.health {
                Health::Healthy => 0,
                Health::Unknown => 1,
                Health::Failed => 2,
            };
            (rank, state.connections, state.failures, (*server).clone())
        });
        order.into_iter().map(|(server, _)| server.clone()).collect()
    }

    /// Whether any server answers.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.healthy
    }
}

fn pause(server: &Server, failures: u32) -> Duration {
    let here = server.0 == "localhost"
        || server.0.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let longest = if here { LONGEST_PAUSE_HERE } else { LONGEST_PAUSE };
    let factor = 2_u32.checked_pow(failures).unwrap_or(u32::MAX);
    FIRST_PAUSE.checked_mul(factor).unwrap_or(longest).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str) -> Server {
        (name.to_owned(), 6443)
    }

    #[test]
    fn servers_are_tried_when_they_appear_and_again_with_growing_pauses() {
        let mut balancer = Balancer::default();
        let actions = balancer.handle(Event::Servers(vec![server("a"), server("b")]));
        let first = |name| Action::Try { server: server(name), after: Duration::ZERO };
        assert_eq!(actions, [first("a"), first("b")]);
        let tried = |name, reached| Event::Tried { server: server(name), reached };
        let mut pauses = Vec::new();
        for _ in 0..7 {
            match &balancer.handle(tried("a", false))[..] {
                [Action::Try { after, .. }] => pauses.push(after.as_millis()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(pauses, [50, 100, 200, 400, 800, 800, 800]);
        assert_eq!(balancer.order(), [server("b"), server("a")]);
        // A client that is refused meanwhile does not cause a second series of tries.
        assert!(balancer.handle(Event::Refused(server("a"))).is_empty());
        assert_eq!(balancer.handle(tried("a", true)), [Action::Healthy(true)]);
        assert_eq!(balancer.order(), [server("a"), server("b")]);
        let again = balancer.handle(Event::Refused(server("a")));
        let pause = Action::Try { server: server("a"), after: FIRST_PAUSE };
        assert_eq!(again, [pause, Action::Healthy(false)]);
    }

    #[test]
    fn a_server_on_the_node_is_tried_often() {
        assert_eq!(pause(&("localhost".to_owned(), 6443), 9), LONGEST_PAUSE_HERE);
        assert_eq!(pause(&("127.0.0.1".to_owned(), 6443), 9), LONGEST_PAUSE_HERE);
        assert_eq!(pause(&("10.5.0.2".to_owned(), 6443), 9), LONGEST_PAUSE);
    }

    #[test]
    fn connections_spread_and_servers_that_go_are_dropped() {
        let mut balancer = Balancer::default();
        balancer.handle(Event::Servers(vec![server("a"), server("b")]));
        balancer.handle(Event::Reached(server("a")));
        balancer.handle(Event::Reached(server("b")));
        balancer.handle(Event::Opened(server("a")));
        assert_eq!(balancer.order(), [server("b"), server("a")]);
        balancer.handle(Event::Opened(server("b")));
        balancer.handle(Event::Closed(server("a")));
        assert_eq!(balancer.order(), [server("a"), server("b")]);
        let actions = balancer.handle(Event::Servers(vec![server("b")]));
        assert_eq!(actions, [Action::Drop(server("a"))]);
        assert!(balancer.handle(Event::Refused(server("a"))).is_empty());
        assert!(balancer.is_healthy());
        let actions = balancer.handle(Event::Servers(Vec::new()));
        assert_eq!(actions, [Action::Drop(server("b")), Action::Healthy(false)]);
    }
}
