//! Processes of a node, found from outside it through the host's `/proc`.

#![allow(dead_code, reason = "tests and benchmarks share this module and use different parts")]

use std::fs;

use crate::outcome::Outcome;

/// The processes of this name below the node's first process.
pub(crate) fn below(first: i32, name: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if command(pid).as_deref() == Some(name) && is_below(pid, first) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    found
}

/// Exactly one process of this name.
pub(crate) fn only(first: i32, name: &str) -> Outcome<i32> {
    match below(first, name).as_slice() {
        [pid] => Ok(*pid),
        list => Err(format!("{} processes are called {name}: {list:?}", list.len())),
    }
}

/// The name a process was started under.
fn command(pid: i32) -> Option<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let first = line.split(|byte| *byte == 0).next()?;
    let name = String::from_utf8_lossy(first).into_owned();
    Some(name.rsplit('/').next()?.to_owned())
}

fn is_below(pid: i32, ancestor: i32) -> bool {
    let mut pid = pid;
    // A chain of parents ends at the first process; a race with an ending one must not go on forever.
    for _ in 0..64 {
        if pid == ancestor {
            return true;
        }
        match parent(pid) {
            Some(parent) if parent > 0 => pid = parent,
            _ => return false,
        }
    }
    false
}

fn parent(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// Ends a process without asking it.
pub(crate) fn kill(pid: i32) -> Outcome {
    let status = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("kill {pid} ended with {status}")),
        Err(error) => Err(format!("starting kill: {error}")),
    }
}
