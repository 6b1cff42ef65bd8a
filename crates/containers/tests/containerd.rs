//! The client against a real containerd, with images pulled from a real registry.
//!
//! Needs root and the components' binaries; `ICHOR_COMPONENTS` names their directory.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use containers::specification::Specification;
use containers::{Container, Containerd, Exit, Output, Pull, TaskState, durable_unpacking};
use registry::layer::{Layer, Source};
use registry::layout::Layout;
use registry::manifest::Execution;
use registry::reference::Reference;
use registry::server::Server;
use registry::writer::Writer;

const NAMES: [&str; 3] = ["containerd", "containerd-shim-runc-v2", "runc"];

fn components() -> Option<PathBuf> {
    let missing = |what: &str| {
        eprintln!(
            "SKIPPED: {what}; the containerd client was NOT tested against a real containerd"
        );
        None
    };
    let Some(directory) = std::env::var_os("ICHOR_COMPONENTS").map(PathBuf::from) else {
        return missing("ICHOR_COMPONENTS does not name the directory of the built components");
    };
    for name in NAMES.iter().chain(&["etcd", "pause"]) {
        if !directory.join(name).exists() {
            return missing(&format!("{} does not exist", directory.join(name).display()));
        }
    }
    Some(directory)
}

/// A containerd of its own in a mount namespace of its own.
struct Runtime {
    process: Child,
    root: tempfile::TempDir,
    components: PathBuf,
}

impl Runtime {
    fn start(components: &Path) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut runtime = Self {
            process: Self::spawn(root.path(), components),
            root,
            components: components.to_owned(),
        };
        runtime.wait_for_socket();
        runtime
    }

    fn spawn(root: &Path, components: &Path) -> Child {
        let config = root.join("config.toml");
        let text = format!(
            "version = 3\nroot = '{0}/root'\nstate = '{0}/state'\ndisabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images', 'io.containerd.cri.v1.runtime']\n[grpc]\naddress = '{0}/containerd.sock'\n[ttrpc]\naddress = '{0}/containerd.sock.ttrpc'\n",
            root.display()
        ) + &durable_unpacking(&root.join("containerd.sock").display().to_string());
        std::fs::write(&config, text).unwrap();
        let log = std::fs::File::create(root.join("containerd.log")).unwrap();
        let path = format!("{}:{}", components.display(), std::env::var("PATH").unwrap());
        Command::new("unshare")
            .args(["--mount", "--propagation", "private", "containerd", "--config"])
            .arg(&config)
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.root.path().join("containerd.sock")
    }

    fn wait_for_socket(&mut self) {
        let start = Instant::now();
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            assert!(self.process.try_wait().unwrap().is_none(), "containerd ended: {}", self.log());
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "containerd does not answer: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.root.path().join("containerd.log")).unwrap_or_default()
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn restart(&mut self) {
        self.process = Self::spawn(self.root.path(), &self.components);
        self.wait_for_socket();
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        remove_empty_cgroups();
    }
}

/// A registry with two images, and the directory that points there.
async fn registry(root: &Path, components: &Path) -> PathBuf {
    let layout = root.join("layout");
    let mut writer = Writer::create(&layout, "amd64").unwrap();
    for (name, program) in [("etcd", "etcd"), ("pause", "pause")] {
        let mut layer = Layer::new();
        layer.directory("tmp", 0o1777);
        layer.file(program, Source::Path(components.join(program)), 0o755);
        let layer = writer.layer(&layer).unwrap();
        let execution: Execution =
            serde_json::from_value(serde_json::json!({ "Entrypoint": [format!("/{program}")] }))
                .unwrap();
        let name: Reference = format!("example.org/test/{name}:v1").parse().unwrap();
        writer.image(&[name], execution, &[layer]).unwrap();
    }
    writer.finish().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let server = Server::new(vec![Layout::open(&layout).unwrap()]);
    tokio::spawn(server.serve(listener, std::future::pending()));
    let hosts = root.join("hosts");
    let host = hosts.join("example.org");
    std::fs::create_dir_all(&host).unwrap();
    std::fs::write(
        host.join("hosts.toml"),
        format!("[host.\"http://{address}\"]\ncapabilities = [\"pull\", \"resolve\"]\n"),
    )
    .unwrap();
    hosts
}

/// Whether a part of the file is only in memory yet; nothing where that cannot be told.
fn is_delayed(path: &Path) -> Option<bool> {
    let output = Command::new("/usr/sbin/filefrag").arg("-v").arg(path).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.contains("delalloc"))
}

/// This process's own cgroup.
fn own_cgroup() -> String {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let memory = own.lines().find_map(|line| line.split_once(":memory:")).map(|(_, path)| path);
    let path =
        memory.or_else(|| own.lines().find_map(|line| line.strip_prefix("0::"))).unwrap_or("/");
    path.trim_end_matches('/').to_owned()
}

