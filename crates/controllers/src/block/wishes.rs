//! The volumes that the machine should have, from its configuration.

use std::collections::BTreeSet;

use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use resource::block::VolumeConfigSpec;
use resource::config::MachineConfigSpec;
use storage::volume::system;

use super::NAMESPACE;
use crate::Node;
use crate::config::active;
use crate::plain::plain;

/// Adds the controller.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let config = node.config.clone();
    controllers.register(plain(
        "block.VolumeConfigController",
        vec![Input::weak::<MachineConfigSpec>(active::NAMESPACE).with_id(active::ACTIVE)],
        vec![Output::exclusive::<VolumeConfigSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            let config = config.config(context.store())?;
            let wishes = system::configs(config.as_deref());
            for (id, wish) in &wishes {
                context.modify::<VolumeConfigSpec>(NAMESPACE, id, |spec| spec.clone_from(wish))?;
            }
            let kept: BTreeSet<&str> = wishes.iter().map(|(id, _)| *id).collect();
            context.cleanup::<VolumeConfigSpec>(NAMESPACE, |wish| kept.contains(wish.id()))?;
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}
