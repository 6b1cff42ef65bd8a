//! Trying what nodes will need, in namespaces that vanish with the thread that made them.

use std::path::Path;

use rtnetlink::{LinkBridge, LinkVeth, LinkVxlan};
use sys::mount::{self, MountFlags, Propagation};
use sys::namespace::{self, Namespaces};

use crate::supervisor::chain;

/// Tries everything; what was refused, and why. `state` is where a cluster would be.
pub(super) fn run(state: &Path) -> Vec<(&'static str, String)> {
    std::thread::scope(|scope| {
        let trial = scope.spawn(|| {
            let mut refused = Vec::new();
            let mut note = |what, result: Result<(), String>| {
                let failed = result.err();
                let refusal = failed.is_some();
                refused.extend(failed.map(|reason| (what, reason)));
                !refusal
            };
            let kinds = [
                ("mount namespaces", Namespaces::MOUNT),
                ("network namespaces", Namespaces::NETWORK),
                ("host name namespaces", Namespaces::UTS),
                ("IPC namespaces", Namespaces::IPC),
                ("PID namespaces", Namespaces::PID),
                ("cgroup namespaces", Namespaces::CGROUP),
            ];
            let mut all = true;
            for (what, kind) in kinds {
                all &= note(what, namespace::unshare(kind).map_err(|error| error.to_string()));
            }
            // Outside namespaces of its own, nothing may be tried.
            if all {
                note("overlay mounts on the disk of the cluster's directory", overlay(state));
                for (what, result) in links() {
                    note(what, result);
                }
                note("nf_tables", sys::netfilter::probe_tables().map_err(|e| e.to_string()));
            }
            refused
        });
        trial.join().unwrap_or_else(|_| vec![("trials", "the trial panicked".to_owned())])
    })
}

fn overlay(state: &Path) -> Result<(), String> {
    mount::propagate("/", Propagation::Private, true).map_err(|error| chain(&error))?;
    let directory = state.join(format!(".ichor-trial-{}", std::process::id()));
    let result = overlay_in(&directory);
    // The mount vanishes with the namespace; the directories do not.
    let _ = mount::unmount(directory.join("merged"), true);
    let _ = std::fs::remove_dir_all(&directory);
    result
}

fn overlay_in(directory: &Path) -> Result<(), String> {
    let [lower, upper, work, merged] =
        ["lower", "upper", "work", "merged"].map(|name| directory.join(name));
    for path in [&lower, &upper, &work, &merged] {
        std::fs::create_dir_all(path).map_err(|error| error.to_string())?;
    }
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    mount::mount("overlay", "overlay", &merged, MountFlags::empty(), &options)
        .map_err(|error| chain(&error))
}

/// Makes one link of each kind that nodes and pods are connected with.
fn links() -> Vec<(&'static str, Result<(), String>)> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![("network links", Err(error.to_string()))],
    };
    runtime.block_on(async {
        let netlink = match rtnetlink::new_connection() {
            Ok((connection, netlink, _)) => {
                tokio::spawn(connection);
                netlink
            }
            Err(error) => return vec![("netlink", Err(error.to_string()))],
        };
        let wanted = [
            ("bridge links", LinkBridge::new("trial-bridge").build()),
            ("veth links", LinkVeth::new("trial-a", "trial-b").build()),
            ("vxlan links", LinkVxlan::new("trial-vxlan", 1).port(8472).build()),
        ];
        let mut results = Vec::new();
        for (what, link) in wanted {
            let made = netlink.link().add(link).execute().await;
            results.push((what, made.map_err(|error| error.to_string())));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_runs_these_tests_as_root_has_what_nodes_need() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(run(directory.path()), [], "this test needs root and a capable kernel");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
