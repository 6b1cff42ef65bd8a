//! Time: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;
use crate::types::Duration;

/// Kernel clock discipline state; ids: `node`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "AdjtimeStatuses.v1alpha1.talos.dev",
    namespace = "runtime",
    columns = [("Offset", "{.offset}"), ("EstError", "{.estError}"), ("MaxError", "{.maxError}"), ("Status", "{.status}"), ("Sync", "{.syncStatus}")],
)]
pub struct AdjtimeStatusSpec {
    #[field(1)]
    pub offset: Duration,
    #[field(2, yaml = "frequencyAdjustmentRatio")]
    pub frequency_adjustment_ratio: f64,
    #[field(3, yaml = "maxError")]
    pub max_error: Duration,
    #[field(4, yaml = "estError")]
    pub est_error: Duration,
    #[field(5)]
    pub status: String,
    #[field(6)]
    pub constant: i64,
    #[field(7, yaml = "syncStatus")]
    pub sync_status: bool,
    #[field(8)]
    pub state: String,
}

/// NTP client spike filter state; ids: `node`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "NTPStatuses.v1alpha1.talos.dev",
    namespace = "runtime",
    columns = [("Spike Detected", "{.spikeDetected}"), ("Consecutive Spikes", "{.consecutiveSpikes}")],
)]
pub struct NTPStatusSpec {
    #[field(1, yaml = "spikeDetected")]
    pub spike_detected: bool,
    #[field(2, yaml = "consecutiveSpikes")]
    pub consecutive_spikes: i64,
}

/// Time in sync, epoch, sync disabled; ids: `node`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "TimeStatuses.v1alpha1.talos.dev",
    namespace = "runtime",
    columns = [("Synced", "{.synced}")],
)]
pub struct StatusSpec {
    #[field(1)]
    pub synced: bool,
    #[field(2)]
    pub epoch: i64,
    #[field(3, yaml = "syncDisabled")]
    pub sync_disabled: bool,
}
