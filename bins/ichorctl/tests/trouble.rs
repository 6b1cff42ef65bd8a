//! A host on which a local cluster cannot run, and a full disk: what is said, and that nothing is left half-done.
//!
//! The host is made so in namespaces that end with each command; this needs root. Nothing is simulated: it is the kernel
//! that refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use tempfile::TempDir;

const ICHORCTL: &str = env!("CARGO_BIN_EXE_ichorctl");

/// A directory that anybody may write to, with a file that begins as a root image does.
fn place() -> TempDir {
    assert_eq!(fs::metadata("/proc/self").unwrap().uid(), 0, "this test needs root");
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(place.path().join("root.sqfs"), "hsqs....").unwrap();
    place
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Runs a command that must fail as an error does, and gives what it said.
fn refused(place: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(place)
        .env_clear()
        .env("HOME", place)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .unwrap_or_else(|error| panic!("starting {program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    said
}

#[track_caller]
fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not said:\n{said}");
    }
}

/// The beginning of a command that creates a cluster from the file in [`place`].
const CREATE: [&str; 6] = ["cluster", "create", "--state", "state", "--root-image", "root.sqfs"];

#[test]
fn without_root_nothing_is_started() {
    let place = place();
    // Nobody may look into the directory that the program was built in.
    fs::copy(ICHORCTL, place.path().join("ichorctl")).unwrap();
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "./ichorctl"];
    let said = refused(place.path(), "setpriv", &[nobody.as_slice(), &CREATE].concat());
    says(&said, &["nothing was started", "not the root user", "sudo"]);
    assert_eq!(names(place.path()), ["ichorctl", "root.sqfs"]);
}

#[test]
fn root_without_its_capabilities_is_told_which() {
    let place = place();
    let less = ["--bounding-set", "-sys_admin,-net_admin", ICHORCTL];
    let said = refused(place.path(), "setpriv", &[less.as_slice(), &CREATE].concat());
    says(&said, &["root lacks the capabilities CAP_SYS_ADMIN, CAP_NET_ADMIN", "privileged"]);
    assert_eq!(names(place.path()), ["root.sqfs"]);
}

#[test]
fn everything_that_is_wrong_with_a_request_is_said_at_once() {
    let place = place();
    let more = ["--memory-controlplanes", "256MiB", "--image-cache", "none"];
    let said = refused(place.path(), ICHORCTL, &[CREATE.as_slice(), &more].concat());
    says(&said, &["controlplane-1 is given 256 MiB of memory", "image cache", "is not there"]);
    assert_eq!(names(place.path()), ["root.sqfs"]);
}

/// In a user namespace of its own the kernel can be told to refuse, for that namespace only.
#[test]
fn a_kernel_feature_that_is_missing_is_named() {
    let place = place();
    let script = format!(
        "echo 0 > /proc/sys/user/max_net_namespaces && exec {ICHORCTL} {}",
        CREATE.join(" ")
    );
    let arguments = ["--user", "--map-root-user", "sh", "-c", &script];
    let said = refused(place.path(), "unshare", &arguments);
    says(&said, &["this kernel refuses network namespaces", "load its module"]);
    assert_eq!(names(place.path()), ["root.sqfs"]);
}

/// Runs a script where `disk` is a disk of its own, of a size.
fn on_a_disk(place: &Path, size: &str, script: &str) -> String {
    fs::create_dir_all(place.join("disk")).unwrap();
    let script = format!("mount -t tmpfs -o size={size} disk disk && cd disk && {script}");
    refused(place, "unshare", &["--mount", "--propagation", "private", "sh", "-c", &script])
}

#[test]
fn a_disk_without_room_for_the_nodes_is_told() {
    let place = place();
    let script = format!(
        "cp ../root.sqfs . && {ICHORCTL} {}; code=$?; ls -A >&2; exit $code",
        CREATE.join(" ")
    );
    let said = on_a_disk(place.path(), "1m", &script);
    says(&said, &["are free on the disk of the cluster's directory", "--state"]);
    assert!(said.ends_with("--state\nroot.sqfs\n"), "something was made:\n{said}");
}

/// A file is written whole or not at all, and the one that was there stays.
#[test]
fn a_full_disk_leaves_no_half_of_a_file() {
    let place = place();
    let full = "cat /dev/zero > filler";
    let list = "code=$?; ls -A >&2; exit $code";
    let script = format!("{{ {full}; {ICHORCTL} gen secrets; {list}; }}");
    let said = on_a_disk(place.path(), "64k", &script);
    says(&said, &["error: writing secrets.yaml: No space left on device"]);
    assert!(said.ends_with("\nfiller\n"), "something else is there:\n{said}");

    let script = format!(
        "echo old > secrets.yaml; {{ {full}; {ICHORCTL} gen secrets --force; code=$?; cat secrets.yaml >&2; exit $code; }}"
    );
    let said = on_a_disk(place.path(), "64k", &script);
    assert!(said.ends_with("\nold\n"), "the old file is not there any more:\n{said}");
}
