//! A node's side and the other side of a cable, each in a network namespace of its own that goes with the test.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::Duration;

use sys::namespace::{Namespaces, unshare};

type Job = Box<dyn FnOnce() + Send>;

/// A thread in namespaces of its own, which does what it is told until this is dropped.
pub(crate) struct Namespace {
    path: String,
    jobs: mpsc::Sender<Job>,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let (jobs, todo) = mpsc::channel::<Job>();
        let (told, path) = mpsc::channel();
        std::thread::spawn(move || {
            unshare(Namespaces::NETWORK).expect("a new network namespace: run as root");
            let link = std::fs::read_link("/proc/thread-self").expect("/proc");
            told.send(format!("/proc/{}/ns/net", link.display())).expect("the test waits");
            for job in todo {
                job();
            }
        });
        Self { path: path.recv().expect("a namespace"), jobs }
    }

    /// Does something inside, and waits for it.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (told, result) = mpsc::channel();
        let job = move || {
            // The test that waits sees the panic of the job as a channel without an answer.
            let _ = told.send(job());
        };
        self.jobs.send(Box::new(job)).expect("the namespace lives");
        result.recv().expect("the job succeeds")
    }

    /// Runs `ip` inside.
    pub(crate) fn ip(&self, arguments: &str) {
        let arguments = arguments.to_owned();
        self.run(move || ip(&arguments));
    }

    /// Moves a link from inside to another namespace.
    pub(crate) fn give(&self, link: &str, to: &Self) {
        self.ip(&format!("link set {link} netns {}", to.path));
    }

    /// Starts a server inside, with its messages in a file.
    pub(crate) fn start(&self, program: &Path, arguments: &[String], log: &Path) -> Server {
        let (mut command, log) = (Command::new(program), log.to_owned());
        command.args(arguments);
        let child = self.run({
            let log = log.clone();
            move || {
                let file = File::create(&log).expect("a log file");
                command.stdout(file.try_clone().expect("a log file")).stderr(file);
                command.spawn()
            }
        });
        let child = child.unwrap_or_else(|error| {
            panic!(
                "{} does not start ({error}); make test installs what it needs",
                program.display()
            )
        });
        Server { child, log }
    }
}

/// Runs `ip` in the namespace of this thread.
pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .expect("ip of iproute2; make test installs it");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {error}");
}

/// The hardware address of `peer0`, from which its link-local address is made.
const PEER: &str = "02:00:00:00:77:fe";

/// A cable from `eth0` here to `peer0` over there.
pub(crate) fn cable(other: &Namespace, hardware: &str) {
    ip(&format!("link add eth0 address {hardware} type veth peer name peer0 address {PEER}"));
    ip(&format!("link set peer0 netns {}", other.path));
    other.ip("link set lo up");
    other.ip("link set peer0 up");
}

/// A server that ends with the test.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// Waits until the log has a text so many times.
    pub(crate) async fn says(&self, text: &str, times: usize) {
        let limit = tokio::time::Instant::now() + Duration::from_secs(30);
        while self.count(text) < times {
            assert!(
                tokio::time::Instant::now() < limit,
                "no {text} {times} times:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a test on a thread of its own in new namespaces, with a time limit.
pub(crate) fn isolated<F: Future<Output = ()>>(
    limit: Duration,
    test: impl FnOnce() -> F + Send + 'static,
) {
    let thread = std::thread::spawn(move || {
        unshare(Namespaces::NETWORK | Namespaces::UTS).expect("new namespaces: run as root");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(limit, test()).await }).expect("in time");
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A program that is installed, or was only unpacked because installing it would change the machine.
pub(crate) fn program(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let places = [PathBuf::from("/usr/sbin"), root.join("out/tools/usr/sbin")];
    let found = places.iter().map(|place| place.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is missing; make test fetches it"))
}
