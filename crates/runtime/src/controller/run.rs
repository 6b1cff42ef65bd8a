//! Runs controllers: one task each, woken by inputs, started again after failures.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use resource::ichor::ControllerStatusSpec;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::{Context, Controller, Graph, Input, InputKind, Next, RegisterError, Waker, panic_text};
use crate::condition::NAMESPACE;
use crate::store::{Interest, Store};

/// The pause after the first failure.
pub const BACK_OFF_FIRST: Duration = Duration::from_millis(50);
/// The longest pause.
pub const BACK_OFF_LONGEST: Duration = Duration::from_secs(60);
/// The shortest pause, when an input changes during a longer one.
const BACK_OFF_FLOOR: Duration = Duration::from_millis(5);

struct Registered {
    controller: Box<dyn Controller>,
    context: Context,
    waker: Waker,
}

/// The controllers of a process.
pub struct Runtime {
    store: Store,
    graph: Arc<Graph>,
    registered: Vec<Registered>,
}

impl Runtime {
    /// A runtime without controllers.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, graph: Arc::default(), registered: Vec::new() }
    }

    /// The store that its controllers work on.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Who reads and writes what.
    #[must_use]
    pub fn graph(&self) -> Arc<Graph> {
        self.graph.clone()
    }

    /// Takes a controller in.
    ///
    /// # Errors
    /// When its name or one of its outputs is taken, or its inputs would close a circle.
    pub fn register(&mut self, controller: impl Controller) -> Result<&mut Self, RegisterError> {
        let (inputs, outputs) = (controller.inputs(), controller.outputs());
        let name = controller.name();
        self.graph.add(name, &inputs, &outputs)?;
        let waker = Waker::default();
        for input in &inputs {
            self.subscribe(input, &waker);
        }
        let outputs = outputs.iter().map(|output| output.type_name).collect();
        let context = Context::new(self.store.clone(), name, outputs, waker.clone());
        self.registered.push(Registered { controller: Box::new(controller), context, waker });
        Ok(self)
    }

    fn subscribe(&self, input: &Input, waker: &Waker) {
        self.store.define(&(input.define)());
        let interest = match input.kind {
            InputKind::Weak | InputKind::Strong => Interest::Any,
            InputKind::DestroyReady => Interest::DestroyReady,
        };
        // The line above made the type known.
        if let Ok(collection) = self.store.any_collection(input.type_name, &input.namespace) {
            collection.subscribe(input.id.clone(), interest, waker.clone());
        }
    }

    /// Runs all controllers until `shutdown` is ready. A run that is under way is dropped at its
    /// next point of waiting.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut tasks = JoinSet::new();
        for registered in self.registered {
            tasks.spawn(supervise(registered));
        }
        shutdown.await;
        tasks.shutdown().await;
    }
}

async fn supervise(registered: Registered) {
    let Registered { mut controller, context, waker } = registered;
    let mut status = Status::new(&context);
    let mut failures = 0;
    loop {
        context.begin();
        let result = AssertUnwindSafe(controller.reconcile(&context)).catch_unwind().await;
        let error = match result {
            Ok(Ok(next)) => {
                context.end();
                failures = 0;
                status.succeeded();
                wait(&waker, next).await;
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(panic) => {
                status.spec.panics += 1;
                format!("panic: {}", panic_text(&*panic))
            }
        };
        context.end();
        status.failed(error);
        pause(&waker, back_off(failures)).await;
        failures = failures.saturating_add(1);
    }
}

async fn wait(waker: &Waker, next: Next) {
    match next {
        Next::OnChange => waker.woken().await,
        Next::After(time) => {
            tokio::select! {
                () = waker.woken() => {}
                () = tokio::time::sleep(time) => {}
            }
        }
    }
}

/// Waits out a pause, or until an input changes: what was missing may be there now.
async fn pause(waker: &Waker, length: Duration) {
    let begin = Instant::now();
    tokio::select! {
        () = sleep_until(begin + length) => {}
        () = waker.woken() => sleep_until(begin + BACK_OFF_FLOOR).await,
    }
}

fn back_off(failures: u32) -> Duration {
    let factor = 2_u32.checked_pow(failures).unwrap_or(u32::MAX);
    BACK_OFF_FIRST.checked_mul(factor).unwrap_or(BACK_OFF_LONGEST).min(BACK_OFF_LONGEST)
}

/// The controller's own status, published when it changes.
struct Status<'a> {
    context: &'a Context,
    spec: ControllerStatusSpec,
}

impl<'a> Status<'a> {
    fn new(context: &'a Context) -> Self {
        Self { context, spec: ControllerStatusSpec::default() }
    }

    fn succeeded(&mut self) {
        if self.spec.state == "ok" {
            return;
        }
        "ok".clone_into(&mut self.spec.state);
        self.spec.error.clear();
        self.publish();
    }

    fn failed(&mut self, error: String) {
        let name = self.context.owner();
        tracing::warn!(controller = name, error, "controller failed");
        "failing".clone_into(&mut self.spec.state);
        self.spec.failures += 1;
        self.spec.error = error;
        self.spec.last_failure = self.context.store().now();
        self.publish();
    }

    fn publish(&self) {
        let name = self.context.owner();
        let result =
            self.context.store().modify::<ControllerStatusSpec>(name, NAMESPACE, name, |spec| {
                spec.clone_from(&self.spec)
            });
        if let Err(error) = result {
            tracing::warn!(controller = name, %error, "cannot publish a controller's status");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_its_limit() {
        assert_eq!(back_off(0), Duration::from_millis(50));
        assert_eq!(back_off(3), Duration::from_millis(400));
        assert_eq!(back_off(10), Duration::from_millis(51_200));
        assert_eq!(back_off(11), BACK_OFF_LONGEST);
        assert_eq!(back_off(u32::MAX), BACK_OFF_LONGEST);
    }
}
