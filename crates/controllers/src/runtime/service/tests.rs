//! Scenarios of the service framework with a paused clock and instances made of channels.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use runtime::condition;
use runtime::event::Bus;
use runtime::service::{Registry, State};
use runtime::store::Store;
use runtime::timeline::Timeline;
use tokio::sync::{mpsc, watch};

use super::{Condition, Exit, HealthCheck, Instance, RunError, Runner, Spec, Supervisor};

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH
}

fn supervisor() -> Supervisor {
    let services = Registry::new(Bus::new([0; 5], clock), clock);
    Supervisor::new(Store::new(), services, Timeline::new(clock))
}

/// A runner whose instances end when told to, and that notes what happens in order.
#[derive(Clone)]
struct Scripted {
    name: &'static str,
    starts: Arc<AtomicUsize>,
    fail: Arc<AtomicBool>,
    end: watch::Sender<usize>,
    stopped: mpsc::UnboundedSender<&'static str>,
    adoptable: Arc<AtomicBool>,
}

struct ScriptedInstance {
    name: &'static str,
    end: watch::Receiver<usize>,
    stopped: mpsc::UnboundedSender<&'static str>,
}

impl Instance for ScriptedInstance {
    fn pid(&self) -> Option<u32> {
        Some(7)
    }
    fn describe(&self) -> String {
        "runs".into()
    }
    fn wait(&mut self) -> BoxFuture<'_, Exit> {
        Box::pin(async {
            if self.end.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            Exit::Signal(9)
        })
    }
    fn stop(&mut self, _: Duration) -> BoxFuture<'_, Exit> {
        Box::pin(async {
            let _ = self.stopped.send(self.name);
            Exit::Code(0)
        })
    }
}

impl Scripted {
    fn new(name: &'static str) -> (Self, mpsc::UnboundedReceiver<&'static str>) {
        let (stopped, order) = mpsc::unbounded_channel();
        let runner = Self {
            name,
            starts: Arc::default(),
            fail: Arc::default(),
            end: watch::Sender::new(0),
            stopped,
            adoptable: Arc::default(),
        };
        (runner, order)
    }

    fn sibling(&self, name: &'static str) -> Self {
        Self { name, starts: Arc::default(), end: watch::Sender::new(0), ..self.clone() }
    }

    fn instance(&self) -> Box<dyn Instance> {
        Box::new(ScriptedInstance {
            name: self.name,
            end: self.end.subscribe(),
            stopped: self.stopped.clone(),
        })
    }
}

impl Runner for Scripted {
    fn adopt(&self) -> BoxFuture<'_, Option<Box<dyn Instance>>> {
        Box::pin(async { self.adoptable.load(Ordering::SeqCst).then(|| self.instance()) })
    }
    fn start(&self) -> BoxFuture<'_, Result<Box<dyn Instance>, RunError>> {
        Box::pin(async {
            self.starts.fetch_add(1, Ordering::SeqCst);
            if self.fail.load(Ordering::SeqCst) {
                return Err(RunError::plain("no such image"));
            }
            Ok(self.instance())
        })
    }
}

async fn reaches(supervisor: &Supervisor, id: &str, state: State) {
    let reached = supervisor
        .services()
        .wait_for(id, |service| service.is_some_and(|service| service.state == state));
    tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap();
}

/// A condition that holds once the value sent is true.
fn gate() -> (watch::Sender<bool>, Condition) {
    let (gate, _) = watch::channel(false);
    let open = gate.clone();
    let kind = condition::Condition::Event { what: "the gate".into() };
    let condition = Condition::new("the gate", kind, move || {
        let mut gate = open.subscribe();
        async move { drop(gate.wait_for(|open| *open).await) }
    });
    (gate, condition)
}

