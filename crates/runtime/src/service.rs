//! The table of services: what runs on the node, in which state, how healthy, and what it went through.
//!
//! The service framework writes here; the API, the resources and the conditions of other services read. Must
//! never: start or stop anything itself (see [`crate::command`] for requests), or do I/O.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

use crate::event::{Bus, Payload};

/// How many events are kept per service.
pub const EVENTS: usize = 64;

/// Where a service is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Known, not asked to run yet.
    #[default]
    Initialized,
    /// Writing files, pulling images.
    Preparing,
    /// Waiting for its conditions.
    Waiting,
    /// Asked to run.
    Starting,
    /// Running.
    Running,
    /// Being stopped.
    Stopping,
    /// Ended as asked.
    Finished,
    /// Ended by itself with an error.
    Failed,
    /// Not needed on this node.
    Skipped,
}

impl State {
    /// The word that the API and the command line show.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initialized => "Initialized",
            Self::Preparing => "Preparing",
            Self::Waiting => "Waiting",
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Stopping => "Stopping",
            Self::Finished => "Finished",
            Self::Failed => "Failed",
            Self::Skipped => "Skipped",
        }
    }

    /// Whether the service has come to an end and nothing of it is left.
    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Initialized | Self::Finished | Self::Failed | Self::Skipped)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The result of the last health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// There is no result yet, or no check at all.
    pub unknown: bool,
    /// The last check succeeded.
    pub healthy: bool,
    /// What the last check said.
    pub last_message: String,
    /// When the result last changed.
    pub last_change: SystemTime,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            unknown: true,
            healthy: false,
            last_message: String::new(),
            last_change: SystemTime::UNIX_EPOCH,
        }
    }
}

/// One thing that happened to a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvent {
    /// What, for people.
    pub message: String,
    /// The state it brought.
    pub state: State,
    /// When.
    pub time: SystemTime,
}

/// What the API may do with a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Start.
    pub start: bool,
    /// Stop.
    pub stop: bool,
    /// Restart.
    pub restart: bool,
}

/// What a service is, fixed when it is declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declaration {
    /// Services that must be up before it starts, and that stop after it.
    pub after: Vec<String>,
    /// Whether it is checked for health; a service without a check is up as soon as it runs.
    pub checked: bool,
    /// What the API may do with it.
    pub allowed: Allowed,
}

/// A service as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// What it is.
    pub declaration: Declaration,
    /// Its state.
    pub state: State,
    /// Its health.
    pub health: Health,
    /// What it went through, oldest first, at most [`EVENTS`].
    pub events: VecDeque<ServiceEvent>,
    /// Its process, while one runs.
    pub pid: Option<u32>,
}

impl Service {
    /// Running and, where it is checked, healthy; or not needed here.
    #[must_use]
    pub fn is_up(&self) -> bool {
        match self.state {
            State::Skipped => true,
            State::Running => {
                !self.declaration.checked || (self.health.healthy && !self.health.unknown)
            }
            _ => false,
        }
    }
}

struct Shared {
    services: Mutex<BTreeMap<String, Arc<Service>>>,
    changed: watch::Sender<u64>,
    events: Bus,
    clock: fn() -> SystemTime,
}

/// The services of this node. Clones are handles to the same table.
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

