//! Asking for a volume: a request that lasts as long as its user needs the mount.
//!
//! This is the users' side: a request is a resource, its answer is another, and who mounts is the business of the
//! controllers of volumes. Must never: mount.

use std::path::{Path, PathBuf};

use ::runtime::Condition;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use ::runtime::store::{Store, StoreError};
use futures::future::BoxFuture;
use resource::Phase;
use resource::block::{VolumeMountRequestSpec, VolumeMountStatusSpec, VolumeStatusSpec};
use resource::enums::VolumePhase;

use crate::Node;

/// The namespace of volumes and mounts.
const NAMESPACE: &str = "runtime";

/// What the machine is: configuration and identity.
pub const STATE: &str = "STATE";
/// What it works on: everything below `/var`.
pub const EPHEMERAL: &str = "EPHEMERAL";

/// What waits for EPHEMERAL to be mounted says that it waits for.
pub(crate) const VAR: &str = "volume EPHEMERAL on /var";

/// Why there is no mount.
#[derive(Debug, thiserror::Error)]
#[error("volume {volume} cannot be asked for")]
pub struct VolumeError {
    volume: String,
    #[source]
    source: StoreError,
}

/// A volume that is mounted for one user, until it is released.
#[must_use = "the volume stays mounted until it is released"]
pub struct Mounted {
    store: Store,
    requester: String,
    id: String,
    target: PathBuf,
}

/// Whether a volume is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It can be mounted.
    Ready,
    /// All disks were looked at and none has it.
    Missing,
}

/// Waits until it is known whether a volume is there; `owner` says who waits. A volume that failed is tried again by
/// whoever manages it, so it is waited for. A container's volumes are directories, which are always there.
pub async fn presence(node: &Node, volume: &str, owner: &str) -> Presence {
    if node.platform.in_container() {
        return Presence::Ready;
    }
    let condition =
        Condition::resource_state::<VolumeStatusSpec>(NAMESPACE, volume, "is ready or missing");
    let _waiting = node.store.waiting(owner, &condition);
    let mut found = Presence::Missing;
    node.store
        .wait_for::<VolumeStatusSpec>(NAMESPACE, volume, |status| {
            match status.map(|status| status.spec.phase) {
                Some(VolumePhase::READY) => found = Presence::Ready,
                Some(VolumePhase::MISSING) => found = Presence::Missing,
                _ => return false,
            }
            true
        })
        .await;
    found
}

