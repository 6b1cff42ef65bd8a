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

/// One wait.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wait {
    /// For what.
    what: String,
    /// Since when, in seconds of the Unix epoch.
    since: i64,
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

/// Compares the waits there are with those that were told, by their ids. Several parts may wait for the same, which is
/// said once. A clock that was set meanwhile makes a wait longer or shorter than it was; that costs a line at most.
fn plan(waits: &BTreeMap<String, Wait>, told: &mut BTreeMap<String, String>, now: i64) -> Plan {
    let mut plan = Plan::default();
    for (id, wait) in waits {
        if told.contains_key(id) {
            continue;
        }
        let lasted = Duration::from_secs(now.saturating_sub(wait.since).try_into().unwrap_or(0));
        if lasted < LONG {
            let left = LONG.saturating_sub(lasted);
            plan.next = Some(plan.next.map_or(left, |next| next.min(left)));
            continue;
        }
        if !told.values().any(|what| *what == wait.what) {
            plan.long.push(wait.what.clone());
        }
        told.insert(id.clone(), wait.what.clone());
    }
    let gone: Vec<String> = told.keys().filter(|id| !waits.contains_key(*id)).cloned().collect();
    for id in gone {
        if let Some(what) = told.remove(&id)
            && !told.values().any(|other| *other == what)
        {
            plan.over.push(what);
        }
    }
    plan
}

/// Adds the controller that tells of long waits.
pub(super) fn register(controllers: &mut Runtime) -> Result<(), RegisterError> {
    let mut told = BTreeMap::new();
    controllers.register(plain(
        "runtime.PatienceController",
        vec![Input::weak::<ConditionSpec>("runtime")],
        Vec::<Output>::new(),
        move |context: &Context| -> Result<Next, ControllerError> {
            let waits = context
                .list::<ConditionSpec>("runtime")
                .iter()
                .map(|wait| {
                    let what = wait.spec.waits_for.clone();
                    (wait.id().to_owned(), Wait { what, since: wait.spec.since.seconds })
                })
                .collect();
            let plan = plan(&waits, &mut told, context.store().now().seconds);
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

    fn waits(list: &[(&str, &str, i64)]) -> BTreeMap<String, Wait> {
        list.iter()
            .map(|(id, what, since)| {
                ((*id).to_owned(), Wait { what: (*what).to_owned(), since: *since })
            })
            .collect()
    }

    #[test]
    fn long_waits_are_told_once_and_when_they_are_over() {
        let mut told = BTreeMap::new();
        let mut step = |list: &[(&str, &str, i64)], now| {
            let Plan { long, over, next } = plan(&waits(list), &mut told, now);
            (long.join("+"), over.join("+"), next.map(|next| next.as_secs()))
        };
        let nothing = || (String::new(), String::new());
        let two = [("a/x", "x", 0), ("b/x", "x", 5), ("c/y", "y", 12)];
        assert_eq!(step(&two, 12), (nothing().0, nothing().1, Some(8)));
        assert_eq!(step(&two, 20), ("x".into(), String::new(), Some(5)));
        assert_eq!(step(&two, 25), (nothing().0, nothing().1, Some(7)));
        // One of the two that wait for it goes on; the other still waits.
        assert_eq!(step(&two[1..], 26), (nothing().0, nothing().1, Some(6)));
        assert_eq!(step(&two[2..], 32), ("y".into(), "x".into(), None));
        assert_eq!(step(&[], 33), (String::new(), "y".into(), None));
        // The clock went back: the wait has just begun.
        assert_eq!(step(&[("d/z", "z", 1000)], 10), (nothing().0, nothing().1, Some(20)));
    }
}
