//! The cage seen from inside: this test binary runs itself again as the daemon.
#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use sys::sandbox::{Access, Enforcement, Sandbox};

const INSIDE: &str = "SYS_TEST_INSIDE_SANDBOX";

#[test]
fn a_daemon_in_its_cage_can_serve_and_nothing_else() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let allowed = tempfile::tempdir().unwrap();
    let denied = tempfile::tempdir().unwrap();
    std::fs::write(denied.path().join("secret"), "x").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_daemon_in_its_cage_can_serve_and_nothing_else", "--nocapture"])
        .env(INSIDE, "1")
        .env("ALLOWED", allowed.path())
        .env("DENIED", denied.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("serving works"), "{text}");
}

fn inside() {
    let directory = |name| std::path::PathBuf::from(std::env::var_os(name).unwrap());
    let (allowed, denied) = (directory("ALLOWED"), directory("DENIED"));
    let status = Sandbox::new().allow(&allowed, Access::Write).apply().unwrap();
    assert_eq!(status.seccomp, Enforcement::Full);

    let processes = Command::new("/bin/true").spawn();
    assert_eq!(processes.unwrap_err().raw_os_error(), Some(libc::EPERM), "a process was made");
    assert_eq!(
        sys::mount::mount("tmpfs", "x", "/mnt", sys::mount::MountFlags::empty(), "")
            .map_err(|error| std::error::Error::source(&error).map(ToString::to_string)),
        Err(Some(std::io::Error::from_raw_os_error(libc::EPERM).to_string()))
    );
    assert!(sys::kmsg::KernelLogWriter::open().is_err() || status.landlock != Enforcement::Full);
    assert!(
        sys::process::Capabilities::effective().is_ok_and(|set| set.is_empty())
            || status.landlock == Enforcement::Full
    );

    // What a server does still works: threads, sockets, its own files.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = std::thread::spawn(move || {
        TcpStream::connect(address).unwrap().write_all(b"hello").unwrap();
    });
    let mut text = String::new();
    listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
    client.join().unwrap();
    assert_eq!(text, "hello");
    std::fs::write(allowed.join("x"), "y").unwrap();
    let read = std::fs::read(denied.join("secret"));
    match status.landlock {
        Enforcement::Unsupported => println!("this kernel has no landlock: paths not checked"),
        _ => assert!(read.is_err(), "a path outside the cage was read"),
    }
    println!("serving works");
}
