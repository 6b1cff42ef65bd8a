//! The supervisor: all service tasks of the node, and the requests to start and stop them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use runtime::service::{Allowed, Declaration, Registry, Service};
use runtime::store::Store;
use runtime::timeline::Timeline;
use tokio::sync::{mpsc, oneshot};

use super::health::HealthCheck;
use super::runner::{RunError, Runner};
use super::task::{self, Request};
use super::wait::Condition;

/// What happens when a service ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// It is started again.
    #[default]
    Forever,
    /// It is over.
    Once,
    /// It is started again until it ends well.
    UntilSuccess,
}

/// Makes what a service needs, before each start that is not an adoption.
pub type Prepare = Arc<dyn Fn() -> BoxFuture<'static, Result<(), RunError>> + Send + Sync>;

/// A service: how to run it, what it waits for, how it is checked.
#[derive(Clone)]
pub struct Spec {
    /// Its id.
    pub id: Arc<str>,
    /// Services that must be up before it and stop after it.
    pub after: Vec<String>,
    /// What else it waits for.
    pub conditions: Vec<Condition>,
    /// Whether it is started while the conditions are awaited: it waits for what they are about by itself.
    pub ahead: bool,
    /// Writes files, pulls images.
    pub prepare: Option<Prepare>,
    /// Runs it.
    pub runner: Arc<dyn Runner>,
    /// How it is checked.
    pub health: Option<HealthCheck>,
    /// What happens when it ends.
    pub restart: Restart,
    /// How long it may take to end when asked.
    pub grace: Duration,
    /// What the API may do with it.
    pub allowed: Allowed,
}

impl Spec {
    /// A service that waits for nothing, is not checked, and is restarted forever.
    pub fn new(id: impl Into<Arc<str>>, runner: impl Runner) -> Self {
        Self {
            id: id.into(),
            after: Vec::new(),
            conditions: Vec::new(),
            ahead: false,
            prepare: None,
            runner: Arc::new(runner),
            health: None,
            restart: Restart::Forever,
            grace: Duration::from_secs(10),
            allowed: Allowed::default(),
        }
    }

    /// Must be up before it, and stops after it.
    #[must_use]
    pub fn after(mut self, id: &str) -> Self {
        self.after.push(id.to_owned());
        self
    }

    /// Waits for this too.
    #[must_use]
    pub fn waits_for(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Is started before its conditions hold, so that its own start is over by then. It counts as running from then on
    /// only.
    #[must_use]
    pub fn ahead(mut self) -> Self {
        self.ahead = true;
        self
    }

    /// Is checked this way.
    #[must_use]
    pub fn checked(mut self, health: HealthCheck) -> Self {
        self.health = Some(health);
        self
    }

    /// Does this before each start.
    #[must_use]
    pub fn prepared<F>(mut self, prepare: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), RunError>> + Send + 'static,
    {
        self.prepare = Some(Arc::new(move || Box::pin(prepare())));
        self
    }

    /// The API may do this with it.
    #[must_use]
    pub fn allows(mut self, allowed: Allowed) -> Self {
        self.allowed = allowed;
        self
    }

    /// May take this long to end.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    fn declaration(&self) -> Declaration {
        Declaration {
            after: self.after.clone(),
            checked: self.health.is_some(),
            allowed: self.allowed,
        }
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("id", &self.id)
            .field("after", &self.after)
            .field("conditions", &self.conditions)
            .finish_non_exhaustive()
    }
}

/// A request that the supervisor could not take.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SupervisorError {
    /// There is no such service.
    #[error("service {id:?} is not known on this node")]
    Unknown {
        /// The id asked for.
        id: String,
    },
    /// The node is going down and starts nothing new.
    #[error("the node is shutting down; service {id:?} is not started")]
    Closing {
        /// The id asked for.
        id: String,
    },
}

struct Shared {
    store: Store,
    services: Registry,
    timeline: Timeline,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    closing: bool,
    requests: BTreeMap<Arc<str>, mpsc::Sender<Request>>,
}

/// All services of the node. Clones are handles to the same supervisor.
#[derive(Clone)]
pub struct Supervisor {
    shared: Arc<Shared>,
}

