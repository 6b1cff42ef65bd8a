//! Rewriting deprecated fields: nothing deprecated is left, nothing means something else.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use config::generate::{Options, Pair, Secrets, generate};
use config::lint::{fix, lint};
use config::validate::{Mode, validate};
use config::view::MachineType::{ControlPlane, Worker};
use config::view::View;

/// PEM of a certificate and a key, from the example of a kind.
fn material() -> (String, String) {
    let info = config::catalog::kind("KubeAggregatorCAConfig").expect("kind");
    let config = config::load(info.example.as_bytes()).expect("example");
    let authority = config.view().aggregator_ca().issuing.expect("issuing");
    (authority.crt, authority.key)
}

fn answers(view: View<'_>) -> String {
    let install = view.install().map(|install| (install.image, install.wipe, install.reboot));
    format!(
        "{:#?}",
        (
            (view.machine_type(), view.machine_token(), view.machine_ca(), view.environment()),
            (view.sysctls(), view.sysfs(), view.kernel_modules(), view.udev_rules(), install),
            (view.cluster_name(), view.cluster_endpoint(), view.pod_subnets(), view.dns_domain()),
            (view.kubernetes_ca(), view.aggregator_ca(), view.service_account(), view.kube_prism()),
            (view.discovery(), view.api_server(), view.controller_manager(), view.scheduler()),
            (
                view.proxy(),
                view.core_dns(),
                view.etcd(),
                view.inline_manifests(),
                view.static_pods()
            ),
            (view.kubelet(), view.node(), view.hostname(), view.nameservers(), view.host_dns()),
            (view.time_sync(), view.static_hosts(), view.kube_span(), view.search_domains()),
            (
                view.registry_mirrors(),
                view.registry_tls(),
                view.registry_auth(),
                view.image_cache()
            ),
        )
    )
}

#[test]
fn generated_configurations_of_old_releases() {
    let (crt, key) = material();
    let pair = Pair { crt: &crt, key: &key };
    let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let secrets = Secrets {
        cluster_id: "id",
        cluster_secret: secret,
        bootstrap_token: "abcdef.0123456789abcdef",
        secretbox_encryption_secret: secret,
        aescbc_encryption_secret: "",
        trustd_token: "abcdef.0123456789abcdef",
        etcd: pair,
        kubernetes: pair,
        aggregator: pair,
        service_account_key: &key,
        os: pair,
    };
    for release in ["v1.3", "v1.8", "v1.11", "v1.12", "v1.13", "v1.14"] {
        for machine in [ControlPlane, Worker] {
            let mut options = Options::new("test", "https://10.0.0.1:6443".parse().expect("url"));
            options.contract = release.parse().expect("release");
            options.additional_sans = vec!["api.example.org".to_owned()];
            options.sysctls.insert("vm.max_map_count".to_owned(), "262144".to_owned());
            options
                .registry_mirrors
                .insert("docker.io".to_owned(), vec!["http://10.0.0.2".to_owned()]);
            options.kube_span = true;
            let old = generate(&options, &secrets, machine);
            let report = validate(&old, config::validate::Options::local(Mode::Metal));
            assert!(report.is_valid(), "{release} {machine:?}: {}", report.message);
            let new = fix(&old);
            let text = new.encode();
            assert!(config::load(text.as_bytes()).is_ok(), "{text}");
            // Workers of old releases do not know the cluster's name, without which the endpoint has
            // no document.
            let nameless = old.view().cluster_name().is_empty();
            let stays =
                |path: &str| path == "persist" || (nameless && path == "cluster.controlPlane");
            let left: Vec<_> = lint(&new).into_iter().filter(|l| !stays(&l.path)).collect();
            assert!(left.is_empty(), "{release} {machine:?}: {left:?}\n{text}");
            let report = validate(&new, config::validate::Options::local(Mode::Metal));
            assert!(report.is_valid(), "{release} {machine:?}: {}\n{text}", report.message);
            assert_eq!(answers(new.view()), answers(old.view()), "{release} {machine:?}");
        }
    }
}

