//! The node as controllers see it: its tables, where things are, and what it runs on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ::runtime::store::Store;
use ::runtime::timeline::Timeline;
use ::runtime::{event, log, service};
use boot::command_line::arguments::Arguments;

use resource::enums::MachineStage;
use tokio::sync::{Notify, watch};

use crate::config::active::Active;
use crate::runtime::service::Supervisor;

/// What the machine is, from the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A machine of its own.
    Metal,
    /// A virtual machine of a cloud.
    Cloud,
    /// Namespaces of another system's kernel.
    Container,
}

impl Mode {
    /// The word the API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metal => "metal",
            Self::Cloud => "cloud",
            Self::Container => "container",
        }
    }
}

/// The platform the node runs on, and what it was given at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The platform's name (`container`, `metal`, …).
    pub name: String,
    /// What kind of machine it is.
    pub mode: Mode,
    /// What kind of instance it is (`TALOSSKU` in container mode).
    pub instance_type: String,
    /// The raw user data: base64 of the machine configuration, possibly compressed.
    pub user_data: Option<String>,
}

impl Platform {
    /// Whether the kernel belongs to another system.
    #[must_use]
    pub fn in_container(&self) -> bool {
        self.mode == Mode::Container
    }
}

/// Where things are. All paths hang below one root, which is `/` except in tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// Paths below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The place of the absolute path `path` on this node.
    #[must_use]
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The root itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The persistent configuration directory (STATE).
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.at("/system/state")
    }

    /// Where logs are. A machine has them before it has found its disk, so they are in memory.
    #[must_use]
    pub fn logs(&self, mode: Mode) -> PathBuf {
        match mode {
            Mode::Container => self.at("/var/log"),
            Mode::Metal | Mode::Cloud => self.at("/run/log"),
        }
    }

    /// Where machined keeps what it needs after a crash of its own, and only until the next boot.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.at("/run/ichor")
    }
}

/// What controllers carry: handles to the tables of this node. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    /// The resources.
    pub store: Store,
    /// The active machine configuration, parsed.
    pub config: Active,
    /// The stage of the machine, as the sequencer says.
    pub stage: Arc<watch::Sender<MachineStage>>,
    /// The table of services.
    pub services: service::Registry,
    /// Starts and stops services.
    pub supervisor: Supervisor,
    /// The event stream.
    pub events: event::Bus,
    /// The logs.
    pub logs: log::Registry,
    /// Told when somebody presses the machine's power button.
    pub power_button: Arc<Notify>,
    /// Whether `/var` is the place to work on: always in a container, on a machine once its volume is mounted.
    pub var_ready: Arc<watch::Sender<bool>>,
    /// What happened when, and what it waited for.
    pub timeline: Timeline,
    /// What the node runs on.
    pub platform: Arc<Platform>,
    /// What the kernel's command line says to the node; nothing in a container.
    pub arguments: Arc<Arguments>,
    /// Where things are.
    pub paths: Arc<Paths>,
    /// The way to start the first etcd member.
    pub etcd: crate::etcd::Handle,
}

impl Node {
    /// A node with empty tables.
    #[must_use]
    pub fn new(platform: Platform, paths: Paths, machine: [u8; 5]) -> Self {
        let events = event::Bus::new(machine, SystemTime::now);
        let services = service::Registry::new(events.clone(), SystemTime::now);
        let timeline = Timeline::new(SystemTime::now);
        let store = Store::new();
        let logs = log::Registry::new(paths.logs(platform.mode));
        Self {
            supervisor: Supervisor::new(store.clone(), services.clone(), timeline.clone()),
            store,
            config: Active::default(),
            stage: Arc::new(watch::Sender::new(MachineStage::BOOTING)),
            arguments: Arc::default(),
            power_button: Arc::default(),
            var_ready: Arc::new(watch::Sender::new(platform.in_container())),
            logs,
            services,
            events,
            timeline,
            platform: Arc::new(platform),
            paths: Arc::new(paths),
            etcd: crate::etcd::Handle::default(),
        }
    }
}

impl Node {
    /// The node with what the kernel's command line says to it.
    #[must_use]
    pub fn with_arguments(mut self, arguments: Arguments) -> Self {
        self.arguments = Arc::new(arguments);
        self
    }

    /// The log file of a service, made known to the API.
    #[must_use]
    pub fn log(&self, id: &'static str) -> PathBuf {
        match log::LogId::parse(id) {
            Ok(id) => self.logs.register(&id),
            // Ids are this program's own constants, all of them plain words.
            Err(_) => self.logs.directory().join(id),
        }
    }
    /// The log file of a service that only runs once `/var` is there, and whose log stays there.
    #[must_use]
    pub fn lasting_log(&self, id: &'static str) -> PathBuf {
        let path = self.paths.at("/var/log").join(format!("{id}.log"));
        if let Ok(id) = log::LogId::parse(id) {
            self.logs.register_at(&id, path.clone());
        }
        path
    }
}
