//! Generated configurations: their documents, their order, their form in every release.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use config::generate::{
    Comments, Contract, Options, Pair, Secrets, generate, install_image, render,
};
use config::view::MachineType::{ControlPlane, Worker};

fn secrets() -> Secrets<'static> {
    Secrets {
        cluster_id: "ID",
        cluster_secret: "SECRET",
        bootstrap_token: "abcdef.0123456789abcdef",
        secretbox_encryption_secret: "BOX",
        aescbc_encryption_secret: "",
        trustd_token: "fedcba.fedcba9876543210",
        etcd: Pair { crt: "etcd crt\n", key: "etcd key\n" },
        kubernetes: Pair { crt: "k8s crt\n", key: "k8s key\n" },
        aggregator: Pair { crt: "agg crt\n", key: "agg key\n" },
        service_account_key: "sa key\n",
        os: Pair { crt: "os crt\n", key: "os key\n" },
    }
}

fn options(contract: &str) -> Options {
    let mut options = Options::new("test", "https://10.0.0.1:6443".parse().expect("url"));
    options.contract = contract.parse().expect("contract");
    options.install_image = install_image(options.contract, "v1.14.0");
    options
}

fn identities(config: &config::Config) -> Vec<String> {
    config.all().iter().map(|d| format!("{}/{}", d.info().kind, d.name())).collect()
}

#[test]
fn documents_of_1_14() {
    let options = options("v1.14");
    let common = [
        "DiscoveryServiceConfig/default",
        "DiscoveryIdentityConfig/",
        "UnattendedInstallConfig/",
        "ResolverConfig/",
        "VolumeConfig/EPHEMERAL",
        "FilesystemTrimConfig/",
        "SecurityProfileConfig/",
        "HostnameConfig/",
        "KubeClusterConfig/",
        "KubeNodeConfig/",
        "KubeletConfig/",
        "KubeNetworkConfig/",
        "KubeAPIServerCAConfig/",
        "KubePrismConfig/",
    ];
    let control_plane = [
        "KubeAggregatorCAConfig/",
        "KubeAdmissionControlConfig/PodSecurity",
        "KubeAuditPolicyConfig/",
        "KubeAuthenticationConfig/",
        "KubeAuthorizerConfig/node",
        "KubeAuthorizerConfig/rbac",
        "KubeEtcdEncryptionConfig/",
        "KubeServiceAccountConfig/",
        "KubeAPIServerConfig/",
        "KubeControllerManagerConfig/",
        "KubeSchedulerConfig/",
        "KubeProxyConfig/",
        "KubeFlannelCNIConfig/",
        "KubeCoreDNSConfig/",
    ];
    let worker = generate(&options, &secrets(), Worker);
    assert_eq!(identities(&worker), common);
    let master = generate(&options, &secrets(), ControlPlane);
    assert_eq!(identities(&master), [&common[..], &control_plane[..]].concat());
}

#[test]
fn text_of_every_release() {
    for release in ["v1.3", "v1.5", "v1.6", "v1.7", "v1.8", "v1.11", "v1.12", "v1.13", "v1.14"] {
        for (name, machine) in [("controlplane", ControlPlane), ("worker", Worker)] {
            let config = generate(&options(release), &secrets(), machine);
            let text = config.encode();
            let loaded = config::load(text.as_bytes()).expect("a generated configuration loads");
            assert_eq!(loaded.encode(), text);
            insta::assert_snapshot!(format!("{name}-{release}"), text);
        }
    }
}

#[test]
fn comments_change_nothing_but_comments() {
    let config = generate(&options("v1.14"), &secrets(), ControlPlane);
    for (docs, examples) in [(true, true), (true, false), (false, true)] {
        let text = render(&config, Comments { docs, examples });
        assert!(text.contains('#'), "{text}");
        assert_eq!(config::load(text.as_bytes()).expect("loads").encode(), config.encode());
    }
    let bare = render(&config, Comments { docs: false, examples: false });
    assert_eq!(bare, config.encode());
}

#[test]
fn options_show() {
    let mut with = options("v1.14");
    with.additional_sans = vec!["api.example.org".to_owned()];
    with.kube_span = true;
    with.registry_mirrors.insert("docker.io".to_owned(), vec!["http://10.0.0.2:5000".to_owned()]);
    with.sysctls.insert("vm.max_map_count".to_owned(), "262144".to_owned());
    with.custom_cni_url = Some("https://example.org/cni.yaml".to_owned());
    with.allow_scheduling_on_control_planes = true;
    with.local_api_server_port = Some(6444);
    let text = generate(&with, &secrets(), ControlPlane).encode();
    insta::assert_snapshot!("controlplane-with-options", text);
    with.contract = Contract::CURRENT;
    with.skip_kubernetes = true;
    with.install_disk.clear();
    with.discovery = false;
    insta::assert_snapshot!(
        "controlplane-without-kubernetes",
        generate(&with, &secrets(), ControlPlane).encode()
    );
}
