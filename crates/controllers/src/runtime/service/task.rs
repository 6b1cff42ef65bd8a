//! The task of one service: its whole life from the first start to the last stop.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use runtime::service::{Registry, State};
use runtime::store::Store;
use runtime::timeline::Timeline;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::runner::{Exit, Instance, RunError};
use super::supervisor::{Restart, Spec};
use super::wait::Condition;

/// What a service's task is asked to do.
pub(super) enum Request {
    Start,
    Stop(oneshot::Sender<()>),
    Replace(Box<Spec>),
}

/// Pause before the first restart after an end; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A run longer than this makes the next pause short again.
const STABLE: Duration = Duration::from_secs(30);

/// Where a task tells what it does.
pub(super) struct Reports {
    pub(super) store: Store,
    pub(super) services: Registry,
    pub(super) timeline: Timeline,
}

/// Runs the task until the supervisor is gone.
pub(super) async fn run(mut spec: Spec, mut inbox: mpsc::Receiver<Request>, reports: Reports) {
    while let Some(request) = inbox.recv().await {
        match request {
            Request::Replace(new) => spec = *new,
            Request::Stop(reply) => {
                let _ = reply.send(());
            }
            Request::Start => {
                let mut life = Life {
                    subject: format!("service/{}", spec.id).into(),
                    spec: &spec,
                    inbox: &mut inbox,
                    reports: &reports,
                    replaced: None,
                };
                let stopped = life.live().await;
                if let Some(new) = life.replaced.take() {
                    spec = new;
                }
                if let Some(reply) = stopped {
                    let _ = reply.send(());
                }
            }
        }
    }
}

type StopReply = Option<oneshot::Sender<()>>;

/// One life of a service, from a start to the stop that answers it.
struct Life<'a> {
    subject: Arc<str>,
    spec: &'a Spec,
    inbox: &'a mut mpsc::Receiver<Request>,
    reports: &'a Reports,
    replaced: Option<Spec>,
}

/// What ended a period: the thing awaited, or a request to stop.
enum Either<T> {
    Done(T),
    Stopped(StopReply),
}