impl Supervisor {
    /// A supervisor that reports to `services` and `timeline`, and its waits to `store`.
    #[must_use]
    pub fn new(store: Store, services: Registry, timeline: Timeline) -> Self {
        Self { shared: Arc::new(Shared { store, services, timeline, tasks: Mutex::default() }) }
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        // Only map operations happen under the lock.
        self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn requests(&self, id: &str) -> Result<mpsc::Sender<Request>, SupervisorError> {
        let tasks = self.tasks();
        tasks
            .requests
            .get(id)
            .cloned()
            .ok_or_else(|| SupervisorError::Unknown { id: id.to_owned() })
    }

    /// The table that the supervisor reports to.
    #[must_use]
    pub fn services(&self) -> &Registry {
        &self.shared.services
    }

    /// The timeline that the supervisor reports to.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        &self.shared.timeline
    }

    /// Makes a service known, or gives a known one a new definition for its next start.
    pub async fn load(&self, spec: Spec) {
        self.shared.services.declare(&spec.id, spec.declaration());
        let known = self.tasks().requests.get(&spec.id).cloned();
        if let Some(requests) = known {
            // The task ends only with the supervisor, so the definition always arrives.
            drop(requests.send(Request::Replace(Box::new(spec))).await);
            return;
        }
        let (requests, inbox) = mpsc::channel(8);
        self.tasks().requests.insert(Arc::clone(&spec.id), requests);
        let reports = task::Reports {
            store: self.shared.store.clone(),
            services: self.shared.services.clone(),
            timeline: self.shared.timeline.clone(),
        };
        tokio::spawn(task::run(spec, inbox, reports));
    }

    /// Starts a service; it is up when [`Registry::wait_up`] says so. One that runs already is left alone.
    ///
    /// # Errors
    /// [`SupervisorError`].
    pub async fn start(&self, id: &str) -> Result<(), SupervisorError> {
        if self.tasks().closing {
            return Err(SupervisorError::Closing { id: id.to_owned() });
        }
        let gone = |_| SupervisorError::Unknown { id: id.to_owned() };
        self.requests(id)?.send(Request::Start).await.map_err(gone)
    }

    /// Stops a service and waits for its end.
    ///
    /// # Errors
    /// [`SupervisorError`].
    pub async fn stop(&self, id: &str) -> Result<(), SupervisorError> {
        let gone = || SupervisorError::Unknown { id: id.to_owned() };
        let (reply, stopped) = oneshot::channel();
        self.requests(id)?.send(Request::Stop(reply)).await.map_err(|_| gone())?;
        stopped.await.map_err(|_| gone())
    }

    /// Stops a service if it runs, and starts it with its latest definition.
    ///
    /// # Errors
    /// [`SupervisorError`].
    pub async fn restart(&self, id: &str) -> Result<(), SupervisorError> {
        self.stop(id).await?;
        self.start(id).await
    }

    /// Stops a service after everything that depends on it has stopped.
    ///
    /// # Errors
    /// [`SupervisorError`].
    pub async fn stop_with_dependents(&self, id: &str) -> Result<(), SupervisorError> {
        self.requests(id)?;
        self.stop_in_order(&self.shared.services.stop_order_of(id)).await;
        Ok(())
    }

    /// Stops everything, dependents first, and starts nothing any more.
    pub async fn stop_all(&self, except: &[&str]) {
        self.tasks().closing = true;
        let order = self.shared.services.stop_order();
        let order: Vec<String> =
            order.into_iter().filter(|id| !except.contains(&id.as_str())).collect();
        self.stop_in_order(&order).await;
    }

    /// All stops are under way at once; each only waits for its own dependents to have ended.
    async fn stop_in_order(&self, ids: &[String]) {
        let services = &self.shared.services;
        join_all(ids.iter().map(|id| async move {
            for other in services.list() {
                if ids.contains(&other.id) && other.declaration.after.contains(id) {
                    services.wait_for(&other.id, |other| other.is_none_or(is_ended)).await;
                }
            }
            // A service that only the table knows (machined itself) has no task to stop.
            drop(self.stop(id).await);
        }))
        .await;
    }
}

fn is_ended(service: &Service) -> bool {
    service.state.is_ended()
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("services", &self.shared.services).finish()
    }
}