#[test]
fn hand_written_fields() {
    let text = "\
version: v1alpha1
machine:
  type: worker
  token: t
  ca: {crt: YQ==, key: ''}
  time: {servers: [a, b], bootTimeout: 1m}
  network:
    hostname: h.example.org
    nameservers: [9.9.9.9]
    searchDomains: [example.org]
    disableSearchDomain: true
    extraHostEntries:
      - {ip: 10.0.0.1, aliases: [a]}
      - {ip: 10.0.0.1, aliases: [b]}
  kernel: {modules: [{name: nbd, parameters: [a=b]}]}
  udev: {rules: [r]}
  env: {A: b}
  registries: {config: {r: {auth: {username: u, password: p}, tls: {insecureSkipVerify: true}}}}
  install: {diskSelector: {size: '>= 1TB', model: 'WD*', type: ssd}, image: i}
  systemDiskEncryption: {state: {keys: [{slot: 0, nodeID: {}}]}}
  pods: [{metadata: {name: p}}]
cluster:
  controlPlane: {endpoint: 'https://a:6443'}
  clusterName: c
";
    let old = config::load(text.as_bytes()).expect("loads");
    let used: Vec<String> = lint(&old).into_iter().map(|lint| lint.path).collect();
    assert!(used.contains(&"machine.network.hostname".to_owned()), "{used:?}");
    let new = fix(&old);
    assert_eq!(lint(&new), []);
    let report = validate(&new, config::validate::Options::local(Mode::Metal));
    assert!(report.is_valid(), "{}\n{}", report.message, new.encode());
    let condition = new.view().install().and_then(|install| install.condition).expect("condition");
    assert_eq!(
        condition.as_str(),
        "disk.size >= 1000000000000u && glob(\"WD*\", disk.model) && !disk.rotational"
    );
    let (old, new) = (answers(old.view()), answers(new.view()));
    // One document holds all names of an address.
    assert_eq!(new.matches("\"10.0.0.1\"").count(), 1);
    let without = |text: &str| text.lines().filter(|l| !l.contains("10.0.0.1")).count();
    assert!(without(&old) >= without(&new));
    insta::assert_snapshot!("fixed", fix(&config::load(text.as_bytes()).expect("loads")).encode());
}

#[test]
fn what_has_no_document_stays() {
    let text = "version: v1alpha1\nmachine:\n    type: worker\n    token: \"\"\n    certSANs: []\n    kubelet:\n        extraMounts:\n            - destination: /a\n    install:\n        disk: /dev/sda\n        extraKernelArgs:\n            - a=b\n        wipe: false\ncluster: {}\n";
    let old = config::load(text.as_bytes()).expect("loads");
    let fixed = fix(&old).encode();
    assert!(fixed.starts_with(text), "{fixed}");
}