/// Asks for a volume on behalf of `requester`, and waits until it is mounted.
///
/// # Errors
/// When the request cannot be stored: another one of the same requester is still being taken back.
pub async fn mount(
    store: &Store,
    requester: &str,
    volume: &str,
    read_only: bool,
) -> Result<Mounted, VolumeError> {
    let failed = |source| VolumeError { volume: volume.to_owned(), source };
    let id = format!("{requester}-{volume}");
    loop {
        store
            .modify::<VolumeMountRequestSpec>(requester, NAMESPACE, &id, |request| {
                volume.clone_into(&mut request.volume_id);
                requester.clone_into(&mut request.requester);
                request.read_only = read_only;
            })
            .map_err(failed)?;
        let answered = store
            .wait_for::<VolumeMountStatusSpec>(NAMESPACE, &id, |status| {
                status.is_some_and(|status| {
                    status.metadata.phase == Phase::Running && status.spec.read_only == read_only
                })
            })
            .await;
        let Some(status) = answered else { continue };
        match store.add_finalizer::<VolumeMountStatusSpec>(NAMESPACE, &id, requester) {
            Ok(()) => {
                return Ok(Mounted {
                    store: store.clone(),
                    requester: requester.to_owned(),
                    id,
                    target: PathBuf::from(&status.spec.target),
                });
            }
            // It went while it was looked at; the request stands.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Works with the files of STATE while it is mounted, for `requester`. It blocks the caller's thread as long as the
/// files take, which are few and small.
///
/// # Errors
/// When the volume cannot be asked for; what the work itself fails with is its own result.
pub async fn with_state<T>(
    node: &Node,
    requester: &str,
    read_only: bool,
    work: impl FnOnce(&Path) -> T + Send,
) -> Result<T, VolumeError> {
    if node.platform.in_container() {
        return Ok(work(&node.paths.state()));
    }
    let mounted = mount(&node.store, requester, STATE, read_only).await?;
    let done = work(mounted.target());
    mounted.release().await?;
    Ok(done)
}

impl Mounted {
    /// Where it is mounted.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Gives it back, and returns when the request is gone.
    ///
    /// # Errors
    /// When the request belongs to somebody else by now.
    pub async fn release(self) -> Result<(), VolumeError> {
        let failed = |source| VolumeError { volume: self.id.clone(), source };
        let (store, id) = (&self.store, &self.id);
        store
            .remove_finalizer::<VolumeMountStatusSpec>(NAMESPACE, id, &self.requester)
            .map_err(failed)?;
        while !store
            .remove::<VolumeMountRequestSpec>(&self.requester, NAMESPACE, id)
            .map_err(failed)?
        {
            store
                .wait_for::<VolumeMountRequestSpec>(NAMESPACE, id, |request| {
                    request.is_none_or(|request| request.metadata.finalizers.is_empty())
                })
                .await;
        }
        Ok(())
    }
}

/// A controller that begins when `/var` is there.
pub(crate) struct OnVar<C> {
    node: Node,
    inner: C,
}

/// Lets a controller that writes below `/var` begin when the volume is mounted there. Until then it waits for that,
/// which is a condition that can be read.
pub(crate) fn on_var<C: Controller>(node: &Node, inner: C) -> OnVar<C> {
    OnVar { node: node.clone(), inner }
}

impl<C: Controller> Controller for OnVar<C> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn inputs(&self) -> Vec<Input> {
        self.inner.inputs()
    }

    fn outputs(&self) -> Vec<Output> {
        self.inner.outputs()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            if !*self.node.var_ready.borrow() {
                let condition = Condition::Event { what: VAR.to_owned() };
                let _waiting = self.node.store.waiting(self.inner.name(), &condition);
                let mut ready = self.node.var_ready.subscribe();
                // The sender lives as long as the node.
                let _ = ready.wait_for(|ready| *ready).await;
            }
            self.inner.reconcile(context).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resource::ichor::ConditionSpec;

    /// Answers requests as the controllers of volumes do: a mount for each, taken back when nobody holds it.
    async fn answer(store: Store, target: PathBuf) {
        const OWNER: &str = "block";
        loop {
            let id = "a-STATE";
            let request = store
                .wait_for::<VolumeMountRequestSpec>(NAMESPACE, id, |request| request.is_some())
                .await
                .unwrap();
            store.add_finalizer::<VolumeMountRequestSpec>(NAMESPACE, id, OWNER).unwrap();
            let status = VolumeMountStatusSpec {
                target: target.display().to_string(),
                read_only: request.spec.read_only,
                ..Default::default()
            };
            store.create(OWNER, NAMESPACE, id, status).unwrap();
            store
                .wait_for::<VolumeMountRequestSpec>(NAMESPACE, id, |request| {
                    request.is_some_and(|request| request.metadata.phase == Phase::TearingDown)
                })
                .await;
            while !store.remove::<VolumeMountStatusSpec>(OWNER, NAMESPACE, id).unwrap() {
                tokio::task::yield_now().await;
            }
            store.remove_finalizer::<VolumeMountRequestSpec>(NAMESPACE, id, OWNER).unwrap();
            store
                .wait_for::<VolumeMountRequestSpec>(NAMESPACE, id, |request| {
                    request.is_none_or(|request| request.metadata.phase == Phase::Running)
                })
                .await;
        }
    }

    #[tokio::test]
    async fn a_mount_lasts_until_it_is_released() {
        let store = Store::new();
        let answering = tokio::spawn(answer(store.clone(), "/target".into()));
        for read_only in [true, false] {
            let mounted = mount(&store, "a", STATE, read_only).await.unwrap();
            assert_eq!(mounted.target(), Path::new("/target"));
            let status = store.get::<VolumeMountStatusSpec>(NAMESPACE, "a-STATE").unwrap();
            assert_eq!(status.metadata.finalizers.len(), 1, "it is held");
            mounted.release().await.unwrap();
            assert!(store.get::<VolumeMountRequestSpec>(NAMESPACE, "a-STATE").is_none());
        }
        answering.abort();
    }

    #[tokio::test]
    async fn who_writes_to_var_begins_when_it_is_there() {
        let platform = crate::Platform {
            name: "metal".into(),
            mode: crate::Mode::Metal,
            instance_type: String::new(),
            user_data: None,
        };
        let node = Node::new(platform, crate::Paths::new("/nowhere"), [0; 5]);
        let runs = std::sync::Arc::new(tokio::sync::watch::Sender::new(0));
        let counted = std::sync::Arc::clone(&runs);
        let inner = crate::plain("test.Controller", vec![], vec![], move |_: &Context| {
            counted.send_modify(|runs| *runs += 1);
            Ok(Next::OnChange)
        });
        let mut controllers = ::runtime::controller::Runtime::new(node.store.clone());
        controllers.register(on_var(&node, inner)).unwrap();
        let running = tokio::spawn(controllers.run(std::future::pending()));
        let id = format!("test.Controller/{VAR}");
        let waiting = |wait: Option<&resource::Resource<ConditionSpec>>| wait.is_some();
        node.store.wait_for::<ConditionSpec>(NAMESPACE, &id, waiting).await.unwrap();
        assert_eq!(*runs.borrow(), 0);
        node.var_ready.send_replace(true);
        runs.subscribe().wait_for(|runs| *runs == 1).await.unwrap();
        assert!(node.store.get::<ConditionSpec>(NAMESPACE, &id).is_none());
        running.abort();
    }
}
