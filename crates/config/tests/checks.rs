//! The checks of the kinds and of the v1alpha1 document, as a table: a document and what is wrong with it.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use config::finding::Severity;
use config::validate::{Mode, Options, validate};

/// The messages of one severity.
fn messages(text: &str, severity: Severity) -> Vec<String> {
    let config = config::load(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    let report = validate(&config, Options::local(Mode::Metal));
    let found = report.findings.into_iter().filter(|located| located.finding.severity == severity);
    found.map(|located| located.finding.message).collect()
}

/// A document of a kind, as one line of fields.
fn document(kind: &str, fields: &str) -> String {
    let inner = if fields.is_empty() { String::new() } else { format!(", {fields}") };
    format!("{{apiVersion: v1alpha1, kind: {kind}{inner}}}\n")
}

#[track_caller]
fn table(rows: &[(&str, &str, &str)]) {
    for (kind, fields, want) in rows {
        let all = messages(&document(kind, fields), Severity::Error);
        // A document alone belongs to no control plane.
        let found: Vec<&String> =
            all.iter().filter(|m| !m.starts_with("documents are only")).collect();
        if want.is_empty() {
            assert!(found.is_empty(), "{kind} {{{fields}}}: {found:?}");
        } else {
            assert!(
                found.iter().any(|m| m.contains(want)),
                "{kind} {{{fields}}}: {found:?}, not {want:?}"
            );
        }
    }
}

#[test]
fn kubernetes() {
    table(&[
        ("KubeAPIServerConfig", "", "image must be specified"),
        (
            "KubeAPIServerConfig",
            "image: a, extraArgs: {anonymous-auth: 'true'}",
            "use KubeAuthenticationConfig",
        ),
        (
            "KubeAPIServerConfig",
            "image: a, extraArgs: {oidc-issuer-url: x}",
            "use KubeAuthenticationConfig",
        ),
        (
            "KubeAPIServerConfig",
            "image: a, extraArgs: {authorization-mode: x}",
            "use KubeAuthorizerConfig",
        ),
        ("KubeAPIServerConfig", "image: a, extraArgs: {audit-log-path: x}", ""),
        (
            "KubeAPIServerConfig",
            "image: a, resources: {limits: {disk: 1}}",
            "unsupported pod resource",
        ),
        ("KubeAPIServerConfig", "image: a, resources: {requests: {cpu: 1, memory: 1Gi}}", ""),
        ("KubeAggregatorCAConfig", "", "issuingCA must be specified"),
        ("KubeAPIServerCAConfig", "", ""),
        ("KubeAPIServerCAConfig", "acceptedCAs: [x]", "not a certificate"),
        ("KubeServiceAccountConfig", "", "issuerURL must be specified"),
        ("KubeEtcdEncryptionConfig", "config: {}", "config must be specified"),
        ("KubeAuthorizerConfig", "name: a, type: Other", "unknown authorizer type"),
        ("KubeAuthorizerConfig", "name: a, type: Webhook", "webhook must be specified"),
        ("KubeAuthorizerConfig", "name: a, type: Node, webhook: {a: b}", ""),
        ("KubeControllerManagerConfig", "", "image must be specified"),
        ("KubeControllerManagerConfig", "enabled: false", ""),
        ("KubeSchedulerConfig", "enabled: false", ""),
        ("KubeProxyConfig", "image: a, mode: userspace", "unknown kube-proxy mode"),
        ("KubeProxyConfig", "image: a, mode: ipvs", ""),
        ("KubeFlannelCNIConfig", "", "backendType must be specified"),
        ("KubeCoreDNSConfig", "", ""),
        ("KubeClusterConfig", "clusterName: a, endpoint: 'https://'", "host must not be blank"),
        ("KubeClusterConfig", "clusterName: a, endpoint: 'https://h:99999'", "port"),
        ("KubeClusterConfig", "endpoint: 'https://h'", "clusterName must be specified"),
        ("KubeNetworkConfig", "", "podSubnets must be specified"),
        ("KubeNetworkConfig", "podSubnets: [10.244.0.0/16], serviceSubnets: [10.96.0.0/12]", ""),
        (
            "KubeNetworkConfig",
            "podSubnets: [10.244.0.1/16], serviceSubnets: [10.96.0.0/12]",
            "host bits",
        ),
        (
            "KubeNetworkConfig",
            "podSubnets: [10.0.0.0/16, 10.1.0.0/16], serviceSubnets: [10.96.0.0/12]",
            "per IP family",
        ),
        (
            "KubeNetworkConfig",
            "podSubnets: [10.0.0.0/29], serviceSubnets: [10.96.0.0/12]",
            "at least 4 host bits",
        ),
        (
            "KubeNetworkConfig",
            "podSubnets: [10.0.0.0/25], serviceSubnets: [10.96.0.0/12]",
            "smaller than the subnet of one node",
        ),
        (
            "KubeNetworkConfig",
            "podSubnets: [10.0.0.0/7], serviceSubnets: [10.96.0.0/12]",
            "at most 16 bits",
        ),
        (
            "KubeNetworkConfig",
            "podSubnets: [10.0.0.0/16], serviceSubnets: [10.96.0.0/11]",
            "at most 20 host bits",
        ),
        (
            "KubeNetworkConfig",
            "podSubnets: [10.0.0.0/16], serviceSubnets: [10.96.0.0/12, 'fd00::/112']",
            "same number",
        ),
        (
            "KubeNetworkConfig",
            "nodeCIDRMaskSizeIPv4: 33, podSubnets: [10.0.0.0/16], serviceSubnets: [10.96.0.0/12]",
            "from 1 to 32",
        ),
        ("KubeletConfig", "image: a, config: {kind: x}", "can't be overridden"),
        ("KubeNodeConfig", "nodeIP: {validSubnets: ['!10.0.0.1', 10.0.0.0/8]}", ""),
        ("KubeNodeConfig", "nodeIP: {validSubnets: [x]}", "nodeIP subnet is not valid"),
        ("KubeNodeConfig", "labels: {'a b': c}", "invalid label key"),
        ("KubeNodeConfig", "annotations: {talos.dev/owned-labels: c}", "reserved"),
        ("KubeNodeConfig", "taints: {a: 'b:Never'}", "invalid taint effect"),
        ("KubeNodeConfig", "taints: {a: NoExecute, b: 'c:NoSchedule'}", ""),
        ("KubePrismConfig", "", "from 1 to 65535"),
        ("KubeTalosAPIAccessConfig", "allowedRoles: [os:god]", "unknown role"),
        ("KubeStaticPodConfig", "name: A_b, pod: {a: b}", "DNS subdomain"),
        ("KubeStaticPodConfig", "name: a", "pod must be specified"),
        ("KubeInlineManifestConfig", "name: a", "manifest must be specified"),
        ("KubeExternalManifestConfig", "name: a, url: 'ftp://h'", "must be http or https"),
    ]);
}

#[test]
fn network() {
    table(&[
        ("LinkConfig", "", "name must be specified"),
        ("LinkConfig", "name: a, addresses: [{}]", "address must be specified"),
        ("LinkConfig", "name: a, addresses: [{address: 0.0.0.0/8}]", "must not be unspecified"),
        (
            "LinkConfig",
            "name: a, routes: [{destination: 0.0.0.0/0, gateway: 10.0.0.1}]",
            "must not be unspecified",
        ),
        ("LinkConfig", "name: a, routes: [{gateway: 10.0.0.1, table: '123'}]", ""),
        ("VLANConfig", "name: a, parent: b, vlanID: 4095", "from 1 to 4094"),
        ("VLANConfig", "name: a, vlanID: 7", "parent must be specified"),
        ("BridgeConfig", "name: a", ""),
        ("BondConfig", "name: a, links: [b]", "bond mode must be specified"),
        ("BondConfig", "name: a, bondMode: 802.3ad", "at least one link"),
        ("VRFConfig", "name: a, table: main", "can't be used for a VRF"),
        ("VRFConfig", "name: a, table: '7'", ""),
        ("VethConfig", "name: a, peer: {name: a}", "must be different"),
        ("VethConfig", "name: a234567890123456, peer: {name: b}", "at most 15 bytes"),
        ("VethConfig", "name: 'a b', peer: {name: b}", "white space"),
        ("WireguardConfig", "name: a, privateKey: YQ==", "base64 of 32 bytes"),
        ("LinkAliasConfig", "name: 'net%d', selector: {match: link.mtu > 0u}", ""),
        ("LinkAliasConfig", "name: 'net%s', selector: {match: link.mtu > 0u}", "only one pattern"),
        ("LinkAliasConfig", "name: net, selector: {match: link.mtu}", "must give bool"),
        ("DHCPv4Config", "name: a, clientIdentifier: duid", "duidRaw must be specified"),
        ("DHCPv6Config", "name: a, duidRaw: '00'", "allowed only when"),
        ("Layer2VIPConfig", "name: x, link: a", "must be an IP address"),
        ("HCloudVIPConfig", "name: 10.0.0.1, link: a", "apiToken must be specified"),
        ("BlackholeRouteConfig", "name: 10.0.0.1", "must be an IP prefix"),
        ("RoutingRuleConfig", "name: '0', table: '7'", "reserved"),
        ("RoutingRuleConfig", "name: '32766', table: '7'", "reserved"),
        ("RoutingRuleConfig", "name: '7'", "either table or an action"),
        ("RoutingRuleConfig", "name: '7', action: blackhole", ""),
        ("RoutingRuleConfig", "name: '7', table: '7', fwMask: 1", "needs fwMark"),
        ("BGPInstanceConfig", "name: a", "localASN must be specified"),
        (
            "BGPInstanceConfig",
            "name: a, localASN: 1, neighbors: [{address: 10.0.0.1, link: b}]",
            "exclude each other",
        ),
        (
            "BGPInstanceConfig",
            "name: a, localASN: 1, neighbors: [{address: 10.0.0.1}, {address: 10.0.0.1}]",
            "duplicate",
        ),
        (
            "BGPInstanceConfig",
            "name: a, localASN: 1, vrf: v, neighbors: [{address: 10.0.0.1, bfd: {}}]",
            "together with vrf",
        ),
        (
            "BGPInstanceConfig",
            "name: a, localASN: 1, importRoutes: [{bgpInstance: a, prefixes: [10.0.0.0/8]}]",
            "import from itself",
        ),
        (
            "BGPInstanceConfig",
            "name: a, localASN: 1, importRoutes: [{bgpInstance: b, prefixes: [10.0.0.0/8, 10.1.0.0/16]}]",
            "overlaps",
        ),
        ("HostnameConfig", "", "either 'auto' or 'hostname'"),
        ("HostnameConfig", "auto: stable, hostname: a", "'auto: off'"),
        ("HostnameConfig", "auto: 'off', hostname: a", ""),
        ("HostnameConfig", "auto: talos-addr", "not supported"),
        (
            "ResolverConfig",
            "nameservers: [{address: 1.1.1.1, protocol: DoT}]",
            "tlsServerName must be specified",
        ),
        (
            "ResolverConfig",
            "nameservers: [{address: 1.1.1.1, tlsServerName: a}]",
            "allowed only for DoT",
        ),
        ("ResolverConfig", "hostDNS: {resolveMemberNames: true}", "needs hostDNS.enabled"),
        ("TimeSyncConfig", "ntp: {}, ptp: {}", "at the same time"),
        ("TimeSyncConfig", "ntp: {servers: [10.0.0.1], useNTS: true}", "host name"),
        ("TimeSyncConfig", "bootTimeout: -1s", "must not be negative"),
        ("StaticHostConfig", "name: a, hostnames: [b]", "must be an IP address"),
        (
            "NetworkRuleConfig",
            "name: a, portSelector: {ports: [9-8], protocol: tcp}",
            "invalid port range",
        ),
        ("NetworkRuleConfig", "name: a, portSelector: {ports: [1-5, 5], protocol: tcp}", "overlap"),
        (
            "NetworkRuleConfig",
            "name: a, portSelector: {ports: [1-5, 6], protocol: tcp}, ingress: [{subnet: 10.0.0.0/8}]",
            "",
        ),
        ("KubeSpanConfig", "mtu: 1000", "at least 1280"),
        ("TCPProbeConfig", "name: a, endpoint: b", "host:port"),
        ("HTTPProbeConfig", "name: a, url: /x", "absolute http or https"),
        (
            "HTTPProbeConfig",
            "name: a, url: 'http://h', failureThreshold: -1",
            "must not be negative",
        ),
    ]);
}

#[test]
fn storage() {
    let sized = "provisioning: {diskSelector: {match: system_disk}, maxSize: 1GiB}";
    let long = format!("name: {}, {sized}", "a".repeat(35));
    let fits = format!("name: {}, {sized}", "a".repeat(34));
    let of = |more: &str| format!("name: a, {sized}, {more}");
    let (slots, method, pcr, quota) = (
        of("encryption: {provider: luks2, keys: [{slot: 0, nodeID: {}}, {slot: 0, nodeID: {}}]}"),
        of("encryption: {provider: luks2, keys: [{slot: 0}]}"),
        of("encryption: {provider: luks2, keys: [{slot: 0, tpm: {options: {pcrs: [24]}}}]}"),
        of("filesystem: {type: ext4, projectQuotaSupport: true}"),
    );
    table(&[
        ("VolumeConfig", "name: OTHER", "is unknown"),
        (
            "VolumeConfig",
            "name: STATE, provisioning: {grow: true}",
            "not allowed for the STATE volume",
        ),
        ("VolumeConfig", "name: STATE, mount: {secure: true}", "not allowed for the STATE volume"),
        (
            "VolumeConfig",
            "name: IMAGECACHE, filesystem: {}",
            "not allowed for the IMAGECACHE volume",
        ),
        ("VolumeConfig", "name: ETCD, mount: {secure: true}", "needs provisioning"),
        (
            "VolumeConfig",
            "name: EPHEMERAL, provisioning: {minSize: 2GiB, maxSize: 1GiB}",
            "min size is greater",
        ),
        ("VolumeConfig", "name: EPHEMERAL, provisioning: {minSize: -2GiB}", "min size is negative"),
        ("VolumeConfig", "name: EPHEMERAL, provisioning: {minSize: 2GiB, maxSize: -1GiB}", ""),
        ("VolumeConfig", "name: EPHEMERAL, scrub: {interval: 9s}", "at least 10s"),
        ("UserVolumeConfig", &long, "at most 34 characters"),
        ("UserVolumeConfig", &fits, ""),
        ("UserVolumeConfig", "name: a, provisioning: {maxSize: 1GiB}", "disk selector is required"),
        (
            "UserVolumeConfig",
            "name: a, provisioning: {diskSelector: {match: system_disk}}",
            "min size or max size",
        ),
        (
            "UserVolumeConfig",
            "name: a, volumeType: directory, mount: {secure: true}",
            "not allowed for volumeType directory",
        ),
        ("UserVolumeConfig", "name: a, volumeType: directory", ""),
        ("UserVolumeConfig", &quota, "only available for xfs"),
        ("RawVolumeConfig", &slots, "duplicate encryption key slot"),
        ("RawVolumeConfig", &method, "at least one encryption key type"),
        ("SwapVolumeConfig", &pcr, "from 0 to 23"),
        ("ExistingVolumeConfig", "name: a", "volume selector is required"),
        (
            "ExistingVolumeConfig",
            "name: a, discovery: {volumeSelector: {match: volume.size > 1u * GiB}}",
            "",
        ),
        ("ExternalVolumeConfig", "name: a, filesystemType: virtiofs", "tag must be specified"),
        ("FilesystemScrubConfig", "interval: 1s", "at least 10s"),
        ("FilesystemTrimConfig", "interval: -1s", "must not be negative"),
        ("ZswapConfig", "maxPoolPercent: 101", "from 0 to 100"),
        (
            "LVMVolumeGroupConfig",
            "name: 'a.b', provisioning: {volumeSelector: {match: 'true'}}",
            "1 to 63",
        ),
        (
            "LVMLogicalVolumeConfig",
            "name: a, mirrors: 1, provisioning: {volumeGroup: b, maxSize: 50%}",
            "only allowed for types raid1",
        ),
        (
            "LVMLogicalVolumeConfig",
            "name: a, type: raid0, stripes: 1, provisioning: {volumeGroup: b, maxSize: 50%}",
            "at least 2",
        ),
        (
            "LVMLogicalVolumeConfig",
            "name: a, provisioning: {volumeGroup: b, maxSize: -5GiB}",
            "must not be negative",
        ),
        (
            "RAIDArrayConfig",
            "name: a, provisioning: {volumeSelector: {match: 'true'}}",
            "level must be specified",
        ),
    ]);
}

#[test]
fn the_rest() {
    table(&[
        ("EnvironmentConfig", "variables: {1a: b}", "invalid environment variable name"),
        ("EtcFileConfig", "name: /etc/x", "path below /etc"),
        ("EtcFileConfig", "name: ../x", "path below /etc"),
        ("EtcFileConfig", "name: kubernetes/x", "belongs to the system"),
        ("EtcFileConfig", "name: hosts", "belongs to the system"),
        ("EtcFileConfig", "name: my/file, mode: 0o644", ""),
        ("EventSinkConfig", "endpoint: a", "host:port"),
        ("KmsgLogConfig", "name: a, url: 'http://h:1'", "tcp:// or udp://"),
        ("KmsgLogConfig", "name: a, url: 'tcp://h'", "port is required"),
        ("OOMConfig", "triggerExpression: '1.0'", "must give bool"),
        ("OOMConfig", "cgroupRankingExpression: 'true'", "must give double"),
        ("SysctlConfig", "params: {'': a}", "must not be empty"),
        ("UnattendedInstallConfig", "", "provisioning.volumeSelector.match must be specified"),
        ("WatchdogTimerConfig", "device: /dev/watchdog0, timeout: 5s", "at least 10s"),
        ("ExtensionServiceConfig", "name: a", "either configFiles or environment"),
        ("RegistryMirrorConfig", "name: a, endpoints: [{url: 'ftp://h'}]", "must be http or https"),
        ("RegistryAuthConfig", "name: a, username: u, auth: x", "only one of"),
        ("RegistryTLSConfig", "name: a, ca: x", "not a certificate"),
        ("RegistryTLSConfig", "name: a, clientIdentity: {cert: x}", "needs both"),
        ("CRICustomizationConfig", "name: customization", "reserved"),
        ("CRIBaseRuntimeSpecConfig", "overrides: {process: 7}", "OCI runtime spec"),
        ("CRIBaseRuntimeSpecConfig", "overrides: {process: {noNewPrivileges: false}}", ""),
        ("DiscoveryServiceConfig", "name: a, endpoint: 'ftp://h'", "http, https or grpc"),
        ("DiscoveryIdentityConfig", "clusterID: a, clusterSecret: YQ==", "base64 of 32 bytes"),
        ("SideroLinkConfig", "apiUrl: 'http://h'", "https:// or grpc://"),
        ("PCIDriverRebindConfig", "name: a", "targetDriver must be specified"),
        ("TrustedRootsConfig", "name: a, certificates: anything", ""),
        ("ContainerConfig", "name: A, image: b", "lower-case letters"),
        ("ContainerConfig", "name: a, image: b, mounts: [{}]", "exactly one of"),
        (
            "ContainerConfig",
            "name: a, image: b, mounts: [{tmpfs: {destination: /x, options: [ro, rw]}}]",
            "exclude each other",
        ),
        (
            "ContainerConfig",
            "name: a, image: b, mounts: [{tmpfs: {destination: /x, options: [sync]}}]",
            "is not allowed",
        ),
        (
            "ContainerConfig",
            "name: a, image: b, security: {capabilities: {add: [ALL]}}",
            "allowed only in drop",
        ),
        (
            "ContainerConfig",
            "name: a, image: b, security: {capabilities: {add: [CAP_CHOWN]}}",
            "without CAP_",
        ),
        (
            "ContainerConfig",
            "name: a, image: b, security: {capabilities: {add: [CHOWN], drop: [CHOWN]}}",
            "both added and dropped",
        ),
        ("ContainerConfig", "name: a, image: b, runAs: {uid: -1}", "must not be negative"),
        ("ContainerConfig", "name: a, image: b, resources: {limits: {cpu: '1'}}", "thousandths"),
        (
            "ImageVerificationConfig",
            "rules: [{image: a/b, skip: true, deny: true}]",
            "exclude each other",
        ),
        ("ImageVerificationConfig", "rules: [{image: a/b}]", "either keyless or publicKey"),
        ("ImageVerificationConfig", "rules: [{image: a/b, deny: true}]", ""),
        (
            "ImageVerificationConfig",
            "rules: [{image: a/b, keyless: {issuer: x}}]",
            "subject or subjectRegex",
        ),
    ]);
}

#[test]
fn warnings() {
    for (kind, fields, want) in [
        ("KubeAuthorizerConfig", "name: a, type: Node, webhook: {a: b}", "webhook is ignored"),
        ("KubeProxyConfig", "image: a, mode: iptables", "deprecated"),
        ("KubeProxyConfig", "image: a, extraArgs: {a: b}", "extraArgs"),
        ("BondConfig", "name: a, links: [b], bondMode: 802.3ad, miimon: 100", "updelay"),
        ("BGPInstanceConfig", "name: a, localASN: 1", "no BGP neighbors"),
        (
            "ResolverConfig",
            "nameservers: [{address: 1.1.1.1, protocol: DoH, tlsServerName: a}]",
            "encrypted",
        ),
        (
            "UnattendedInstallConfig",
            "provisioning: {diskSelector: {match: 'true'}}",
            "installer.image is empty",
        ),
        ("ContainerConfig", "name: a, image: b", "has no digest"),
        ("ImageVerificationConfig", "rules: [{image: 'a/b:v1', skip: true}]", "tag"),
        ("ImageVerificationConfig", "rules: [{image: 'a/b@sha256:0', skip: true}]", "digest"),
    ] {
        let found = messages(&document(kind, fields), Severity::Warning);
        assert!(
            found.iter().any(|m| m.contains(want)),
            "{kind} {{{fields}}}: {found:?}, not {want:?}"
        );
    }
}

/// The v1alpha1 document: fields of `machine` and of `cluster` beside those of a good configuration.
#[track_caller]
fn legacy(kind: &str, machine: &str, cluster: &str, severity: Severity, want: &str) {
    let (key, etcd) =
        if kind == "worker" { ("''", "") } else { ("YQ==", "etcd: {ca: {crt: YQ==, key: YQ==}}") };
    let joined = |parts: [&str; 2]| {
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    };
    let machine =
        joined([&format!("type: {kind}, token: t, ca: {{crt: YQ==, key: {key}}}"), machine]);
    let cluster = joined([etcd, cluster]);
    let text = format!("version: v1alpha1\nmachine: {{{machine}}}\ncluster: {{{cluster}}}\n");
    let found = messages(&text, severity);
    if want.is_empty() {
        assert!(found.is_empty(), "{text}{found:?}");
    } else {
        assert!(found.iter().any(|m| m.contains(want)), "{text}{found:?}, not {want:?}");
    }
}

#[test]
fn v1alpha1() {
    use Severity::{Error, Warning};
    for (kind, machine, cluster, severity, want) in [
        ("worker", "", "", Error, ""),
        ("controlplane", "", "", Error, ""),
        ("worker", "files: [{path: /a}]", "", Warning, "machine.files is deprecated"),
        (
            "worker",
            "baseRuntimeSpecOverrides: {process: {}}",
            "",
            Warning,
            "baseRuntimeSpecOverrides is deprecated",
        ),
        ("worker", "", "controlPlane: {}", Error, "endpoint is required"),
        (
            "worker",
            "",
            "controlPlane: {endpoint: 'https://h:0'}",
            Error,
            "invalid controlplane endpoint",
        ),
        ("worker", "", "network: {dnsDomain: 'a b'}", Error, "not a valid DNS name"),
        (
            "worker",
            "",
            "externalCloudProvider: {manifests: ['https://h']}",
            Error,
            "manifests are provided",
        ),
        (
            "worker",
            "",
            "externalCloudProvider: {enabled: true, manifests: [/x]}",
            Error,
            "invalid external cloud provider",
        ),
        ("worker", "", "etcd: {}", Error, "only allowed on control plane"),
        ("worker", "", "inlineManifests: [{name: ' '}]", Error, "name can't be empty"),
        ("worker", "", "inlineManifests: [{name: a}, {name: a}]", Error, "is duplicate"),
        ("worker", "", "discovery: {enabled: true}", Error, "requires .cluster.id"),
        (
            "worker",
            "",
            "id: a, secret: b, discovery: {enabled: true, registries: {service: {endpoint: x}}}",
            Error,
            "not an absolute URL",
        ),
        (
            "worker",
            "",
            "id: a, secret: b, discovery: {enabled: true, registries: {service: {endpoint: 'https://h/x'}}}",
            Error,
            "path should be empty",
        ),
        (
            "controlplane",
            "",
            "apiServer: {extraArgs: {authorization-mode: x}, authorizationConfig: [{type: Node, name: a}]}",
            Error,
            "can't be used together",
        ),
        (
            "controlplane",
            "",
            "apiServer: {authorizationConfig: [{type: Other, name: a}]}",
            Error,
            "unknown type",
        ),
        (
            "controlplane",
            "",
            "scheduler: {resources: {limits: {disk: 1}}}",
            Error,
            "unsupported pod resource",
        ),
        (
            "worker",
            "install: {diskSelector: {name: x}}",
            "",
            Error,
            "name matcher is not supported",
        ),
        ("worker", "install: {diskSelector: {type: tape}}", "", Error, "unknown disk type"),
        (
            "worker",
            "install: {disk: /dev/sda, extraKernelArgs: [a], grubUseUKICmdline: true}",
            "",
            Error,
            "can't be used together",
        ),
        (
            "worker",
            "features: {hostDNS: {forwardKubeDNSToHost: true}}",
            "",
            Error,
            "hostDNS should be enabled",
        ),
        ("join", "", "", Warning, "use \"worker\" instead"),
        ("other", "", "", Error, "unknown machine type"),
        ("controlplane", "", "network: {cni: {name: calico}}", Error, "unknown CNI name"),
        (
            "controlplane",
            "",
            "network: {cni: {name: none, urls: ['https://h']}}",
            Error,
            "does not take urls",
        ),
        ("controlplane", "", "network: {cni: {name: custom}}", Warning, "has no urls"),
        (
            "controlplane",
            "",
            "network: {cni: {name: custom, flannel: {}}}",
            Error,
            "flannel options",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, vip: {ip: 10.0.0.1}}]}",
            "",
            Error,
            "not allowed on non-controlplane",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, bond: {}, bridge: {}}]}",
            "",
            Error,
            "both bridge and bond",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, bond: {interfaces: [b], deviceSelectors: [{driver: x}]}}]}",
            "",
            Error,
            "both bond interfaces and selectors",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, bond: {interfaces: [x]}}, {interface: b, bridge: {interfaces: [x]}}]}",
            "",
            Error,
            "part of two interfaces",
        ),
        ("worker", "network: {interfaces: [{}]}", "", Error, "either interface or deviceSelector"),
        ("worker", "network: {interfaces: [{deviceSelector: {}}]}", "", Error, "config is empty"),
        ("worker", "network: {interfaces: [{ignore: true}]}", "", Error, ""),
        (
            "worker",
            "network: {interfaces: [{interface: a, bond: {interfaces: [x]}}, {interface: x, dhcp: true}]}",
            "",
            Error,
            "can't have addressing",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, cidr: 10.0.0.1/8, addresses: [10.0.0.2/8]}]}",
            "",
            Error,
            "at the same time",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, cidr: 10.0.0.1/8}]}",
            "",
            Warning,
            "cidr is deprecated",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, routes: [{}]}]}",
            "",
            Error,
            "either network or gateway",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, bond: {mode: fast}}]}",
            "",
            Error,
            "is unknown",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, bond: {updelay: 5}}]}",
            "",
            Error,
            "needs miimon",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, bond: {miimon: 2, updelay: 5}}]}",
            "",
            Error,
            "multiple of miimon",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, bond: {lacpRate: fast}}]}",
            "",
            Error,
            "only in mode 802.3ad",
        ),
        (
            "worker",
            "network: {interfaces: [{interface: a, wireguard: {privateKey: x}}]}",
            "",
            Error,
            "private key",
        ),
        ("worker", "network: {kubespan: {enabled: true, mtu: 1000}}", "", Error, "at least 1280"),
        (
            "worker",
            "disks: [{device: /dev/sdb, partitions: [{}, {size: 1GB}]}]",
            "",
            Error,
            "not the last partition",
        ),
        ("worker", "kubelet: {extraConfig: {port: 1}}", "", Error, "can't be overridden"),
        ("worker", "systemDiskEncryption: {state: {}}", "", Error, "no encryption keys"),
        (
            "worker",
            "logging: {destinations: [{endpoint: 'http://h', format: json_lines}]}",
            "",
            Error,
            "is unknown",
        ),
        (
            "worker",
            "logging: {destinations: [{endpoint: 'tcp://h:1', format: text}]}",
            "",
            Error,
            "unknown log format",
        ),
        (
            "worker",
            "install: {disk: a, extensions: [{image: a}, {image: a}]}",
            "",
            Error,
            "duplicate system extension",
        ),
        (
            "worker",
            "install: {disk: a, extensions: [{image: a}]}",
            "",
            Warning,
            "extensions is deprecated",
        ),
        ("worker", "nodeTaints: {a: x}", "", Error, "invalid taint effect"),
        (
            "worker",
            "features: {kubernetesTalosAPIAccess: {enabled: true}}",
            "",
            Error,
            "only be enabled on control plane",
        ),
        (
            "worker",
            "features: {nodeAddressSortAlgorithm: v3}",
            "",
            Error,
            "unknown node address sort algorithm",
        ),
        ("worker", "baseRuntimeSpecOverrides: {process: 7}", "", Error, "OCI runtime spec"),
        ("worker", "registries: {mirrors: {a: null}}", "", Error, "is null"),
    ] {
        legacy(kind, machine, cluster, severity, want);
    }
}
