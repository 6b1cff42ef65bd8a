//! Mounts volumes for whoever asks: requests, their union for each volume, the mount itself, and the answers.
//!
//! A volume stays mounted until nobody asks for it and nobody holds an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ::runtime::Condition;
use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use resource::block::{
    DiscoveredVolumeSpec, MountRequestSpec, MountSpec, MountStatusSpec, VolumeMountRequestSpec,
    VolumeMountStatusSpec, VolumeStatusSpec,
};
use resource::enums::VolumePhase;
use resource::{Phase, Resource};
use sys::mount::{self, MountFlags, Propagation};

use super::NAMESPACE;
use crate::plain::plain;
use crate::{Node, Paths};

const NAME: &str = "block.MountController";

/// Adds the controller.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let paths = std::sync::Arc::clone(&node.paths);
    controllers.register(mounts(Kernel { paths }))?;
    Ok(())
}

/// The controller over who mounts.
fn mounts(mounter: impl Mounter + Send + 'static) -> impl Controller {
    plain(
        NAME,
        vec![
            Input::strong::<VolumeMountRequestSpec>(NAMESPACE),
            Input::weak::<VolumeStatusSpec>(NAMESPACE),
            Input::destroy_ready::<VolumeMountStatusSpec>(NAMESPACE),
        ],
        vec![
            Output::exclusive::<MountRequestSpec>(),
            Output::exclusive::<MountStatusSpec>(),
            Output::exclusive::<VolumeMountStatusSpec>(),
        ],
        move |context: &Context| reconcile(context, &mounter).map(|()| Next::OnChange),
    )
}

/// Who mounts: the kernel, or a test.
trait Mounter {
    /// Makes sure that a volume is mounted as wished; gives where.
    fn mount(
        &self,
        status: &VolumeStatusSpec,
        wish: &MountSpec,
        flags: Flags,
        filesystem_size: u64,
    ) -> Result<String, ControllerError>;

    /// Makes sure that nothing of a volume is mounted there.
    fn unmount(&self, target: &str) -> Result<(), ControllerError>;
}

/// What the users of a volume have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flags {
    read_only: bool,
    no_access_time: bool,
    secure: bool,
    no_exec: bool,
}

/// The union of the requests for one volume: writable if any writes, restricted if any wants that.
fn union(volume: &str, requests: &[&Resource<VolumeMountRequestSpec>]) -> MountRequestSpec {
    let any = |asks: fn(&VolumeMountRequestSpec) -> bool| {
        requests.iter().any(|request| asks(&request.spec))
    };
    MountRequestSpec {
        volume_id: volume.to_owned(),
        parent_id: String::new(),
        read_only: !any(|request| !request.read_only),
        detached: false,
        disable_access_time: any(|request| request.disable_access_time),
        secure: any(|request| request.secure),
        no_exec: any(|request| request.no_exec),
        requesters: requests.iter().map(|request| request.spec.requester.clone()).collect(),
        requester_ids: requests.iter().map(|request| request.id().to_owned()).collect(),
    }
}

fn reconcile(context: &Context, mounter: &dyn Mounter) -> Result<(), ControllerError> {
    let requests = context.list::<VolumeMountRequestSpec>(NAMESPACE);
    let (running, ending): (Vec<_>, Vec<_>) =
        requests.iter().partition(|request| request.metadata.phase == Phase::Running);
    let mut wanted: BTreeMap<&str, Vec<&Resource<VolumeMountRequestSpec>>> = BTreeMap::new();
    for request in running {
        // One that ends at this moment is seen as ending at the next run.
        let held =
            context.store().add_finalizer::<VolumeMountRequestSpec>(NAMESPACE, request.id(), NAME);
        if held.is_ok() {
            wanted.entry(&request.spec.volume_id).or_default().push(request);
        }
    }
    // Answers to requests that end or are gone are taken back first.
    let asked: BTreeSet<&str> = wanted.values().flatten().map(|request| request.id()).collect();
    context.cleanup::<VolumeMountStatusSpec>(NAMESPACE, |answer| asked.contains(answer.id()))?;
    let answers = context.list::<VolumeMountStatusSpec>(NAMESPACE);
    for request in ending {
        if answers.iter().all(|answer| answer.id() != request.id()) {
            context.store().remove_finalizer::<VolumeMountRequestSpec>(
                NAMESPACE,
                request.id(),
                NAME,
            )?;
        }
    }
    // One volume that cannot be mounted does not keep the others from it.
    let mut failure = None;
    for (volume, requests) in &wanted {
        if let Err(error) = satisfy(context, mounter, volume, requests, &answers) {
            context.waiting(&Condition::Event { what: format!("volume {volume}: {error}") });
            failure = Some(error);
        }
    }
    let held: BTreeSet<&str> =
        answers.iter().map(|answer| answer.spec.volume_id.as_str()).collect();
    for mounted in context.list::<MountStatusSpec>(NAMESPACE) {
        let volume = mounted.id();
        if wanted.contains_key(volume) || held.contains(volume) {
            continue;
        }
        match mounter.unmount(&mounted.spec.target) {
            Ok(()) => drop(context.remove::<MountStatusSpec>(NAMESPACE, volume)?),
            Err(error) => failure = Some(error),
        }
    }
    context.cleanup::<MountRequestSpec>(NAMESPACE, |request| wanted.contains_key(request.id()))?;
    failure.map_or(Ok(()), Err)
}

