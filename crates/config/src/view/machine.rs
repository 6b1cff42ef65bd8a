//! The machine: role, trust, kernel, environment, installation, logs.

use std::collections::BTreeMap;

use super::View;
use crate::kinds::kubernetes::KubeTalosApiAccessConfig;
use crate::kinds::runtime::{
    EnvironmentConfig, KernelModuleConfig, SecurityProfileConfig, SysctlConfig, SysfsConfig,
    UdevRulesConfig, UnattendedInstallConfig, WatchdogTimerConfig,
};
use crate::scalar::{Expression, Identity, Url};
use crate::v1alpha1::{DiskSelector, SeccompProfile};

/// The role of a machine in the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MachineType {
    /// The first control plane of an old cluster.
    Init,
    /// A control plane.
    ControlPlane,
    /// A worker.
    #[default]
    Worker,
    /// Not a known word.
    Unknown,
}

impl MachineType {
    /// The role a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "init" => Self::Init,
            "controlplane" => Self::ControlPlane,
            "worker" | "join" | "" => Self::Worker,
            _ => Self::Unknown,
        }
    }

    /// The word of the role.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::ControlPlane => "controlplane",
            Self::Worker => "worker",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the machine runs the control plane.
    #[must_use]
    pub fn is_control_plane(self) -> bool {
        matches!(self, Self::Init | Self::ControlPlane)
    }
}

/// A certificate and its key as PEM text; the key is empty where only the certificate is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PemPair {
    /// The certificate.
    pub crt: String,
    /// The key.
    pub key: String,
}

impl From<&Identity> for PemPair {
    fn from(identity: &Identity) -> Self {
        Self { crt: identity.crt_text().to_owned(), key: identity.key_text().to_owned() }
    }
}

impl From<&crate::kinds::kubernetes::CertificateAndKey> for PemPair {
    fn from(pair: &crate::kinds::kubernetes::CertificateAndKey) -> Self {
        Self { crt: pair.cert.clone(), key: pair.key.clone() }
    }
}

/// A receiver of service logs.
#[derive(Clone, Debug, PartialEq)]
pub struct LogDestination {
    /// Where it listens.
    pub endpoint: Url,
    /// How a line is written.
    pub format: String,
    /// Keys added to every line.
    pub extra_tags: BTreeMap<String, String>,
}

/// How the system is written to disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Install {
    /// The disk by name.
    pub disk: Option<String>,
    /// The disk by the properties of the old selector.
    pub selector: Option<DiskSelector>,
    /// The disk by a condition.
    pub condition: Option<Expression>,
    /// The installer image.
    pub image: String,
    /// Whether the disk is wiped first.
    pub wipe: bool,
    /// Whether the machine starts anew afterwards.
    pub reboot: bool,
    /// Words added to the kernel command line.
    pub extra_kernel_args: Vec<String>,
    /// Whether the boot partition is marked active.
    pub legacy_bios: bool,
    /// Whether GRUB takes the command line from the unified kernel image.
    pub grub_use_uki_cmdline: bool,
}

/// Access of pods to the node API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiAccess {
    /// The roles that pods may get.
    pub roles: Vec<String>,
    /// The namespaces whose pods may ask.
    pub namespaces: Vec<String>,
}

impl<'a> View<'a> {
    /// The role of the machine.
    #[must_use]
    pub fn machine_type(&self) -> MachineType {
        self.legacy_machine().map_or_else(MachineType::default, |m| MachineType::parse(&m.kind))
    }

    /// Whether the machine runs the control plane.
    #[must_use]
    pub fn is_control_plane(&self) -> bool {
        self.machine_type().is_control_plane()
    }

    /// Whether the system logs verbosely to the console.
    #[must_use]
    pub fn debug(&self) -> bool {
        self.legacy().and_then(|legacy| legacy.debug).unwrap_or(false)
    }

