//! Which process is at the other end of the socket, and what it may claim to be.
//!
//! The kernel tells the pid; the resource `ServicePIDs` tells whose it is. A service may call a moment before its
//! pid is written down, so an unknown pid is waited for briefly. Must never: believe a pid that is not written down.

use std::{sync::OnceLock, time::Duration};

use http::HeaderMap;
use resource::runtime::ServicePIDSpec;
use runtime::{Event, Store, WatchOptions};
use tokio::{net::UnixStream, time::timeout};

use crate::role::{Grants, Roles};

/// How long an unknown pid is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which roles a process may claim for its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Those that the metadata of each call says: it has checked its own callers.
    Any,
    /// At most these.
    Only(Grants),
}

impl Claim {
    /// What a service may claim.
    fn of_service(id: &str) -> Self {
        match id {
            "apid" | "installer" => Self::Any,
            "containerd" | "cri" => Self::Only(Grants::IMAGE_VERIFIER),
            "dashboard" => Self::Only(Grants::READER.union(Grants::META_WRITER)),
            _ if id.starts_with("ext-") => Self::Any,
            _ => Self::Only(Grants::empty()),
        }
    }

    /// The roles of one call.
    pub(super) fn roles(self, metadata: &HeaderMap) -> Roles {
        match (self, Roles::claimed(metadata)) {
            (Self::Any, Some(claimed)) => claimed,
            (Self::Any, None) => Roles::default(),
            (Self::Only(allowed), Some(claimed)) => claimed.limited_to(allowed),
            (Self::Only(allowed), None) => Roles::of(allowed),
        }
    }
}

/// The process at the other end of a connection.
#[derive(Debug)]
pub(super) struct Peer {
    pid: Option<i32>,
    claim: OnceLock<Claim>,
}

impl Peer {
    /// Asks the kernel who it is, and waits a moment for its pid to be written down.
    pub(super) async fn identify(store: &Store, stream: &UnixStream) -> std::io::Result<Self> {
        // A peer outside this pid namespace has no pid here and is none of the node's services.
        let peer = Self { pid: stream.peer_cred()?.pid(), claim: OnceLock::new() };
        if let Some(pid) = peer.pid
            && let Ok(id) = timeout(PATIENCE, service_with(store, pid)).await
        {
            peer.claim.get_or_init(|| Claim::of_service(&id));
        }
        Ok(peer)
    }

    /// What it may claim. A service keeps its connection for days, so one whose pid is written down late gets its
    /// due from then on.
    pub(super) fn claim(&self, store: &Store) -> Claim {
        if let Some(claim) = self.claim.get() {
            return *claim;
        }
        let all = store.list::<ServicePIDSpec>("runtime");
        let found = all.iter().find(|service| Some(service.spec.pid) == self.pid);
        match found {
            Some(service) => *self.claim.get_or_init(|| Claim::of_service(service.id())),
            None => Claim::Only(Grants::empty()),
        }
    }
}

async fn service_with(store: &Store, pid: i32) -> String {
    let mut watch = store.watch::<ServicePIDSpec>("runtime", WatchOptions::bootstrapped());
    loop {
        match watch.next().await {
            Event::Created(new) | Event::Updated { new, .. } if new.spec.pid == pid => {
                return new.id().to_owned();
            }
            Event::Errored(_) => {
                watch = store.watch("runtime", WatchOptions::bootstrapped());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn claiming(role: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(crate::role::HEADER, HeaderValue::from_static(role));
        headers
    }

    #[test]
    fn a_service_claims_no_more_than_its_own() {
        let admin = claiming("os:admin");
        for (service, grants) in [
            ("apid", Grants::ADMIN),
            ("ext-backup", Grants::ADMIN),
            ("dashboard", Grants::empty()),
            ("cri", Grants::empty()),
            ("machined", Grants::empty()),
            ("kubelet", Grants::empty()),
        ] {
            let roles = Claim::of_service(service).roles(&admin);
            assert_eq!(roles.grants(), grants, "{service}");
        }
        let silent = HeaderMap::new();
        let grants = |service| Claim::of_service(service).roles(&silent).grants();
        assert_eq!(grants("apid"), Grants::empty());
        assert_eq!(grants("dashboard"), Grants::READER | Grants::META_WRITER);
        assert_eq!(grants("containerd"), Grants::IMAGE_VERIFIER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pid_is_waited_for_but_not_for_ever() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let store = Store::new();
        let stranger = Peer::identify(&store, &ours).await.unwrap();
        assert_eq!(stranger.claim(&store), Claim::Only(Grants::empty()));
        let pid = i32::try_from(std::process::id()).unwrap();
        let late = tokio::spawn({
            let store = store.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(2)).await;
                let spec = ServicePIDSpec { pid, mount_namespace: String::new() };
                store.create("", "runtime", "apid", spec).unwrap();
            }
        });
        let peer = Peer::identify(&store, &ours).await.unwrap();
        assert_eq!(peer.claim(&store), Claim::Any);
        assert_eq!(stranger.claim(&store), Claim::Any, "written down after all");
        late.await.unwrap();
    }
}