/// Mounts one volume and answers those who asked for it.
fn satisfy(
    context: &Context,
    mounter: &dyn Mounter,
    volume: &str,
    requests: &[&Resource<VolumeMountRequestSpec>],
    answers: &[Resource<VolumeMountStatusSpec>],
) -> Result<(), ControllerError> {
    let union = union(volume, requests);
    context.modify::<MountRequestSpec>(NAMESPACE, volume, |spec| spec.clone_from(&union))?;
    let status = context.get::<VolumeStatusSpec>(NAMESPACE, volume);
    let ready = status.as_ref().filter(|status| status.spec.phase == VolumePhase::READY);
    let Some(status) = ready.map(|status| &status.spec) else {
        context
            .waiting(&Condition::resource_state::<VolumeStatusSpec>(NAMESPACE, volume, "is ready"));
        return Ok(());
    };
    let Some(wish) = &status.mount_spec else {
        return Err(ControllerError::message(format!("volume {volume} has no file system")));
    };
    let flags = Flags {
        read_only: union.read_only,
        no_access_time: union.disable_access_time,
        secure: union.secure || wish.secure,
        no_exec: union.no_exec || wish.no_exec,
    };
    let name = status.location.trim_start_matches("/dev/");
    let probed = context.get::<DiscoveredVolumeSpec>(NAMESPACE, name);
    let filesystem_size = probed.map_or(0, |found| found.spec.probed_size);
    let target = mounter.mount(status, wish, flags, filesystem_size)?;
    context.modify::<MountStatusSpec>(NAMESPACE, volume, |spec| {
        spec.spec.clone_from(&union);
        spec.source.clone_from(&status.location);
        spec.target.clone_from(&target);
        spec.filesystem = status.filesystem;
        spec.read_only = union.read_only;
    })?;
    for request in requests {
        // The answer to an earlier request of the same name is still being taken back.
        let ending = answers.iter().any(|answer| {
            answer.id() == request.id() && answer.metadata.phase == Phase::TearingDown
        });
        if ending {
            continue;
        }
        let asked = &request.spec;
        context.modify::<VolumeMountStatusSpec>(NAMESPACE, request.id(), |answer| {
            *answer = VolumeMountStatusSpec {
                volume_id: asked.volume_id.clone(),
                requester: asked.requester.clone(),
                target: target.clone(),
                read_only: asked.read_only,
                detached: false,
                disable_access_time: asked.disable_access_time,
                secure: asked.secure,
                no_exec: asked.no_exec,
            };
        })?;
    }
    Ok(())
}

struct Kernel {
    paths: std::sync::Arc<Paths>,
}

impl Flags {
    /// The flags of the mount; its file system is always writable underneath, so that writers can come later.
    fn mount(self) -> MountFlags {
        let mut flags = MountFlags::empty();
        for (set, flag) in [
            (self.read_only, MountFlags::RDONLY),
            (self.no_access_time, MountFlags::NOATIME),
            (self.secure, MountFlags::NOSUID | MountFlags::NODEV),
            (self.no_exec, MountFlags::NOEXEC),
        ] {
            flags.set(flag, set);
        }
        flags
    }
}

impl Mounter for Kernel {
    fn mount(
        &self,
        status: &VolumeStatusSpec,
        wish: &MountSpec,
        flags: Flags,
        filesystem_size: u64,
    ) -> Result<String, ControllerError> {
        let target = self.paths.at(&wish.target_path);
        let source = self.paths.at(&status.location);
        let table = mount::table()?;
        // A machined that was started again finds its mounts in place.
        let mounted = table.iter().rev().find(|mount| mount.target == target);
        let flags = flags.mount();
        if mounted.is_none_or(|mount| Path::new(&mount.source) != source) {
            fs::create_dir_all(&target)?;
            let kind = status.filesystem.to_string();
            mount::mount(&kind, &source, &target, flags - MountFlags::RDONLY, "")?;
            // Mounts that containers make below travel to the node, and the other way.
            mount::propagate(&target, Propagation::Shared, false)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(wish.file_mode))?;
            grow(&target, status.size, filesystem_size);
        }
        mount::set_flags(&target, flags)?;
        Ok(wish.target_path.clone())
    }

    fn unmount(&self, target: &str) -> Result<(), ControllerError> {
        let target = self.paths.at(target);
        if mount::table()?.iter().any(|mount| mount.target == target) {
            mount::unmount(&target, false)?;
        }
        Ok(())
    }
}

