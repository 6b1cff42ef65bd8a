//! Time: whether the clock can be trusted, and what makes it right.

mod sync;

use std::time::Duration;

use ::config::Config;
use ::runtime::Condition;
use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use resource::config::MachineConfigSpec;
use resource::network::{StatusSpec as NetworkStatusSpec, TimeServerStatusSpec};
use resource::time::{AdjtimeStatusSpec, NTPStatusSpec, StatusSpec};
use sys::clock::Discipline;
use tokio::task::JoinHandle;

use crate::Node;
use crate::config::active::Active;
use crate::plain::plain;

pub use sync::{Clock, MachineClock, Outcome, Wanted, synchronise};

/// The namespace and id of what is known about the clock.
const NAMESPACE: &str = "runtime";
const ID: &str = "node";

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    if node.platform.in_container() {
        // The clock of a container is its host's, who keeps it in sync; it counts as synced from the start.
        controllers.register(plain(
            "time.SyncController",
            Vec::new(),
            vec![Output::exclusive::<StatusSpec>()],
            move |context: &Context| -> Result<Next, ControllerError> {
                context.modify::<StatusSpec>(NAMESPACE, ID, |status| status.synced = true)?;
                Ok(Next::OnChange)
            },
        ))?;
    } else {
        controllers.register(Sync::new(node.config.clone()))?;
    }
    Ok(())
}

/// Keeps the machine's clock right.
struct Sync {
    active: Active,
    running: Option<Running>,
    /// What the task before the present one had found.
    last: Outcome,
    /// When this controller ran first, by the clock that never jumps.
    begin: Option<Duration>,
}

struct Running {
    wanted: tokio::sync::watch::Sender<Wanted>,
    outcome: tokio::sync::watch::Receiver<Outcome>,
    task: JoinHandle<std::io::Result<()>>,
}

/// What the configuration says about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    enabled: bool,
    /// After this time the node goes on with the clock that it has.
    patience: Option<Duration>,
}

impl Settings {
    fn of(config: Option<&Config>) -> Self {
        let Some(config) = config else { return Self { enabled: true, patience: None } };
        let time = config.view().time_sync();
        Self { enabled: time.enabled, patience: time.boot_timeout }
    }
}

/// What is to be said about the clock, and when to look again.
fn plan(settings: Settings, outcome: &Outcome, running_for: Duration) -> (StatusSpec, Next) {
    let left = settings.patience.map(|patience| patience.saturating_sub(running_for));
    let synced = outcome.synced || !settings.enabled || left == Some(Duration::ZERO);
    let status = StatusSpec { synced, epoch: outcome.epoch, sync_disabled: !settings.enabled };
    let next = match left {
        Some(left) if !synced => Next::After(left),
        _ => Next::OnChange,
    };
    (status, next)
}

impl Sync {
    fn new(active: Active) -> Self {
        Self { active, running: None, last: Outcome::default(), begin: None }
    }

    /// Tells the task what is wanted, and gives back what it has found.
    fn task(&mut self, context: &Context, wanted: Wanted) -> Result<Outcome, ControllerError> {
        if let Some(ended) = self.running.take_if(|running| running.task.is_finished()) {
            self.last = ended.outcome.borrow().clone();
            let error = ended.task.now_or_never().and_then(Result::ok).and_then(Result::err);
            let error = error.map_or_else(String::new, |error| error.to_string());
            tracing::warn!(error, "keeping the time ended");
        }
        let running = self.running.get_or_insert_with(|| {
            let (told, wants) = tokio::sync::watch::channel(Wanted::default());
            let (found, outcome) = tokio::sync::watch::channel(self.last.clone());
            let waker = context.waker();
            let task = tokio::spawn(async move {
                let wake = waker.clone();
                let ended = synchronise(MachineClock, wants, found, move || wake.wake()).await;
                waker.wake();
                ended
            });
            Running { wanted: told, outcome, task }
        });
        running.wanted.send_if_modified(|present| {
            let changed = *present != wanted;
            *present = wanted;
            changed
        });
        Ok(running.outcome.borrow().clone())
    }

    fn run(&mut self, context: &Context) -> Result<Next, ControllerError> {
        let now = sys::clock::steady()?;
        let begin = *self.begin.get_or_insert(now);
        let config = self.active.config(context.store())?;
        let settings = Settings::of(config.as_deref());
        let servers = context.get::<TimeServerStatusSpec>("network", "timeservers");
        let network = context.get::<NetworkStatusSpec>("network", "status");
        let wanted = Wanted {
            servers: match servers.filter(|_| settings.enabled) {
                Some(servers) => servers.spec.time_servers.clone(),
                None => Vec::new(),
            },
            connected: network.is_some_and(|found| found.spec.connectivity_ready),
        };
        let names = wanted.servers.join(", ");
        let outcome = self.task(context, wanted)?;
        let (status, next) = plan(settings, &outcome, now.saturating_sub(begin));
        if !status.synced {
            let why = outcome.doing;
            let what = format!("the clock to be set by a time server ({names}): {why}");
            context.waiting(&Condition::Event { what });
        }
        context.modify::<StatusSpec>(NAMESPACE, ID, |spec| spec.clone_from(&status))?;
        context.modify::<NTPStatusSpec>(NAMESPACE, ID, |spec| {
            spec.spike_detected = outcome.spikes > 0;
            spec.consecutive_spikes = i64::from(outcome.spikes);
        })?;
        let adjtime = adjtime(&sys::clock::discipline()?);
        context.modify::<AdjtimeStatusSpec>(NAMESPACE, ID, |spec| spec.clone_from(&adjtime))?;
        Ok(next)
    }
}