/// Removes what runc made of that path in other hierarchies: it removes a container's own cgroup only.
fn remove_empty_cgroups() {
    let own = own_cgroup();
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let mut path = hierarchy.path().join(own.trim_start_matches('/'));
        while path != hierarchy.path() && std::fs::remove_dir(&path).is_ok() {
            path.pop();
        }
    }
}

fn container(id: &str, image: &str, arguments: &[&str], output: PathBuf) -> Container {
    Container {
        id: id.to_owned(),
        image: format!("example.org/test/{image}:v1"),
        specification: Specification {
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            cgroup: format!("{}/ichor-test-{}-{id}", own_cgroup(), std::process::id()),
            user: (60, 60),
            ..Specification::default()
        },
        output: Output::File(output),
        shim_cgroup: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_and_containers() {
    let Some(components) = components() else { return };
    let mut runtime = Runtime::start(&components);
    let root = runtime.root.path().to_owned();
    let hosts = registry(&root, &components).await;
    let client = Containerd::new(&runtime.socket(), "system");
    assert!(client.version().await.unwrap().0.starts_with('v'));

    // Images: absent, pulled once, present and unpacked.
    let etcd = "example.org/test/etcd:v1";
    let pull = |reference| Pull { reference, host_dir: hosts.to_str().unwrap() };
    assert_eq!(client.image(etcd).await.unwrap(), None);
    assert!(client.ensure(&pull(etcd)).await.unwrap());
    assert!(!client.ensure(&pull(etcd)).await.unwrap());
    assert!(client.ensure(&pull("example.org/test/pause:v1")).await.unwrap());
    assert_eq!(client.list_images().await.unwrap().len(), 2);
    let error = client.pull(&pull("example.org/test/absent:v1")).await.unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    assert!(error.to_string().contains("example.org/test/absent:v1"));
    assert_eq!(client.namespaces().await.unwrap(), ["system"]);

    // What was unpacked is on the disk: a power cut now would not leave empty files behind.
    let delayed = root.join("delayed");
    std::fs::copy(components.join("etcd"), &delayed).unwrap();
    if is_delayed(&delayed) == Some(true) {
        let snapshots = root.join("root/io.containerd.snapshotter.v1.overlayfs/snapshots");
        let unpacked: Vec<_> = ["etcd", "pause"]
            .iter()
            .flat_map(|name| {
                let snapshots = std::fs::read_dir(&snapshots).unwrap().flatten();
                snapshots.map(move |snapshot| snapshot.path().join("fs").join(name))
            })
            .filter(|path| path.exists())
            .collect();
        assert_eq!(unpacked.len(), 2, "{unpacked:?}");
        for path in unpacked {
            assert_eq!(is_delayed(&path), Some(false), "{} is not on the disk", path.display());
        }
    } else {
        eprintln!(
            "NOT TESTED: the file system of {} does not tell, or does not delay writing",
            root.display()
        );
    }

    // A container that prints and ends.
    let log = root.join("etcd.log");
    client.run(&container("print", "etcd", &["/etcd", "--version"], log.clone())).await.unwrap();
    assert_eq!(client.wait("print").await.unwrap(), Exit::Status(0));
    assert!(std::fs::read_to_string(&log).unwrap().contains("etcd Version"));
    client
        .run(&container("print", "etcd", &["/etcd", "--no-such-flag"], log.clone()))
        .await
        .unwrap();
    assert_ne!(client.wait("print").await.unwrap(), Exit::Status(0));
    client.remove("print").await.unwrap();
    assert_eq!(client.wait("print").await.unwrap(), Exit::Gone);

    // A program that is not in the image: an error, and nothing is left behind.
    let error =
        client.run(&container("broken", "pause", &["/absent"], log.clone())).await.unwrap_err();
    assert!(error.to_string().contains("broken"), "{error}");
    assert!(client.list_tasks().await.unwrap().is_empty());

    // A container survives containerd's death, and who waits for it does not notice.
    let pid = client.run(&container("stay", "pause", &[], root.join("stay.log"))).await.unwrap();
    let waiter = tokio::spawn({
        let client = client.clone();
        async move { client.wait("stay").await }
    });
    runtime.kill();
    runtime.restart();
    let task = client.task("stay").await.unwrap().unwrap();
    assert_eq!((task.pid, task.state), (pid, TaskState::Running));
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    let exit = client.stop("stay", Duration::from_secs(5)).await.unwrap();
    assert_ne!(exit, Exit::Gone);
    let seen =
        tokio::time::timeout(Duration::from_secs(10), waiter).await.unwrap().unwrap().unwrap();
    assert!(seen == exit || seen == Exit::Gone, "{seen:?} is not {exit:?}");
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(client.task("stay").await.unwrap(), None);

    client.remove_image(etcd).await.unwrap();
    assert_eq!(client.image(etcd).await.unwrap(), None);
}
