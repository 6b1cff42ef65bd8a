//! The types that Ichor adds to the contract: what its parts wait for, and how its controllers
//! fare.

use crate::types::NetIp;
use crate::{Spec, Timestamp};

/// Something that a part of the machine waits for; it is gone when the wait is over.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Conditions.runtime.ichor.dev",
    namespace = "runtime",
    aliases = ["waits"],
    columns = [("Owner", "{.owner}"), ("Waits For", "{.waitsFor}"), ("Since", "{.since}")],
    no_automatic_aliases,
)]
pub struct ConditionSpec {
    /// Who waits.
    #[field(1)]
    pub owner: String,
    /// What kind of thing it waits for: `resource`, `service`, `file`, `address`, `event`.
    #[field(2)]
    pub kind: String,
    /// What it waits for, for people.
    #[field(3, yaml = "waitsFor")]
    pub waits_for: String,
    /// Since when.
    #[field(4)]
    pub since: Timestamp,
}

/// The API of a machine that waits for its configuration; it is gone when that has come. Ids: `maintenance`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MaintenanceStatuses.runtime.ichor.dev",
    namespace = "runtime",
    columns = [("Addresses", "{.addresses}"), ("Fingerprint", "{.fingerprint}")],
    no_automatic_aliases,
)]
pub struct MaintenanceStatusSpec {
    /// Where the API answers.
    #[field(1)]
    pub addresses: Vec<NetIp>,
    /// By what its certificate is recognized: base64 of the SHA-256 of its public key.
    #[field(2)]
    pub fingerprint: String,
}

/// How a controller fares.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ControllerStatuses.runtime.ichor.dev",
    namespace = "runtime",
    aliases = ["controllers"],
    columns = [
        ("State", "{.state}"),
        ("Failures", "{.failures}"),
        ("Panics", "{.panics}"),
        ("Error", "{.error}"),
    ],
    no_automatic_aliases,
)]
pub struct ControllerStatusSpec {
    /// `ok`, or `failing` while it is started again and again.
    #[field(1)]
    pub state: String,
    /// Failures since the machine started.
    #[field(2)]
    pub failures: u64,
    /// How many of them were panics.
    #[field(3)]
    pub panics: u64,
    /// The last error and its causes, while failing.
    #[field(4, omit)]
    pub error: String,
    /// When the last failure was.
    #[field(5, yaml = "lastFailure", omit)]
    pub last_failure: Timestamp,
}

/// One step of the node's start: what was done or waited for, from when to when. The id is its number.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "TimelineSteps.runtime.ichor.dev",
    namespace = "runtime",
    aliases = ["timeline"],
    columns = [
        ("Subject", "{.subject}"),
        ("Kind", "{.kind}"),
        ("Step", "{.step}"),
        ("Begun", "{.begun}"),
        ("Milliseconds", "{.milliseconds}"),
    ],
    no_automatic_aliases,
)]
pub struct TimelineStepSpec {
    /// Who: `service/<id>`, `image/<reference>`, `machine`.
    #[field(1)]
    pub subject: String,
    /// `wait`, `work` or `mark` (a moment).
    #[field(2)]
    pub kind: String,
    /// What was done or waited for.
    #[field(3)]
    pub step: String,
    /// When it began.
    #[field(4)]
    pub begun: Timestamp,
    /// When it ended; absent while it lasts.
    #[field(5, omit)]
    pub ended: Timestamp,
    /// How long it took so far.
    #[field(6)]
    pub milliseconds: u64,
}
