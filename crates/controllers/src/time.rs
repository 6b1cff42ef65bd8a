//! Time: whether the clock can be trusted.

use ::runtime::controller::{Context, ControllerError, Next, Output, RegisterError, Runtime};
use resource::time::StatusSpec;

use crate::Node;
use crate::plain::plain;

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    // The clock of a container is its host's, who keeps it in sync; it counts as synced from the start. On a machine
    // nothing says so yet, and what needs a good clock waits.
    let in_container = node.platform.in_container();
    controllers.register(plain(
        "time.SyncController",
        Vec::new(),
        vec![Output::exclusive::<StatusSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            context.modify::<StatusSpec>("runtime", "node", |status| {
                status.synced = in_container;
            })?;
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}
