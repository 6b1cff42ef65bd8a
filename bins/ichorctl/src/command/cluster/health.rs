//! Waiting until a new cluster works, by what its nodes say about themselves.

use std::time::Duration;

use anyhow::{Context as _, bail};
use api::cosi::resource::{WatchOptions, WatchRequest};
use api::machine::BootstrapRequest;
use client::{CallError, Named as _, Node};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use provision::state::ClusterDirectory;
use provision::supervisor::{self, Command, Power};
use tonic::Code;
use yaml::Value;

use super::progress::Step;

/// Between two attempts to reach an API that is about to listen: nothing tells about that.
const AGAIN: Duration = Duration::from_millis(20);

/// Waits until the API of a node answers.
pub(super) async fn api(node: &Node, directory: &ClusterDirectory) -> anyhow::Result<()> {
    loop {
        match node.machine().version(()).await.named(node, "MachineService/Version") {
            Ok(_) => return Ok(()),
            Err(error) if error.is_unreachable() => {
                powered(directory)?;
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Fails when a node has failed, with its last words.
pub(super) fn powered(directory: &ClusterDirectory) -> anyhow::Result<()> {
    for node in supervisor::ask(directory.path(), &Command::Status)? {
        match node.power {
            Power::On => {}
            Power::Off => bail!(
                "{} has switched itself off; see its console: `ichorctl cluster logs {}`",
                node.name,
                node.name
            ),
            Power::Failed(reason) => bail!("{} failed: {reason}", node.name),
        }
    }
    Ok(())
}

/// Makes the first member of the cluster's etcd, unless there is one.
pub(super) async fn bootstrap(node: &Node) -> anyhow::Result<()> {
    const CALL: &str = "MachineService/Bootstrap";
    loop {
        match node.machine().bootstrap(BootstrapRequest::default()).await.named(node, CALL) {
            Ok(_) => return Ok(()),
            Err(error) if error.code() == Code::AlreadyExists => return Ok(()),
            // The node's time or its etcd service is not ready yet.
            Err(error) if matches!(error.code(), Code::FailedPrecondition | Code::Unavailable) => {
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until every node is ready, saying meanwhile what they wait for.
pub(super) async fn ready(nodes: &[Node], step: &mut Step<'_>) -> anyhow::Result<()> {
    let mut watches: FuturesUnordered<_> =
        nodes.iter().map(|node| next(Watch { node, stream: None })).collect();
    let mut unmet: Vec<(String, String)> = nodes
        .iter()
        .map(|node| (node.name().to_owned(), "not heard from yet".to_owned()))
        .collect();
    while let Some(event) = watches.next().await {
        let (watch, status) = event?;
        let name = watch.node.name().to_owned();
        unmet.retain(|(node, _)| *node != name);
        if let Some(reason) = status {
            unmet.push((name, reason));
            watches.push(next(watch));
        }
        let waiting: Vec<_> =
            unmet.iter().map(|(node, reason)| format!("{node}: {reason}")).collect();
        step.detail(waiting.join(" | "));
    }
    Ok(())
}

struct Watch<'a> {
    node: &'a Node,
    stream: Option<tonic::Streaming<api::cosi::resource::WatchResponse>>,
}

/// The node's next status: nothing when it is ready, else what it waits for.
async fn next(mut watch: Watch<'_>) -> anyhow::Result<(Watch<'_>, Option<String>)> {
    const CALL: &str = "State/Watch";
    loop {
        let Some(stream) = &mut watch.stream else {
            let request = WatchRequest {
                namespace: "runtime".to_owned(),
                r#type: "MachineStatuses.runtime.talos.dev".to_owned(),
                id: Some("machine".to_owned()),
                options: Some(WatchOptions { bootstrap_contents: true, ..WatchOptions::default() }),
                api_version: 1,
            };
            match watch.node.state().watch(request).await.named(watch.node, CALL) {
                Ok(stream) => watch.stream = Some(stream),
                Err(error) if error.is_unreachable() => tokio::time::sleep(AGAIN).await,
                Err(error) => return Err(error.into()),
            }
            continue;
        };
        let message = stream.message().await.map_err(|s| CallError::new(watch.node, CALL, s));
        match message {
            Ok(Some(answer)) => {
                let resource =
                    answer.event.into_iter().filter_map(|event| event.resource).next_back();
                let Some(spec) = resource.and_then(|resource| resource.spec) else { continue };
                let status = waiting(&spec.yaml_spec).context("reading a machine's status")?;
                return Ok((watch, status));
            }
            Ok(None) => watch.stream = None,
            // The node's API is starting again, or the node is.
            Err(error) if error.is_unreachable() => {
                watch.stream = None;
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a machine's status says it waits for; nothing when it is ready and running.
fn waiting(spec: &str) -> anyhow::Result<Option<String>> {
    let documents = yaml::parse(spec.as_bytes())?;
    let root = documents.first().map(|document| document.root.to_value()).unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let stage = text(root.entry("stage"));
    let status = root.entry("status");
    let ready = status.and_then(|status| status.entry("ready")) == Some(&Value::Bool(true));
    if ready && stage == "running" {
        return Ok(None);
    }
    let unmet = status.and_then(|status| status.entry("unmetConditions")).and_then(Value::as_seq);
    let reasons: Vec<_> = unmet
        .unwrap_or_default()
        .iter()
        .map(|condition| {
            format!("{} ({})", text(condition.entry("name")), text(condition.entry("reason")))
        })
        .collect();
    Ok(Some(if reasons.is_empty() { stage } else { reasons.join(", ") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_ready_or_says_what_it_waits_for() {
        let status = |text: &str| waiting(text).unwrap();
        assert_eq!(
            status("stage: running\nstatus:\n    ready: true\n    unmetConditions: []\n"),
            None
        );
        assert_eq!(status("stage: booting\nstatus:\n    ready: true\n"), Some("booting".into()));
        let unmet = "stage: running\nstatus:\n    ready: false\n    unmetConditions:\n        - name: nodeReady\n          reason: node x is not ready\n";
        assert_eq!(status(unmet), Some("nodeReady (node x is not ready)".into()));
    }
}
