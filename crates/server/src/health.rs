//! The health of the whole cluster, as one control plane node sees it, or whoever else can ask its nodes: see [`Vantage`].
//!
//! Checks run one after the other; each waits until it passes, is not applicable, or the time is over. A check is
//! looked at again when something it may depend on has changed, on whatever node. Must never: repair anything.

mod check;
mod look;
mod members;
mod news;
mod vantage;

use std::{sync::Arc, time::Duration};

use api::cluster::{
    HealthCheckProgress, HealthCheckRequest, cluster_service_server::ClusterService,
};
use futures::{StreamExt, stream::BoxStream};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout_at},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

pub use self::vantage::{Cluster, Facts, Nodes, Remote, Vantage};
use self::{check::Verdict, look::Look, news::News, vantage::Known};
use crate::{
    machine::{Node, control_plane_only},
    role::Roles,
};

/// How long a caller waits that does not say.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// A check is looked at again after this time even without news: not everything tells of its changes.
const RECHECK: Duration = Duration::from_secs(5);

/// The cluster service.
#[derive(Clone)]
pub(crate) struct Health {
    node: Arc<Node>,
    /// Where this node's own apid listens.
    port: u16,
}

impl Health {
    pub(crate) fn new(node: Arc<Node>, port: u16) -> Self {
        Self { node, port }
    }
}

#[tonic::async_trait]
impl ClusterService for Health {
    async fn health_check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<BoxStream<'static, Result<HealthCheckProgress, Status>>>, Status> {
        control_plane_only(&self.node.store, "HealthCheck")?;
        let roles = request.extensions().get::<Roles>().cloned().unwrap_or_default();
        let request = request.into_inner();
        let patience = match request.wait_timeout {
            None => PATIENCE,
            Some(wait) => Duration::try_from(wait)
                .map_err(|_| Status::invalid_argument("the time to wait is negative"))?,
        };
        let asked = request.cluster_info.unwrap_or_default();
        let cluster = members::open(self.node.clone(), self.port, &roles, &asked)?;
        let progress = check(cluster, patience)
            .map(|said| said.map(|message| HealthCheckProgress { metadata: None, message }));
        Ok(Response::new(progress.boxed()))
    }
}

/// Makes the checks, each until it passes, and tells how it goes; the last thing told is an error when they do not all
/// pass in time. Ends when nobody listens any more.
pub fn check(cluster: Cluster, patience: Duration) -> ReceiverStream<Result<String, Status>> {
    let deadline = Instant::now() + patience;
    let (told, progress) = mpsc::channel(16);
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = run(cluster, deadline, &told) => ended,
            () = told.closed() => return,
        };
        if let Err(status) = ended {
            drop(told.send(Err(status)).await);
        }
    });
    ReceiverStream::new(progress)
}

type Progress = mpsc::Sender<Result<String, Status>>;

async fn tell(to: &Progress, message: String) {
    // Whether anybody listens is seen by the task as a whole.
    drop(to.send(Ok(message)).await);
}

async fn run(cluster: Cluster, deadline: Instant, to: &Progress) -> Result<(), Status> {
    let wanting = watch::Sender::new(String::new());
    let mut nodes = timeout_at(deadline, cluster.nodes(|what| drop(wanting.send_replace(what))))
        .await
        .map_err(|_| late("the nodes to be known", &wanting.borrow()))??;
    // Who belongs to the cluster may change while its health is waited for: then everything is checked again.
    while let Some(others) = checks(&cluster, &nodes, deadline, to).await? {
        nodes = others;
    }
    Ok(())
}

/// Makes the checks on these nodes. Ends early with the nodes of the cluster when they have become others.
async fn checks(
    cluster: &Cluster,
    nodes: &Nodes,
    deadline: Instant,
    to: &Progress,
) -> Result<Option<Nodes>, Status> {
    let names: Vec<_> = nodes.all().map(|address| format!("{:?}", address.to_string())).collect();
    tell(to, format!("discovered nodes: [{}]", names.join(" "))).await;
    let news = News::of(cluster, nodes);
    let look = Look::new(cluster, nodes);
    for check in check::ALL {
        let condition = check.condition();
        tell(to, format!("waiting for {condition}: ...")).await;
        let mut last = String::new();
        loop {
            // Registered before looking: a change meanwhile is not missed.
            let changed = news.next();
            let verdict = timeout_at(deadline, look.at(check))
                .await
                .unwrap_or_else(|_| Verdict::Waiting("no answer in time".to_owned()));
            match verdict {
                Verdict::Passed => {
                    tell(to, format!("waiting for {condition}: OK")).await;
                    break;
                }
                Verdict::Skipped => {
                    tell(to, format!("waiting for {condition}: SKIP")).await;
                    break;
                }
                Verdict::Waiting(state) => {
                    if Instant::now() >= deadline {
                        return Err(late(condition, &state));
                    }
                    if state != last {
                        tell(to, format!("waiting for {condition}: {state}")).await;
                        last = state;
                    }
                    let again = (Instant::now() + RECHECK).min(deadline);
                    drop(timeout_at(again, changed).await);
                    // An answer that does not come is one for the next time.
                    let known = timeout_at(deadline.min(again + RECHECK), cluster.known()).await;
                    if let Ok(Ok(Known::Nodes(others))) = known
                        && others != *nodes
                    {
                        return Ok(Some(others));
                    }
                }
            }
        }
    }
    Ok(None)
}

fn late(what: &str, why: &str) -> Status {
    let because = if why.is_empty() { String::new() } else { format!(": {why}") };
    Status::deadline_exceeded(format!("the time is over while waiting for {what}{because}"))
}

#[cfg(test)]
mod tests {
    use std::{
        net::IpAddr,
        sync::atomic::{AtomicU8, Ordering::Relaxed},
    };

    use super::*;

    /// A cluster that grows while it is looked at; none of its nodes can be asked.
    #[derive(Default)]
    struct Growing(AtomicU8);

    impl Vantage for Growing {
        fn remote(&self, node: IpAddr) -> Result<Remote, Status> {
            Err(Status::unavailable(format!("{node} is off")))
        }

        fn facts(&self) -> Facts {
            Facts { has_etcd: true, has_kubelet: true, in_container: false }
        }

        fn members(&self) -> Nodes {
            let last = self.0.fetch_add(1, Relaxed).min(2) + 1;
            Nodes {
                control_plane: (1..=last).map(|last| [10, 5, 0, last].into()).collect(),
                workers: Vec::new(),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nodes_that_join_meanwhile_are_checked_as_well() {
        let cluster = Cluster::new(Growing::default(), None, Nodes::default());
        let said: Vec<_> = check(cluster, Duration::from_secs(60)).collect().await;
        let (end, told) = said.split_last().unwrap();
        let discovered: Vec<_> = told
            .iter()
            .filter_map(|line| line.as_ref().unwrap().strip_prefix("discovered nodes: "))
            .collect();
        let expected = [
            r#"["10.5.0.1"]"#,
            r#"["10.5.0.1" "10.5.0.2"]"#,
            r#"["10.5.0.1" "10.5.0.2" "10.5.0.3"]"#,
        ];
        assert_eq!(discovered, expected);
        let error = end.as_ref().unwrap_err();
        assert_eq!(error.code(), tonic::Code::DeadlineExceeded);
        assert!(error.message().contains("etcd to be healthy: 10.5.0.1 is off"), "{error}");
    }
}
