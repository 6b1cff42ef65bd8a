//! A machine without a configuration: its controllers, its machine API and its real apid in this process, in a network
//! namespace of the test's own, and a client as a user has it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use api::cosi::resource::ListRequest;
use api::machine::{
    ApplyConfigurationRequest, RebootRequest, apply_configuration_request::Mode as ApplyMode,
};
use client::{Connection, ConnectionOptions, Trust};
use config::generate::{self, Comments};
use config::view::MachineType;
use controllers::runtime::sequencer::Sequencer;
use controllers::volume::STATE;
use controllers::{Mode, Node, Paths, Platform};
use resource::block::{DiskSpec, VolumeMountRequestSpec, VolumeMountStatusSpec, VolumeStatusSpec};
use resource::enums::{MachineStage, VolumePhase};
use resource::ichor::MaintenanceStatusSpec;
use resource::network::{HostnameStatusSpec, NodeAddressSpec};
use resource::runtime::{DevicesStatusSpec, MachineStatusSpec, ServicePIDSpec};
use runtime::controller::Runtime as Controllers;
use runtime::{Store, command};
use server::machine::{Machine, Places, serve_state};
use server::state::Scope;
use sys::namespace::{Namespaces, unshare};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tonic::Code;

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn secrets_of(secrets: &pki::Secrets) -> generate::Secrets<'_> {
    fn pair(pair: &pki::bundle::Pair) -> generate::Pair<'_> {
        generate::Pair { crt: &pair.certificate, key: &pair.key }
    }
    generate::Secrets {
        cluster_id: &secrets.cluster_id,
        cluster_secret: &secrets.cluster_secret,
        bootstrap_token: &secrets.bootstrap_token,
        secretbox_encryption_secret: &secrets.secretbox_encryption_secret,
        aescbc_encryption_secret: &secrets.aescbc_encryption_secret,
        trustd_token: &secrets.trustd_token,
        etcd: pair(&secrets.etcd),
        kubernetes: pair(&secrets.kubernetes),
        aggregator: pair(&secrets.aggregator),
        service_account_key: &secrets.service_account_key,
        os: pair(&secrets.os),
    }
}

/// The machine with everything around it that this test does not run: a network with one address, a good clock, a
/// disk, and volumes which appear when there is a configuration to make them for.
async fn start(root: &Path) -> Node {
    let platform = Platform {
        name: "metal".into(),
        mode: Mode::Metal,
        instance_type: String::new(),
        user_data: None,
    };
    let node = Node::new(platform, Paths::new(root), *b"test1");
    let store = &node.store;
    let addresses = NodeAddressSpec {
        addresses: vec!["127.0.0.1/8".parse().unwrap(), "10.5.0.2/24".parse().unwrap()],
        ..NodeAddressSpec::default()
    };
    for id in
        ["current", "accumulative", "routed", "routed-no-k8s", "default", "accumulative-no-k8s"]
    {
        store.create("", "network", id, addresses.clone()).unwrap();
    }
    let hostname = HostnameStatusSpec { hostname: "m1".into(), domainname: String::new() };
    store.create("", "network", "hostname", hostname).unwrap();
    let synced = resource::time::StatusSpec { synced: true, ..Default::default() };
    store.create("", "runtime", "node", synced).unwrap();
    store.create("", "runtime", "vda", DiskSpec::default()).unwrap();
    let settled = DevicesStatusSpec { ready: true };
    store.create("", "runtime", "devices", settled).unwrap();
    let missing = VolumeStatusSpec { phase: VolumePhase::MISSING, ..Default::default() };
    store.create("", "runtime", STATE, missing).unwrap();
    tokio::spawn(volumes(store.clone(), root.join("state")));

    let (commands, requests) = command::channel();
    let mut controllers = Controllers::new(store.clone());
    controllers::config::register(&mut controllers, &node).unwrap();
    controllers::secrets::register(&mut controllers, &node).unwrap();
    controllers::runtime::daemons::register_api_service(&mut controllers).unwrap();
    controllers::runtime::status::register(&mut controllers, &node, node.stage.subscribe())
        .unwrap();
    tokio::spawn(controllers.run(std::future::pending()));
    let (_, signals) = mpsc::channel(1);
    tokio::spawn(Sequencer::new(requests, signals).run(node.clone()));

    let machine = Machine::new(server::machine::Node {
        store: store.clone(),
        services: node.services.clone(),
        events: node.events.clone(),
        logs: node.logs.clone(),
        commands,
        platform: server::machine::Platform { name: "metal".into(), mode: "metal".into() },
        places: Places::default(),
        edges: Arc::new(Vec::new),
    });
    // This process is apid.
    let pid = ServicePIDSpec { pid: std::process::id().cast_signed(), ..Default::default() };
    store.create("", "runtime", "apid", pid).unwrap();
    let (state, socket) = (root.join("state.sock"), root.join("machine.sock"));
    tokio::spawn(machine.serve(UnixListener::bind(&socket).unwrap()));
    let listener = UnixListener::bind(&state).unwrap();
    tokio::spawn(serve_state(store.clone(), Scope::APID, listener));
    let options = server::apid::Options { state, machine: socket, ..Default::default() };
    tokio::spawn(server::apid::run(options, std::future::pending()));
    node
}

