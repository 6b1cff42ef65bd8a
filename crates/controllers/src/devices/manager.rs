//! The device manager: loads what devices need, first for those that are there, then for those that come, and when
//! there is leisure what no disk and no link needs.
//!
//! The devices have *settled* when nothing that could bring a disk or a link is being loaded and no event is waiting: a
//! driver announces what it found before its loading is over, so nothing is missed in between.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use boot::module::Name;
use sys::readiness::Readiness;
use sys::uevent::{Action, Received, Uevent, Uevents};
use tokio::sync::{mpsc, watch};

use super::loads::{Loads, Urgency};
use super::modules::{Modules, ModulesError};
use super::{coldplug, power};

/// Modules that no device and no request of the kernel names, but the pods' network needs.
const WANTED: [&str; 1] = ["br_netfilter"];

/// Why devices are not managed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManagerError {
    #[error("cannot receive the kernel's device events")]
    Events(#[source] io::Error),
    #[error(transparent)]
    Modules(#[from] ModulesError),
    #[error(transparent)]
    Walk(#[from] coldplug::WalkError),
}

/// Where the manager finds things, and whom it tells.
pub(super) struct Manager {
    /// `/usr/lib/modules/<release>`.
    pub(super) modules: PathBuf,
    /// `/sys`.
    pub(super) sys: PathBuf,
    /// How long to wait for more after everything was quiet.
    pub(super) settle_time: Duration,
    /// Says when there is time for what nobody waits for.
    pub(super) leisure: watch::Receiver<bool>,
    /// Told when the devices have settled.
    pub(super) settled: Arc<watch::Sender<bool>>,
    /// Told when a disk or partition came, went or changed.
    pub(super) block_changes: Arc<watch::Sender<u64>>,
    /// Told when the power button is pressed.
    pub(super) pressed: mpsc::Sender<()>,
}

/// What one event is a reason for.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Load what the device needs.
    Load(String),
    /// Listen to a new input device.
    Listen(PathBuf),
    /// Nothing here; others may care.
    Nothing,
}

fn step(event: &Uevent) -> Step {
    if !matches!(event.action, Action::Add | Action::Change) {
        return Step::Nothing;
    }
    if let Some(alias) = event.modalias() {
        return Step::Load(alias.to_owned());
    }
    match event.device() {
        Some(device)
            if event.action == Action::Add
                && event.subsystem == "input"
                && device.to_string_lossy().contains("/event") =>
        {
            Step::Listen(device)
        }
        _ => Step::Nothing,
    }
}

impl Manager {
    /// Runs until it fails; everything that it found stays in place then.
    pub(super) async fn run(self) -> ManagerError {
        match self.manage().await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn manage(mut self) -> Result<std::convert::Infallible, ManagerError> {
        // Listening begins before the walk, so that no device falls in between.
        let events = Uevents::open().map_err(ManagerError::Events)?;
        let readiness = Readiness::of(&events).map_err(ManagerError::Events)?;
        let mut loads = Loads::new(Modules::read(&self.modules)?);
        self.look_at_everything(&mut loads)?;
        for name in WANTED {
            loads.module(Name::new(name), Urgency::Last);
        }
        power::listen_to_all(&self.pressed);
        loop {
            // Everything that waits is taken before what is quiet is called settled.
            while let Some(received) = events.next().map_err(ManagerError::Events)? {
                self.take(received, &mut loads)?;
            }
            let (leisure, settled) = (*self.leisure.borrow_and_update(), *self.settled.borrow());
            loads.start(match (leisure, settled) {
                (true, _) => Urgency::Last,
                (false, true) => Urgency::Beside,
                (false, false) => Urgency::Device,
            });
            if loads.no_device_is_awaited() && !settled {
                tokio::time::sleep(self.settle_time).await;
                let quiet = match events.next().map_err(ManagerError::Events)? {
                    None => true,
                    Some(received) => {
                        self.take(received, &mut loads)?;
                        false
                    }
                };
                if quiet {
                    self.settled.send_replace(true);
                }
                continue;
            }
            let mut next = None;
            tokio::select! {
                () = loads.next() => {}
                Ok(()) = self.leisure.changed() => {}
                ready = readiness.until(|| { next = events.next()?; Ok(next.is_some().then_some(())) }) => {
                    ready.map_err(ManagerError::Events)?;
                }
            }
            if let Some(received) = next {
                self.take(received, &mut loads)?;
            }
        }
    }

    fn take(&self, received: Received, loads: &mut Loads) -> Result<(), ManagerError> {
        let disks = match &received {
            Received::Lost => true,
            Received::Event(event) => event.subsystem == "block",
        };
        if disks {
            self.block_changes.send_modify(|count| *count += 1);
        }
        match received {
            Received::Lost => {
                power::listen_to_all(&self.pressed);
                self.look_at_everything(loads)?;
            }
            Received::Event(event) => match step(&event) {
                Step::Load(alias) => loads.alias(&alias),
                Step::Listen(device) => power::listen(&device, self.pressed.clone()),
                Step::Nothing => {}
            },
        }
        Ok(())
    }

    fn look_at_everything(&self, loads: &mut Loads) -> Result<(), ManagerError> {
        for alias in coldplug::modaliases(&self.sys)? {
            loads.alias(&alias);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Uevent {
        Uevent::parse(text.replace('|', "\0").as_bytes()).unwrap()
    }

    #[test]
    fn events_have_their_steps() {
        for (text, expected) in [
            ("add@/devices/x|MODALIAS=pci:v1|", Step::Load("pci:v1".into())),
            ("change@/devices/x|MODALIAS=pci:v1|", Step::Load("pci:v1".into())),
            ("remove@/devices/x|MODALIAS=pci:v1|", Step::Nothing),
            (
                "add@/devices/x/event0|SUBSYSTEM=input|DEVNAME=input/event0|",
                Step::Listen("/dev/input/event0".into()),
            ),
            ("add@/devices/x/mouse0|SUBSYSTEM=input|DEVNAME=input/mouse0|", Step::Nothing),
            ("change@/devices/x/event0|SUBSYSTEM=input|DEVNAME=input/event0|", Step::Nothing),
            ("add@/devices/x/vda|SUBSYSTEM=block|DEVNAME=vda|", Step::Nothing),
        ] {
            assert_eq!(step(&event(text)), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn devices_settle_when_nothing_is_left_to_load() {
        let root = tempfile::tempdir().unwrap();
        let device = root.path().join("bus/pci/devices/pci0");
        std::fs::create_dir_all(&device).unwrap();
        std::fs::write(device.join("modalias"), "pci:v1\n").unwrap();
        std::fs::write(root.path().join("modules.dep"), "a.ko:\n").unwrap();
        std::fs::write(root.path().join("modules.alias"), "alias pci:v1 a\n").unwrap();
        let settled = Arc::new(watch::Sender::new(false));
        let mut changes = settled.subscribe();
        let manager = Manager {
            modules: root.path().to_owned(),
            sys: root.path().to_owned(),
            settle_time: Duration::ZERO,
            leisure: watch::Sender::new(false).subscribe(),
            settled,
            block_changes: Arc::default(),
            pressed: mpsc::channel(1).0,
        };
        let running = tokio::spawn(manager.run());
        // The module's file is missing, which keeps nothing from settling.
        tokio::time::timeout(Duration::from_secs(20), changes.wait_for(|settled| *settled))
            .await
            .expect("settled")
            .unwrap();
        running.abort();
    }

    #[tokio::test]
    async fn without_devices_there_is_nothing_to_manage() {
        let root = tempfile::tempdir().unwrap();
        let manager = Manager {
            modules: root.path().to_owned(),
            sys: root.path().join("absent"),
            settle_time: Duration::ZERO,
            leisure: watch::Sender::new(false).subscribe(),
            settled: Arc::default(),
            block_changes: Arc::default(),
            pressed: mpsc::channel(1).0,
        };
        assert!(matches!(manager.run().await, ManagerError::Walk(_)));
    }
}
