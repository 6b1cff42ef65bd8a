//! Draining a machine's Kubernetes node around a command that takes the machine down.

use std::time::Duration;

use anyhow::{Context, bail};
use api::cosi::resource::GetRequest;
use client::{Drain, DrainError, Named, Node};
use tokio::time::{Instant, sleep, timeout};
use yaml::Value;

use super::{get, kubeconfig};
use crate::output::age;

/// Between two attempts to reach an API server that is about to listen again: nothing tells about that.
const AGAIN: Duration = Duration::from_millis(500);

/// Whether and how to drain.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DrainArgs {
    /// Cordon the Kubernetes node and evict its pods first, and uncordon it afterwards; several machines go one after the other
    #[arg(long, default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) drain: bool,
    /// How long to wait until the pods have left, with --drain
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = age::parse)]
    drain_timeout: Duration,
    /// Address of the Kubernetes API to use instead of the kubeconfig's, with --drain
    #[arg(long, value_name = "ENDPOINT")]
    k8s_endpoint: Option<String>,
}

/// Drains the nodes one after the other, each before `down` takes its machine down. With `comes_back`, the machine is up
/// again after that, and its node is opened again.
pub(crate) async fn around(
    nodes: &[Node],
    arguments: &DrainArgs,
    comes_back: bool,
    down: impl AsyncFn(&Node) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for node in nodes {
        let name = node.name();
        let drain = open(node, arguments)
            .await
            .with_context(|| format!("{name} is left as it is, because it cannot be drained"))?;
        let Some(drain) = drain else {
            eprintln!("{name}: has no Kubernetes node to drain");
            down(node).await?;
            continue;
        };
        let was_open = drain.cordon().await.with_context(|| {
            format!("{name} is left as it is, because its node cannot be cordoned")
        })?;
        eprintln!("{name}: cordoned");
        let evicted =
            timeout(arguments.drain_timeout, drain.evict(|state| eprintln!("{name}: {state}")))
                .await;
        let failed = match evicted {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(anyhow::Error::from(error)),
            Err(_) => Some(anyhow::anyhow!("pods were still there after --drain-timeout")),
        };
        if let Some(error) = failed {
            if was_open {
                reopen(&drain, name, arguments.drain_timeout).await?;
            }
            return Err(
                error.context(format!("{name} is left as it is, because it cannot be drained"))
            );
        }
        eprintln!("{name}: drained");
        let done = down(node).await;
        if was_open && comes_back && done.is_ok() {
            reopen(&drain, name, arguments.drain_timeout).await?;
        } else if was_open {
            eprintln!("{name}: its Kubernetes node stays cordoned; `kubectl uncordon` opens it");
        }
        done?;
    }
    Ok(())
}

/// The machine's Kubernetes node; nothing where the machine has none.
async fn open(node: &Node, arguments: &DrainArgs) -> anyhow::Result<Option<Drain>> {
    let request = GetRequest {
        namespace: "k8s".to_owned(),
        r#type: "Nodenames.kubernetes.talos.dev".to_owned(),
        id: "nodename".to_owned(),
        options: None,
    };
    let answer = match node.state().get(request).await.named(node, "State/Get") {
        Err(error) if error.code() == tonic::Code::NotFound => return Ok(None),
        answer => answer?,
    };
    let Some(resource) = answer.resource else { return Ok(None) };
    let spec = get::spec(&resource)?;
    let registered = spec.entry("skipNodeRegistration") != Some(&Value::Bool(true));
    let Some(name) = spec.entry("nodename").and_then(Value::as_str).filter(|_| registered) else {
        return Ok(None);
    };
    // A worker does not have the kubeconfig; the endpoint is a control plane node.
    let client = kubeconfig::open(&node.endpoint(), arguments.k8s_endpoint.as_deref()).await?;
    Ok(Some(Drain::new(client, name)))
}

async fn reopen(drain: &Drain, name: &str, patience: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match drain.uncordon().await {
            Ok(()) => {
                eprintln!("{name}: uncordoned");
                return Ok(());
            }
            Err(DrainError::Api(error))
                if error.status().is_none() && Instant::now() < deadline =>
            {
                sleep(AGAIN).await;
            }
            Err(error) => {
                bail!(
                    "{name}: its Kubernetes node stays cordoned, `kubectl uncordon` opens it: {error}"
                )
            }
        }
    }
}