/// Mounts STATE for whoever asks, as soon as there is a configuration.
async fn volumes(store: Store, directory: std::path::PathBuf) {
    use resource::v1alpha1::AcquireConfigStatusSpec;
    std::fs::create_dir_all(&directory).unwrap();
    store
        .wait_for::<AcquireConfigStatusSpec>("runtime", "acquire-config", |found| found.is_some())
        .await;
    let id = "config.PersistenceController-STATE";
    store.wait_for::<VolumeMountRequestSpec>("runtime", id, |request| request.is_some()).await;
    let status = VolumeMountStatusSpec {
        target: directory.display().to_string(),
        ..VolumeMountStatusSpec::default()
    };
    store.create("", "runtime", id, status).unwrap();
}

fn connection(trust: Trust) -> client::Node {
    let options = ConnectionOptions {
        endpoints: vec!["127.0.0.1".parse().unwrap()],
        trust,
        cluster: None,
        basic: None,
    };
    Connection::open(&options).unwrap().local("m1")
}

fn apply(data: &str) -> ApplyConfigurationRequest {
    ApplyConfigurationRequest {
        data: data.as_bytes().to_vec(),
        mode: ApplyMode::Auto.into(),
        ..ApplyConfigurationRequest::default()
    }
}

async fn stage(node: &Node, stage: MachineStage) {
    node.store
        .wait_for::<MachineStatusSpec>("runtime", "machine", |status| {
            status.is_some_and(|status| status.spec.stage == stage)
        })
        .await;
}

