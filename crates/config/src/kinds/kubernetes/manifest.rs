//! What is run and applied besides the components: static pods and manifests.

use config_derive::Section;

use crate::scalar::Url;
use crate::{Free, Map};

/// A static pod run by the kubelet of this machine.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "KubeStaticPodConfig", group = "kubernetes", since = "1.14", named)]
pub struct KubeStaticPodConfig {
    /// A name for the document.
    #[field(keep, required)]
    pub name: String,
    /// The pod.
    #[field(required, replace)]
    pub pod: Free,
}

/// A manifest applied to the cluster.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "KubeInlineManifestConfig", group = "kubernetes", since = "1.14", named)]
pub struct KubeInlineManifestConfig {
    /// A name for the document.
    #[field(keep, required)]
    pub name: String,
    /// The objects, as a stream of YAML documents.
    #[field(required)]
    pub manifest: String,
}

/// A manifest that is fetched and applied to the cluster.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "KubeExternalManifestConfig", group = "kubernetes", since = "1.14", named)]
pub struct KubeExternalManifestConfig {
    /// A name for the document.
    #[field(keep, required)]
    pub name: String,
    /// Where the manifest is.
    #[field(required)]
    pub url: Url,
    /// HTTP headers sent when it is fetched.
    #[field(secret)]
    pub headers: Map<String>,
}
