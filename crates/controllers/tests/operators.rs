//! A machine's network against a real DHCP server and a real router: leases, renewals, flaps, moves and conflicts.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod lab;

use std::path::Path;
use std::time::Duration;

use ::runtime::{Runtime, Store};
use controllers::config::active;
use controllers::{Mode, Node, Paths, Platform};
use lab::{Namespace, Server, cable, ip, isolated, program};
use resource::network::{
    AddressStatusSpec, HostnameStatusSpec, LinkStatusSpec, ResolverStatusSpec, RouteStatusSpec,
    TimeServerStatusSpec,
};
use resource::{Resource, Spec};

const HARDWARE: &str = "02:00:00:00:77:01";

/// The DHCP server on `peer0` with the address `10.<net>.0.1`.
fn dnsmasq(other: &Namespace, net: u8, more: &[&str], directory: &Path, name: &str) -> Server {
    let mut arguments: Vec<String> = [
        "--no-daemon",
        "--conf-file=/dev/null",
        "--port=0",
        "--interface=peer0",
        "--except-interface=lo",
        "--user=root",
        "--pid-file=",
        "--log-dhcp",
        "--log-facility=-",
        "--dhcp-authoritative",
        "--no-ping",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments
        .push(format!("--dhcp-leasefile={}", directory.join(format!("{name}.leases")).display()));
    arguments.push(format!("--dhcp-range=10.{net}.0.50,10.{net}.0.60,255.255.255.0,2m"));
    arguments.extend(more.iter().map(ToString::to_string));
    other.start(&program("dnsmasq"), &arguments, &directory.join(format!("{name}.log")))
}

fn machine(root: &Path) -> Node {
    // The kernel's settings of this thread's network namespace.
    std::os::unix::fs::symlink("/proc", root.join("proc")).unwrap();
    let platform = Platform {
        name: "metal".into(),
        mode: Mode::Metal,
        instance_type: String::new(),
        user_data: None,
    };
    Node::new(platform, Paths::new(root), *b"test1")
}

fn configure(store: &Store, text: &str) {
    active::put(store, active::ACTIVE, text).unwrap();
}

async fn until<S: Spec>(store: &Store, id: &str, test: impl Fn(&S) -> bool) {
    let wait = store.wait_for::<S>("network", id, |found: Option<&Resource<S>>| {
        found.is_some_and(|found| test(&found.spec))
    });
    let there = || store.get::<S>("network", id).map(|found| found.spec);
    if tokio::time::timeout(Duration::from_secs(30), wait).await.is_err() {
        panic!("{} {id} is not as it should be: {:?}", S::DEFINITION.type_name, there());
    }
}

async fn gone<S: Spec>(store: &Store, id: &str) {
    let wait = store.wait_for::<S>("network", id, |found: Option<&Resource<S>>| found.is_none());
    let left = tokio::time::timeout(Duration::from_secs(30), wait).await;
    assert!(left.is_ok(), "{} {id} is still there", S::DEFINITION.type_name);
}

const DHCP: &str = "apiVersion: v1alpha1\nkind: DHCPv4Config\nname: eth0\n";
const OPTIONS: [&str; 10] = [
    "--dhcp-host=02:00:00:00:77:01,10.77.0.51,node-7",
    "--domain=lab.test",
    "--dhcp-option=option:router,10.77.0.9",
    "--dhcp-option=option:dns-server,10.77.0.53",
    "--dhcp-option=option:ntp-server,10.77.0.123",
    "--dhcp-option=option:mtu,1400",
    "--dhcp-option=option:domain-search,a.test,b.test",
    "--dhcp-option=option:classless-static-route,0.0.0.0/0,10.77.0.1,172.20.0.0/16,10.77.0.2",
    "--dhcp-option=option:T1,6",
    "--dhcp-option=option:T2,60",
];

async fn scenario() {
    let root = tempfile::tempdir().unwrap();
    let other = Namespace::new();
    cable(&other, HARDWARE);
    other.ip("addr add 10.77.0.1/24 dev peer0");
    let first = dnsmasq(&other, 77, &OPTIONS, root.path(), "first");

    let node = machine(root.path());
    let store = &node.store;
    configure(store, DHCP);
    ip("link set eth0 up");
    let mut runtime = Runtime::new(store.clone());
    controllers::files::register(&mut runtime, &node).unwrap();
    controllers::network::register(&mut runtime, &node).unwrap();
    tokio::spawn(runtime.run(std::future::pending()));

    // Everything that the server gives is in the kernel or in its status.
    until::<AddressStatusSpec>(store, "eth0/10.77.0.51/24", |_| true).await;
    until::<RouteStatusSpec>(store, "inet4/10.77.0.1//1024", |route| {
        route.src == "10.77.0.51".parse().unwrap()
    })
    .await;
    until::<RouteStatusSpec>(store, "inet4/10.77.0.2/172.20.0.0/16/1024", |_| true).await;
    until::<LinkStatusSpec>(store, "eth0", |link| link.mtu == 1400).await;
    until::<HostnameStatusSpec>(store, "hostname", |name| {
        (name.hostname.as_str(), name.domainname.as_str()) == ("node-7", "lab.test")
    })
    .await;
    assert_eq!(sys::system::kernel().node, "node-7");
    until::<ResolverStatusSpec>(store, "resolvers", |found| {
        found.dns_servers == ["10.77.0.53".parse().unwrap()]
            && found.search_domains == ["a.test", "b.test"]
    })
    .await;
    until::<TimeServerStatusSpec>(store, "timeservers", |found| {
        found.time_servers == ["10.77.0.123"]
    })
    .await;

    // The lease is renewed at its time, from the address to the server.
    first.says("DHCPACK(peer0) 10.77.0.51", 2).await;
    assert_eq!(first.count("DHCPDISCOVER(peer0)"), 1, "{}", first.log());

    // A cable that is pulled and put back: the address stays, and the server is asked.
    let acknowledged = first.count("DHCPACK(peer0) 10.77.0.51");
    other.ip("link set peer0 down");
    until::<LinkStatusSpec>(store, "eth0", |link| !link.link_state).await;
    assert!(store.get::<AddressStatusSpec>("network", "eth0/10.77.0.51/24").is_some());
    other.ip("link set peer0 up");
    until::<LinkStatusSpec>(store, "eth0", |link| link.link_state).await;
    first.says("DHCPACK(peer0) 10.77.0.51", acknowledged + 1).await;
    assert_eq!(first.count("DHCPDISCOVER(peer0)"), 1, "{}", first.log());

    // A name from the configuration is brought to the server.
    configure(
        store,
        &format!(
            "{DHCP}---\napiVersion: v1alpha1\nkind: HostnameConfig\nauto: \"off\"\nhostname: cp-1\n"
        ),
    );
    until::<HostnameStatusSpec>(store, "hostname", |name| name.hostname == "cp-1").await;
    first.says("client provides name: cp-1", 1).await;

    // The cable goes to another network, whose server refuses the old address; there, another machine has the first
    // address that is offered.
    configure(store, DHCP);
    other.ip("link set peer0 down");
    until::<LinkStatusSpec>(store, "eth0", |link| !link.link_state).await;
    drop(first);
    other.ip("addr flush dev peer0");
    other.ip("link add lan0 type bridge");
    other.ip("link set peer0 master lan0");
    other.ip("link set lan0 up");
    other.ip("addr add 10.88.0.1/24 dev lan0");
    let third = Namespace::new();
    other.ip("link add port1 type veth peer name host0");
    other.ip("link set port1 master lan0");
    other.ip("link set port1 up");
    other.give("host0", &third);
    third.ip("link set host0 up");
    third.ip("addr add 10.88.0.51/24 dev host0");
    let taken = ["--interface=lan0", "--dhcp-host=02:00:00:00:77:01,10.88.0.51"];
    let second = dnsmasq(&other, 88, &taken, root.path(), "second");
    other.ip("link set peer0 up");
    second.says("DHCPNAK(lan0) 10.77.0.51", 1).await;
    gone::<AddressStatusSpec>(store, "eth0/10.77.0.51/24").await;
    gone::<RouteStatusSpec>(store, "inet4/10.77.0.2/172.20.0.0/16/1024").await;
    second.says("DHCPDECLINE(lan0) 10.88.0.51", 1).await;
    assert!(store.get::<AddressStatusSpec>("network", "eth0/10.88.0.51/24").is_none());
    second.says("DHCPACK(lan0) 10.88.0.", 2).await;
    until::<RouteStatusSpec>(store, "inet4/10.88.0.1//1024", |_| true).await;
    assert!(store.get::<AddressStatusSpec>("network", "eth0/10.88.0.51/24").is_none());

    // Nobody asks any more.
    configure(store, "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\n");
    gone::<RouteStatusSpec>(store, "inet4/10.88.0.1//1024").await;
    let left = store.list::<AddressStatusSpec>("network");
    let left = left.iter().filter(|address| address.id().starts_with("eth0/10."));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_machine_lives_by_its_leases() {
    isolated(Duration::from_secs(150), scenario);
}

async fn routers() {
    let root = tempfile::tempdir().unwrap();
    let other = Namespace::new();
    cable(&other, HARDWARE);
    other.ip("addr add 10.77.0.1/24 dev peer0");
    other.ip("addr add fd00:77::1/64 dev peer0 nodad");
    let advertised = [
        "--enable-ra",
        "--dhcp-range=fd00:77::,ra-only",
        "--ra-param=peer0,10,600",
        "--dhcp-option=option6:dns-server,[fd00:77::53]",
        "--dhcp-option=option6:domain-search,six.test",
        "--dhcp-option=option:dns-server,10.77.0.53",
    ];
    let node = machine(root.path());
    let store = &node.store;
    configure(store, DHCP);
    ip("link set eth0 up");
    let mut runtime = Runtime::new(store.clone());
    controllers::network::register(&mut runtime, &node).unwrap();
    tokio::spawn(runtime.run(std::future::pending()));
    until::<LinkStatusSpec>(store, "eth0", |link| link.link_state).await;
    let router = dnsmasq(&other, 77, &advertised, root.path(), "router");

    // Addresses and routes are the kernel's work, also while packets are forwarded.
    std::fs::write("/proc/sys/net/ipv6/conf/eth0/forwarding", "1").unwrap();
    let accepted = || std::fs::read_to_string("/proc/sys/net/ipv6/conf/eth0/accept_ra").unwrap();
    until::<ResolverStatusSpec>(store, "resolvers", |found| {
        found.dns_servers.contains(&"fd00:77::53".parse().unwrap())
            && found.dns_servers.contains(&"10.77.0.53".parse().unwrap())
            && found.search_domains == ["six.test"]
    })
    .await;
    assert_eq!(accepted().trim(), "2");
    // The address is made of the hardware's (EUI-64).
    until::<AddressStatusSpec>(store, "eth0/fd00:77::ff:fe00:7701/64", |_| true).await;
    // The kernel's news of the route may come after that of the address.
    let default = "eth0/inet6/fe80::ff:fe00:77fe//1024";
    until::<RouteStatusSpec>(store, default, |route| route.dst.0.is_none()).await;
    drop(router);
}

#[test]
fn a_machine_listens_to_its_routers() {
    isolated(Duration::from_secs(60), routers);
}
