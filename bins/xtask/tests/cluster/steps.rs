//! Steps that run in their order against one cluster, which is created before the first and destroyed by the last.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::cluster::{Cluster, Kind};
use crate::outcome::Outcome;

/// What is done to the cluster, or looked for in it.
pub(crate) type Step = fn(&Cluster) -> Outcome;

/// The name of what ends the cluster.
const END: &str = "destroy_leaves_nothing";

/// Runs those steps that the program's arguments ask for. `last` destroys the cluster.
pub(crate) fn run(kind: Kind, name: &str, steps: &[(&'static str, Step)], last: Step) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The steps share a cluster and build on each other.
    arguments.test_threads = Some(1);
    let wanted = |name: &str| match &arguments.filter {
        Some(filter) if arguments.exact => name == filter,
        Some(filter) => name.contains(filter.as_str()),
        None => true,
    };
    // A cluster is not started for steps that nobody asked for.
    if arguments.list || !steps.iter().any(|(name, _)| wanted(name)) {
        let trials = steps.iter().map(|(name, _)| Trial::test(*name, || Ok(()))).collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let cluster = match Cluster::create(kind, name) {
        Ok(cluster) => Arc::new(cluster),
        Err(error) => {
            let failure = Trial::test("create", move || Err(Failed::from(error)));
            return libtest_mimic::run(&arguments, vec![failure]).exit_code();
        }
    };
    // A filter must not leave the cluster behind, so what ends it is run besides the others.
    let filtered =
        arguments.filter.is_some() || arguments.skip.iter().any(|skip| END.contains(skip.as_str()));
    let end = (!filtered).then_some((END, last));
    let trials = steps.iter().copied().chain(end).map(|(name, step)| {
        let cluster = Arc::clone(&cluster);
        Trial::test(name, move || {
            step(&cluster).map_err(|error| {
                cluster.consoles();
                Failed::from(error)
            })
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if filtered && let Err(error) = cluster.destroy() {
        println!("destroying the cluster failed: {error}");
    }
    conclusion.exit_code()
}
