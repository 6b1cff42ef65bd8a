//! The machine configuration: where it comes from, which one is in effect, and keeping it.

pub mod active;
mod download;
mod platform;
pub mod source;

use std::path::Path;

use ::config::validate::{self, ValidateError};
use ::config::{Config, LoadErrors, view};
use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use ::runtime::event::{Bus, Payload};
use ::runtime::store::StoreError;
use futures::future::BoxFuture;
use resource::config::{MachineConfigSpec, MachineTypeSpec};
use resource::enums::MachineType;
use resource::runtime::MaintenanceServiceRequestSpec;
use resource::v1alpha1::AcquireConfigStatusSpec;

use crate::files::atomic;
use crate::plain::plain;
use crate::volume::{self, Presence, STATE, VolumeError};
use crate::{Mode, Node, Paths, Platform};
use active::{ACTIVE, Active, NAMESPACE, OWNER, PERSISTENT};
use platform::PlatformError;
use source::{Origin, SourceError};

/// The file that keeps the configuration, in the persistent directory.
pub const FILE: &str = "config.yaml";

const PERSISTENCE: &str = "config.PersistenceController";

/// Why there is no configuration, although a source has one.
#[derive(Debug, thiserror::Error)]
enum AcquireError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Platform(#[from] PlatformError),
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error("the machine configuration in the root image cannot be hidden")]
    Mask(#[source] sys::mount::MountError),
    #[error("the machine configuration from {origin} cannot be used")]
    Load {
        origin: &'static str,
        #[source]
        source: LoadErrors,
    },
    #[error("the machine configuration from {origin} is not valid")]
    Invalid {
        origin: &'static str,
        #[source]
        source: ValidateError,
    },
    #[error("the machine configuration from {origin} is not UTF-8 text")]
    Text { origin: &'static str },
    #[error("cannot put the machine configuration from {origin} into effect")]
    Store {
        origin: &'static str,
        #[source]
        source: StoreError,
    },
}

/// A configuration that a source gave.
#[derive(Debug)]
struct Found {
    text: String,
    complete: bool,
    warnings: Vec<String>,
    /// It has to be written to the disk.
    keep: bool,
}

impl Found {
    /// Whether the search is over: it is complete, or the node itself kept it, incomplete as it is.
    fn ends(&self, origin: Origin) -> bool {
        self.complete || origin == Origin::State
    }
}

/// Judges what a source gave.
fn found(node: &Platform, origin: Origin, bytes: Vec<u8>) -> Result<Found, AcquireError> {
    let keep = origin != Origin::State;
    let origin = origin.as_str();
    let config = ::config::load(&bytes).map_err(|source| AcquireError::Load { origin, source })?;
    let warnings =
        check(&config, node).map_err(|source| AcquireError::Invalid { origin, source })?;
    let text = String::from_utf8(bytes).map_err(|_| AcquireError::Text { origin })?;
    Ok(Found { text, complete: config.is_complete(), warnings, keep })
}

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    register_acquire(controllers, node)?;
    register_persistence(controllers, node)?;
    register_machine_type(controllers, node.config.clone())
}

fn register_acquire(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    controllers.register(Acquire { node: node.clone(), searched: false })?;
    Ok(())
}

/// Finds a configuration once, and says whether the node has one that it can work with.
struct Acquire {
    node: Node,
    searched: bool,
}

impl Controller for Acquire {
    fn name(&self) -> &'static str {
        OWNER
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<MachineConfigSpec>(NAMESPACE)]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::shared::<MachineConfigSpec>(),
            Output::exclusive::<AcquireConfigStatusSpec>(),
            Output::exclusive::<MaintenanceServiceRequestSpec>(),
        ]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            if !self.searched {
                let _step = self.node.timeline.work("machine", "acquire the machine configuration");
                if let Err(error) = acquire(&self.node).await {
                    tell(&self.node.events, &error);
                    return Err(error.into());
                }
                self.searched = true;
            }
            if self.node.config.complete(context.store())?.is_some() {
                context.remove::<MaintenanceServiceRequestSpec>("runtime", "maintenance")?;
                context.modify::<AcquireConfigStatusSpec>("runtime", "acquire-config", |_| {})?;
            } else {
                context.modify::<MaintenanceServiceRequestSpec>(
                    "runtime",
                    "maintenance",
                    |_| {},
                )?;
            }
            Ok(Next::OnChange)
        })
    }
}