impl Controller for Sync {
    fn name(&self) -> &'static str {
        "time.SyncController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::weak::<MachineConfigSpec>("config").with_id("v1alpha1"),
            Input::weak::<TimeServerStatusSpec>("network").with_id("timeservers"),
            Input::weak::<NetworkStatusSpec>("network").with_id("status"),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::exclusive::<StatusSpec>(),
            Output::exclusive::<NTPStatusSpec>(),
            Output::exclusive::<AdjtimeStatusSpec>(),
        ]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        std::future::ready(self.run(context)).boxed()
    }
}

/// The names of the kernel's status bits, lowest first (`man 2 adjtimex`).
const STATUS: [&str; 14] = [
    "STA_PLL",
    "STA_PPSFREQ",
    "STA_PPSTIME",
    "STA_FLL",
    "STA_INS",
    "STA_DEL",
    "STA_UNSYNC",
    "STA_FREQHOLD",
    "STA_PPSSIGNAL",
    "STA_PPSJITTER",
    "STA_PPSWANDER",
    "STA_PPSERROR",
    "STA_CLOCKERR",
    "STA_NANO",
];
const UNSYNC: i32 = 1 << 6;
/// The names of the kernel's states.
const STATES: [&str; 6] =
    ["TIME_OK", "TIME_INS", "TIME_DEL", "TIME_OOP", "TIME_WAIT", "TIME_ERROR"];

fn adjtime(found: &Discipline) -> AdjtimeStatusSpec {
    let bits = (0..).zip(STATUS).filter(|(bit, _)| found.status & 1 << bit != 0);
    let mut offset = resource::types::Duration::from(found.offset);
    if found.is_ahead {
        offset.nanos = -offset.nanos;
    }
    AdjtimeStatusSpec {
        offset,
        frequency_adjustment_ratio: found.frequency,
        max_error: found.max_error.into(),
        est_error: found.estimated_error.into(),
        status: bits.map(|(_, name)| name).collect::<Vec<_>>().join(" | "),
        constant: found.constant,
        sync_status: found.status & UNSYNC == 0,
        state: usize::try_from(found.state)
            .ok()
            .and_then(|state| STATES.get(state))
            .map_or_else(|| found.state.to_string(), ToString::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_goes_on_when_the_clock_is_right_or_nobody_minds() {
        let secs = Duration::from_secs;
        let on = Settings { enabled: true, patience: None };
        let off = Settings { enabled: false, patience: None };
        let patient = Settings { enabled: true, patience: Some(secs(60)) };
        let right = Outcome { synced: true, epoch: 1, ..Outcome::default() };
        let wrong = Outcome::default();
        let cases = [
            (on, &wrong, secs(999), false, Next::OnChange),
            (on, &right, secs(0), true, Next::OnChange),
            (off, &wrong, secs(0), true, Next::OnChange),
            (patient, &wrong, secs(20), false, Next::After(secs(40))),
            (patient, &wrong, secs(60), true, Next::OnChange),
            (patient, &right, secs(20), true, Next::OnChange),
        ];
        for (settings, outcome, time, synced, next) in cases {
            let (status, found) = plan(settings, outcome, time);
            assert_eq!((status.synced, found), (synced, next), "{settings:?} {outcome:?} {time:?}");
            assert_eq!(status.sync_disabled, !settings.enabled);
            assert_eq!(status.epoch, outcome.epoch);
        }
    }

    #[test]
    fn the_configuration_says_whether_and_how_long() {
        let of = |text: &str| Settings::of(Some(&::config::load(text.as_bytes()).expect("loads")));
        assert_eq!(Settings::of(None), Settings { enabled: true, patience: None });
        let text = "apiVersion: v1alpha1\nkind: TimeSyncConfig\nenabled: false\n";
        assert!(!of(text).enabled);
        let text = "apiVersion: v1alpha1\nkind: TimeSyncConfig\nbootTimeout: 2m\n";
        assert_eq!(of(text).patience, Some(Duration::from_secs(120)));
    }

    #[test]
    fn the_kernels_words_are_the_contracts() {
        let found = Discipline {
            offset: Duration::from_micros(1500),
            is_ahead: true,
            frequency: 1.0,
            status: 1 | UNSYNC | 1 << 13,
            state: 5,
            ..Discipline::default()
        };
        let spec = adjtime(&found);
        assert_eq!(spec.status, "STA_PLL | STA_UNSYNC | STA_NANO");
        assert_eq!((spec.state.as_str(), spec.sync_status), ("TIME_ERROR", false));
        assert_eq!(spec.offset.to_string(), "-1.5ms");
    }
}
