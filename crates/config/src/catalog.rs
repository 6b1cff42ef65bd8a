//! The table of all kinds. A new kind is a struct with the derive and a line here.

use crate::document::KindInfo;
use crate::kinds::{cluster, kubernetes, network, registry, runtime, storage};

/// Every kind, in alphabetical order.
pub const KINDS: &[KindInfo] = &[
    KindInfo::of::<network::BgpInstanceConfig>(),
    KindInfo::of::<network::BlackholeRouteConfig>(),
    KindInfo::of::<network::BondConfig>(),
    KindInfo::of::<network::BridgeConfig>(),
    KindInfo::of::<registry::CriBaseRuntimeSpecConfig>(),
    KindInfo::of::<registry::CriCustomizationConfig>(),
    KindInfo::of::<runtime::ContainerConfig>(),
    KindInfo::of::<network::Dhcpv4Config>(),
    KindInfo::of::<network::Dhcpv6Config>(),
    KindInfo::of::<cluster::DiscoveryIdentityConfig>(),
    KindInfo::of::<cluster::DiscoveryServiceConfig>(),
    KindInfo::of::<network::DummyLinkConfig>(),
    KindInfo::of::<runtime::EnvironmentConfig>(),
    KindInfo::of::<runtime::EtcFileConfig>(),
    KindInfo::of::<network::EthernetConfig>(),
    KindInfo::of::<runtime::EventSinkConfig>(),
    KindInfo::of::<storage::ExistingVolumeConfig>(),
    KindInfo::of::<runtime::ExtensionServiceConfig>(),
    KindInfo::of::<storage::ExternalVolumeConfig>(),
    KindInfo::of::<storage::FilesystemScrubConfig>(),
    KindInfo::of::<storage::FilesystemTrimConfig>(),
    KindInfo::of::<network::HcloudVipConfig>(),
    KindInfo::of::<network::HttpProbeConfig>(),
    KindInfo::of::<network::HostnameConfig>(),
    KindInfo::of::<registry::ImageCacheConfig>(),
    KindInfo::of::<registry::ImageVerificationConfig>(),
    KindInfo::of::<runtime::KernelModuleConfig>(),
    KindInfo::of::<runtime::KmsgLogConfig>(),
    KindInfo::of::<kubernetes::KubeApiServerCaConfig>(),
    KindInfo::of::<kubernetes::KubeApiServerConfig>(),
    KindInfo::of::<kubernetes::KubeAdmissionControlConfig>(),
    KindInfo::of::<kubernetes::KubeAggregatorCaConfig>(),
    KindInfo::of::<kubernetes::KubeAuditPolicyConfig>(),
    KindInfo::of::<kubernetes::KubeAuthenticationConfig>(),
    KindInfo::of::<kubernetes::KubeAuthorizerConfig>(),
    KindInfo::of::<kubernetes::KubeClusterConfig>(),
    KindInfo::of::<kubernetes::KubeControllerManagerConfig>(),
    KindInfo::of::<kubernetes::KubeCoreDnsConfig>(),
    KindInfo::of::<kubernetes::KubeCredentialProviderConfig>(),
    KindInfo::of::<kubernetes::KubeEtcdEncryptionConfig>(),
    KindInfo::of::<kubernetes::KubeExternalManifestConfig>(),
    KindInfo::of::<kubernetes::KubeFlannelCniConfig>(),
    KindInfo::of::<kubernetes::KubeInlineManifestConfig>(),
    KindInfo::of::<kubernetes::KubeNetworkConfig>(),
    KindInfo::of::<kubernetes::KubeNodeConfig>(),
    KindInfo::of::<kubernetes::KubePrismConfig>(),
    KindInfo::of::<kubernetes::KubeProxyConfig>(),
    KindInfo::of::<kubernetes::KubeSchedulerConfig>(),
    KindInfo::of::<kubernetes::KubeServiceAccountConfig>(),
    KindInfo::of::<network::KubeSpanConfig>(),
    KindInfo::of::<network::KubeSpanEndpointsConfig>(),
    KindInfo::of::<kubernetes::KubeStaticPodConfig>(),
    KindInfo::of::<kubernetes::KubeTalosApiAccessConfig>(),
    KindInfo::of::<kubernetes::KubeletConfig>(),
    KindInfo::of::<storage::LvmLogicalVolumeConfig>(),
    KindInfo::of::<storage::LvmVolumeGroupConfig>(),
    KindInfo::of::<network::Layer2VipConfig>(),
    KindInfo::of::<network::LinkAliasConfig>(),
    KindInfo::of::<network::LinkConfig>(),
    KindInfo::of::<network::NetworkDefaultActionConfig>(),
    KindInfo::of::<network::NetworkRuleConfig>(),
    KindInfo::of::<runtime::OomConfig>(),
    KindInfo::of::<runtime::PciDriverRebindConfig>(),
    KindInfo::of::<storage::RaidArrayConfig>(),
    KindInfo::of::<storage::RawVolumeConfig>(),
    KindInfo::of::<registry::RegistryAuthConfig>(),
    KindInfo::of::<registry::RegistryMirrorConfig>(),
    KindInfo::of::<registry::RegistryTlsConfig>(),
    KindInfo::of::<network::ResolverConfig>(),
    KindInfo::of::<network::RoutingRuleConfig>(),
    KindInfo::of::<runtime::SecurityProfileConfig>(),
    KindInfo::of::<cluster::SideroLinkConfig>(),
    KindInfo::of::<network::StaticHostConfig>(),
    KindInfo::of::<storage::SwapVolumeConfig>(),
    KindInfo::of::<runtime::SysctlConfig>(),
    KindInfo::of::<runtime::SysfsConfig>(),
    KindInfo::of::<network::TcpProbeConfig>(),
    KindInfo::of::<network::TimeSyncConfig>(),
    KindInfo::of::<runtime::TrustedRootsConfig>(),
    KindInfo::of::<runtime::UdevRulesConfig>(),
    KindInfo::of::<runtime::UnattendedInstallConfig>(),
    KindInfo::of::<storage::UserVolumeConfig>(),
    KindInfo::of::<network::VlanConfig>(),
    KindInfo::of::<network::VrfConfig>(),
    KindInfo::of::<network::VethConfig>(),
    KindInfo::of::<storage::VolumeConfig>(),
    KindInfo::of::<runtime::WatchdogTimerConfig>(),
    KindInfo::of::<network::WireguardConfig>(),
    KindInfo::of::<storage::ZswapConfig>(),
];

/// The kind of a name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static KindInfo> {
    KINDS.binary_search_by(|info| info.kind.cmp(name)).ok().and_then(|at| KINDS.get(at))
}

#[cfg(test)]
mod tests {
    use super::KINDS;

    #[test]
    fn kinds_are_sorted_and_complete() {
        assert!(KINDS.is_sorted_by(|a, b| a.kind < b.kind));
        assert_eq!(KINDS.len(), 89);
    }
}
