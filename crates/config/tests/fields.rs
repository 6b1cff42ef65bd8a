//! The table of all kinds and fields. A field that disappears from the language fails here; so does
//! one that appears without being entered.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use config::catalog::KINDS;
use config::reference::all_fields;

/// One line per document: its kind, then the paths of all fields.
const TABLE: &str = include_str!("fields.txt");

fn table() -> BTreeMap<String, BTreeSet<String>> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (kind, fields) = line.split_once(':').expect("kind: fields");
            (kind.to_owned(), fields.split_whitespace().map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn every_field_of_the_table_exists_and_no_other() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    found.insert("v1alpha1".to_owned(), BTreeSet::new());
    for info in KINDS {
        found.insert(info.kind.to_owned(), BTreeSet::new());
    }
    for (path, field) in all_fields() {
        assert!(!field.docs.is_empty(), "{path} has no documentation");
        let (kind, field) = path.split_once('.').expect("a path begins with its kind");
        found.get_mut(kind).expect("a known kind").insert(field.to_owned());
    }
    if std::env::var_os("PRINT_FIELDS").is_some() {
        for (kind, fields) in &found {
            println!("{kind}: {}", fields.iter().cloned().collect::<Vec<_>>().join(" "));
        }
    }
    assert_eq!(found, table());
    assert_eq!(found.len(), 90);
}

/// What the contract says about kinds: which have names, which only control planes may have.
#[test]
fn named_and_control_plane_kinds() {
    let named = KINDS.iter().filter(|info| info.named).count();
    let control_plane: Vec<&str> =
        KINDS.iter().filter(|info| info.control_plane).map(|info| info.kind).collect();
    assert_eq!(named, NAMED.split_whitespace().count());
    for kind in NAMED.split_whitespace() {
        assert!(config::catalog::kind(kind).is_some_and(|info| info.named), "{kind}");
    }
    let want: Vec<&str> = CONTROL_PLANE.split_whitespace().collect();
    assert_eq!(control_plane, want);
}

const NAMED: &str = "KubeAdmissionControlConfig KubeAuthorizerConfig KubeStaticPodConfig \
    KubeInlineManifestConfig KubeExternalManifestConfig LinkConfig DummyLinkConfig VLANConfig \
    BridgeConfig BondConfig VRFConfig VethConfig WireguardConfig LinkAliasConfig EthernetConfig \
    DHCPv4Config DHCPv6Config Layer2VIPConfig HCloudVIPConfig BlackholeRouteConfig \
    RoutingRuleConfig BGPInstanceConfig StaticHostConfig NetworkRuleConfig TCPProbeConfig \
    HTTPProbeConfig VolumeConfig UserVolumeConfig RawVolumeConfig SwapVolumeConfig \
    ExistingVolumeConfig ExternalVolumeConfig LVMVolumeGroupConfig LVMLogicalVolumeConfig \
    RAIDArrayConfig EtcFileConfig KmsgLogConfig KernelModuleConfig ExtensionServiceConfig \
    RegistryMirrorConfig RegistryAuthConfig RegistryTLSConfig CRICustomizationConfig \
    DiscoveryServiceConfig ContainerConfig TrustedRootsConfig PCIDriverRebindConfig";

const CONTROL_PLANE: &str = "KubeAPIServerConfig KubeAdmissionControlConfig \
    KubeAggregatorCAConfig KubeAuditPolicyConfig KubeAuthenticationConfig KubeAuthorizerConfig \
    KubeControllerManagerConfig KubeCoreDNSConfig KubeEtcdEncryptionConfig KubeFlannelCNIConfig \
    KubeProxyConfig KubeSchedulerConfig KubeServiceAccountConfig KubeTalosAPIAccessConfig";

/// The kinds of each release, without their ending.
const RELEASES: [(&str, &str); 5] = [
    (
        "1.8",
        "EventSink ExtensionService KmsgLog KubeSpanEndpoints NetworkDefaultAction NetworkRule \
         SideroLink TrustedRoots Volume WatchdogTimer",
    ),
    ("1.10", "Ethernet PCIDriverRebind UserVolume"),
    ("1.11", "ExistingVolume RawVolume SwapVolume Zswap"),
    (
        "1.12",
        "Bond Bridge DHCPv4 DHCPv6 DummyLink HCloudVIP Hostname Layer2VIP LinkAlias Link OOM \
         RegistryAuth RegistryMirror RegistryTLS Resolver StaticHost TimeSync VLAN Wireguard",
    ),
    (
        "1.13",
        "BlackholeRoute Environment ExternalVolume ImageVerification KubeSpan RoutingRule \
         TCPProbe VRF",
    ),
];

