//! The running machine (platform, extensions and environment): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use std::collections::BTreeMap;

use crate::{Message, Spec};

/// Udev settled; ids: `devices`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "DevicesStatuses.runtime.talos.dev",
    namespace = "runtime",
    columns = [("Ready", "{.ready}")],
)]
pub struct DevicesStatusSpec {
    #[field(1)]
    pub ready: bool,
}

/// Warning found by the self-diagnosis (id = check name).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Diagnostics.runtime.talos.dev",
    namespace = "runtime",
    columns = [("Message", "{.message}")],
)]
pub struct DiagnosticSpec {
    #[field(1)]
    pub message: String,
    #[field(2)]
    pub details: Vec<String>,
}

/// Environment for machined/services.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Environments.runtime.talos.dev",
    namespace = "runtime",
    aliases = ["env"],
    columns = [("Variables", "{.variables}")],
)]
pub struct EnvironmentSpec {
    #[field(1)]
    pub variables: Vec<String>,
}

/// GRPC endpoint for event streaming; ids: `event-sink`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "EventSinkConfigs.runtime.talos.dev", namespace = "runtime")]
pub struct EventSinkConfigSpec {
    #[field(1)]
    pub endpoint: String,
}

/// Files and env for an extension service.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "ExtensionServiceConfigs.runtime.talos.dev", namespace = "runtime", sensitive)]
pub struct ExtensionServiceConfigSpec {
    #[field(1, omit)]
    pub files: Vec<ExtensionServiceConfigFile>,
    #[field(2, omit)]
    pub environment: Vec<String>,
}

/// Extension service config rendered.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "ExtensionServiceConfigStatuses.runtime.talos.dev", namespace = "runtime")]
pub struct ExtensionServiceConfigStatusSpec {
    #[field(1, yaml = "specVersion")]
    pub spec_version: String,
}

/// Installed system extension.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ExtensionStatuses.runtime.talos.dev",
    namespace = "runtime",
    aliases = ["extensions"],
    columns = [("Name", "{.metadata.name}"), ("Version", "{.metadata.version}")],
)]
pub struct ExtensionStatusSpec {
    #[field(1)]
    pub image: String,
    #[field(2)]
    pub metadata: ExtensionMetadata,
    #[field(6, yaml = "extraInfo", omit)]
    pub extra_info: String,
}

/// Legacy mount list (no automatic aliases).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MountStatuses.runtime.talos.dev",
    namespace = "runtime",
    aliases = ["mounts"],
    columns = [("Source", "{.source}"), ("Target", "{.target}"), ("Filesystem Type", "{.filesystemType}")],
    no_automatic_aliases,
)]
pub struct MountStatusSpec {
    #[field(1)]
    pub source: String,
    #[field(2)]
    pub target: String,
    #[field(3, yaml = "filesystemType")]
    pub filesystem_type: String,
    #[field(4)]
    pub options: Vec<String>,
    #[field(5)]
    pub encrypted: bool,
    #[field(6, yaml = "encryptionProviders", omit)]
    pub encryption_providers: Vec<String>,
}

/// Cloud platform metadata; ids: `platformmetadata`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "PlatformMetadatas.talos.dev",
    namespace = "runtime",
    columns = [("Platform", "{.platform}"), ("Type", "{.instanceType}"), ("Region", "{.region}"), ("Zone", "{.zone}")],
)]
pub struct PlatformMetadataSpec {
    #[field(1, omit)]
    pub platform: String,
    #[field(2, omit)]
    pub hostname: String,
    #[field(3, omit)]
    pub region: String,
    #[field(4, omit)]
    pub zone: String,
    #[field(5, yaml = "instanceType", omit)]
    pub instance_type: String,
    #[field(6, yaml = "instanceId", omit)]
    pub instance_id: String,
    #[field(7, yaml = "providerId", omit)]
    pub provider_id: String,
    #[field(8, omit)]
    pub spot: bool,
    #[field(9, yaml = "internalDNS", omit)]
    pub internal_dns: String,
    #[field(10, yaml = "externalDNS", omit)]
    pub external_dns: String,
    #[field(11, omit)]
    pub tags: BTreeMap<String, String>,
}

/// Software bill of materials entry.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "SBOMItems.talos.dev",
    namespace = "runtime",
    columns = [("Version", "{.version}"), ("License", "{.license}"), ("Extension", "{.extension}")],
)]
pub struct SBOMItemSpec {
    #[field(1)]
    pub name: String,
    #[field(2)]
    pub version: String,
    #[field(3, omit)]
    pub license: String,
    #[field(4, omit)]
    pub cpes: Vec<String>,
    #[field(5, omit)]
    pub purls: Vec<String>,
    #[field(6, omit)]
    pub extension: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ExtensionServiceConfigFile {
    #[field(1)]
    pub content: String,
    #[field(2, yaml = "mountPath")]
    pub mount_path: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ExtensionMetadata {
    #[field(1)]
    pub name: String,
    #[field(2)]
    pub version: String,
    #[field(3)]
    pub author: String,
    #[field(4)]
    pub description: String,
    #[field(5)]
    pub compatibility: ExtensionCompatibility,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ExtensionCompatibility {
    #[field(1)]
    pub talos: ExtensionConstraint,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ExtensionConstraint {
    #[field(1)]
    pub version: String,
}
