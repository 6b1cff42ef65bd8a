//! Against the kernel, in a network namespace that each test makes for itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use netlink::{Change, Events, Netlink, RouteTarget};
use resource::enums::{
    AddressFlags, BondMode, Family, LinkFlags, RouteProtocol, RouteType, RoutingTable, Scope,
    VLANProtocol,
};
use resource::network::{
    AddressSpecSpec, BondMasterSpec, BridgeMasterSpec, LinkSpecSpec, RouteSpecSpec, STPSpec,
    VLANSpec, VethSpec, WireguardPeer, WireguardSpec,
};
use sys::namespace::{Namespaces, unshare};

/// Runs a test on a thread of its own in a new network namespace, which goes with the thread.
fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(|| {
        unshare(Namespaces::NETWORK).expect("a new network namespace: run as root");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let limit = Duration::from_secs(30);
        runtime.block_on(async { tokio::time::timeout(limit, test()).await }).expect("in time");
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn link(name: &str, kind: &str) -> LinkSpecSpec {
    LinkSpecSpec { name: name.into(), kind: kind.into(), ..LinkSpecSpec::default() }
}

/// A link that every kernel of ours can make, with a peer so that it can have a carrier.
fn pair(name: &str, peer: &str) -> LinkSpecSpec {
    let mut spec = link(name, "veth");
    spec.veth = Some(VethSpec { peer_name: peer.into() });
    spec
}

async fn index(netlink: &Netlink, name: &str) -> u32 {
    let links = netlink.links().await.unwrap();
    links.iter().find(|link| link.name == name).map_or(0, |link| link.status.index)
}

#[test]
fn a_new_namespace_has_the_loopback_link_only() {
    in_namespace(|| async {
        let netlink = Netlink::open().unwrap();
        let links = netlink.links().await.unwrap();
        assert_eq!(links.len(), 1);
        assert_eq!(links[0].name, "lo");
        assert!(links[0].status.flags.contains(LinkFlags::LOOPBACK));
        assert!(!links[0].status.flags.contains(LinkFlags::UP));
        assert!(netlink.addresses(&links).await.unwrap().is_empty());
    });
}

#[test]
fn links_of_each_kind_are_made_changed_and_removed() {
    in_namespace(|| async {
        let netlink = Netlink::open().unwrap();
        netlink.create_link(&pair("veth0", "veth1"), None).await.unwrap();
        let veth = index(&netlink, "veth0").await;
        netlink.set_mtu(veth, "veth0", 1400).await.unwrap();
        netlink.set_hardware_address(veth, "veth0", &[2, 0, 0, 0, 0, 7]).await.unwrap();
        netlink.set_up(veth, "veth0", true).await.unwrap();
        netlink.create_link(&link("br0", "bridge"), None).await.unwrap();
        let bridge = index(&netlink, "br0").await;
        netlink.set_master(veth, "veth0", bridge).await.unwrap();

        let links = netlink.links().await.unwrap();
        let find = |name: &str| &links.iter().find(|link| link.name == name).unwrap().status;
        let found = find("veth0");
        assert_eq!((&*found.kind, found.mtu, found.master_index), ("veth", 1400, bridge));
        assert_eq!(found.hardware_addr.to_string(), "02:00:00:00:00:07");
        assert_eq!(found.device.slave_kind, "bridge");
        assert!(found.flags.contains(LinkFlags::UP));
        assert_eq!(&*find("veth1").kind, "veth");
        assert!(find("br0").details.bridge_master.is_some());

        netlink.set_master(veth, "veth0", 0).await.unwrap();
        netlink.delete_link(bridge, "br0").await.unwrap();
        assert_eq!(index(&netlink, "br0").await, 0);
        let error = netlink.delete_link(9999, "none").await.unwrap_err();
        assert_eq!(error.errno(), Some(19), "{error}");
        let error = netlink.create_link(&link("x", "teapot"), None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot make link x of kind teapot: no such kind of link can be made"
        );
    });
}

#[test]
fn a_pair_knows_its_ends_and_a_bridge_is_changed_as_it_is() {
    in_namespace(|| async {
        let netlink = Netlink::open().unwrap();
        netlink.create_link(&pair("a0", "a1"), None).await.unwrap();
        netlink.create_link(&link("br0", "bridge"), None).await.unwrap();
        let bridge = index(&netlink, "br0").await;
        netlink.set_up(bridge, "br0", false).await.unwrap();
        for on in [true, false] {
            let wanted = BridgeMasterSpec { stp: Some(STPSpec { enabled: on }), vlan: None };
            netlink.set_bridge(bridge, "br0", &wanted).await.unwrap();
            let links = netlink.links().await.unwrap();
            let find = |name: &str| &links.iter().find(|link| link.name == name).unwrap().status;
            let found = find("br0").details.bridge_master.clone().unwrap();
            assert_eq!(found.stp, wanted.stp);
            assert!(!find("br0").flags.contains(LinkFlags::UP));
            for (end, peer) in [("a0", "a1"), ("a1", "a0")] {
                let veth = find(end).details.veth.clone().unwrap();
                assert_eq!(veth.peer_name, peer);
            }
        }
        let error = netlink.set_bridge(9999, "none", &BridgeMasterSpec::default()).await;
        assert!(error.is_err());
    });
}

/// Whether the kernel can make such links at all; says so loudly when it cannot.
fn is_known(made: Result<(), netlink::NetlinkError>, option: &str) -> bool {
    match made {
        // EOPNOTSUPP
        Err(error) if error.errno() == Some(95) => {
            eprintln!("NOT TESTED: this kernel has no such links ({option})");
            false
        }
        made => {
            made.unwrap();
            true
        }
    }
}

#[test]
fn a_bond_takes_its_settings() {
    in_namespace(|| async {
        let netlink = Netlink::open().unwrap();
        let mut spec = link("bond0", "bond");
        let mut wanted = BondMasterSpec {
            mode: BondMode::ACTIVE_BACKUP,
            miimon: 100,
            updelay: 200,
            ..network::bond::kernel_default()
        };
        spec.bond_master = Some(Box::new(wanted.clone()));
        if !is_known(netlink.create_link(&spec, None).await, "CONFIG_BONDING") {
            return;
        }
        let bond = index(&netlink, "bond0").await;
        let found = || async {
            let links = netlink.links().await.unwrap();
            let link = links.into_iter().find(|link| link.name == "bond0").unwrap();
            *link.status.details.bond_master.clone().unwrap()
        };
        assert!(network::bond::changes(&wanted, &found().await).is_empty());
        wanted.mode = BondMode::LACP;
        wanted.miimon = 50;
        wanted.updelay = 0;
        let changes = network::bond::changes(&wanted, &found().await);
        netlink.set_bond(bond, "bond0", &changes).await.unwrap();
        assert!(network::bond::changes(&wanted, &found().await).is_empty());
    });
}

#[test]
fn a_wireguard_link_takes_its_peers() {
    in_namespace(|| async {
        let netlink = Netlink::open().unwrap();
        if !is_known(netlink.create_link(&link("wg0", "wireguard"), None).await, "CONFIG_WIREGUARD")
        {
            return;
        }
        let wg = index(&netlink, "wg0").await;
        let wanted = WireguardSpec {
            private_key: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHl8=".into(),
            listen_port: 51_820,
            peers: vec![WireguardPeer {
                public_key: "jzcJKWJ5vOZ4m5Y/UdlS8sgLpVyhKRTSc3x9zJXGjl8=".into(),
                endpoint: "192.0.2.1:51820".into(),
                allowed_ips: vec!["10.1.0.0/16".parse().unwrap(), "fd00::/64".parse().unwrap()],
                ..WireguardPeer::default()
            }],
            ..WireguardSpec::default()
        };
        let change = network::wireguard::change(&wanted, &netlink.wireguard(wg).await.unwrap());
        netlink.set_wireguard(wg, "wg0", &change).await.unwrap();
        let links = netlink.links().await.unwrap();
        let status = links.iter().find(|link| link.name == "wg0").unwrap().status.clone();
        let shown = status.details.wireguard.clone().unwrap();
        assert_eq!((shown.private_key.as_str(), shown.peers.len()), ("", 1));
        let none = WireguardSpec { peers: Vec::new(), ..wanted.clone() };
        let change = network::wireguard::change(&none, &netlink.wireguard(wg).await.unwrap());
        netlink.set_wireguard(wg, "wg0", &change).await.unwrap();
        assert!(netlink.wireguard(wg).await.unwrap().peers.is_empty());
    });
}

#[test]
fn a_vlan_lies_on_its_parent() {
    in_namespace(|| async {
        let netlink = Netlink::open().unwrap();
        netlink.create_link(&pair("eth0", "peer0"), None).await.unwrap();
        let parent = index(&netlink, "eth0").await;
        let mut vlan = link("eth0.7", "vlan");
        vlan.vlan = Some(VLANSpec { vlan_id: 7, vlan_protocol: VLANProtocol::DOT1AD });
        if !is_known(netlink.create_link(&vlan, Some(parent)).await, "CONFIG_VLAN_8021Q") {
            return;
        }
        let links = netlink.links().await.unwrap();
        let found = &links.iter().find(|link| link.name == "eth0.7").unwrap().status;
        assert_eq!(found.details.vlan, vlan.vlan);
        assert_eq!(found.link_index, parent);
    });
}

#[test]
fn addresses_and_routes_come_and_go() {
    in_namespace(|| async {
        let netlink = Netlink::open().unwrap();
        netlink.create_link(&pair("eth0", "peer0"), None).await.unwrap();
        let eth = index(&netlink, "eth0").await;
        netlink.set_up(eth, "eth0", true).await.unwrap();
        let address = AddressSpecSpec {
            address: "10.5.0.2/24".parse().unwrap(),
            link_name: "eth0".into(),
            family: Family::INET4,
            flags: AddressFlags::PERMANENT,
            ..AddressSpecSpec::default()
        };
        netlink.add_address(eth, &address).await.unwrap();
        netlink.add_address(eth, &address).await.unwrap();
        let links = netlink.links().await.unwrap();
        let found = netlink.addresses(&links).await.unwrap();
        let found = found.iter().find(|a| a.id() == "eth0/10.5.0.2/24").unwrap();
        assert_eq!(found.status.broadcast.to_string(), "10.5.0.255");
        assert_eq!(found.status.scope, Scope::GLOBAL);
        assert!(found.status.flags.contains(AddressFlags::PERMANENT));

        let mut route = RouteSpecSpec {
            family: Family::INET4,
            gateway: "10.5.0.1".parse().unwrap(),
            out_link_name: "eth0".into(),
            table: RoutingTable::MAIN,
            priority: 1024,
            r#type: RouteType::UNICAST,
            protocol: RouteProtocol::STATIC,
            mtu: 1400,
            ..RouteSpecSpec::default()
        };
        let target = RouteTarget { link: eth, hops: Vec::new() };
        netlink.add_route(&route, &target).await.unwrap();
        let routes = netlink.routes(&links).await.unwrap();
        let found = routes.iter().find(|r| r.status.gateway == route.gateway).unwrap();
        assert_eq!((found.status.dst.0, found.status.priority), (None, 1024));
        assert_eq!((found.status.table, found.status.mtu), (RoutingTable::MAIN, 1400));
        assert_eq!(found.status.out_link_name, "eth0");
        assert!(routes.iter().any(|r| r.status.table == RoutingTable::LOCAL));
        netlink.delete_route(&route, &target).await.unwrap();
        let routes = netlink.routes(&links).await.unwrap();
        assert!(routes.iter().all(|r| r.status.gateway != route.gateway));
        route.gateway = "10.99.0.1".parse().unwrap();
        let error = netlink.add_route(&route, &target).await.unwrap_err();
        assert_eq!(error.errno(), Some(101), "{error}");
        assert!(error.is_unreachable());
        route.gateway = "fd00::1".parse().unwrap();
        assert!(netlink.add_route(&route, &target).await.unwrap_err().errno().is_none());

        netlink.delete_address(eth, &address).await.unwrap();
        let found = netlink.addresses(&links).await.unwrap();
        assert!(found.iter().all(|a| a.status.address != address.address));
    });
}

#[test]
fn changes_are_told() {
    in_namespace(|| async {
        let mut events = Events::open().unwrap();
        let netlink = Netlink::open().unwrap();
        netlink.create_link(&pair("eth0", "peer0"), None).await.unwrap();
        assert_eq!(events.next().await, Some(Change::Link));
        let eth = index(&netlink, "eth0").await;
        let address = AddressSpecSpec {
            address: "10.5.0.2/24".parse().unwrap(),
            link_name: "eth0".into(),
            ..AddressSpecSpec::default()
        };
        netlink.set_up(eth, "eth0", true).await.unwrap();
        netlink.add_address(eth, &address).await.unwrap();
        let mut seen = Vec::new();
        while !(seen.contains(&Change::Address) && seen.contains(&Change::Route)) {
            seen.push(events.next().await.unwrap());
        }
    });
}