#[tokio::test(start_paused = true)]
async fn a_service_starts_when_its_conditions_hold_and_says_what_it_waits_for() {
    let supervisor = supervisor();
    let (runner, _order) = Scripted::new("b");
    let (gate, condition) = gate();
    let spec = Spec::new("b", runner.clone()).after("a").waits_for(condition);
    supervisor.load(spec).await;
    supervisor.load(Spec::new("a", runner.sibling("a"))).await;
    supervisor.start("b").await.unwrap();
    reaches(&supervisor, "b", State::Waiting).await;
    let last =
        |id: &str| supervisor.services().service(id).unwrap().events.back().cloned().unwrap();
    assert_eq!(last("b").message, "Waiting for service \"a\" to be \"up\", the gate");
    supervisor.start("a").await.unwrap();
    supervisor.services().wait_up("a").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(last("b").message, "Waiting for the gate");
    gate.send_replace(true);
    supervisor.services().wait_up("b").await;
    let waits: Vec<String> = supervisor
        .timeline()
        .steps()
        .into_iter()
        .filter(|step| step.subject == "service/b" && step.ended.is_some())
        .map(|step| step.what)
        .collect();
    assert_eq!(waits, ["service \"a\" to be \"up\"", "the gate", "start", "running"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_starts_ahead_runs_once_its_conditions_hold() {
    let supervisor = supervisor();
    let (runner, mut order) = Scripted::new("b");
    let (gate, condition) = gate();
    let probe = HealthCheck::new(|| async { Ok(()) });
    let spec = Spec::new("b", runner.clone()).ahead().waits_for(condition).checked(probe);
    supervisor.load(spec).await;
    supervisor.start("b").await.unwrap();
    reaches(&supervisor, "b", State::Waiting).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let service = supervisor.services().service("b").unwrap();
    assert_eq!((service.state, service.health.unknown), (State::Waiting, true));
    assert_eq!(runner.starts.load(Ordering::SeqCst), 1, "it is started already");
    // It ends before its time, and another one waits in its place.
    runner.end.send_modify(|end| *end += 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(supervisor.services().service("b").unwrap().state, State::Waiting);
    assert_eq!(runner.starts.load(Ordering::SeqCst), 2);
    gate.send_replace(true);
    tokio::time::timeout(Duration::from_secs(60), supervisor.services().wait_up("b"))
        .await
        .unwrap();
    assert_eq!(supervisor.services().service("b").unwrap().state, State::Running);
    supervisor.stop_with_dependents("b").await.unwrap();
    assert_eq!(order.recv().await, Some("b"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_ends_is_started_again_with_growing_pauses() {
    let supervisor = supervisor();
    let (runner, _order) = Scripted::new("a");
    runner.fail.store(true, Ordering::SeqCst);
    supervisor.load(Spec::new("a", runner.clone())).await;
    supervisor.start("a").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // 0, 50, 150, 350, 750 ms
    assert_eq!(runner.starts.load(Ordering::SeqCst), 5);
    let service = supervisor.services().service("a").unwrap();
    assert!(service.events.back().unwrap().message.contains("no such image"), "{service:?}");
    runner.fail.store(false, Ordering::SeqCst);
    reaches(&supervisor, "a", State::Running).await;
    let starts = runner.starts.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(31)).await;
    runner.end.send_replace(1);
    reaches(&supervisor, "a", State::Waiting).await;
    tokio::time::sleep(Duration::from_millis(51)).await;
    assert_eq!(runner.starts.load(Ordering::SeqCst), starts + 1, "a stable run resets the pause");
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_an_earlier_machined_is_adopted_without_waiting() {
    let supervisor = supervisor();
    let (runner, _order) = Scripted::new("a");
    runner.adoptable.store(true, Ordering::SeqCst);
    supervisor.load(Spec::new("a", runner.clone()).after("nothing")).await;
    supervisor.start("a").await.unwrap();
    reaches(&supervisor, "a", State::Running).await;
    assert_eq!(runner.starts.load(Ordering::SeqCst), 0);
    assert_eq!(supervisor.services().service("a").unwrap().pid, Some(7));
}

#[tokio::test(start_paused = true)]
async fn a_stop_takes_the_dependents_first() {
    let supervisor = supervisor();
    let (runner, mut order) = Scripted::new("cri");
    supervisor.load(Spec::new("cri", runner.clone())).await;
    supervisor.load(Spec::new("etcd", runner.sibling("etcd")).after("cri")).await;
    supervisor.load(Spec::new("other", runner.sibling("other"))).await;
    for id in ["etcd", "cri", "other"] {
        supervisor.start(id).await.unwrap();
    }
    supervisor.services().wait_up("etcd").await;
    supervisor.services().wait_up("other").await;
    supervisor.stop_with_dependents("cri").await.unwrap();
    assert_eq!(order.recv().await, Some("etcd"));
    assert_eq!(order.recv().await, Some("cri"));
    let state = |id: &str| supervisor.services().service(id).unwrap().state;
    assert_eq!((state("cri"), state("other")), (State::Finished, State::Running));
    supervisor.stop_all(&["machined"]).await;
    assert_eq!(state("other"), State::Finished);
    assert!(supervisor.start("cri").await.is_err(), "nothing starts any more");
}

#[tokio::test(start_paused = true)]
async fn a_replaced_definition_takes_effect_at_the_next_start() {
    let supervisor = supervisor();
    let (first, _order) = Scripted::new("first");
    let second = first.sibling("second");
    supervisor.load(Spec::new("a", first.clone())).await;
    supervisor.start("a").await.unwrap();
    supervisor.services().wait_up("a").await;
    supervisor.load(Spec::new("a", second.clone())).await;
    assert_eq!(second.starts.load(Ordering::SeqCst), 0);
    supervisor.restart("a").await.unwrap();
    supervisor.services().wait_up("a").await;
    assert_eq!(second.starts.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn health_is_asked_at_once_and_unknown_until_the_first_good_answer() {
    let supervisor = supervisor();
    let (runner, _order) = Scripted::new("a");
    let answers = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let (probe_answers, probe_asked) = (Arc::clone(&answers), Arc::clone(&asked));
    let check = HealthCheck::new(move || {
        probe_asked.fetch_add(1, Ordering::SeqCst);
        let good = probe_answers.load(Ordering::SeqCst);
        async move { if good { Ok(()) } else { Err("connection refused".to_owned()) } }
    });
    supervisor.load(Spec::new("a", runner).checked(check)).await;
    supervisor.start("a").await.unwrap();
    reaches(&supervisor, "a", State::Running).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let service = || supervisor.services().service("a").unwrap();
    assert!(asked.load(Ordering::SeqCst) >= 1);
    assert!(service().health.unknown);
    answers.store(true, Ordering::SeqCst);
    supervisor.services().wait_up("a").await;
    answers.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(!service().health.unknown && !service().health.healthy);
    assert_eq!(service().health.last_message, "connection refused");
}