#[test]
fn kinds_have_the_release_they_came_with() {
    let mut old = 0;
    for (release, kinds) in RELEASES {
        for kind in kinds.split_whitespace() {
            let kind = format!("{kind}Config");
            assert_eq!(
                config::catalog::kind(&kind).map(|info| info.since),
                Some(release),
                "{kind}"
            );
            old += 1;
        }
    }
    let new = KINDS.iter().filter(|info| info.since == "1.14").count();
    assert_eq!((old, new), (44, 45));
}

fn paths(of: impl Fn(&config::section::FieldInfo) -> bool) -> BTreeSet<String> {
    all_fields().into_iter().filter(|(_, field)| of(field)).map(|(path, _)| path).collect()
}

fn set(words: &str) -> BTreeSet<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

/// The lists and mappings that a patch replaces, and the lists whose items it finds by a key.
#[test]
fn merge_rules() {
    let replaced = "BGPInstanceConfig.advertise BGPInstanceConfig.importRoutes \
        BGPInstanceConfig.neighbors CRIBaseRuntimeSpecConfig.overrides \
        KubeAuditPolicyConfig.configuration KubeAuthenticationConfig.configuration \
        KubeCredentialProviderConfig.configuration KubeNetworkConfig.podSubnets \
        KubeNetworkConfig.serviceSubnets KubeStaticPodConfig.pod NetworkRuleConfig.ingress \
        NetworkRuleConfig.portSelector.ports v1alpha1.cluster.apiServer.auditPolicy \
        v1alpha1.cluster.network.podSubnets v1alpha1.cluster.network.serviceSubnets";
    assert_eq!(paths(|field| field.replace), set(replaced));
    let keyed = "ExtensionServiceConfig.configFiles ImageVerificationConfig.rules \
        v1alpha1.cluster.apiServer.admissionControl v1alpha1.machine.network.interfaces \
        v1alpha1.machine.network.interfaces[].vlans";
    assert_eq!(paths(|field| field.keyed), set(keyed));
}

/// Fields that are written even when they are empty.
#[test]
fn fields_that_are_always_written() {
    let kept = paths(|field| field.keep);
    let want = "v1alpha1.version v1alpha1.machine v1alpha1.cluster v1alpha1.machine.type \
        v1alpha1.machine.token v1alpha1.machine.certSANs v1alpha1.machine.install.wipe \
        v1alpha1.cluster.etcd.ca v1alpha1.cluster.network.dnsDomain \
        v1alpha1.cluster.network.podSubnets v1alpha1.cluster.network.serviceSubnets \
        v1alpha1.cluster.discovery.registries v1alpha1.cluster.discovery.registries.kubernetes \
        v1alpha1.cluster.discovery.registries.service \
        v1alpha1.machine.network.interfaces[].vlans[].routes \
        v1alpha1.machine.network.interfaces[].vlans[].vlanId \
        v1alpha1.machine.network.interfaces[].routes[].network \
        v1alpha1.machine.network.interfaces[].routes[].gateway \
        v1alpha1.machine.network.interfaces[].bond.interfaces \
        v1alpha1.machine.network.interfaces[].bond.mode KubeNodeConfig.nodeIP \
        KubeletConfig.config KubeSchedulerConfig.config KubeProxyConfig.config";
    let missing: Vec<_> = set(want).difference(&kept).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Everything that the language says about itself is there for every field.
#[test]
fn every_field_can_be_explained() {
    for (path, field) in all_fields() {
        let path = path.replace(".<key>", ".key");
        let explanation =
            config::reference::explain(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(explanation.docs, field.docs, "{path}");
        assert!(!explanation.kind.is_empty() && !explanation.since.is_empty(), "{path}");
        assert!(!explanation.effect.is_empty(), "{path}");
    }
}
