//! The values of META as resources.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use ::runtime::Condition;
use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use resource::block::VolumeStatusSpec;
use resource::enums::VolumePhase;
use resource::runtime::{MetaKeySpec, MetaLoadedSpec};
use storage::meta::{LENGTH, Meta, MetaError};
use storage::volume::system::META;

use super::NAMESPACE;
use crate::Node;
use crate::plain::plain;

/// Adds the controller.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let paths = std::sync::Arc::clone(&node.paths);
    controllers.register(plain(
        "runtime.MetaController",
        vec![Input::weak::<VolumeStatusSpec>(NAMESPACE).with_id(META)],
        vec![Output::exclusive::<MetaKeySpec>(), Output::exclusive::<MetaLoadedSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            let status = context.get::<VolumeStatusSpec>(NAMESPACE, META);
            let status = status.as_ref().map(|status| &status.spec);
            let meta = match status.map(|status| (status.phase, &status.location)) {
                Some((VolumePhase::READY, location)) => read(&paths.at(location))?,
                // Started from a medium, the machine has no META yet.
                Some((VolumePhase::MISSING | VolumePhase::FAILED, _)) => Meta::default(),
                _ => {
                    context.waiting(&Condition::resource_state::<VolumeStatusSpec>(
                        NAMESPACE,
                        META,
                        "is ready or missing",
                    ));
                    return Ok(Next::OnChange);
                }
            };
            let mut kept = BTreeSet::new();
            for (tag, value) in meta.values() {
                let id = format!("{tag:#04x}");
                let value = String::from_utf8_lossy(value).into_owned();
                context
                    .modify::<MetaKeySpec>("runtime", &id, |key| key.value.clone_from(&value))?;
                kept.insert(id);
            }
            context.cleanup::<MetaKeySpec>("runtime", |key| kept.contains(key.id()))?;
            context.modify::<MetaLoadedSpec>("runtime", "meta-loaded", |loaded| {
                loaded.done = true;
            })?;
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

/// What the partition holds; damaged values are lost, and said to be.
fn read(device: &Path) -> io::Result<Meta> {
    let mut bytes = vec![0; LENGTH];
    File::open(device)?.read_exact_at(&mut bytes, 0)?;
    Ok(match Meta::parse(&bytes) {
        Ok(meta) => meta,
        Err(MetaError::Absent) => Meta::default(),
        Err(error) => {
            tracing::error!(%error, "the values of META are lost");
            Meta::default()
        }
    })
}
