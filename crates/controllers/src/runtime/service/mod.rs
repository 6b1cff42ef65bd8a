//! The service framework: runs what a [`Spec`] says, when its conditions hold, and keeps it running.
//!
//! Every service has one task. A start waits for its conditions (all at once, each recorded on the timeline),
//! prepares, runs, is checked for health from the moment its socket appears, and is started again when it ends.
//! Where to start reading: [`Supervisor`]. Must never: sleep where an event exists; the only timers are the
//! restart back-off, the period of health checks and the grace time of a stop.

mod health;
mod inner;
mod process;
mod runner;
mod supervisor;
mod task;
#[cfg(test)]
mod tests;
mod wait;

pub use health::{Health, HealthCheck, Probe};
pub use inner::TaskRunner;
pub use process::ProcessRunner;
pub use runner::{Exit, Instance, RunError, Runner, error_chain};
pub use supervisor::{Prepare, Restart, Spec, Supervisor, SupervisorError};
pub use wait::Condition;