    /// The token with which a machine asks trustd for its certificates.
    #[must_use]
    pub fn machine_token(&self) -> &'a str {
        self.legacy_machine().map_or("", |machine| &machine.token)
    }

    /// The authority of the node API; the key is empty on workers.
    #[must_use]
    pub fn machine_ca(&self) -> Option<PemPair> {
        self.legacy_machine()?.ca.as_ref().map(PemPair::from)
    }

    /// Every certificate that the node API accepts, the issuing one first.
    #[must_use]
    pub fn machine_accepted_cas(&self) -> Vec<String> {
        let issuing = self.machine_ca().map(|pair| pair.crt);
        let more = self.legacy_machine().into_iter().flat_map(|machine| &machine.accepted_cas);
        let more = more.map(|ca| String::from_utf8_lossy(&ca.crt).into_owned());
        issuing.into_iter().chain(more).filter(|pem| !pem.is_empty()).collect()
    }

    /// Further names and addresses for the certificate of the node API.
    #[must_use]
    pub fn machine_cert_sans(&self) -> &'a [String] {
        self.legacy_machine().map_or(&[], |machine| &machine.cert_sans)
    }

    /// Environment variables of the system and its services.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        match self.config.document::<EnvironmentConfig>() {
            Some(document) => (*document.variables).clone(),
            None => self.legacy_machine().map(|machine| (*machine.env).clone()).unwrap_or_default(),
        }
    }

    /// Kernel parameters below `/proc/sys`, dots between the parts; documents override by key.
    #[must_use]
    pub fn sysctls(&self) -> BTreeMap<String, String> {
        let mut all = self.legacy_machine().map(|m| (*m.sysctls).clone()).unwrap_or_default();
        let documents = self.config.documents::<SysctlConfig>();
        all.extend(documents.flat_map(|d| d.params.iter().map(|(k, v)| (k.clone(), v.clone()))));
        all
    }

    /// Kernel parameters below `/sys`; documents override by key.
    #[must_use]
    pub fn sysfs(&self) -> BTreeMap<String, String> {
        let mut all = self.legacy_machine().map(|m| (*m.sysfs).clone()).unwrap_or_default();
        let documents = self.config.documents::<SysfsConfig>();
        all.extend(documents.flat_map(|d| d.params.iter().map(|(k, v)| (k.clone(), v.clone()))));
        all
    }

    /// Kernel modules with their parameters; a document wins over the field of the same module.
    #[must_use]
    pub fn kernel_modules(&self) -> BTreeMap<String, Vec<String>> {
        let legacy = self.legacy_machine().and_then(|machine| machine.kernel.as_ref());
        let legacy = legacy.into_iter().flat_map(|kernel| kernel.modules.iter().flatten());
        let mut all: BTreeMap<_, _> =
            legacy.map(|module| (module.name.clone(), module.parameters.to_vec())).collect();
        let documents = self.config.documents::<KernelModuleConfig>();
        all.extend(documents.map(|module| (module.name.clone(), module.parameters.to_vec())));
        all
    }

    /// Rules for device events.
    #[must_use]
    pub fn udev_rules(&self) -> &'a [String] {
        match self.config.document::<UdevRulesConfig>() {
            Some(document) => &document.rules,
            None => {
                let udev = self.legacy_machine().and_then(|machine| machine.udev.as_ref());
                udev.map_or(&[], |udev| &udev.rules)
            }
        }
    }

    /// Where service logs are sent.
    #[must_use]
    pub fn log_destinations(&self) -> Vec<LogDestination> {
        let logging = self.legacy_machine().and_then(|machine| machine.logging.as_ref());
        let destinations = logging.into_iter().flat_map(|logging| &logging.destinations);
        destinations
            .filter_map(|destination| {
                Some(LogDestination {
                    endpoint: destination.endpoint.clone()?,
                    format: destination.format.clone(),
                    extra_tags: (*destination.extra_tags).clone(),
                })
            })
            .collect()
    }

    /// Seccomp profiles that pods may name.
    pub fn seccomp_profiles(&self) -> impl Iterator<Item = &'a SeccompProfile> {
        self.legacy_machine().into_iter().flat_map(|m| m.seccomp_profiles.iter().flatten())
    }

    /// How the system is written to disk, when the configuration says it.
    #[must_use]
    pub fn install(&self) -> Option<Install> {
        if let Some(document) = self.config.document::<UnattendedInstallConfig>() {
            let provisioning = &document.provisioning;
            return Some(Install {
                condition: Some(provisioning.disk_selector.condition.clone()),
                image: document.installer.image.clone(),
                wipe: provisioning.wipe.unwrap_or(true),
                reboot: document.reboot.unwrap_or(!document.installer.image.is_empty()),
                ..Install::default()
            });
        }
        let install = self.legacy_machine()?.install.as_ref()?;
        Some(Install {
            disk: super::set(&install.disk).map(str::to_owned),
            selector: install.disk_selector.clone(),
            condition: None,
            image: install.image.clone(),
            wipe: install.wipe.unwrap_or(false),
            reboot: true,
            extra_kernel_args: install.extra_kernel_args.to_vec(),
            legacy_bios: install.legacy_bios_support.unwrap_or(false),
            grub_use_uki_cmdline: install.grub_use_uki_cmdline.unwrap_or(false),
        })
    }

    /// Whether the disk space of pods is counted and limited.
    #[must_use]
    pub fn disk_quota(&self) -> bool {
        let features = self.legacy_machine().and_then(|machine| machine.features.as_ref());
        features.and_then(|features| features.disk_quota_support).unwrap_or(false)
    }

    /// How the addresses of the node are ordered: `v1` or `v2`.
    #[must_use]
    pub fn node_address_sort_algorithm(&self) -> &'a str {
        let features = self.legacy_machine().and_then(|machine| machine.features.as_ref());
        features.and_then(|f| super::set(&f.node_address_sort_algorithm)).unwrap_or("v1")
    }

    /// Access of pods to the node API, when it is on.
    #[must_use]
    pub fn api_access(&self) -> Option<ApiAccess> {
        if let Some(document) = self.config.document::<KubeTalosApiAccessConfig>() {
            return Some(ApiAccess {
                roles: document.allowed_roles.to_vec(),
                namespaces: document.allowed_kubernetes_namespaces.to_vec(),
            });
        }
        let features = self.legacy_machine()?.features.as_ref()?;
        let access = features.kubernetes_api_access.as_ref()?;
        access.enabled.unwrap_or(false).then(|| ApiAccess {
            roles: access.allowed_roles.to_vec(),
            namespaces: access.allowed_kubernetes_namespaces.to_vec(),
        })
    }

    /// Whether workloads are kept away from the system's own processes and files.
    #[must_use]
    pub fn workload_isolation(&self) -> bool {
        let document = self.config.document::<SecurityProfileConfig>();
        document.and_then(|document| document.workload_isolation).unwrap_or(false)
    }

    /// The watchdog device and how long the system may be silent.
    #[must_use]
    pub fn watchdog(&self) -> Option<(&'a str, std::time::Duration)> {
        let document = self.config.document::<WatchdogTimerConfig>()?;
        let timeout = match document.timeout.to_std() {
            std::time::Duration::ZERO => std::time::Duration::from_secs(60),
            timeout => timeout,
        };
        Some((&document.device, timeout))
    }
}
