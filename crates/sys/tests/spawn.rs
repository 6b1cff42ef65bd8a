//! Spawning against the real kernel, seen from inside the new process through `/proc/self`.
//! Tests that need root say so by failing when they are run without it.
#![allow(clippy::unwrap_used)]

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use sys::namespace::Namespaces;
use sys::process::{Capabilities, Capability, Exit, Resource, Spawn, SpawnError, Stdio, Step};

/// Runs `script` in a shell made by `spawn` and returns what it printed.
fn output(spawn: impl FnOnce(Spawn) -> Spawn, script: &str) -> (Exit, String) {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let shell = Spawn::new("/bin/sh").args(["-c", script]).env("PATH", "/usr/bin:/bin");
    let child = spawn(shell.log_to(&log)).spawn().unwrap();
    let exit = child.wait().unwrap();
    (exit, std::fs::read_to_string(log).unwrap())
}

#[test]
fn the_environment_and_arguments_are_exactly_those_given() {
    let (exit, text) = output(
        |spawn| spawn.arg("zero").arg("a b").env("X", "1").env("X", "2"),
        "echo \"$0|$1|$X|$HOME\"",
    );
    assert_eq!((exit, text.as_str()), (Exit::Code(0), "zero|a b|2|\n"));
}

#[test]
fn only_named_files_are_open_in_the_new_process() {
    let extra = tempfile::tempfile().unwrap();
    // A descriptor without close-on-exec, as a careless library might leave behind.
    let leak = tempfile::tempfile().unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let (_, text) = output(|spawn| spawn.file(extra, 7), "ls -1 /proc/$$/fd");
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "7"]);
}

#[test]
fn exits_and_signals_are_told_apart() {
    assert_eq!(output(|spawn| spawn, "exit 101").0, Exit::Code(101));
    assert_eq!(output(|spawn| spawn, "kill -HUP $$").0, Exit::Signal(1));
}

#[test]
fn a_failure_before_the_program_names_the_step_and_leaves_nothing() {
    let error = Spawn::new("/does/not/exist").spawn().unwrap_err();
    let SpawnError::Start { step, source, .. } = error else { panic!("{error}") };
    assert_eq!((step, source.kind()), (Step::Execute, io::ErrorKind::NotFound));

    let error = Spawn::new("/bin/true").directory("/does/not/exist").spawn().unwrap_err();
    assert!(matches!(error, SpawnError::Start { step: Step::ChangeDirectory, .. }), "{error}");

    let error = Spawn::new("/bin/true").cgroup_procs("/does/not/exist").spawn().unwrap_err();
    assert!(matches!(error, SpawnError::Open { .. }), "{error}");

    let error = Spawn::new("/bin/true").arg("a\0b").spawn().unwrap_err();
    assert!(matches!(error, SpawnError::ZeroByte { .. }), "{error}");
}

#[test]
fn the_descriptor_becomes_readable_when_the_child_ends() {
    let child = Spawn::new("/bin/sh").args(["-c", "exit 3"]).spawn().unwrap();
    let fd = child.as_fd();
    let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut fds, None).unwrap();
    assert_eq!(child.try_wait().unwrap(), Some(Exit::Code(3)));
}

#[test]
fn a_child_keeps_no_privilege_it_was_not_left() {
    let keep = Capabilities::of(&[Capability::NetBindService]);
    let (exit, text) = output(
        |spawn| spawn.user(50, 50).capabilities(keep).no_new_privs(),
        "grep -E '^(Uid|Groups|Cap|NoNewPrivs)' /proc/self/status",
    );
    assert_eq!(exit, Exit::Code(0), "{text} (this test needs root)");
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once(':').unwrap().1.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(field("Uid"), "50 50 50 50");
    assert_eq!(field("Groups"), "");
    assert_eq!(field("CapBnd"), "0000000000000400");
    assert_eq!(field("CapEff"), "0000000000000400");
    assert_eq!(field("CapPrm"), "0000000000000400");
    assert_eq!(field("NoNewPrivs"), "1");

    let (_, text) = output(
        |spawn| spawn.user(50, 50).capabilities(Capabilities::NONE),
        "grep -cE '^Cap...:.0000000000000000' /proc/self/status",
    );
    assert_eq!(text.trim(), "5");
}

#[test]
fn limits_session_and_directory_are_set() {
    let (_, text) = output(
        |spawn| spawn.limit(Resource::OpenFiles, 123, 456).new_session().directory("/usr"),
        "ulimit -Sn; ulimit -Hn; pwd; cut -d' ' -f1,6 /proc/self/stat >/dev/null; \
         [ \"$(cut -d' ' -f6 /proc/$$/stat)\" = $$ ] && echo leader",
    );
    assert_eq!(text, "123\n456\n/usr\nleader\n");
}

#[test]
fn namespaces_are_new_and_the_parents_unchanged() {
    let here = |kind: &&str| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
    let kinds = ["mnt", "net", "pid", "uts", "ipc", "cgroup"];
    let before: Vec<_> = kinds.iter().map(here).collect();
    let all = Namespaces::MOUNT
        | Namespaces::NETWORK
        | Namespaces::PID
        | Namespaces::UTS
        | Namespaces::IPC
        | Namespaces::CGROUP;
    let (exit, text) = output(
        |spawn| spawn.unshare(all),
        "echo $$; for k in mnt net pid_for_children uts ipc cgroup; do readlink /proc/thread-self/ns/$k || readlink /proc/self/ns/$k; done; hostname inner",
    );
    assert_eq!(exit, Exit::Code(0), "{text} (this test needs root)");
    assert!(text.starts_with("1\n"), "not PID 1: {text}");
    let after: Vec<_> = kinds.iter().map(here).collect();
    assert_eq!(before, after);
}

#[test]
fn a_signal_reaches_exactly_the_process_held() {
    let child = Spawn::new("/bin/sleep").arg("1000").stdout(Stdio::Null).spawn().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    assert!(!child.process().has_ended().unwrap());
    child.signal(sys::Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap(), Exit::Signal(9));
    assert!(!Path::new(&format!("/proc/{}", child.id())).exists());
}
