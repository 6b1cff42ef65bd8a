//! What a node has been waiting for too long is said on the console: whoever stands before a machine that does not go
//! on reads there why.
//!
//! The waits themselves are resources and can be read at any time; this only repeats the long ones.

use std::collections::BTreeMap;
use std::time::Duration;

use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use resource::ichor::ConditionSpec;

use crate::plain::plain;

/// A wait of this length is worth a line.
const LONG: Duration = Duration::from_secs(20);
/// Kinds of waits whose end lies outside the machine or in the course of time. Those for resources and services follow from
/// these: one cable that is not plugged in lets a dozen controllers wait for each other.
const TOLD: [&str; 3] = ["address", "event", "file"];

/// One wait, under what it is for; the text after a colon says how it goes and may change while it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wait {
    /// The whole text.
    what: String,
    /// Since when, in seconds of the Unix epoch.
    since: i64,
}

/// A wait that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    since: i64,
    told: bool,
}

/// What is to be said now, and when to look again.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// Waits that have become long.
    long: Vec<String>,
    /// Long waits that are over.
    over: Vec<String>,
    /// Until the next one becomes long.
    next: Option<Duration>,
}

/// What a wait is for.
fn subject(what: &str) -> &str {
    what.split_once(": ").map_or(what, |(subject, _)| subject)
}

/// Compares the waits there are with those that are known, by what they are for. Several parts may wait for the same, which
/// is said once. A clock that was set meanwhile makes a wait longer or shorter than it was; that costs a line at most.
fn plan(waits: &[Wait], known: &mut BTreeMap<String, Known>, now: i64) -> Plan {
    let mut plan = Plan::default();
    known.retain(|subject, known| {
        let lasts = waits.iter().any(|wait| self::subject(&wait.what) == subject);
        if !lasts && known.told {
            plan.over.push(subject.clone());
        }
        lasts
    });
    for wait in waits {
        let known = known
            .entry(subject(&wait.what).to_owned())
            .or_insert(Known { since: wait.since, told: false });
        if known.told {
            continue;
        }
        let lasted = Duration::from_secs(now.saturating_sub(known.since).try_into().unwrap_or(0));
        if lasted < LONG {
            let left = LONG.saturating_sub(lasted);
            plan.next = Some(plan.next.map_or(left, |next| next.min(left)));
            continue;
        }
        known.told = true;
        plan.long.push(wait.what.clone());
    }
    plan
}

/// Adds the controller that tells of long waits.
pub(super) fn register(controllers: &mut Runtime) -> Result<(), RegisterError> {
    let mut known = BTreeMap::new();
    controllers.register(plain(
        "runtime.PatienceController",
        vec![Input::weak::<ConditionSpec>("runtime")],
        Vec::<Output>::new(),
        move |context: &Context| -> Result<Next, ControllerError> {
            let waits: Vec<Wait> = context
                .list::<ConditionSpec>("runtime")
                .iter()
                .filter(|wait| TOLD.contains(&wait.spec.kind.as_str()))
                .map(|wait| Wait {
                    what: wait.spec.waits_for.clone(),
                    since: wait.spec.since.seconds,
                })
                .collect();
            let plan = plan(&waits, &mut known, context.store().now().seconds);
            for what in plan.long {
                tracing::warn!("waiting for more than {} s: {what}", LONG.as_secs());
            }
            for what in plan.over {
                tracing::info!("the wait is over: {what}");
            }
            Ok(plan.next.map_or(Next::OnChange, Next::After))
        },
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_waits_are_told_once_and_when_they_are_over() {
        let mut known = BTreeMap::new();
        let mut step = |list: &[(&str, i64)], now| {
            let waits: Vec<Wait> = list
                .iter()
                .map(|(what, since)| Wait { what: (*what).to_owned(), since: *since })
                .collect();
            let Plan { long, over, next } = plan(&waits, &mut known, now);
            (long.join("+"), over.join("+"), next.map(|next| next.as_secs()))
        };
        let said = |long: &str, over: &str, next| (long.to_owned(), over.to_owned(), next);
        let two = [("x", 0), ("x", 5), ("y", 12)];
        assert_eq!(step(&two, 12), said("", "", Some(8)));
        assert_eq!(step(&two, 20), said("x", "", Some(12)));
        // One of the two that wait for it goes on; the other still waits.
        assert_eq!(step(&two[1..], 26), said("", "", Some(6)));
        assert_eq!(step(&two[2..], 32), said("y", "x", None));
        // How it goes is no other wait.
        assert_eq!(step(&[("y: refused", 33)], 33), said("", "", None));
        assert_eq!(step(&[], 34), said("", "y", None));
        assert_eq!(step(&[("t: asked", 40)], 40), said("", "", Some(20)));
        assert_eq!(step(&[("t: no answer", 55)], 55), said("", "", Some(5)));
        assert_eq!(step(&[("t: asked", 60)], 60), said("t: asked", "", None));
        assert_eq!(step(&[], 61), said("", "t", None));
        // The clock went back: the wait has just begun.
        assert_eq!(step(&[("z", 1000)], 70), said("", "", Some(20)));
    }
}
