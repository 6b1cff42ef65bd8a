//! Services and boot: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;

/// Boot is ready to look for a config.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "AcquireConfigSpecs.v1alpha1.talos.dev", namespace = "runtime")]
pub struct AcquireConfigSpecSpec {}

/// Config acquired, boot may go on.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "AcquireConfigStatuses.v1alpha1.talos.dev", namespace = "runtime")]
pub struct AcquireConfigStatusSpec {}

/// Service running/healthy (id = service).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Services.v1alpha1.talos.dev",
    namespace = "runtime",
    aliases = ["svc"],
    columns = [("Running", "{.running}"), ("Healthy", "{.healthy}"), ("Health Unknown", "{.unknown}")],
)]
pub struct ServiceSpec {
    #[field(1)]
    pub running: bool,
    #[field(2)]
    pub healthy: bool,
    #[field(3)]
    pub unknown: bool,
}
