//! The network controllers against the kernel, in a network namespace of the test's own, set up
//! as a container engine does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use ::netlink::{Netlink, RouteTarget};
use ::runtime::{Runtime, Store};
use controllers::{Mode, Node, Paths, Platform};
use resource::enums::{
    AddressFlags, ConfigLayer, Family, OperationalState, RouteProtocol, RouteType, RoutingTable,
};
use resource::ichor::ConditionSpec;
use resource::network::{
    AddressSpecSpec, AddressStatusSpec, HostnameStatusSpec, LinkSpecSpec, LinkStatusSpec,
    NodeAddressSpec, ResolverStatusSpec, RouteSpecSpec, RouteStatusSpec, StatusSpec, VethSpec,
};
use sys::namespace::{Namespaces, unshare};

fn address(text: &str) -> AddressSpecSpec {
    AddressSpecSpec {
        address: text.parse().unwrap(),
        link_name: "eth0".into(),
        family: Family::INET4,
        flags: AddressFlags::PERMANENT,
        layer: ConfigLayer::MACHINE_CONFIGURATION,
        ..AddressSpecSpec::default()
    }
}

fn route(destination: &str, gateway: &str) -> RouteSpecSpec {
    RouteSpecSpec {
        family: Family::INET4,
        dst: destination.parse().unwrap(),
        gateway: gateway.parse().unwrap(),
        out_link_name: "eth0".into(),
        table: RoutingTable::MAIN,
        r#type: RouteType::UNICAST,
        protocol: RouteProtocol::STATIC,
        layer: ConfigLayer::MACHINE_CONFIGURATION,
        ..RouteSpecSpec::default()
    }
}

/// What the provisioner does before the node starts.
async fn set_up() {
    let netlink = Netlink::open().unwrap();
    let spec = LinkSpecSpec {
        name: "eth0".into(),
        kind: "veth".into(),
        veth: Some(VethSpec { peer_name: "peer0".into() }),
        ..LinkSpecSpec::default()
    };
    netlink.create_link(&spec, None).await.unwrap();
    let links = netlink.links().await.unwrap();
    for link in links.iter().filter(|link| link.name != "lo") {
        netlink.set_up(link.status.index, &link.name, true).await.unwrap();
    }
    let eth = links.iter().find(|link| link.name == "eth0").unwrap().status.index;
    netlink.add_address(eth, &address("10.5.0.2/24")).await.unwrap();
    let target = RouteTarget { link: eth, hops: Vec::new() };
    netlink.add_route(&route("", "10.5.0.1"), &target).await.unwrap();
}

fn node(root: &std::path::Path) -> Node {
    for (path, text) in
        [("etc/hostname", "cp-1.example.org\n"), ("etc/resolv.conf", "nameserver 10.5.0.1\n")]
    {
        std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        std::fs::write(root.join(path), text).unwrap();
    }
    let platform = Platform {
        name: "container".into(),
        mode: Mode::Container,
        instance_type: String::new(),
        user_data: None,
    };
    Node::new(platform, Paths::new(root), *b"test1")
}

async fn is_there<S: resource::Spec>(store: &Store, id: &str) {
    store.wait_for::<S>("network", id, |found| found.is_some()).await;
}

async fn scenario() {
    set_up().await;
    let root = tempfile::tempdir().unwrap();
    let node = node(root.path());
    let mut runtime = Runtime::new(node.store.clone());
    controllers::files::register(&mut runtime, &node).unwrap();
    controllers::network::register(&mut runtime, &node).unwrap();
    tokio::spawn(runtime.run(std::future::pending()));
    let store = &node.store;

    let ready = |status: Option<&resource::Resource<StatusSpec>>| {
        status.is_some_and(|status| {
            status.spec.address_ready
                && status.spec.connectivity_ready
                && status.spec.hostname_ready
                && status.spec.etc_files_ready
        })
    };
    store.wait_for("network", "status", ready).await;
    let default = store.get::<NodeAddressSpec>("network", "default").unwrap();
    assert_eq!(default.spec.addresses, ["10.5.0.2/24".parse().unwrap()]);
    let hostname = store.get::<HostnameStatusSpec>("network", "hostname").unwrap();
    assert_eq!(hostname.spec.hostname, "cp-1");
    let resolvers = store.get::<ResolverStatusSpec>("network", "resolvers").unwrap();
    assert_eq!(resolvers.spec.dns_servers, ["10.5.0.1".parse().unwrap()]);
    // The kernel's own change of the link comes back as an event.
    let up = |link: Option<&resource::Resource<LinkStatusSpec>>| {
        link.is_some_and(|link| link.spec.operational_state != OperationalState::DOWN)
    };
    store.wait_for("network", "lo", up).await;
    is_there::<AddressStatusSpec>(store, "lo/127.0.0.1/8").await;
    let hosts = std::fs::read_to_string(root.path().join("system/etc/hosts")).unwrap();
    assert!(hosts.contains("10.5.0.2        cp-1.example.org cp-1\n"), "{hosts}");
    let pods = std::fs::read_to_string(root.path().join("system/resolved/resolv.conf")).unwrap();
    assert_eq!(pods, "nameserver 10.5.0.1\n");

    // A wish goes down to the kernel, comes back as status, and leaves with the wish.
    let layers = "network-config";
    let (own, id) = (address("10.6.0.2/24"), "eth0/10.6.0.2/24");
    store.create("", layers, "configuration/eth0/10.6.0.2/24", own).unwrap();
    store.create("", layers, "configuration/r", route("10.7.0.0/16", "10.6.0.1")).unwrap();
    is_there::<AddressStatusSpec>(store, id).await;
    is_there::<RouteStatusSpec>(store, "inet4/10.6.0.1/10.7.0.0/16/0").await;
    store
        .wait_for::<NodeAddressSpec>("network", "current", |found| {
            found.is_some_and(|found| found.spec.addresses.len() == 2)
        })
        .await;
    assert!(store.remove::<RouteSpecSpec>("", layers, "configuration/r").unwrap());
    assert!(store.remove::<AddressSpecSpec>("", layers, "configuration/eth0/10.6.0.2/24").unwrap());
    store.wait_for::<AddressStatusSpec>("network", id, |found| found.is_none()).await;
    store.wait_for::<AddressSpecSpec>("network", id, |found| found.is_none()).await;

    // A route whose gateway nobody reaches yet waits for the address, and does not fail.
    store.create("", layers, "configuration/early", route("10.9.0.0/16", "10.8.0.1")).unwrap();
    let waits = |waits: &[resource::Resource<ConditionSpec>]| {
        waits.iter().any(|wait| wait.spec.waits_for.contains("10.8.0.1"))
    };
    while !waits(&store.list::<ConditionSpec>("runtime")) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store.create("", layers, "configuration/eth0/10.8.0.2/24", address("10.8.0.2/24")).unwrap();
    is_there::<RouteStatusSpec>(store, "inet4/10.8.0.1/10.9.0.0/16/0").await;
    while waits(&store.list::<ConditionSpec>("runtime")) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // What the container engine gave is still there.
    is_there::<AddressStatusSpec>(store, "eth0/10.5.0.2/24").await;
    is_there::<RouteStatusSpec>(store, "inet4/10.5.0.1//0").await;
}

#[test]
fn a_node_in_a_container_finds_and_changes_its_network() {
    let thread = std::thread::spawn(|| {
        unshare(Namespaces::NETWORK).expect("a new network namespace: run as root");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let limit = Duration::from_secs(30);
        runtime.block_on(async { tokio::time::timeout(limit, scenario()).await }).expect("in time");
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
