//! Waiting for a new cluster: each step ends with an event on the machine, seen through its API.

use std::time::Duration;

use anyhow::{Context, anyhow};
use api::cosi::resource::{EventType, WatchRequest};
use client::{CallError, Named, Node};
use tokio::time::{Instant, sleep, timeout_at};
use yaml::Value;

use crate::{
    command::get,
    output::{progress::Progress, value},
};

/// A machine that is starting does not answer yet; there is nobody who could tell when it will.
const RETRY: Duration = Duration::from_millis(25);

/// A resource in a state that ends a wait.
pub(crate) struct Wanted<'a> {
    /// Its type.
    pub(crate) kind: &'a str,
    /// Its namespace.
    pub(crate) namespace: &'a str,
    /// Its id.
    pub(crate) id: &'a str,
    /// What is waited for, as people say it.
    pub(crate) what: &'a str,
    /// Whether the spec is as wanted, or what is missing.
    pub(crate) test: fn(&Value) -> Result<(), String>,
}

/// Waits until the machine answers.
pub(crate) async fn answers(node: &Node, deadline: Instant) -> anyhow::Result<()> {
    loop {
        let call = node.machine().version(()).await.named(node, "MachineService/Version");
        match call {
            Ok(_) => return Ok(()),
            Err(error) if error.is_unreachable() && Instant::now() < deadline => {
                sleep(RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until the resource is as wanted, across interruptions of the connection.
pub(crate) async fn resource(
    node: &Node,
    wanted: &Wanted<'_>,
    deadline: Instant,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    let mut last = "it does not exist yet".to_owned();
    loop {
        let watched = timeout_at(deadline, watch(node, wanted, &mut last, progress)).await;
        match watched {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if error.is_unreachable() => sleep(RETRY).await,
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(too_late(node, wanted, &last).await),
        }
    }
}

async fn watch(
    node: &Node,
    wanted: &Wanted<'_>,
    last: &mut String,
    progress: &mut Progress,
) -> Result<(), CallError> {
    const CALL: &str = "State/Watch";
    let request = WatchRequest {
        namespace: wanted.namespace.to_owned(),
        r#type: wanted.kind.to_owned(),
        id: Some(wanted.id.to_owned()),
        options: None,
        api_version: 1,
    };
    let failed = |status| CallError::new(node, CALL, status);
    let mut stream = node.state().watch(request).await.named(node, CALL)?;
    while let Some(answer) = stream.message().await.map_err(failed)? {
        for event in answer.event {
            if !matches!(event.event_type(), EventType::Created | EventType::Updated) {
                continue;
            }
            let spec = event.resource.as_ref().map(get::spec);
            let Some(Ok(spec)) = spec else { continue };
            match (wanted.test)(&spec) {
                Ok(()) => return Ok(()),
                Err(missing) => *last = missing,
            }
            progress.detail(&format!("{}: {last}", node.name()));
        }
    }
    Err(failed(tonic::Status::unavailable("the machine closed the stream")))
}

/// The error of a wait that took too long, with what the machine itself is waiting for.
async fn too_late(node: &Node, wanted: &Wanted<'_>, last: &str) -> anyhow::Error {
    let error = anyhow!("{}: gave up waiting for {}: {last}", node.name(), wanted.what);
    let mut waits = Vec::new();
    for condition in
        get::list(node, "runtime", "Conditions.runtime.ichor.dev").await.unwrap_or_default()
    {
        let Ok(spec) = get::spec(&condition) else { continue };
        let text = |key: &str| spec.entry(key).map(value::cell).unwrap_or_default();
        waits.push(format!("{} waits for {}", text("owner"), text("waitsFor")));
    }
    if waits.is_empty() {
        return error;
    }
    error.context(format!("the machine's own waits: {}", waits.join("; ")))
}

/// Whether a service runs and is healthy.
pub(crate) fn service_is_healthy(spec: &Value) -> Result<(), String> {
    let is = |key: &str| spec.entry(key).and_then(Value::as_bool) == Some(true);
    match (is("running"), is("healthy")) {
        (true, true) => Ok(()),
        (false, _) => Err("it does not run".to_owned()),
        (true, false) => Err("it is not healthy".to_owned()),
    }
}

/// Whether a machine has reached its stage `running` with every condition met.
pub(crate) fn machine_is_ready(spec: &Value) -> Result<(), String> {
    let stage = spec.entry("stage").map(value::cell).unwrap_or_default();
    let status = spec.entry("status");
    let ready = status.and_then(|status| status.entry("ready")).and_then(Value::as_bool);
    if stage == "running" && ready == Some(true) {
        return Ok(());
    }
    let unmet: Vec<String> = status
        .and_then(|status| status.entry("unmetConditions"))
        .and_then(Value::as_seq)
        .unwrap_or_default()
        .iter()
        .map(|condition| {
            let text = |key: &str| condition.entry(key).map(value::cell).unwrap_or_default();
            format!("{}: {}", text("name"), text("reason"))
        })
        .collect();
    Err(format!(
        "stage {stage}, {}",
        if unmet.is_empty() { "not ready".to_owned() } else { unmet.join(", ") }
    ))
}

/// Runs a wait under a deadline that many share.
pub(crate) async fn before<T>(
    deadline: Instant,
    what: &str,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    timeout_at(deadline, work)
        .await
        .map_err(|_| anyhow!("not done within --wait-timeout"))
        .and_then(|result| result)
        .with_context(|| what.to_owned())
}
