//! Kubernetes: specs of the contract.

mod control_plane;
mod kubelet;
mod manifest;
mod prism;

pub use control_plane::{
    APIServerConfigSpec, AdmissionControlConfigSpec, AdmissionPluginSpec, ArgValues,
    AuditPolicyConfigSpec, AuthenticationConfigSpec, AuthorizationAuthorizersSpec,
    AuthorizationConfigSpec, BootstrapManifestsConfigSpec, ConfigStatusSpec,
    ControllerManagerConfigSpec, EtcdEncryptionConfigSpec, ExtraManifest, ExtraManifestsConfigSpec,
    ExtraVolume, Resources, SchedulerConfigSpec, SecretsStatusSpec, SingleManifest,
};
pub use kubelet::{
    KubeletConfigSpec, KubeletKubeconfigSpec, KubeletLifecycleSpec, KubeletSpecSpec,
    KubeletStatusSpec, NodeAnnotationSpecSpec, NodeCordonedSpecSpec, NodeIPConfigSpec, NodeIPSpec,
    NodeLabelSpecSpec, NodeStatusSpec, NodeTaintSpecSpec, NodenameSpec,
};
pub use manifest::{
    ManifestSpec, ManifestStatusSpec, StaticPodServerStatusSpec, StaticPodSpec, StaticPodStatusSpec,
};
pub use prism::{
    EndpointSpec, KubePrismConfigSpec, KubePrismEndpoint, KubePrismEndpointsSpec,
    KubePrismStatusesSpec,
};
