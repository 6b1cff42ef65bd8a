//! The time client against a real time server in a network namespace. The clock that it keeps right is the test's own:
//! nothing here touches the machine's.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod lab;

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::network::ntp::{Adjustment, Clock as Clocks};
use controllers::time::{Clock, MachineClock, Outcome, Wanted, synchronise};
use lab::{Namespace, cable, ip, isolated, program};
use tokio::sync::watch;

/// The machine's clock, read through an offset that corrections change.
#[derive(Clone, Default)]
struct Wrong {
    behind: Arc<AtomicI64>,
    corrections: Arc<Mutex<Vec<Adjustment>>>,
}

impl Clock for Wrong {
    fn now(&self) -> io::Result<Clocks> {
        let right = MachineClock.now()?;
        Ok(Clocks { wall: right.wall - self.behind.load(Ordering::Relaxed), ..right })
    }

    fn adjust(&mut self, adjustment: &Adjustment) -> io::Result<()> {
        self.behind.fetch_sub(adjustment.offset, Ordering::Relaxed);
        self.corrections.lock().unwrap().push(*adjustment);
        Ok(())
    }
}

const YEARS: i64 = 20 * 365 * 86_400 * 1_000_000_000;

async fn scenario() {
    let root = tempfile::tempdir().unwrap();
    let other = Namespace::new();
    cable(&other, "02:00:00:00:77:02");
    other.ip("addr add 10.77.0.1/24 dev peer0");
    ip("addr add 10.77.0.2/24 dev eth0");
    ip("link set eth0 up");
    ip("link set lo up");
    // Its own clock is its reference, and it never changes it.
    let file = root.path().join("chrony.conf");
    let text = format!(
        "local stratum 3\nallow all\ncmdport 0\npidfile {0}/chrony.pid\nbindaddress 10.77.0.1\n",
        root.path().display()
    );
    std::fs::write(&file, text).unwrap();
    let arguments = ["-x", "-d", "-u", "root", "-f"].map(str::to_owned).into_iter();
    let arguments: Vec<String> = arguments.chain([file.display().to_string()]).collect();
    let server = other.start(&program("chronyd"), &arguments, &root.path().join("chrony.log"));
    server.says("Disabled control of system clock", 1).await;

    let clock = Wrong::default();
    clock.behind.store(YEARS, Ordering::Relaxed);
    // The first server is not there; the second is the real one.
    let servers = vec!["10.77.0.3".to_owned(), "10.77.0.1".to_owned()];
    let (told, wanted) = watch::channel(Wanted { servers, connected: true });
    let (found, mut outcome) = watch::channel(Outcome::default());
    let task = tokio::spawn(synchronise(clock.clone(), wanted, found, || {}));
    let limit = Duration::from_secs(30);
    let synced = outcome.wait_for(|outcome| outcome.synced);
    let first = tokio::time::timeout(limit, synced)
        .await
        .unwrap_or_else(|_| panic!("{}", server.log()))
        .unwrap()
        .clone();
    assert_eq!(first.epoch, 1, "a jump over years is one that others must hear of");
    let close = |clock: &Wrong| clock.behind.load(Ordering::Relaxed).abs() < 50_000_000;
    assert!(close(&clock), "{:?}", clock.behind);

    // The burst goes on, and finds nothing more to set.
    let more = outcome.wait_for(|outcome| outcome.corrections > first.corrections);
    tokio::time::timeout(limit, more).await.unwrap_or_else(|_| panic!("{}", server.log())).unwrap();
    let corrections = clock.corrections.lock().unwrap().clone();
    assert!(corrections[0].step && corrections[1..].iter().all(|later| !later.step));
    assert!(corrections[0].max_error < Duration::from_secs(1), "{:?}", corrections[0]);
    assert!(close(&clock));
    drop(told);
    task.await.unwrap().unwrap();
}

#[test]
fn a_clock_that_is_years_off_is_set_by_a_time_server() {
    isolated(Duration::from_secs(90), scenario);
}
