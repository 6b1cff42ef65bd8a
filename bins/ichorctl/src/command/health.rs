//! `health`: is the cluster well, and how did its machines start.

mod conformance;
mod outside;

use std::time::Duration;

use api::cluster::{ClusterInfo, HealthCheckRequest};
use client::{CallError, Named, Node};
use yaml::Value;

use super::{get, kubeconfig};
use crate::{
    output::{age, table::Table, value},
    remote::{self, RemoteArgs},
};

/// Arguments of `health`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Control plane nodes to expect instead of those that the cluster knows
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    control_plane_nodes: Vec<String>,
    /// Another control plane node to expect; older clusters began with a node of its own kind
    #[arg(long, value_name = "NODE")]
    init_node: Option<String>,
    /// Workers to expect instead of those that the cluster knows
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    worker_nodes: Vec<String>,
    /// Endpoint of the Kubernetes API to check instead of the cluster's
    #[arg(long, value_name = "ENDPOINT")]
    k8s_endpoint: Option<String>,
    /// Let a control plane node check; with --server=false this program asks every machine and Kubernetes itself
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    server: bool,
    /// Afterwards run the conformance tests of Kubernetes in the cluster, as far as they go side by side and disturb nothing
    #[arg(long, default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    run_e2e: bool,
    /// How long to wait until the cluster is well
    #[arg(long, value_name = "SPAN", default_value = "20m", value_parser = age::parse)]
    wait_timeout: Duration,
    /// Print how the machines started: each step, and what it waited for
    #[arg(long)]
    timeline: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Checks, or prints the timeline.
pub(crate) fn run(arguments: Args, before: &RemoteArgs) -> anyhow::Result<()> {
    let remote = arguments.remote.over(before);
    if arguments.timeline {
        let nodes = remote.open(None)?;
        return remote::block_on(timeline(&nodes));
    }
    let node = remote.open_first()?;
    let endpoint = arguments.k8s_endpoint.clone();
    let cluster_info = ClusterInfo {
        control_plane_nodes: arguments
            .control_plane_nodes
            .into_iter()
            .chain(arguments.init_node)
            .collect(),
        worker_nodes: arguments.worker_nodes,
        force_endpoint: arguments.k8s_endpoint.unwrap_or_default(),
    };
    remote::block_on(async {
        let tell = |line: &str| eprintln!("{line}");
        if arguments.server {
            check(&node, arguments.wait_timeout, cluster_info, tell).await?;
        } else {
            outside::check(&node, arguments.wait_timeout, &cluster_info, tell).await?;
        }
        if arguments.run_e2e {
            let client = kubeconfig::open(&node, endpoint.as_deref()).await?;
            conformance::run(&client, tell).await?;
        }
        Ok(())
    })
}

/// Lets a control plane node check the cluster until it is well or the time is over.
pub(crate) async fn check(
    node: &Node,
    wait: Duration,
    cluster_info: ClusterInfo,
    mut tell: impl FnMut(&str),
) -> Result<(), CallError> {
    const CALL: &str = "ClusterService/HealthCheck";
    let request = HealthCheckRequest {
        wait_timeout: Some(age::to_wire(wait)),
        cluster_info: Some(cluster_info),
    };
    let mut stream = node.cluster().health_check(request).await.named(node, CALL)?;
    while let Some(progress) =
        stream.message().await.map_err(|status| CallError::new(node, CALL, status))?
    {
        tell(&progress.message);
    }
    Ok(())
}

/// Prints the steps of the machines' start.
async fn timeline(nodes: &[Node]) -> anyhow::Result<()> {
    let (answers, failures) =
        remote::each(nodes, |node| get::list(node, "runtime", "TimelineSteps.runtime.ichor.dev"))
            .await;
    let mut table = Table::new(["NODE", "AT", "TOOK", "SUBJECT", "", "WHAT"]);
    for (node, resources) in answers {
        let mut steps = Vec::new();
        for resource in &resources {
            steps.push(Step::read(&get::spec(resource)?));
        }
        steps.sort_by_key(|step| step.begun);
        let Some(start) = steps.first().map(|step| step.begun) else { continue };
        for step in steps {
            table.row(vec![
                node.name().to_owned(),
                format!("+{}", milliseconds(step.begun - start)),
                step.ended.map_or_else(
                    || "lasts".to_owned(),
                    |ended| {
                        if step.kind == "mark" {
                            String::new()
                        } else {
                            milliseconds(ended - step.begun)
                        }
                    },
                ),
                step.subject,
                match step.kind.as_str() {
                    "wait" => "waited for".to_owned(),
                    "work" => "did".to_owned(),
                    _ => "reached".to_owned(),
                },
                step.what,
            ]);
        }
    }
    table.print(failures)
}

/// A step, with its moments in milliseconds.
struct Step {
    subject: String,
    kind: String,
    what: String,
    begun: i64,
    ended: Option<i64>,
}

impl Step {
    fn read(spec: &Value) -> Self {
        let text = |key: &str| spec.entry(key).map(value::cell).unwrap_or_default();
        let moment = |key: &str| {
            text(key).parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
        };
        Self {
            subject: text("subject"),
            kind: text("kind"),
            what: text("step"),
            begun: moment("begun").unwrap_or_default(),
            ended: moment("ended"),
        }
    }
}

fn milliseconds(span: i64) -> String {
    format!("{}.{:03}s", span / 1000, (span % 1000).abs())
}
