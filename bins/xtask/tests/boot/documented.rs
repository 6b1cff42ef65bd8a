//! What the pages about machines tell a reader to type, typed in that order: up to the configuration that the machine takes.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::MINUTE;
use crate::guest::{Around, Guest};
use crate::lab::Lab;
use crate::outcome::{Outcome, ensure, eventually, run};
use crate::pages::{commands, read};

/// Builds what the test has.
const BUILDS: &str = "make ";
/// The first command of the part that needs Kubernetes, which this machine is too small for.
const CLUSTER: &str = "export TALOSCONFIG";
/// How the pages call the machine.
const NAMES: [&str; 2] = ["--nodes 127.0.0.1", "--nodes 10.0.2.15"];

pub(crate) fn commands_work(lab: &Lab) -> Outcome {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    symlink(lab.out(), home.path().join("out")).map_err(|error| error.to_string())?;
    let installing = read("docs/installing.md");
    let typed: Vec<&str> = commands(&installing)
        .into_iter()
        .map(|(_, command)| command)
        .filter(|command| !command.starts_with(BUILDS))
        .take_while(|command| !command.starts_with(CLUSTER))
        .collect();
    let start = typed.iter().position(|command| command.contains("--insecure"));
    let (before, after) = typed.split_at(start.ok_or("no command is for a machine that waits")?);
    for command in before {
        one(home.path(), command, "")?;
    }
    let disk = home.path().join("disk.raw");
    let mut guest =
        Guest::start(lab, "documented", &Around { disk: Some(&disk), ..Around::default() })?;
    guest.says("this machine waits for its configuration")?;
    let here = guest.api();
    // It listens a moment after it says so; a reader types more slowly.
    eventually("the API answers", MINUTE, || guest.get(lab, "disks"))?;
    let (apply, looking): (Vec<&str>, Vec<&str>) =
        after.iter().copied().partition(|command| command.contains("apply-config"));
    let machines = read("docs/machines.md");
    let looking =
        looking.into_iter().chain(commands(&machines).into_iter().map(|(_, command)| command));
    for command in looking.filter(|command| !command.contains("apply-config")) {
        one(home.path(), command, &here)?;
    }
    ensure(apply.len() == 1, || format!("the page applies {apply:?}"))?;
    for command in apply {
        one(home.path(), command, &here)?;
    }
    guest.says("a volume is made")?;
    guest.cut()
}

fn one(home: &Path, command: &str, here: &str) -> Outcome {
    let command = NAMES.iter().fold(command.to_owned(), |command, name| {
        command.replace(name, &format!("--nodes {here}"))
    });
    let path = std::env::var("PATH").unwrap_or_default();
    run(Command::new("sh")
        .args(["-c", &command])
        .current_dir(home)
        .env("HOME", home)
        .env("PATH", format!("{}:{path}", home.join("out/bin").display())))
    .map(|_| ())
}
