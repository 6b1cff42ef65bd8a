//! The machine configuration: where it comes from, which one is in effect, and keeping it.

pub mod active;
pub mod source;

use std::path::PathBuf;

use ::config::validate::{self, ValidateError};
use ::config::{Config, LoadErrors, view};
use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use ::runtime::event::{Bus, Payload};
use ::runtime::store::StoreError;
use resource::config::{MachineConfigSpec, MachineTypeSpec};
use resource::enums::MachineType;
use resource::runtime::MaintenanceServiceRequestSpec;
use resource::v1alpha1::AcquireConfigStatusSpec;

use crate::files::atomic;
use crate::plain::plain;
use crate::{Mode, Node, Platform};
use active::{ACTIVE, Active, NAMESPACE, OWNER, PERSISTENT};
use source::SourceError;

/// The file that keeps the configuration, in the persistent directory.
pub const FILE: &str = "config.yaml";

/// Why there is no configuration, although a source has one.
#[derive(Debug, thiserror::Error)]
enum AcquireError {
    #[error(transparent)]
    Source(#[from] SourceError),
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

/// What the sources have, in their order. The first complete one ends the search; one on disk ends it always.
fn search(
    node: &Platform,
    disk: Option<Vec<u8>>,
    platform: Option<Vec<u8>>,
) -> Result<Option<Found>, AcquireError> {
    if let Some(bytes) = disk {
        return found(node, "STATE", bytes, false).map(Some);
    }
    match platform {
        Some(bytes) => found(node, "the platform", bytes, true).map(Some),
        None => Ok(None),
    }
}

fn found(
    node: &Platform,
    origin: &'static str,
    bytes: Vec<u8>,
    keep: bool,
) -> Result<Found, AcquireError> {
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
    register_persistence(controllers, node.paths.state().join(FILE))?;
    register_machine_type(controllers, node.config.clone())
}

fn register_acquire(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let node = node.clone();
    let mut searched = false;
    controllers.register(plain(
        OWNER,
        vec![Input::weak::<MachineConfigSpec>(NAMESPACE)],
        vec![
            Output::shared::<MachineConfigSpec>(),
            Output::exclusive::<AcquireConfigStatusSpec>(),
            Output::exclusive::<MaintenanceServiceRequestSpec>(),
        ],
        move |context: &Context| -> Result<Next, ControllerError> {
            if !searched {
                let _step = node.timeline.work("machine", "acquire the machine configuration");
                if let Err(error) = acquire(&node) {
                    tell(&node.events, &error);
                    return Err(error.into());
                }
                searched = true;
            }
            if node.config.complete(context.store())?.is_some() {
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
        },
    ))?;
    Ok(())
}

/// Searches the sources, unless a configuration was given by the API in the meantime.
fn acquire(node: &Node) -> Result<(), AcquireError> {
    if node.store.get::<MachineConfigSpec>(NAMESPACE, ACTIVE).is_some() {
        return Ok(());
    }
    let disk = source::disk(&node.paths.state().join(FILE))?;
    let platform = match (&disk, &node.platform.user_data) {
        (None, Some(text)) => source::user_data(text)?,
        _ => None,
    };
    let Some(found) = search(&node.platform, disk, platform)? else { return Ok(()) };
    for warning in &found.warnings {
        tracing::warn!(warning, "the machine configuration is questionable");
    }
    let origin = if found.keep { "the platform" } else { "STATE" };
    let failed = |source| AcquireError::Store { origin, source };
    if found.keep && found.complete {
        active::put(&node.store, PERSISTENT, &found.text).map_err(failed)?;
    }
    active::put(&node.store, ACTIVE, &found.text).map_err(failed)
}

fn tell(events: &Bus, error: &AcquireError) {
    let text = crate::runtime::service::error_chain(error);
    events.publish(match error {
        AcquireError::Invalid { .. } => Payload::ConfigValidationError { error: text },
        _ => Payload::ConfigLoadError { error: text },
    });
}

fn register_persistence(controllers: &mut Runtime, path: PathBuf) -> Result<(), RegisterError> {
    controllers.register(plain(
        "config.PersistenceController",
        vec![Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(PERSISTENT)],
        Vec::new(),
        move |context: &Context| -> Result<Next, ControllerError> {
            if let Some(kept) = context.get::<MachineConfigSpec>(NAMESPACE, PERSISTENT) {
                atomic::write_durable(&path, kept.spec.yaml_marshalled.as_bytes(), 0o600)?;
            }
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
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

    #[test]
    fn the_disk_comes_before_the_platform() {
        let disk = search(&platform(), Some(WORKER.to_vec()), Some(b"not looked at: [".to_vec()));
        let disk = disk.unwrap().unwrap();
        assert!(disk.complete && !disk.keep);
        let given = search(&platform(), None, Some(WORKER.to_vec())).unwrap().unwrap();
        assert!(given.complete && given.keep);
        assert!(search(&platform(), None, None).unwrap().is_none());
    }

    #[test]
    fn a_source_that_does_not_load_is_named() {
        let error = search(&platform(), None, Some(b"a: [".to_vec())).unwrap_err();
        assert!(error.to_string().contains("from the platform"), "{error}");
        let partial = b"apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: a\n";
        let partial = search(&platform(), Some(partial.to_vec()), None).unwrap().unwrap();
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
        let error = search(&platform(), Some(invalid.into_bytes()), None).unwrap_err();
        assert!(
            matches!(error, AcquireError::Invalid { .. } | AcquireError::Load { .. }),
            "{error}"
        );
    }
}