impl Life<'_> {
    fn transition(&self, state: State, message: impl Into<String>) {
        self.reports.services.transition(&self.spec.id, state, message);
    }

    /// The next request to stop; other requests are dealt with on the way.
    async fn stop_request(
        inbox: &mut mpsc::Receiver<Request>,
        replaced: &mut Option<Spec>,
    ) -> StopReply {
        loop {
            match inbox.recv().await {
                // The supervisor is gone, and with it everybody who could start this again.
                None => return None,
                Some(Request::Stop(reply)) => return Some(reply),
                Some(Request::Start) => {}
                Some(Request::Replace(new)) => *replaced = Some(*new),
            }
        }
    }

    async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Either<T> {
        tokio::select! {
            biased;
            reply = Self::stop_request(self.inbox, &mut self.replaced) => Either::Stopped(reply),
            done = work => Either::Done(done),
        }
    }

    async fn live(&mut self) -> StopReply {
        self.transition(State::Starting, "Starting service");
        let mut adopted = self.spec.runner.adopt().await;
        let mut pause = FIRST_PAUSE;
        loop {
            let (instance, ahead) = match adopted.take() {
                Some(instance) => (Ok(instance), false),
                None => match self.begin().await {
                    Either::Done(begun) => (begun, self.spec.ahead),
                    Either::Stopped(reply) => {
                        self.transition(State::Finished, "Service finished before it ran");
                        return reply;
                    }
                },
            };
            let begun = Instant::now();
            let end = match instance {
                Ok(instance) => match self.watch_over(instance, ahead).await {
                    Either::Done(exit) => exit,
                    Either::Stopped(reply) => return reply,
                },
                Err(error) => Exit::Error(error.chain()),
            };
            let over = match self.spec.restart {
                Restart::Forever => false,
                Restart::Once => true,
                Restart::UntilSuccess => end.is_success(),
            };
            if over && end.is_success() {
                self.transition(State::Finished, "Service finished successfully");
                return None;
            }
            if over {
                self.transition(State::Failed, format!("Service ended: {end}"));
                return None;
            }
            if begun.elapsed() > STABLE {
                pause = FIRST_PAUSE;
            }
            let told = format!("Service ended ({end}), starting again in {} ms", pause.as_millis());
            self.transition(State::Waiting, told);
            if let Either::Stopped(reply) = self.unless_stopped(sleep(pause)).await {
                self.transition(State::Finished, "Service finished between two runs");
                return reply;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits for the conditions, prepares and starts.
    async fn begin(&mut self) -> Either<Result<Box<dyn Instance>, RunError>> {
        let (spec, subject) = (self.spec, Arc::clone(&self.subject));
        if !spec.ahead {
            let waiting = wait_all(spec, self.reports, &subject);
            if let Either::Stopped(reply) = self.unless_stopped(waiting).await {
                return Either::Stopped(reply);
            }
        }
        // What it depends on may have ended alone: a container outlives its runtime.
        if let Some(instance) = spec.runner.adopt().await {
            return Either::Done(Ok(instance));
        }
        if let Some(prepare) = &spec.prepare {
            self.transition(State::Preparing, "Running pre state");
            let _step = self.reports.timeline.work(&subject, "prepare");
            match self.unless_stopped(prepare()).await {
                Either::Done(Ok(())) => {}
                Either::Done(Err(error)) => return Either::Done(Err(error)),
                Either::Stopped(reply) => return Either::Stopped(reply),
            }
        }
        let _step = self.reports.timeline.work(&subject, "start");
        // Not interruptible: what is half started could not be stopped.
        Either::Done(spec.runner.start().await)
    }

    /// Stays with an instance until it ends or is asked to. One that was started `ahead` of what it waits for runs from
    /// the moment when that is there.
    async fn watch_over(&mut self, mut instance: Box<dyn Instance>, ahead: bool) -> Either<Exit> {
        let (spec, reports) = (self.spec, self.reports);
        let Reports { services, timeline, .. } = reports;
        services.attach(&spec.id, instance.pid());
        let subject = Arc::clone(&self.subject);
        let described = instance.describe();
        let checks = async {
            if ahead {
                wait_all(spec, reports, &subject).await;
            }
            services.transition(&spec.id, State::Running, described);
            let Some(health) = &spec.health else {
                timeline.mark(&subject, "running");
                return std::future::pending::<Exit>().await;
            };
            let first = async {
                let step = timeline.wait(&subject, "first good health check");
                services.wait_up(&spec.id).await;
                drop(step);
                std::future::pending::<()>().await;
            };
            tokio::join!(health.run(&spec.id, services), first);
            // Neither of the two ends.
            std::future::pending().await
        };
        let outcome = self
            .unless_stopped(async {
                tokio::select! {
                    exit = instance.wait() => exit,
                    exit = checks => exit,
                }
            })
            .await;
        match outcome {
            Either::Done(exit) => {
                services.attach(&spec.id, None);
                Either::Done(exit)
            }
            Either::Stopped(reply) => {
                self.transition(State::Stopping, "Stopping service");
                let exit = instance.stop(spec.grace).await;
                services.attach(&spec.id, None);
                self.transition(State::Finished, format!("Service stopped ({exit})"));
                Either::Stopped(reply)
            }
        }
    }
}

/// Waits for all conditions at once; the service's message names those still open.
async fn wait_all(spec: &Spec, Reports { store, services, timeline }: &Reports, subject: &str) {
    let mut conditions: Vec<Condition> =
        spec.after.iter().map(|id| Condition::service_up(services, id)).collect();
    conditions.extend(spec.conditions.iter().cloned());
    let mut open: FuturesUnordered<_> = conditions
        .iter()
        .enumerate()
        .map(|(index, condition)| async move {
            let _step = timeline.wait(subject, condition.text());
            let _published = store.waiting(subject, condition.kind());
            condition.wait().await;
            index
        })
        .collect();
    let mut unmet: Vec<usize> = (0..conditions.len()).collect();
    loop {
        // Those that hold already are not worth a message.
        while let Some(Some(index)) = futures::FutureExt::now_or_never(open.next()) {
            unmet.retain(|other| *other != index);
        }
        if unmet.is_empty() {
            return;
        }
        let texts: Vec<&str> =
            unmet.iter().filter_map(|index| conditions.get(*index)).map(Condition::text).collect();
        let told = format!("Waiting for {}", texts.join(", "));
        services.transition(&spec.id, State::Waiting, told);
        match open.next().await {
            Some(index) => unmet.retain(|other| *other != index),
            None => return,
        }
    }
}
