//! What the machine is to its cluster, for controllers whose work is a control plane's only: on a worker they have nothing
//! to wait for, and must not say that they do.

use ::runtime::condition::Condition;
use ::runtime::controller::{Context, Input};
use resource::config::MachineTypeSpec;
use resource::enums::MachineType;

use crate::config::active::NAMESPACE;

/// The resource that says it.
const ID: &str = "machine-type";

/// The input of who calls [`waits_as_control_plane`].
pub(crate) fn machine_type() -> Input {
    Input::weak::<MachineTypeSpec>(NAMESPACE).with_id(ID)
}

/// Whether a machine of this type runs a control plane.
pub(crate) fn is_control_plane(machine_type: MachineType) -> bool {
    machine_type == MachineType::CONTROL_PLANE || machine_type == MachineType::INIT
}

/// Says what this controller waits for, if the machine is known to be a control plane.
pub(crate) fn waits_as_control_plane(context: &Context, condition: &Condition) {
    let machine = context.get::<MachineTypeSpec>(NAMESPACE, ID);
    if machine.is_some_and(|machine| is_control_plane(machine.spec.machine_type)) {
        context.waiting(condition);
    }
}
