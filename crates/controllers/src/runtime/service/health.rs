//! Health checks: from the moment a service can answer, then at a steady pace.
//!
//! A check first waits for the event that the service can be asked at all (its socket file appears), so nothing
//! is lost to an initial delay. Until the first good answer it asks again quickly, because a foreign process has
//! no event for "now I listen".

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use runtime::service::Registry;
use tokio::time::{Instant, sleep_until, timeout};

use super::wait::Condition;

/// What a check found: healthy, or why not.
pub type Health = Result<(), String>;

/// Asks a service once whether it is well.
pub trait Probe: Send + Sync + 'static {
    /// Asks. The caller bounds the time.
    fn probe(&self) -> BoxFuture<'_, Health>;
}

impl<F, Fut> Probe for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Health> + Send + 'static,
{
    fn probe(&self) -> BoxFuture<'_, Health> {
        Box::pin(self())
    }
}

/// How a service is checked.
#[derive(Clone)]
pub struct HealthCheck {
    /// Asks once.
    pub probe: Arc<dyn Probe>,
    /// When asking makes sense: the socket file is there.
    pub ready: Option<Condition>,
    /// The pace once it has answered well.
    pub period: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// The pace before the first good answer starts here and doubles up to the period.
const FIRST_PACE: Duration = Duration::from_millis(10);
/// It grows no further than this until the service was healthy once.
const STARTING_PACE: Duration = Duration::from_millis(160);

impl HealthCheck {
    /// A check with the usual pace of five seconds and half a second for an answer.
    pub fn new(probe: impl Probe) -> Self {
        Self {
            probe: Arc::new(probe),
            ready: None,
            period: Duration::from_secs(5),
            timeout: Duration::from_millis(500),
        }
    }

    /// Asks only once `ready` holds.
    #[must_use]
    pub fn when(mut self, ready: Condition) -> Self {
        self.ready = Some(ready);
        self
    }

    /// Another pace and time for an answer.
    #[must_use]
    pub fn pace(mut self, period: Duration, timeout: Duration) -> Self {
        (self.period, self.timeout) = (period, timeout);
        self
    }

    /// Checks the service until dropped.
    pub(super) async fn run(&self, id: &str, services: &Registry) {
        if let Some(ready) = &self.ready {
            ready.wait().await;
        }
        let mut pace = FIRST_PACE;
        let mut was_healthy = false;
        loop {
            let asked = Instant::now();
            let health = match timeout(self.timeout, self.probe.probe()).await {
                Ok(health) => health,
                Err(_) => Err(format!("no answer within {} ms", self.timeout.as_millis())),
            };
            match health {
                Ok(()) => {
                    was_healthy = true;
                    services.report(id, true, "");
                    pace = self.period;
                }
                // A service that only now starts is not unhealthy: it is unknown until it answers.
                Err(_) if !was_healthy => pace = (pace * 2).min(STARTING_PACE.min(self.period)),
                Err(reason) => {
                    services.report(id, false, reason);
                    pace = self.period.min(Duration::from_secs(1));
                }
            }
            sleep_until(asked + pace).await;
        }
    }
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthCheck").field("period", &self.period).finish_non_exhaustive()
    }
}