#[test]
fn interfaces_become_documents() {
    let text = "\
version: v1alpha1
machine:
  type: controlplane
  token: t
  ca: {crt: YQ==, key: YQ==}
  network:
    interfaces:
      - interface: eth0
        addresses: [10.5.0.9/24, 10.6.0.1]
        mtu: 9000
        routes:
          - {network: 0.0.0.0/0, gateway: 10.5.0.1, metric: 7}
          - {network: 10.9.0.0/16, gateway: 10.5.0.7}
        vip: {ip: 10.5.0.100}
        vlans:
          - {vlanId: 7, dhcp: true, dhcpOptions: {routeMetric: 5, ipv6: true, duidv6: '0011'}}
      - interface: eth1
      - interface: eth2
      - interface: bond0
        bond: {interfaces: [eth1, eth2], mode: active-backup, miimon: 100}
      - {interface: br0, bridge: {interfaces: [eth3], stp: {}}, cidr: 10.7.0.1/24}
      - {interface: dummy0, dummy: true}
      - interface: wg0
        wireguard:
          privateKey: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
          listenPort: 51820
          peers: [{publicKey: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, endpoint: '10.0.0.1:51820', allowedIPs: [10.8.0.0/24]}]
cluster: {}
";
    let old = config::load(text.as_bytes()).expect("loads");
    let new = fix(&old);
    assert_eq!(lint(&new), []);
    assert_eq!(new.view().implicit_dhcp(), old.view().implicit_dhcp());
    let report = validate(&new, config::validate::Options::local(Mode::Metal));
    assert!(report.is_valid(), "{}\n{}", report.message, new.encode());
    insta::assert_snapshot!("links", new.encode());
    // One that no document can say keeps all of them.
    for part in [
        "deviceSelector: {driver: virtio}",
        "deviceSelector: {permanentAddr: '02:00:*'}",
        "deviceSelector: {busPath: '00:03.0'}, vlans: [{vlanId: 5}]",
        "interface: x, vip: {ip: 10.0.0.1, equinixMetal: {apiToken: t}}",
    ] {
        let other = text.replace("interface: dummy0, dummy: true", part);
        let old = config::load(other.as_bytes()).expect("loads");
        let kept = fix(&old);
        let interfaces = |config: &config::Config| {
            let machine = config.v1alpha1().and_then(|legacy| legacy.machine.clone());
            machine.and_then(|machine| machine.network).map(|network| network.interfaces)
        };
        assert_eq!(interfaces(&kept), interfaces(&old), "{part}");
    }
}

/// A selector that finds one link becomes an alias; a link that is to be ignored has no document beside those that do.
#[test]
fn selected_links_become_aliases() {
    let text = "\
version: v1alpha1
machine:
  type: worker
  token: t
  ca: {crt: YQ==, key: ''}
  network:
    interfaces:
      - {interface: nic0, ignore: true}
      - deviceSelector: {permanentAddr: '02:00:00:00:00:01', driver: 'virtio*', physical: true}
        dhcp: true
      - deviceSelector: {busPath: '0000:00:03.0'}
        addresses: [10.5.0.9/24]
cluster: {}
";
    let old = config::load(text.as_bytes()).expect("loads");
    let new = fix(&old);
    assert_eq!(lint(&new), [], "{}", new.encode());
    assert_eq!(new.view().implicit_dhcp(), old.view().implicit_dhcp());
    let report = validate(&new, config::validate::Options::local(Mode::Metal));
    assert!(report.is_valid(), "{}\n{}", report.message, new.encode());
    insta::assert_snapshot!("aliases", new.encode());
}

/// Files that documents can say become such, the others stay; what containerd reads is the same.
#[test]
fn files_become_documents() {
    let text = "\
version: v1alpha1
machine:
  type: worker
  token: t
  ca: {crt: YQ==, key: ''}
  files:
    - {path: /etc/cri/conf.d/20-customization.part, op: create, permissions: 0o600, content: 'a = 1'}
    - {path: /etc/nfsmount.conf, op: overwrite, permissions: 0o640, content: 'b'}
    - {path: /etc/multipath/x.conf, op: overwrite, permissions: 0o640, content: 'c'}
    - {path: /etc/multipath/x.conf, op: append, permissions: 0o640, content: 'c'}
    - {path: /etc/hosts, op: overwrite, permissions: 0o644, content: 'd'}
    - {path: /var/lib/x, op: create, permissions: 0o644, content: 'e'}
cluster: {}
";
    let old = config::load(text.as_bytes()).expect("loads");
    let new = fix(&old);
    let report = validate(&new, config::validate::Options::local(Mode::Metal));
    assert!(report.is_valid(), "{}\n{}", report.message, new.encode());
    let contents = |config: &config::Config| -> Vec<String> {
        config.view().cri_customizations().into_values().collect()
    };
    assert_eq!(contents(&new), contents(&old));
    let left: Vec<_> = lint(&new).iter().map(|lint| (lint.path.clone(), lint.stays())).collect();
    assert_eq!(left.len(), 1);
    assert!(left[0].1.contains("appended to"), "{left:?}");
    insta::assert_snapshot!("files", new.encode());
}
