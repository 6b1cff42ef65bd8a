//! How long a cluster is waited for, and what is said when that was not enough. It waits for nothing
//! of its own: it only bounds the work of the phases.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use provision::spec::ClusterSpec;
use provision::state::ClusterDirectory;
use tokio::time::{Instant, timeout_at};

use super::create::TALOSCONFIG;
use super::machines;
use super::progress::Step;

/// How long the cluster is waited for.
pub(super) struct Wait<'a> {
    limit: Duration,
    deadline: Instant,
    spec: &'a ClusterSpec,
    directory: &'a ClusterDirectory,
}

impl<'a> Wait<'a> {
    pub(super) fn begin(
        limit: Duration,
        spec: &'a ClusterSpec,
        directory: &'a ClusterDirectory,
    ) -> Self {
        Self { limit, deadline: Instant::now() + limit, spec, directory }
    }

    /// The outcome of `work`, or an error that says what was still missing at the deadline.
    pub(super) async fn until<T>(
        &self,
        step: &mut Step<'_>,
        work: impl AsyncFnOnce(&mut Step<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        match timeout_at(self.deadline, work(&mut *step)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let access = self.directory.file(TALOSCONFIG);
                let text = too_late(step.name(), step.shown(), self.limit, &access);
                // A machine whose API never answered has said why on its console alone.
                let machines = self.spec.provisioner.machine().is_some();
                let tails = machines.then(|| machines::tails(self.spec, self.directory));
                bail!("{text}{}", tails.unwrap_or_default())
            }
        }
    }
}

/// What is said when a cluster is not ready in time.
fn too_late(phase: &str, waiting: &str, limit: Duration, access: &Path) -> String {
    let waiting = if waiting.is_empty() { phase } else { waiting };
    let access = access.display();
    format!(
        "the cluster was not ready within {limit:?}; still missing: {waiting}\n  `ichorctl --talosconfig {access} services` and `ichorctl cluster logs` show more; the same command goes on waiting, and `ichorctl cluster destroy` removes what was started"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_is_late_says_what_is_missing() {
        let limit = Duration::from_secs(60);
        let late =
            |waiting| too_late("bootstrap etcd", waiting, limit, Path::new("/c/talosconfig"));
        let node = late("10.5.0.2: staticPods (kube-apiserver not ready)");
        assert!(
            node.contains("within 60s; still missing: 10.5.0.2: staticPods (kube-apiserver not")
        );
        assert!(late("").contains("still missing: bootstrap etcd\n"));
        assert!(node.contains("--talosconfig /c/talosconfig") && node.contains("cluster destroy"));
    }
}