async fn scenario() {
    let root = tempfile::tempdir().unwrap();
    let node = start(root.path()).await;
    stage(&node, MachineStage::MAINTENANCE).await;
    let told = node
        .store
        .wait_for::<MaintenanceStatusSpec>("runtime", "maintenance", |told| told.is_some())
        .await
        .unwrap();

    // The fingerprint on the screen is the server's; another one is refused.
    let insecure = |fingerprints| connection(Trust::Insecure { fingerprints });
    let anybody = insecure(vec![told.spec.fingerprint.clone()]);
    let version = eventually(async || anybody.machine().version(()).await).await;
    let version = version.into_inner().messages.remove(0);
    assert_eq!(version.platform.unwrap().mode, "metal");
    assert!(!version.features.unwrap().rbac);
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned();
    assert_eq!(
        insecure(vec![other]).machine().version(()).await.unwrap_err().code(),
        Code::Unavailable
    );

    // Anybody is a reader, and no more.
    let list = |kind: &str, namespace: &str| ListRequest {
        namespace: namespace.to_owned(),
        r#type: kind.to_owned(),
        ..ListRequest::default()
    };
    let mut disks =
        anybody.state().list(list("Disks.block.talos.dev", "runtime")).await.unwrap().into_inner();
    let disk = disks.message().await.unwrap().unwrap();
    assert_eq!(disk.resource.unwrap().metadata.unwrap().id, "vda");
    let secret = list("MaintenanceRootSecrets.secrets.talos.dev", "secrets");
    let refused = match anybody.state().list(secret).await {
        Ok(answer) => answer.into_inner().message().await.unwrap_err(),
        Err(status) => status,
    };
    assert_eq!(refused.code(), Code::PermissionDenied);
    let reboot = anybody.machine().reboot(RebootRequest::default()).await.unwrap_err();
    assert_eq!(reboot.code(), Code::PermissionDenied);

    // A bad configuration is refused as a whole, with everything that is wrong with it.
    let bad =
        "version: v1alpha1\nmachine:\n  type: worker\n  certSANs: 7\n  kubelet:\n    image: [a]\n";
    let refused = anybody.machine().apply_configuration(apply(bad)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    for part in ["line 4: cannot unmarshal", "line 6: cannot unmarshal"] {
        assert!(refused.message().contains(part), "{part} is not in {}", refused.message());
    }
    stage(&node, MachineStage::MAINTENANCE).await;

    // A part of one is taken, and more is waited for.
    let partial = "apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: m1\n";
    anybody.machine().apply_configuration(apply(partial)).await.unwrap();
    stage(&node, MachineStage::MAINTENANCE).await;

    let secrets = pki::Secrets::generate(now(), &mut pki::System).unwrap();
    let endpoint = generate::parse_endpoint("https://10.5.0.2:6443").unwrap();
    let options = generate::Options::new("c", endpoint);
    let full = generate::generate(&options, &secrets_of(&secrets), MachineType::ControlPlane);
    let full = generate::render(&full, Comments { docs: false, examples: false });
    let applied = anybody.machine().apply_configuration(apply(&full)).await.unwrap();
    assert_eq!(applied.into_inner().messages.remove(0).mode(), ApplyMode::NoReboot);
    stage(&node, MachineStage::BOOTING).await;
    node.store
        .wait_for::<MaintenanceStatusSpec>("runtime", "maintenance", |told| told.is_none())
        .await;

    // From now on only who has a certificate is let in.
    let identity = secrets.client(&["os:admin".to_owned()], now(), &mut pki::System).unwrap();
    let administrator = connection(Trust::Mutual {
        ca: secrets.os.certificate.clone(),
        crt: identity.certificate_pem(),
        key: identity.key_pem().unwrap(),
    });
    let version = eventually(async || administrator.machine().version(()).await).await;
    assert!(version.into_inner().messages.remove(0).features.unwrap().rbac);
    let refused = insecure(Vec::new()).machine().version(()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");

    // It is kept as it was sent.
    let kept = root.path().join("state/config.yaml");
    let kept = eventually(async || tokio::fs::read_to_string(&kept).await).await;
    assert_eq!(kept, full);
}

/// Tries until it works: apid listens as soon as it knows how.
async fn eventually<T, E: std::fmt::Debug>(attempt: impl AsyncFn() -> Result<T, E>) -> T {
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[test]
fn a_machine_without_a_configuration_takes_one_from_anybody() {
    let thread = std::thread::spawn(|| {
        unshare(Namespaces::NETWORK).expect("a new network namespace: run as root");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let limit = Duration::from_secs(60);
        runtime.block_on(async {
            let netlink = netlink::Netlink::open().unwrap();
            let links = netlink.links().await.unwrap();
            let lo = links.iter().find(|link| link.name == "lo").unwrap();
            netlink.set_up(lo.status.index, "lo", true).await.unwrap();
            tokio::time::timeout(limit, scenario()).await.expect("in time");
        });
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
