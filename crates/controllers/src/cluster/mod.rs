//! The cluster: who this node is in it, and which one it is.

mod identity;

use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use resource::cluster::InfoSpec;
use resource::config::MachineConfigSpec;

use crate::Node;
use crate::config::active::{ACTIVE, NAMESPACE};
use crate::plain::plain;

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    identity::register(controllers, node)?;
    let active = node.config.clone();
    controllers.register(plain(
        "cluster.InfoController",
        vec![Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE)],
        vec![Output::exclusive::<InfoSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            let Some(config) = active.complete(context.store())? else {
                return Ok(Next::OnChange);
            };
            let wanted = info(&config);
            context.modify::<InfoSpec>("cluster", "current", |spec| spec.clone_from(&wanted))?;
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

/// Which cluster a configuration is for.
fn info(config: &config::Config) -> InfoSpec {
    let view = config.view();
    InfoSpec {
        cluster_id: view.discovery_identity().0.to_owned(),
        cluster_name: view.cluster_name().to_owned(),
    }
}
