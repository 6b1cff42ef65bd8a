//! The API as clients meet it: real TLS over loopback through apid to the machine API, one node and several.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test program uses a part of it")]
mod node;

use std::time::Duration;

use api::{
    common,
    cosi::resource::{
        EventType, GetRequest, ListRequest, WatchOptions, WatchRequest, state_client::StateClient,
    },
    machine::{
        EventsRequest, LogsRequest, ReadRequest, RebootRequest, ServiceStartRequest,
        machine_service_client::MachineServiceClient,
    },
    time::time_service_client::TimeServiceClient,
};
use node::{DAY, Running, client_of, dial, issue, now, start};
use pki::{Authority, ExtendedUsage, Leaf, Validity};
use prost::Message;
use resource::network::HostnameStatusSpec;
use runtime::{
    command::{ActorId, Command, CommandError, Refusal},
    event::Payload,
    service::{Declaration, State},
};
use server::tls::Clients;
use tonic::{Code, Request, Status, transport::Channel};

async fn one() -> (Authority, Running) {
    let authority = node::authority();
    let running = start(&authority, "cp-1", "127.0.0.1", 0).await;
    (authority, running)
}

async fn machine(
    authority: &Authority,
    node: &Running,
    roles: &[&str],
) -> MachineServiceClient<Channel> {
    let identity = client_of(authority, roles);
    MachineServiceClient::new(dial(node.address, authority, Some(&identity)).await.unwrap())
}

async fn state(authority: &Authority, node: &Running, roles: &[&str]) -> StateClient<Channel> {
    let identity = client_of(authority, roles);
    StateClient::new(dial(node.address, authority, Some(&identity)).await.unwrap())
}

fn to<T>(message: T, key: &'static str, nodes: &[&str]) -> Request<T> {
    let mut request = Request::new(message);
    for node in nodes {
        request.metadata_mut().append(key, node.parse().unwrap());
    }
    request
}

fn code<T>(result: Result<T, Status>) -> Code {
    result.err().map_or(Code::Ok, |status| status.code())
}