/// Searches the sources in their order, unless a configuration was given by the API in the meantime. A later source
/// replaces what an earlier one gave; nothing is merged.
async fn acquire(node: &Node) -> Result<(), AcquireError> {
    if node.store.get::<MachineConfigSpec>(NAMESPACE, ACTIVE).is_some() {
        return Ok(());
    }
    for origin in Origin::order(node.platform.in_container()).iter().copied() {
        let Some(bytes) = read(node, origin).await? else { continue };
        let found = found(&node.platform, origin, bytes)?;
        tracing::info!(complete = found.complete, "machine configuration from {}", origin.as_str());
        for warning in &found.warnings {
            tracing::warn!(warning, "the machine configuration is questionable");
        }
        let failed = |source| AcquireError::Store { origin: origin.as_str(), source };
        if found.keep && found.complete {
            active::put(&node.store, PERSISTENT, &found.text).map_err(failed)?;
        }
        active::put(&node.store, ACTIVE, &found.text).map_err(failed)?;
        if found.ends(origin) {
            break;
        }
    }
    Ok(())
}

/// What one source has.
async fn read(node: &Node, origin: Origin) -> Result<Option<Vec<u8>>, AcquireError> {
    let argument = |name, text: &Option<String>| {
        text.as_deref().map(|text| source::argument(name, text)).transpose()
    };
    Ok(match origin {
        Origin::State => {
            let read = |directory: &Path| source::disk(&directory.join(FILE));
            match volume::presence(node, STATE, OWNER).await {
                Presence::Missing => None,
                Presence::Ready => volume::with_state(node, OWNER, true, read).await??,
            }
        }
        Origin::Embedded => embedded(&node.paths)?,
        Origin::Early => argument("talos.config.early", &node.arguments.config_early)?,
        Origin::Platform => platform::configuration(node).await?,
        Origin::Inline => argument("talos.config.inline", &node.arguments.config_inline)?,
    })
}

/// The configuration in the root image, which only this program may see: afterwards its directory looks empty.
fn embedded(paths: &Paths) -> Result<Option<Vec<u8>>, AcquireError> {
    let path = paths.at(source::EMBEDDED);
    let found = source::disk(&path)?;
    if found.is_some()
        && let Some(directory) = path.parent()
    {
        use sys::mount::MountFlags;
        let flags =
            MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        sys::mount::mount("tmpfs", "embedded", directory, flags, "mode=700,size=4k")
            .map_err(AcquireError::Mask)?;
    }
    Ok(found)
}

fn tell(events: &Bus, error: &AcquireError) {
    let text = crate::runtime::service::error_chain(error);
    events.publish(match error {
        AcquireError::Invalid { .. } => Payload::ConfigValidationError { error: text },
        _ => Payload::ConfigLoadError { error: text },
    });
}

fn register_persistence(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    controllers.register(Persistence { node: node.clone() })?;
    Ok(())
}

/// Keeps the configuration in STATE, as soon as there is one.
struct Persistence {
    node: Node,
}

impl Controller for Persistence {
    fn name(&self) -> &'static str {
        PERSISTENCE
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(PERSISTENT)]
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            if context.get::<MachineConfigSpec>(NAMESPACE, PERSISTENT).is_none() {
                return Ok(Next::OnChange);
            }
            let store = self.node.store.clone();
            // While STATE was waited for, there may have come another one.
            let write = move |directory: &Path| match store
                .get::<MachineConfigSpec>(NAMESPACE, PERSISTENT)
            {
                Some(kept) => {
                    let text = kept.spec.yaml_marshalled.as_bytes();
                    atomic::write_durable(&directory.join(FILE), text, 0o600)
                }
                None => Ok(false),
            };
            volume::with_state(&self.node, PERSISTENCE, false, write).await??;
            Ok(Next::OnChange)
        })
    }
}

/// Checks a configuration for this node: the warnings, or everything that is wrong with it.
///
/// # Errors
/// All errors together, in the contract's words.
pub fn check(config: &Config, platform: &Platform) -> Result<Vec<String>, ValidateError> {
    let mode = match platform.mode {
        Mode::Metal => validate::Mode::Metal,
        Mode::Cloud => validate::Mode::Cloud,
        Mode::Container => validate::Mode::Container,
    };
    let options = validate::Options { mode, local: false, strict: false, installed: true };
    let report = validate::validate(config, options);
    report.result()?;
    Ok(report.warnings().map(str::to_owned).collect())
}

/// What kind of machine a configuration asks for.
#[must_use]
pub fn machine_type(config: &Config) -> MachineType {
    match config.view().machine_type() {
        view::MachineType::ControlPlane => MachineType::CONTROL_PLANE,
        view::MachineType::Init => MachineType::INIT,
        view::MachineType::Worker => MachineType::WORKER,
        view::MachineType::Unknown => MachineType::UNKNOWN,
    }
}

