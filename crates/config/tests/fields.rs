//! The table of all kinds and fields. A field that disappears from the language fails here; so does
//! one that appears without being entered.

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
