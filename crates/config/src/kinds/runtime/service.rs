//! Services that extensions bring.

use config_derive::Section;

use crate::List;

/// Settings of a service that an extension brings.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "ExtensionServiceConfig", group = "runtime", since = "1.8", named)]
pub struct ExtensionServiceConfig {
    /// The service, without its prefix.
    #[field(keep, required)]
    pub name: String,
    /// Files the service sees.
    #[field(keyed)]
    pub config_files: List<ServiceFile>,
    /// Environment variables, as `NAME=value`.
    pub environment: List<String>,
}

/// A file that a service sees.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ServiceFile {
    /// What the file holds.
    #[field(required)]
    pub content: String,
    /// Where the service sees it.
    #[field(required)]
    pub mount_path: String,
}

impl crate::list::Keyed for ServiceFile {
    fn same_key(&self, patch: &Self) -> bool {
        self.mount_path == patch.mount_path
    }
}