impl Registry {
    /// An empty table that tells `events` about each change.
    #[must_use]
    pub fn new(events: Bus, clock: fn() -> SystemTime) -> Self {
        Self {
            shared: Arc::new(Shared {
                services: Mutex::new(BTreeMap::new()),
                changed: watch::Sender::new(0),
                events,
                clock,
            }),
        }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Service>>> {
        // Every statement under the lock leaves the table consistent.
        self.shared.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a service known, or replaces what is known about one; its history stays.
    pub fn declare(&self, id: &str, declaration: Declaration) {
        {
            let mut table = self.table();
            match table.get_mut(id) {
                Some(service) => Arc::make_mut(service).declaration = declaration,
                None => {
                    let service = Service {
                        id: id.to_owned(),
                        declaration,
                        state: State::Initialized,
                        health: Health::default(),
                        events: VecDeque::new(),
                        pid: None,
                    };
                    table.insert(id.to_owned(), Arc::new(service));
                }
            }
        }
        self.changed();
    }

    /// Forgets a service that has ended.
    pub fn remove(&self, id: &str) {
        self.table().remove(id);
        self.changed();
    }

    /// Puts a service in a state and says why. Unknown ids are ignored.
    pub fn transition(&self, id: &str, state: State, message: impl Into<String>) {
        let message = message.into();
        let time = (self.shared.clock)();
        let health = {
            let mut table = self.table();
            let Some(service) = table.get_mut(id) else { return };
            let service = Arc::make_mut(service);
            service.state = state;
            if state != State::Running && !service.health.unknown {
                service.health = Health {
                    unknown: true,
                    healthy: false,
                    last_change: time,
                    ..Health::default()
                };
            }
            if service.events.len() == EVENTS {
                service.events.pop_front();
            }
            service.events.push_back(ServiceEvent { message: message.clone(), state, time });
            service.health.clone()
        };
        self.announce(id, state, message, health);
    }

    /// Records the result of a health check; tells about it only when it differs from the last.
    pub fn report(&self, id: &str, healthy: bool, message: impl Into<String>) {
        let message = message.into();
        let time = (self.shared.clock)();
        let (state, told, health) = {
            let mut table = self.table();
            let Some(service) = table.get_mut(id) else { return };
            let same = !service.health.unknown && service.health.healthy == healthy;
            if same && service.health.last_message == message {
                return;
            }
            let service = Arc::make_mut(service);
            let last_change = if same { service.health.last_change } else { time };
            service.health =
                Health { unknown: false, healthy, last_message: message.clone(), last_change };
            if same {
                return;
            }
            let told = if healthy {
                "Health check successful".to_owned()
            } else {
                format!("Health check failed: {message}")
            };
            if service.events.len() == EVENTS {
                service.events.pop_front();
            }
            let state = service.state;
            service.events.push_back(ServiceEvent { message: told.clone(), state, time });
            (state, told, service.health.clone())
        };
        self.announce(id, state, told, health);
    }

    /// Records the process behind a service.
    pub fn attach(&self, id: &str, pid: Option<u32>) {
        {
            let mut table = self.table();
            let Some(service) = table.get_mut(id) else { return };
            if service.pid == pid {
                return;
            }
            Arc::make_mut(service).pid = pid;
        }
        self.changed();
    }

    fn announce(&self, id: &str, state: State, message: String, health: Health) {
        self.shared.events.publish(Payload::ServiceState {
            service: id.to_owned(),
            state,
            message,
            health,
        });
        self.changed();
    }

    fn changed(&self) {
        self.shared.changed.send_modify(|generation| *generation += 1);
    }

    /// All services by id.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Service>> {
        self.table().values().cloned().collect()
    }

    /// One service.
    #[must_use]
    pub fn service(&self, id: &str) -> Option<Arc<Service>> {
        self.table().get(id).cloned()
    }

    /// A number that grows with every change of the table, to wait on.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Waits until `accept` holds for the service `id` (`None` while it is not declared).
    pub async fn wait_for(&self, id: &str, accept: impl Fn(Option<&Service>) -> bool) {
        let mut changes = self.subscribe();
        loop {
            changes.borrow_and_update();
            if accept(self.service(id).as_deref()) {
                return;
            }
            // The sender lives in this registry, so this only ends with a change.
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the service is up.
    pub async fn wait_up(&self, id: &str) {
        self.wait_for(id, |service| service.is_some_and(Service::is_up)).await;
    }

    /// All services in the order in which they stop: each before the ones it comes after.
    #[must_use]
    pub fn stop_order(&self) -> Vec<String> {
        let table = self.table();
        let mut order: Vec<String> = Vec::with_capacity(table.len());
        fn visit(
            id: &str,
            table: &BTreeMap<String, Arc<Service>>,
            order: &mut Vec<String>,
            depth: usize,
        ) {
            // A chain longer than the table is a cycle; declarations are ours, so it is only cut.
            if depth > table.len() || order.iter().any(|seen| seen == id) {
                return;
            }
            for (other, service) in table {
                if service.declaration.after.iter().any(|after| after == id) {
                    visit(other, table, order, depth + 1);
                }
            }
            if !order.iter().any(|seen| seen == id) {
                order.push(id.to_owned());
            }
        }
        for id in table.keys() {
            visit(id, &table, &mut order, 0);
        }
        order
    }

    /// The services that must stop before `id` can, in stopping order, ending with `id`.
    #[must_use]
    pub fn stop_order_of(&self, id: &str) -> Vec<String> {
        let table = self.table();
        let mut wanted: Vec<&str> = vec![id];
        let mut index = 0;
        while let Some(current) = wanted.get(index).copied() {
            for (other, service) in table.iter() {
                if service.declaration.after.iter().any(|after| after == current)
                    && !wanted.contains(&other.as_str())
                {
                    wanted.push(other);
                }
            }
            index += 1;
        }
        let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
        drop(table);
        self.stop_order().into_iter().filter(|id| wanted.contains(id)).collect()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("services", &self.table().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Tail;
    use std::time::Duration;

    fn clock() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn registry() -> (Registry, Bus) {
        let bus = Bus::new([0; 5], clock);
        (Registry::new(bus.clone(), clock), bus)
    }

    fn checked() -> Declaration {
        Declaration { checked: true, ..Declaration::default() }
    }

    fn after(ids: &[&str]) -> Declaration {
        Declaration {
            after: ids.iter().map(|id| (*id).to_owned()).collect(),
            ..Declaration::default()
        }
    }

    #[test]
    fn up_needs_health_only_where_it_is_checked() {
        let (services, _) = registry();
        services.declare("plain", Declaration::default());
        services.declare("checked", checked());
        let up = |id: &str| services.service(id).unwrap().is_up();
        assert!(!up("plain"));
        services.transition("plain", State::Running, "runs");
        services.transition("checked", State::Running, "runs");
        assert!(up("plain"));
        assert!(!up("checked"));
        services.report("checked", true, "");
        assert!(up("checked"));
        services.report("checked", false, "connection refused");
        assert!(!up("checked"));
        services.transition("checked", State::Stopping, "asked to");
        assert!(services.service("checked").unwrap().health.unknown, "health ends with the run");
        services.transition("plain", State::Skipped, "not here");
        assert!(up("plain"));
    }

    #[test]
    fn an_unchanged_health_result_is_told_once() {
        let (services, bus) = registry();
        services.declare("a", checked());
        services.transition("a", State::Running, "runs");
        for _ in 0..5 {
            services.report("a", true, "");
        }
        let mut watch = bus.watch(&Tail::All);
        let mut told = Vec::new();
        while let Some(event) = watch.try_next().unwrap() {
            if let Payload::ServiceState { message, .. } = &event.payload {
                told.push(message.clone());
            }
        }
        assert_eq!(told, ["runs", "Health check successful"]);
    }

    #[test]
    fn only_the_last_events_are_kept() {
        let (services, _) = registry();
        services.declare("a", Declaration::default());
        for n in 0..100 {
            services.transition("a", State::Waiting, n.to_string());
        }
        let service = services.service("a").unwrap();
        assert_eq!(service.events.len(), EVENTS);
        assert_eq!(service.events.front().map(|event| event.message.as_str()), Some("36"));
    }

    #[test]
    fn services_stop_before_what_they_depend_on() {
        let (services, _) = registry();
        services.declare("containerd", Declaration::default());
        services.declare("cri", after(&["containerd"]));
        services.declare("etcd", after(&["cri"]));
        services.declare("kubelet", after(&["cri"]));
        services.declare("machined", Declaration::default());
        assert_eq!(services.stop_order(), ["etcd", "kubelet", "cri", "containerd", "machined"]);
        assert_eq!(services.stop_order_of("cri"), ["etcd", "kubelet", "cri"]);
        assert_eq!(services.stop_order_of("machined"), ["machined"]);
    }

    #[tokio::test]
    async fn waiting_ends_when_the_service_is_up() {
        let (services, _) = registry();
        let waiting = tokio::spawn({
            let services = services.clone();
            async move { services.wait_up("late").await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        services.declare("late", Declaration::default());
        services.transition("late", State::Running, "runs");
        waiting.await.unwrap();
    }
}