/// Lets the file system have what its partition gained. Without that it works as before, so a failure is only told.
fn grow(target: &Path, partition: u64, filesystem: u64) {
    const BLOCK: u64 = storage::ext4::BLOCK;
    const WORTH: u64 = 1 << 20;
    if filesystem == 0 || filesystem + WORTH > partition {
        return;
    }
    match sys::block::resize_ext4(target, partition / BLOCK) {
        Ok(()) => tracing::info!(target = %target.display(), partition, "a file system has grown"),
        Err(error) => {
            tracing::warn!(target = %target.display(), %error, "a file system cannot grow");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::runtime::store::Store;
    use std::sync::{Arc, Mutex};

    /// Mounts nothing and remembers what it was asked.
    #[derive(Clone, Default)]
    struct Remembered(Arc<Mutex<Vec<String>>>);

    impl Mounter for Remembered {
        fn mount(
            &self,
            status: &VolumeStatusSpec,
            wish: &MountSpec,
            flags: Flags,
            _: u64,
        ) -> Result<String, ControllerError> {
            let mode = if flags.read_only { "ro" } else { "rw" };
            self.0.lock().unwrap().push(format!("{} {} {mode}", status.location, wish.target_path));
            Ok(wish.target_path.clone())
        }

        fn unmount(&self, target: &str) -> Result<(), ControllerError> {
            self.0.lock().unwrap().push(format!("unmount {target}"));
            Ok(())
        }
    }

    fn controllers(mounter: Remembered) -> (Store, Runtime) {
        let store = Store::new();
        let mut controllers = Runtime::new(store.clone());
        controllers.register(mounts(mounter)).unwrap();
        (store, controllers)
    }

    fn ask(store: &Store, requester: &str, read_only: bool) {
        let id = format!("{requester}-STATE");
        let request = VolumeMountRequestSpec {
            volume_id: "STATE".into(),
            requester: requester.into(),
            read_only,
            ..Default::default()
        };
        store.create(requester, NAMESPACE, &id, request).unwrap();
    }

    async fn answered(store: &Store, id: &str) -> VolumeMountStatusSpec {
        let answer = store.wait_for::<VolumeMountStatusSpec>(NAMESPACE, id, |a| a.is_some()).await;
        VolumeMountStatusSpec::clone(&answer.unwrap().spec)
    }

    async fn release(store: &Store, requester: &str) {
        let id = format!("{requester}-STATE");
        store.teardown::<VolumeMountRequestSpec>(requester, NAMESPACE, &id).unwrap();
        store
            .wait_for::<VolumeMountRequestSpec>(NAMESPACE, &id, |request| {
                request.is_some_and(|request| request.metadata.finalizers.is_empty())
            })
            .await;
        store.destroy::<VolumeMountRequestSpec>(requester, NAMESPACE, &id).unwrap();
    }

    #[tokio::test]
    async fn a_volume_is_mounted_while_anybody_asks_or_holds() {
        let mounter = Remembered::default();
        let (store, controllers) = controllers(mounter.clone());
        let running = tokio::spawn(controllers.run(std::future::pending()));
        ask(&store, "a", true);
        tokio::task::yield_now().await;
        assert!(store.list::<MountStatusSpec>(NAMESPACE).is_empty(), "the volume is not ready");
        let ready = VolumeStatusSpec {
            phase: VolumePhase::READY,
            location: "/dev/vda3".into(),
            mount_spec: Some(MountSpec {
                target_path: "/system/state".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        store.create("test", NAMESPACE, "STATE", ready).unwrap();
        let answer = answered(&store, "a-STATE").await;
        assert_eq!((answer.target.as_str(), answer.read_only), ("/system/state", true));
        // A writer comes: the mount becomes writable, the reader's answer stays its own.
        ask(&store, "b", false);
        assert!(!answered(&store, "b-STATE").await.read_only);
        assert!(answered(&store, "a-STATE").await.read_only);
        // Who holds an answer keeps the mount, although the request ends.
        store.add_finalizer::<VolumeMountStatusSpec>(NAMESPACE, "b-STATE", "b").unwrap();
        release(&store, "a").await;
        store.teardown::<VolumeMountRequestSpec>("b", NAMESPACE, "b-STATE").unwrap();
        store
            .wait_for::<VolumeMountStatusSpec>(NAMESPACE, "b-STATE", |answer| {
                answer.is_some_and(|answer| answer.metadata.phase == Phase::TearingDown)
            })
            .await;
        assert!(!mounter.0.lock().unwrap().iter().any(|call| call.starts_with("unmount")));
        store.remove_finalizer::<VolumeMountStatusSpec>(NAMESPACE, "b-STATE", "b").unwrap();
        store.wait_for::<MountStatusSpec>(NAMESPACE, "STATE", |mount| mount.is_none()).await;
        let calls = mounter.0.lock().unwrap().clone();
        assert_eq!(calls.first().unwrap(), "/dev/vda3 /system/state ro");
        assert!(calls.contains(&"/dev/vda3 /system/state rw".to_owned()), "{calls:?}");
        assert_eq!(calls.last().unwrap(), "unmount /system/state");
        running.abort();
    }
}