/// Makes a call that a refused client must not get an answer to; TLS 1.3 tells the client only when it reads.
async fn refused(
    node: &Running,
    authority: &Authority,
    identity: Option<&server::tls::PemIdentity>,
) -> bool {
    match dial(node.address, authority, identity).await {
        Err(_) => true,
        Ok(channel) => MachineServiceClient::new(channel).version(()).await.is_err(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_client_gets_an_answer() {
    let (authority, node) = one().await;
    let mut client = machine(&authority, &node, &["os:reader"]).await;
    let reply = client.version(()).await.unwrap().into_inner();
    let [version] = reply.messages.as_slice() else { panic!("{reply:?}") };
    assert_eq!(version.metadata, None, "a single node adds no metadata");
    assert!(version.version.as_ref().unwrap().tag.starts_with("v1.14."));
    assert!(version.features.as_ref().unwrap().rbac);
    assert_eq!(version.platform.as_ref().unwrap().mode, "container");
    let name = client.hostname(()).await.unwrap().into_inner();
    assert_eq!(name.messages[0].hostname, "cp-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_not_good_are_refused() {
    let (authority, node) = one().await;
    let valid = Validity::starting(now() - 60, DAY);
    let roles = ["os:admin".to_owned()];
    let good = client_of(&authority, &["os:admin"]);
    assert!(!refused(&node, &authority, Some(&good)).await, "the test's own way in must work");

    assert!(refused(&node, &authority, None).await, "no certificate");
    let expired = issue(&authority, &Leaf::client(&roles, Validity::starting(now() - DAY, 3600)));
    assert!(refused(&node, &authority, Some(&expired)).await, "expired");
    let future = issue(&authority, &Leaf::client(&roles, Validity::starting(now() + 3600, DAY)));
    assert!(refused(&node, &authority, Some(&future)).await, "not valid yet");
    let other = client_of(&node::authority(), &["os:admin"]);
    assert!(refused(&node, &authority, Some(&other)).await, "another cluster's");
    let server = issue(&authority, &Leaf::new(&[ExtendedUsage::ServerAuth], valid));
    assert!(refused(&node, &authority, Some(&server)).await, "a server's");
    let both = [ExtendedUsage::ClientAuth, ExtendedUsage::ServerAuth];
    let both = issue(&authority, &Leaf::new(&both, valid).organization("os:admin"));
    assert!(refused(&node, &authority, Some(&both)).await, "a client's that is a server's too");
    let neither = issue(&authority, &Leaf::new(&[], valid).organization("os:admin"));
    assert!(refused(&node, &authority, Some(&neither)).await, "one for no purpose");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_certificate_is_named_before_anything_is_sent() {
    let authority = node::authority();
    let mut identity = client_of(&authority, &["os:admin"]);
    identity.certificate.truncate(identity.certificate.len() / 2);
    let error = server::tls::client(Some(&identity), &authority.certificate_pem()).unwrap_err();
    assert_eq!(error.to_string(), "reading the client certificate and its key");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_decide_before_a_method_says_that_it_is_not_built() {
    let (authority, node) = one().await;
    let mut reader = machine(&authority, &node, &["os:reader"]).await;
    let mut admin = machine(&authority, &node, &["os:admin"]).await;
    let mut nobody = machine(&authority, &node, &["acme:boss"]).await;
    let read = |path: &str| ReadRequest { path: path.into() };
    assert_eq!(code(reader.read(read("/proc/version")).await), Code::PermissionDenied);
    assert_eq!(code(nobody.version(()).await), Code::PermissionDenied);
    let rollback = api::machine::RollbackRequest {};
    assert_eq!(code(reader.rollback(rollback).await), Code::PermissionDenied);
    let status = admin.rollback(rollback).await.unwrap_err();
    let container = "method is not supported in container mode";
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, container));
    let netstat = api::machine::NetstatRequest::default();
    assert_eq!(code(admin.netstat(netstat).await), Code::Unimplemented);
    assert_eq!(code(admin.read(read("relative")).await), Code::InvalidArgument);
    assert_eq!(code(admin.read(read("/no/such/file")).await), Code::NotFound);

    let mut stream = admin.read(read("/proc/version")).await.unwrap().into_inner();
    let mut text = Vec::new();
    while let Some(piece) = stream.message().await.unwrap() {
        assert!(piece.bytes.len() <= 1024);
        text.extend_from_slice(&piece.bytes);
    }
    assert_eq!(text, std::fs::read("/proc/version").unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_in_metadata_are_ignored_unless_an_impersonator_sends_them() {
    let (authority, node) = one().await;
    let claim = || to(ReadRequest { path: "/proc/version".into() }, "talos-role", &["os:admin"]);
    let mut reader = machine(&authority, &node, &["os:reader"]).await;
    assert_eq!(code(reader.read(claim()).await), Code::PermissionDenied);
    let mut apid = machine(&authority, &node, &["os:impersonator"]).await;
    assert_eq!(code(apid.version(()).await), Code::PermissionDenied);
    assert_eq!(code(apid.read(claim()).await), Code::Ok);
}

/// Two nodes with the same port, as in a cluster.
async fn two() -> (Authority, Running, Running) {
    let authority = node::authority();
    let first = start(&authority, "cp-1", "127.0.0.1", 0).await;
    let second = start(&authority, "w-1", "127.0.0.2", first.address.port()).await;
    (authority, first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_another_node_comes_back_untouched() {
    let (authority, first, second) = two().await;
    let mut client = machine(&authority, &first, &["os:reader"]).await;
    let reply = client.hostname(to((), "node", &["127.0.0.2"])).await.unwrap().into_inner();
    assert_eq!(
        (reply.messages[0].hostname.as_str(), reply.messages[0].metadata.is_some()),
        ("w-1", false)
    );
    // The roles go along: a reader is one on the other node too.
    let read = || to(ReadRequest { path: "/proc/version".into() }, "node", &["127.0.0.2"]);
    assert_eq!(code(client.read(read()).await), Code::PermissionDenied);
    let mut state = state(&authority, &first, &["os:reader"]).await;
    let get = GetRequest {
        namespace: "network".into(),
        r#type: "HostnameStatuses.net.talos.dev".into(),
        id: "hostname".into(),
        options: None,
    };
    let found = state.get(to(get, "node", &["127.0.0.2"])).await.unwrap().into_inner();
    let spec = found.resource.unwrap().spec.unwrap();
    assert_eq!(spec.proto_spec, b"\x0a\x03w-1".as_slice());
    assert_eq!(second.name, "w-1");

    let status = client.version(to((), "node", &["127.0.0.9"])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("127.0.0.9"), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_many_nodes_comes_back_joined() {
    let (authority, first, _second) = two().await;
    let mut client = machine(&authority, &first, &["os:admin"]).await;
    let nodes = ["127.0.0.1", "127.0.0.2", "127.0.0.9"];
    let reply = client.hostname(to((), "nodes", &nodes)).await.unwrap().into_inner();
    let seen: Vec<_> = reply
        .messages
        .iter()
        .map(|message| {
            let metadata = message.metadata.clone().unwrap();
            (metadata.hostname, message.hostname.clone(), metadata.status.map_or(0, |s| s.code))
        })
        .collect();
    let expected = [("127.0.0.1", "cp-1", 0), ("127.0.0.2", "w-1", 0), ("127.0.0.9", "", 14)];
    assert_eq!(seen, expected.map(|(node, name, code)| (node.into(), name.into(), code)));

    let read = ReadRequest { path: "/proc/version".into() };
    let mut stream = client.read(to(read, "nodes", &nodes)).await.unwrap().into_inner();
    let mut bytes = std::collections::BTreeMap::<String, Vec<u8>>::new();
    let mut failed = Vec::new();
    while let Some(piece) = stream.message().await.unwrap() {
        let metadata: common::Metadata = piece.metadata.unwrap();
        if metadata.error.is_empty() {
            bytes.entry(metadata.hostname).or_default().extend_from_slice(&piece.bytes);
        } else {
            failed.push(metadata.hostname);
        }
    }
    let file = std::fs::read("/proc/version").unwrap();
    assert_eq!(failed, ["127.0.0.9"]);
    assert_eq!(
        bytes.into_iter().collect::<Vec<_>>(),
        [("127.0.0.1".into(), file.clone()), ("127.0.0.2".into(), file)]
    );

    let mut state = state(&authority, &first, &["os:admin"]).await;
    let list = to(ListRequest::default(), "nodes", &["127.0.0.2"]);
    assert_eq!(code(state.list(list).await), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_serves_itself_by_name_and_forwards_nothing() {
    let (authority, node) = one().await;
    node.change(|settings| {
        settings.client = None;
        settings.standing.can_forward = false;
    });
    let mut client = machine(&authority, &node, &["os:reader"]).await;
    assert_eq!(code(client.version(to((), "node", &["cp-1"])).await), Code::Ok);
    assert_eq!(code(client.version(to((), "node", &["127.0.0.1"])).await), Code::Ok);
    let status = client.version(to((), "node", &["127.0.0.2"])).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::PermissionDenied, "no request forwarding")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_lets_anyone_read_and_ends_with_the_first_configuration() {
    let (authority, node) = one().await;
    let verified = node.settings.borrow().as_ref().unwrap().clients.clone();
    node.change(|settings| {
        settings.clients = Clients::Anyone;
        settings.role_by_address = true;
        settings.standing.routing = false;
    });
    let channel = dial(node.address, &authority, None).await.unwrap();
    let mut client = MachineServiceClient::new(channel);
    assert_eq!(code(client.version(to((), "nodes", &["nowhere"])).await), Code::Ok);
    let reboot = RebootRequest::default();
    assert_eq!(code(client.reboot(reboot).await), Code::PermissionDenied);
    // A reader may do this, but only to a machine without configuration.
    let apply = api::machine::ApplyConfigurationRequest::default();
    assert_eq!(code(client.apply_configuration(apply).await), Code::PermissionDenied);

    node.change(|settings| {
        settings.clients = verified;
        settings.role_by_address = false;
    });
    // The open connection is ended, and without a certificate there is no new one.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while client.version(()).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "still served without a certificate");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_to_the_next_caller() {
    let (authority, node) = one().await;
    let other = node::authority();
    let renewed = start(&other, "x", "127.0.0.1", 0).await;
    let server = renewed.settings.borrow().as_ref().unwrap().server.clone();
    let identity = client_of(&authority, &["os:reader"]);
    assert!(dial(node.address, &other, Some(&identity)).await.is_err(), "not that authority yet");
    node.change(|settings| settings.server = server);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let channel = loop {
        match dial(node.address, &other, Some(&identity)).await {
            Ok(channel) => break channel,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error:?}"),
        }
    };
    assert_eq!(code(MachineServiceClient::new(channel).version(()).await), Code::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_reach_the_node_and_its_answer_the_caller() {
    let (authority, mut node) = one().await;
    let mut client = machine(&authority, &node, &["os:operator"]).await;
    let asked = tokio::spawn(async move {
        let reboot = client.reboot(RebootRequest { mode: 2 }).await.unwrap().into_inner();
        let start = client.service_start(ServiceStartRequest { id: "x".into() }).await;
        (reboot.messages[0].actor_id.clone(), start.unwrap_err())
    });
    let Some(Command::Reboot(mode, reply)) = node.commands.recv().await else {
        panic!("no reboot")
    };
    assert_eq!(mode, runtime::command::RebootMode::Force);
    reply.send(Ok(ActorId("a-1".into()))).unwrap();
    let Some(Command::Service { id, reply, .. }) = node.commands.recv().await else {
        panic!("no service")
    };
    assert_eq!(id, "x");
    reply.send(Err(CommandError::new(Refusal::NotFound, "no service x"))).unwrap();
    let (actor, refused) = asked.await.unwrap();
    assert_eq!(actor, "a-1");
    assert_eq!((refused.code(), refused.message()), (Code::NotFound, "no service x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_listed_as_they_are() {
    let (authority, node) = one().await;
    node.services.declare("kubelet", Declaration { checked: true, ..Default::default() });
    node.services.transition("kubelet", State::Running, "started");
    node.services.report("kubelet", true, "");
    let mut client = machine(&authority, &node, &["os:reader"]).await;
    let reply = client.service_list(()).await.unwrap().into_inner();
    let [kubelet] = reply.messages[0].services.as_slice() else { panic!("{reply:?}") };
    assert_eq!((kubelet.id.as_str(), kubelet.state.as_str()), ("kubelet", "Running"));
    assert!(kubelet.health.as_ref().unwrap().healthy);
    let last = kubelet.events.as_ref().unwrap().events.iter().find(|e| e.msg == "started");
    assert_eq!(last.unwrap().state, "Running");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_begin_with_an_empty_one() {
    let (authority, node) = one().await;
    node.events.publish(Payload::Restart { command: 7 });
    let mut client = machine(&authority, &node, &["os:reader"]).await;
    let request = EventsRequest { tail_events: -1, ..Default::default() };
    let mut events = client.events(request).await.unwrap().into_inner();
    let first = events.message().await.unwrap().unwrap();
    assert_eq!(first, api::machine::Event::default());
    let past = events.message().await.unwrap().unwrap().data.unwrap();
    assert_eq!(past.type_url, "talos/runtime/machine.RestartEvent");
    assert_eq!(api::machine::RestartEvent::decode(&*past.value).unwrap().cmd, 7);
    let id = node.events.publish_for("actor", Payload::Restart { command: 8 });
    let live = events.message().await.unwrap().unwrap();
    assert_eq!((live.id, live.actor_id.as_str()), (id.to_string(), "actor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_through_two_nodes() {
    let (authority, first, second) = two().await;
    let id = runtime::log::LogId::parse("apid").unwrap();
    let path = second.logs.register(&id);
    std::fs::write(&path, "one\ntwo\n").unwrap();
    let mut client = machine(&authority, &first, &["os:reader"]).await;
    let request = LogsRequest {
        namespace: "system".into(),
        id: "apid".into(),
        follow: true,
        tail_lines: 1,
        ..Default::default()
    };
    let mut stream = client.logs(to(request, "node", &["127.0.0.2"])).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().bytes, b"two\n".as_slice());
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, b"three\n").unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap().bytes, b"three\n".as_slice());
    let unknown =
        LogsRequest { namespace: "system".into(), id: "nothing".into(), ..Default::default() };
    assert_eq!(code(client.logs(unknown).await), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kernels_figures_are_those_of_this_machine() {
    let (authority, node) = one().await;
    let mut client = machine(&authority, &node, &["os:reader"]).await;
    let memory = client.memory(()).await.unwrap().into_inner();
    assert!(memory.messages[0].meminfo.as_ref().unwrap().memtotal > 0);
    let stat = client.system_stat(()).await.unwrap().into_inner();
    assert!(!stat.messages[0].cpu.is_empty());
    let processes = client.processes(()).await.unwrap().into_inner();
    let own = std::process::id().cast_signed();
    assert!(processes.messages[0].processes.iter().any(|process| process.pid == own));
    for found in [
        client.load_avg(()).await.map(drop),
        client.cpu_info(()).await.map(drop),
        client.mounts(()).await.map(drop),
        client.disk_stats(()).await.map(drop),
        client.network_device_stats(()).await.map(drop),
    ] {
        assert_eq!(code(found), Code::Ok);
    }
}

fn watch(id: Option<&str>, options: WatchOptions) -> WatchRequest {
    WatchRequest {
        namespace: "network".into(),
        r#type: "HostnameStatuses.net.talos.dev".into(),
        id: id.map(str::to_owned),
        options: Some(options),
        api_version: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_stands_tells_the_contents_and_then_changes() {
    let (authority, node) = one().await;
    let mut client = state(&authority, &node, &["os:reader"]).await;
    let options = WatchOptions { bootstrap_contents: true, ..Default::default() };
    let mut stream = client.watch(watch(None, options)).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().unwrap().event.is_empty(), "the watch stands");
    let mut next = async || {
        let event = stream.message().await.unwrap().unwrap().event.remove(0);
        let version = event.resource.as_ref().map(|r| r.metadata.as_ref().unwrap().version.clone());
        (event.event_type(), version, event.bookmark)
    };
    let (kind, version, _) = next().await;
    assert_eq!((kind, version.as_deref()), (EventType::Created, Some("1")));
    let (kind, version, bookmark) = next().await;
    assert_eq!((kind, version), (EventType::Bootstrapped, None));
    let bookmark = bookmark.unwrap();
    let rename = |name: &str| {
        node.store
            .modify::<HostnameStatusSpec>("", "network", "hostname", |spec| {
                spec.hostname = name.into()
            })
            .unwrap();
    };
    rename("two");
    let (kind, version, _) = next().await;
    assert_eq!((kind, version.as_deref()), (EventType::Updated, Some("2")));
    node.store.remove::<HostnameStatusSpec>("", "network", "hostname").unwrap();
    assert_eq!(next().await.0, EventType::Updated, "torn down");
    assert_eq!(next().await.0, EventType::Destroyed);

    // A bookmark resumes after what was seen.
    let options = WatchOptions {
        start_from_bookmark: Some(bookmark),
        aggregated: true,
        ..Default::default()
    };
    let mut resumed = client.watch(watch(None, options)).await.unwrap().into_inner();
    assert!(resumed.message().await.unwrap().unwrap().event.is_empty());
    let all = resumed.message().await.unwrap().unwrap().event;
    let kinds: Vec<_> = all.iter().map(|event| event.event_type()).collect();
    assert_eq!(kinds, [EventType::Updated, EventType::Updated, EventType::Destroyed]);
    let name = |event: &api::cosi::resource::Event| {
        event.old.as_ref().unwrap().spec.as_ref().unwrap().proto_spec.clone()
    };
    assert_eq!(name(&all[0]), b"\x0a\x04cp-1".as_slice());

    let options = WatchOptions { start_from_bookmark: Some(b"old".to_vec()), ..Default::default() };
    assert_eq!(code(client.watch(watch(None, options)).await), Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_one_resource_begins_with_its_state() {
    let (authority, node) = one().await;
    let mut client = state(&authority, &node, &["os:reader"]).await;
    let mut there =
        client.watch(watch(Some("hostname"), WatchOptions::default())).await.unwrap().into_inner();
    there.message().await.unwrap();
    assert_eq!(there.message().await.unwrap().unwrap().event[0].event_type(), EventType::Created);
    let mut gone =
        client.watch(watch(Some("x"), WatchOptions::default())).await.unwrap().into_inner();
    gone.message().await.unwrap();
    let event = gone.message().await.unwrap().unwrap().event.remove(0);
    let metadata = event.resource.as_ref().unwrap().metadata.clone().unwrap();
    assert_eq!(
        (event.event_type(), metadata.version.as_str()),
        (EventType::Destroyed, "undefined")
    );
    node.store.create("", "network", "x", HostnameStatusSpec::default()).unwrap();
    assert_eq!(gone.message().await.unwrap().unwrap().event[0].event_type(), EventType::Created);
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_listed_and_guarded() {
    let (authority, node) = one().await;
    let mut reader = state(&authority, &node, &["os:reader"]).await;
    let list = |r#type: &str, namespace: &str| ListRequest {
        namespace: namespace.into(),
        r#type: r#type.into(),
        options: None,
    };
    let definitions = list("ResourceDefinitions.meta.cosi.dev", "meta");
    let mut stream = reader.list(definitions).await.unwrap().into_inner();
    let mut ids = Vec::new();
    while let Some(reply) = stream.message().await.unwrap() {
        let resource = reply.resource.unwrap();
        let spec = resource.spec.unwrap();
        assert!(!spec.proto_spec.is_empty() && !spec.yaml_spec.is_empty());
        ids.push(resource.metadata.unwrap().id);
    }
    assert_eq!(ids.len(), node.store.definitions().len());
    assert!(
        ids.iter().any(|id| id == "links.net.talos.dev")
            || ids.iter().any(|id| id == "linkstatuses.net.talos.dev")
    );

    let secret = list("MachineConfigs.config.talos.dev", "config");
    assert_eq!(code(reader.list(secret.clone()).await), Code::PermissionDenied);
    let mut admin = state(&authority, &node, &["os:admin"]).await;
    assert_eq!(code(admin.list(secret).await), Code::Ok);
    assert_eq!(code(admin.list(list("No.such.type", "config")).await), Code::PermissionDenied);
    let missing = GetRequest {
        namespace: "network".into(),
        r#type: "HostnameStatuses.net.talos.dev".into(),
        id: "other".into(),
        options: None,
    };
    assert_eq!(code(reader.get(missing).await), Code::NotFound);
    let create = api::cosi::resource::CreateRequest::default();
    let status = admin.create(create).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::PermissionDenied, "write access is not allowed")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_no_service_may_do_nothing() {
    let (_, node) = one().await;
    // What this process may do hangs on its pid being written down as apid's.
    node.store.remove::<resource::runtime::ServicePIDSpec>("", "runtime", "apid").unwrap();
    node.store
        .create(
            "",
            "runtime",
            "kubelet",
            resource::runtime::ServicePIDSpec {
                pid: std::process::id().cast_signed(),
                ..Default::default()
            },
        )
        .unwrap();
    let socket = server::feed::Socket::new(node.socket.clone());
    let origin = http::Uri::from_static("http://machined");
    let mut client = MachineServiceClient::with_origin(socket, origin);
    assert_eq!(
        code(client.version(to((), "talos-role", &["os:admin"])).await),
        Code::PermissionDenied
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_server_that_does_not_exist_is_named() {
    let (authority, node) = one().await;
    let identity = client_of(&authority, &["os:reader"]);
    let channel = dial(node.address, &authority, Some(&identity)).await.unwrap();
    let request = api::time::TimeRequest { server: String::new() };
    let status = TimeServiceClient::new(channel).time_check(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}