fn register_machine_type(controllers: &mut Runtime, config: Active) -> Result<(), RegisterError> {
    controllers.register(plain(
        "config.MachineTypeController",
        vec![Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE)],
        vec![Output::exclusive::<MachineTypeSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            if let Some(config) = config.complete(context.store())? {
                let machine_type = machine_type(&config);
                context.modify::<MachineTypeSpec>(NAMESPACE, "machine-type", |spec| {
                    spec.machine_type = machine_type;
                })?;
            }
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: &[u8] = include_bytes!("../../../config/examples/v1alpha1.yaml");

    fn platform() -> Platform {
        Platform {
            name: "metal".into(),
            mode: Mode::Metal,
            instance_type: String::new(),
            user_data: None,
        }
    }

    fn node(root: &Path, user_data: Option<&[u8]>) -> Node {
        use base64::Engine as _;
        let encode = |bytes| base64::engine::general_purpose::STANDARD.encode(bytes);
        let platform = Platform {
            name: "container".into(),
            mode: Mode::Container,
            instance_type: String::new(),
            user_data: user_data.map(encode),
        };
        Node::new(platform, Paths::new(root), [0; 5])
    }

    fn kept(root: &Path, file: &str, content: &[u8]) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn present(node: &Node, id: &str) -> Option<String> {
        let found = node.store.get::<MachineConfigSpec>(NAMESPACE, id)?;
        Some(found.spec.yaml_marshalled.clone())
    }

    const PARTIAL: &[u8] = b"apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: a\n";

    #[tokio::test]
    async fn the_disk_comes_before_the_platform() {
        let root = tempfile::tempdir().unwrap();
        let dns = "apiVersion: v1alpha1\nkind: ResolverConfig\nhostDNS:\n  enabled: true\n  forwardKubeDNSToHost: true\n";
        let worker = format!("{}---\n{dns}", String::from_utf8(WORKER.to_vec()).unwrap());
        kept(root.path(), "system/state/config.yaml", worker.as_bytes());
        let with_disk = node(root.path(), Some(b"not looked at: ["));
        acquire(&with_disk).await.unwrap();
        assert_eq!(present(&with_disk, ACTIVE), Some(worker.clone()));
        assert_eq!(present(&with_disk, PERSISTENT), None, "it is kept already");

        let root = tempfile::tempdir().unwrap();
        let given = node(root.path(), Some(worker.as_bytes()));
        acquire(&given).await.unwrap();
        assert_eq!(present(&given, PERSISTENT), Some(worker));

        let root = tempfile::tempdir().unwrap();
        let without = node(root.path(), None);
        acquire(&without).await.unwrap();
        assert_eq!(present(&without, ACTIVE), None);
    }

    #[tokio::test]
    async fn an_incomplete_one_on_disk_ends_the_search_and_another_does_not() {
        let root = tempfile::tempdir().unwrap();
        kept(root.path(), "system/state/config.yaml", PARTIAL);
        let on_disk = node(root.path(), Some(WORKER));
        acquire(&on_disk).await.unwrap();
        assert_eq!(present(&on_disk, ACTIVE).unwrap().as_bytes(), PARTIAL);

        let root = tempfile::tempdir().unwrap();
        let platform = Platform { mode: Mode::Metal, name: "metal".into(), ..platform() };
        let packed = zstd::encode_all(PARTIAL, 3).unwrap();
        let full = zstd::encode_all(WORKER, 3).unwrap();
        use base64::Engine as _;
        let text = |bytes| Some(base64::engine::general_purpose::STANDARD.encode(bytes));
        let arguments = boot::command_line::arguments::Arguments {
            config_early: text(packed),
            config_inline: text(full),
            ..Default::default()
        };
        let machine =
            Node::new(platform, Paths::new(root.path()), [0; 5]).with_arguments(arguments);
        // No disk has a volume STATE.
        let missing = resource::block::VolumeStatusSpec {
            phase: resource::enums::VolumePhase::MISSING,
            ..Default::default()
        };
        machine.store.create("", "runtime", STATE, missing).unwrap();
        acquire(&machine).await.unwrap();
        assert_eq!(present(&machine, ACTIVE).unwrap().as_bytes(), WORKER, "replaced, not merged");
    }

    #[test]
    fn a_source_that_does_not_load_is_named() {
        let error = found(&platform(), Origin::Platform, b"a: [".to_vec()).unwrap_err();
        assert!(error.to_string().contains("from the platform"), "{error}");
        let partial = found(&platform(), Origin::Platform, PARTIAL.to_vec()).unwrap();
        assert!(
            !partial.complete,
            "a configuration without the v1alpha1 document leads to maintenance"
        );
    }

    #[test]
    fn a_configuration_that_is_not_valid_is_not_used() {
        let text = String::from_utf8(WORKER.to_vec()).unwrap();
        let invalid = text.replacen("type: worker", "type: nonsense", 1);
        let invalid = if invalid == text {
            text.replacen("type: controlplane", "type: nonsense", 1)
        } else {
            invalid
        };
        let error = found(&platform(), Origin::State, invalid.into_bytes()).unwrap_err();
        assert!(
            matches!(error, AcquireError::Invalid { .. } | AcquireError::Load { .. }),
            "{error}"
        );
    }
}
