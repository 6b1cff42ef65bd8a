//! The controller runtime's promises: runs on change, back-off, isolation, checked outputs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use resource::ichor::{ConditionSpec, ControllerStatusSpec};
use resource::network::{HostnameSpecSpec, HostnameStatusSpec};
use resource::v1alpha1::ServiceSpec;
use runtime::controller::{EdgeKind, Graph};
use runtime::{
    Condition, Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
    Store,
};
use tokio::time::Instant;

type Act = dyn FnMut(&Context) -> Result<Next, ControllerError> + Send;

struct Scripted {
    name: &'static str,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    act: Box<Act>,
}

impl Controller for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }
    fn inputs(&self) -> Vec<Input> {
        self.inputs.clone()
    }
    fn outputs(&self) -> Vec<Output> {
        self.outputs.clone()
    }
    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        async { (self.act)(context) }.boxed()
    }
}

fn scripted(
    name: &'static str,
    act: impl FnMut(&Context) -> Result<Next, ControllerError> + Send + 'static,
) -> Scripted {
    Scripted {
        name,
        inputs: vec![Input::weak::<HostnameSpecSpec>("network")],
        outputs: vec![Output::exclusive::<HostnameStatusSpec>()],
        act: Box::new(act),
    }
}

/// Runs the controllers, and ends the process after a minute: on a paused clock, a wait that never
/// ends would go on for ever.
fn start(store: &Store, controllers: Vec<Scripted>) {
    let mut runtime = Runtime::new(store.clone());
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(60));
        eprintln!("a test hangs");
        std::process::abort();
    });
    for controller in controllers {
        runtime.register(controller).unwrap();
    }
    tokio::spawn(runtime.run(std::future::pending()));
}

fn set(store: &Store, name: &str) {
    store
        .modify::<HostnameSpecSpec>("", "network", "hostname", |s| s.hostname = name.into())
        .unwrap();
}

fn copy(context: &Context) -> Result<Next, ControllerError> {
    let Some(spec) = context.get::<HostnameSpecSpec>("network", "hostname") else {
        context.waiting(&Condition::resource::<HostnameSpecSpec>("network", "hostname"));
        return Ok(Next::OnChange);
    };
    context.modify::<HostnameStatusSpec>("network", "hostname", |status| {
        status.hostname.clone_from(&spec.spec.hostname);
    })?;
    Ok(Next::OnChange)
}

#[tokio::test(start_paused = true)]
async fn an_input_flows_to_the_output_and_the_wait_is_visible() {
    let store = Store::new();
    start(&store, vec![scripted("copy", copy)]);
    let wait = store
        .wait_for::<ConditionSpec>(
            "runtime",
            "copy/HostnameSpecs.net.talos.dev network/hostname exists",
            |wait| wait.is_some(),
        )
        .await
        .unwrap();
    assert_eq!((wait.spec.owner.as_str(), wait.spec.kind.as_str()), ("copy", "resource"));
    assert!(wait.spec.since.seconds > 0);
    set(&store, "one");
    let shown = |r: Option<&resource::Resource<HostnameStatusSpec>>| {
        r.is_some_and(|r| r.spec.hostname == "one" && &*r.metadata.owner == "copy")
    };
    store.wait_for("network", "hostname", shown).await;
    store.wait_for::<ConditionSpec>("runtime", wait.id(), |wait| wait.is_none()).await;
}

