//! Links of every kind that the kernel makes in software, on a machine, whose kernel has the drivers for them.

use serde_json::Value;

use crate::guest::{Around, Guest, serve};
use crate::lab::Lab;
use crate::outcome::{Outcome, ensure, eventually};
use crate::{CLOCK_IS_RIGHT, ENOUGH, MINUTE};

/// The links, one document each. Where links are configured, DHCP has to be asked for.
const LINKS: [&str; 9] = [
    "kind: DHCPv4Config\nname: eth0",
    "kind: VLANConfig\nname: eth0.5\nvlanID: 5\nparent: eth0\naddresses: [{address: 192.168.5.2/24}]",
    "kind: DummyLinkConfig\nname: dummy1",
    "kind: DummyLinkConfig\nname: dummy2",
    "kind: BondConfig\nname: bond7\nlinks: [dummy1]\nbondMode: active-backup\nmiimon: 100\naddresses: [{address: 192.168.7.2/24}]",
    "kind: BridgeConfig\nname: br8\nlinks: [dummy2]\naddresses: [{address: 192.168.8.2/24}]",
    "kind: WireguardConfig\nname: wg9\nprivateKey: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\nlistenPort: 51820\npeers: [{publicKey: IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE=, allowedIPs: [192.168.9.0/24]}]\naddresses: [{address: 192.168.9.2/24}]",
    "kind: VethConfig\nname: inner\npeer: {name: outer, addresses: [{address: 192.168.10.1/30}]}\naddresses: [{address: 192.168.10.2/30}]",
    "kind: VRFConfig\nname: tenant\nlinks: [outer]\ntable: \"123\"",
];
/// What becomes of them: name, kind, the link that it belongs to, an address.
const FOUND: [(&str, &str, Option<&str>, Option<&str>); 9] = [
    ("eth0.5", "vlan", None, Some("192.168.5.2/24")),
    ("dummy1", "dummy", Some("bond7"), None),
    ("dummy2", "dummy", Some("br8"), None),
    ("bond7", "bond", None, Some("192.168.7.2/24")),
    ("br8", "bridge", None, Some("192.168.8.2/24")),
    ("wg9", "wireguard", None, Some("192.168.9.2/24")),
    ("inner", "veth", None, Some("192.168.10.2/30")),
    ("outer", "veth", Some("tenant"), Some("192.168.10.1/30")),
    ("tenant", "vrf", None, None),
];

pub(crate) fn of_every_kind(lab: &Lab) -> Outcome {
    let documents = LINKS.map(|link| format!("apiVersion: v1alpha1\n{link}\n"));
    let patches: Vec<&str> = documents.iter().map(String::as_str).chain([CLOCK_IS_RIGHT]).collect();
    let cluster = lab.cluster("controlplane", &patches)?;
    let disk = lab.disk("links.raw", ENOUGH)?;
    let config = serve(cluster.configuration.clone())?;
    let around = Around { disk: Some(&disk), config: &config, ..Around::default() };
    let mut guest = Guest::start(lab, "links", &around)?;
    guest.says("issuing a certificate what=\"apid server\"")?;
    let get = |kind: &str, id: &str| -> Outcome<Value> {
        let text = guest.ask(lab, &cluster, &["get", kind, id, "-o", "json"])?;
        serde_json::from_str(&text).map_err(|error| format!("no JSON: {error}: {text}"))
    };
    for (name, kind, master, address) in FOUND {
        eventually(&format!("link {name} is there"), MINUTE, || {
            let link = get("links", name)?;
            let spec = &link["spec"];
            ensure(spec["kind"] == kind, || format!("{name} is no {kind}: {link}"))?;
            if let Some(master) = master {
                let of = get("links", master)?["spec"]["index"].clone();
                ensure(spec["masterIndex"] == of, || format!("{name} is not of {master}: {link}"))?;
            }
            if let Some(address) = address {
                get("addresses", &format!("{name}/{address}"))?;
            }
            Ok(())
        })?;
    }
    // The kernel's own view of what only its drivers know.
    for (name, path, expected) in [
        ("bond7", "/sys/class/net/bond7/bonding/mode", "active-backup 1"),
        ("eth0.5", "/proc/net/vlan/eth0.5", "VID: 5"),
    ] {
        let text = guest.ask(lab, &cluster, &["read", path])?;
        ensure(text.contains(expected), || format!("{name}: {path} says {text}"))?;
    }
    guest.cut()
}