/// A run that goes on for long after what it waited for has come does not wait any more.
#[tokio::test(start_paused = true)]
async fn a_wait_can_be_over_before_the_run_is() {
    let store = Store::new();
    let gone = Arc::new(Mutex::new(Vec::new()));
    let seen = gone.clone();
    let patient = scripted("patient", move |context| {
        for _ in 0..2 {
            context.waiting(&Condition::File { path: "/x".to_owned() });
            let present = context.list::<ConditionSpec>("runtime").len();
            context.over();
            seen.lock().unwrap().push((present, context.list::<ConditionSpec>("runtime").len()));
        }
        Ok(Next::After(Duration::from_secs(1)))
    });
    start(&store, vec![patient]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(*gone.lock().unwrap(), [(1, 0); 4]);
}

#[tokio::test(start_paused = true)]
async fn failures_and_panics_are_retried_with_growing_pauses_and_shown() {
    let store = Store::new();
    let runs = Arc::new(Mutex::new(Vec::new()));
    let seen = runs.clone();
    let begin = Instant::now();
    let failing = scripted("failing", move |_| {
        let count = {
            let mut runs = seen.lock().unwrap();
            runs.push(begin.elapsed());
            runs.len()
        };
        match count {
            1 => Err(ControllerError::message("no luck")),
            2 => panic!("worse luck"),
            3 => Err(ControllerError::message("no luck")),
            _ => Ok(Next::OnChange),
        }
    });
    start(&store, vec![failing]);
    let status = |want: &'static str| {
        store.wait_for::<ControllerStatusSpec>("runtime", "failing", move |r| {
            r.is_some_and(|r| r.spec.error == want)
        })
    };
    let found = status("panic: worse luck").await.unwrap();
    assert_eq!((found.spec.failures, found.spec.panics), (2, 1));
    let found = status("").await.unwrap();
    assert_eq!((found.spec.state.as_str(), found.spec.failures), ("ok", 3));
    let times: Vec<u128> = runs.lock().unwrap().iter().map(Duration::as_millis).collect();
    assert_eq!(times.len(), 4);
    for (time, wanted) in times.iter().zip([0, 50, 150, 350]) {
        assert!((wanted..wanted + 5).contains(time), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_an_input_ends_the_pause() {
    let store = Store::new();
    let begin = Instant::now();
    let mut count = 0;
    let stubborn = scripted("stubborn", move |context| {
        count += 1;
        if context.get::<HostnameSpecSpec>("network", "hostname").is_some() {
            return copy(context);
        }
        Err(ControllerError::message(format!("attempt {count}")))
    });
    start(&store, vec![stubborn]);
    tokio::time::sleep(Duration::from_secs(100)).await;
    set(&store, "one");
    store.wait_for::<HostnameStatusSpec>("network", "hostname", |r| r.is_some()).await;
    assert!(begin.elapsed() < Duration::from_millis(100_020), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_kept() {
    let store = Store::new();
    let begin = Instant::now();
    let renewing = scripted("renewing", move |context| {
        context.modify::<HostnameStatusSpec>("network", "hostname", |status| {
            status.hostname = begin.elapsed().as_secs().to_string();
        })?;
        Ok(Next::After(Duration::from_secs(3600)))
    });
    start(&store, vec![renewing]);
    store
        .wait_for::<HostnameStatusSpec>("network", "hostname", |r| {
            r.is_some_and(|r| r.spec.hostname == "7200")
        })
        .await;
}

#[test]
fn a_second_writer_and_a_second_name_are_refused() {
    let mut runtime = Runtime::new(Store::new());
    runtime.register(scripted("a", copy)).unwrap();
    let Err(error) = runtime.register(scripted("b", copy)) else { panic!("accepted") };
    assert_eq!(
        error,
        RegisterError::Output {
            type_name: "HostnameStatuses.net.talos.dev",
            first: "a",
            second: "b"
        }
    );
    assert!(matches!(
        runtime.register(scripted("a", copy)),
        Err(RegisterError::Name { name: "a" })
    ));
    let graph: Arc<Graph> = runtime.graph();
    assert_eq!(graph.controllers(), ["a"]);
    let kinds: Vec<EdgeKind> = graph.edges().iter().map(|edge| edge.kind).collect();
    assert_eq!(kinds, [EdgeKind::OutputExclusive, EdgeKind::InputWeak]);
}

#[test]
fn circles_of_held_outputs_are_refused() {
    let mut runtime = Runtime::new(Store::new());
    let mut first = scripted("first", copy);
    first.inputs = vec![Input::strong::<HostnameSpecSpec>("network")];
    runtime.register(first).unwrap();
    let mut second = scripted("second", copy);
    second.inputs = vec![Input::strong::<HostnameStatusSpec>("network")];
    second.outputs = vec![Output::exclusive::<HostnameSpecSpec>()];
    let Err(RegisterError::Circle { path }) = runtime.register(second) else { panic!() };
    assert_eq!(path.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_undeclared_output_is_an_error_and_shared_ones_are_cleaned_up_by_owner() {
    let store = Store::new();
    store.create("other", "runtime", "kept", ServiceSpec::default()).unwrap();
    let mut shared = scripted("shared", |context| {
        assert!(context.modify::<HostnameStatusSpec>("network", "x", |_| {}).is_err());
        context.modify::<ServiceSpec>("runtime", "mine", |_| {})?;
        context.cleanup::<ServiceSpec>("runtime", |_| false)?;
        Ok(Next::OnChange)
    });
    shared.outputs = vec![Output::shared::<ServiceSpec>()];
    start(&store, vec![shared]);
    store
        .wait_for::<ControllerStatusSpec>("runtime", "shared", |r| {
            r.is_some_and(|r| r.spec.state == "ok")
        })
        .await;
    let left = store.list::<ServiceSpec>("runtime");
    assert_eq!(left.iter().map(|r| r.id().to_owned()).collect::<Vec<_>>(), ["kept"]);
}
