//! Rewrites `machine:` apart from Kubernetes.

use super::Fixer;
use crate::document::Validate;
use crate::field::Field;
use crate::finding::Findings;
use crate::kinds::kubernetes::CertificateAndKey;
use crate::kinds::network::{
    AutoHostname, HostnameConfig, KubeSpanConfig, Nameserver, Ntp, Ptp, ResolverConfig,
    ResolverHostDns, SearchDomains, StaticHostConfig, TimeSyncConfig,
};
use crate::kinds::registry::{
    CriBaseRuntimeSpecConfig, CriCustomizationConfig, ImageCacheConfig, LocalImageCache,
    RegistryAuthConfig, RegistryEndpoint, RegistryMirrorConfig, RegistryTlsConfig,
};
use crate::kinds::runtime::{
    EnvironmentConfig, EtcFileConfig, InstallProvisioning, Installer, KernelModuleConfig,
    SysctlConfig, SysfsConfig, UdevRulesConfig, UnattendedInstallConfig,
};
use crate::kinds::storage::{DiskSelector, Encryption, VolumeConfig, VolumeKey, VolumeTpmKey};
use crate::scalar::{Duration, Expression, FileMode};
use crate::v1alpha1::{DiskEncryption, File, Install, Machine, Network};

impl Fixer<'_> {
    pub(super) fn machine(&mut self) {
        let Some(mut machine) = self.legacy.machine.take() else { return };
        self.kernel(&mut machine);
        self.host(&mut machine);
        self.registries(&mut machine);
        self.installation(&mut machine);
        self.encryption(&mut machine);
        self.files(&mut machine);
        if let Some(features) = &mut machine.features {
            features.rbac = None;
            features.apid_check_ext_key_usage = None;
            if let Some(cache) = features.image_cache.take()
                && !self.has::<ImageCacheConfig>()
            {
                self.add(ImageCacheConfig {
                    local: LocalImageCache { enabled: cache.local_enabled },
                });
            }
        }
        if !Field::is_empty(&machine.base_runtime_spec_overrides) {
            let overrides = std::mem::take(&mut machine.base_runtime_spec_overrides);
            if !self.has::<CriBaseRuntimeSpecConfig>() {
                self.add(CriBaseRuntimeSpecConfig { overrides });
            }
        }
        self.legacy.machine = Some(machine);
    }

    fn kernel(&mut self, machine: &mut Machine) {
        let sysctls = std::mem::take(&mut machine.sysctls);
        if !sysctls.is_empty()
            && let Some(document) = self.document::<SysctlConfig>()
        {
            for (key, value) in &sysctls {
                if !document.params.contains_key(key) {
                    document.params.insert(key, value.clone());
                }
            }
        }
        let sysfs = std::mem::take(&mut machine.sysfs);
        if !sysfs.is_empty()
            && let Some(document) = self.document::<SysfsConfig>()
        {
            for (key, value) in &sysfs {
                if !document.params.contains_key(key) {
                    document.params.insert(key, value.clone());
                }
            }
        }
        let env = std::mem::take(&mut machine.env);
        if !env.is_empty() && !self.has::<EnvironmentConfig>() {
            self.add(EnvironmentConfig { variables: env });
        }
        if let Some(udev) = machine.udev.take()
            && !udev.rules.is_empty()
            && !self.has::<UdevRulesConfig>()
        {
            self.add(UdevRulesConfig { rules: udev.rules });
        }
        for module in machine.kernel.take().iter().flat_map(|k| k.modules.iter().flatten()) {
            if !self.has_named::<KernelModuleConfig>(&module.name) {
                let (name, parameters) = (module.name.clone(), module.parameters.clone());
                self.add(KernelModuleConfig { name, parameters });
            }
        }
    }

    fn host(&mut self, machine: &mut Machine) {
        if let Some(time) = machine.time.take()
            && !self.has::<TimeSyncConfig>()
        {
            let devices = time.servers.iter().all(|server| server.starts_with("/dev/"));
            let given = !time.servers.is_empty();
            let servers = time.servers.clone();
            self.add(TimeSyncConfig {
                enabled: time.disabled.map(|disabled| !disabled),
                boot_timeout: (time.boot_timeout != Duration::default())
                    .then_some(time.boot_timeout),
                ntp: (given && !devices).then_some(Ntp { servers: servers.clone(), use_nts: None }),
                ptp: (given && devices).then_some(Ptp { devices: servers }),
            });
        }
        let stable = machine.features.as_mut().and_then(|features| features.stable_hostname.take());
        let mut network = machine.network.take().unwrap_or_default();
        let hostname = std::mem::take(&mut network.hostname);
        if !self.has::<HostnameConfig>() {
            if !hostname.is_empty() {
                self.add(HostnameConfig { auto: Some(AutoHostname::Off), hostname });
            } else if stable == Some(true) {
                self.add(HostnameConfig { auto: Some(AutoHostname::Stable), hostname });
            }
        }
        self.resolver(machine, &mut network);
        for entry in &std::mem::take(&mut network.extra_host_entries) {
            // The old list may name an address twice; a document holds all its names.
            let documents = self.documents.iter_mut().filter_map(|d| d.as_any_mut().downcast_mut());
            let known = documents.into_iter().find(|d: &&mut StaticHostConfig| d.name == entry.ip);
            match known {
                Some(document) => {
                    entry.aliases.iter().for_each(|a| document.hostnames.push(a.clone()))
                }
                None => self.add(StaticHostConfig {
                    name: entry.ip.clone(),
                    hostnames: entry.aliases.clone(),
                }),
            }
        }
        if let Some(kubespan) = network.kubespan.take()
            && !self.has::<KubeSpanConfig>()
        {
            self.add(KubeSpanConfig {
                enabled: kubespan.enabled,
                advertise_kubernetes_networks: kubespan.advertise_kubernetes_networks,
                allow_down_peer_bypass: kubespan.allow_down_peer_bypass,
                harvest_extra_endpoints: kubespan.harvest_extra_endpoints,
                mtu: kubespan.mtu,
                filters: kubespan.filters,
            });
        }
        self.links(&mut network);
        machine.network = (network != Network::default()).then_some(network);
    }

    fn resolver(&mut self, machine: &mut Machine, network: &mut Network) {
        let dns = machine.features.as_mut().and_then(|features| features.host_dns.take());
        let servers = std::mem::take(&mut network.nameservers);
        let domains = std::mem::take(&mut network.search_domains);
        let disable_default = network.disable_search_domain.take();
        let nothing =
            dns.is_none() && servers.is_empty() && !domains.is_given() && disable_default.is_none();
        if nothing {
            return;
        }
        let Some(document) = self.document::<ResolverConfig>() else { return };
        if document.nameservers.is_empty() {
            let server = |text: &String| {
                let address = text.parse().ok()?;
                Some(Nameserver { address, ..Nameserver::default() })
            };
            document.nameservers = servers.iter().filter_map(server).collect();
        }
        if !document.search_domains.domains.is_given() && domains.is_given() {
            document.search_domains = SearchDomains { domains, ..document.search_domains.clone() };
        }
        if document.search_domains.disable_default.is_none() {
            document.search_domains.disable_default = disable_default;
        }
        let on = document.host_dns.as_ref().is_some_and(|dns| dns.enabled.unwrap_or(false));
        if let Some(dns) = dns
            && !on
        {
            document.host_dns = Some(ResolverHostDns {
                enabled: dns.enabled,
                forward_kube_dns_to_host: dns.forward_kube_dns_to_host,
                resolve_member_names: dns.resolve_member_names,
            });
        }
    }

    fn registries(&mut self, machine: &mut Machine) {
        let Some(registries) = machine.registries.take() else { return };
        for (host, mirror) in &registries.mirrors {
            let Some(mirror) = mirror else { continue };
            if self.has_named::<RegistryMirrorConfig>(host) {
                continue;
            }
            let endpoint = |text: &String| {
                Some(RegistryEndpoint {
                    url: text.parse().ok()?,
                    override_path: mirror.override_path,
                })
            };
            self.add(RegistryMirrorConfig {
                name: host.clone(),
                endpoints: mirror.endpoints.iter().filter_map(endpoint).collect(),
                skip_fallback: mirror.skip_fallback,
            });
        }
        for (host, settings) in &registries.config {
            let Some(settings) = settings else { continue };
            if let Some(tls) = &settings.tls
                && !self.has_named::<RegistryTlsConfig>(host)
            {
                let identity = tls.client_identity.as_ref().map(|pair| CertificateAndKey {
                    cert: pair.crt_text().to_owned(),
                    key: pair.key_text().to_owned(),
                });
                self.add(RegistryTlsConfig {
                    name: host.clone(),
                    client_identity: identity,
                    ca: String::from_utf8_lossy(&tls.ca.0).into_owned(),
                    insecure_skip_verify: tls.insecure_skip_verify,
                });
            }
            if let Some(auth) = &settings.auth
                && !self.has_named::<RegistryAuthConfig>(host)
            {
                self.add(RegistryAuthConfig {
                    name: host.clone(),
                    username: auth.username.clone(),
                    password: auth.password.clone(),
                    auth: auth.auth.clone(),
                    identity_token: auth.identity_token.clone(),
                });
            }
        }
    }

    fn installation(&mut self, machine: &mut Machine) {
        let Some(install) = &machine.install else { return };
        // Kernel arguments, extensions and the old firmware's flag have no document.
        let plain = install.extra_kernel_args.is_empty()
            && install.extensions.is_empty()
            && !install.legacy_bios_support.unwrap_or(false);
        if !plain {
            return;
        }
        let Some(condition) = condition(install) else { return };
        if !self.has::<UnattendedInstallConfig>() {
            let document = UnattendedInstallConfig {
                reboot: Some(true),
                installer: Installer { image: install.image.clone() },
                provisioning: InstallProvisioning {
                    disk_selector: DiskSelector { condition: Expression(condition) },
                    wipe: Some(install.wipe.unwrap_or(false)),
                },
            };
            self.add(document);
        }
        machine.install = None;
    }

    /// Rewrites the files that documents can say, each by itself.
    fn files(&mut self, machine: &mut Machine) {
        let files = std::mem::take(&mut machine.files);
        let mut kept = Vec::new();
        for file in &files {
            let of = |path: &str| files.iter().flatten().filter(|file| file.path == path).count();
            // Several entries for one path are carried out one after the other.
            let done = file.as_ref().is_some_and(|file| of(&file.path) == 1 && self.file(file));
            if !done {
                kept.push(file.clone());
            }
        }
        if !kept.is_empty() {
            machine.files = kept.into();
        }
    }

    fn file(&mut self, file: &File) -> bool {
        if file.path == crate::view::CRI_CUSTOMIZATION {
            // The old part is called `customization`; this name has the same place among others.
            let name = "customization-0".to_owned();
            if self.has_named::<CriCustomizationConfig>(&name) {
                return false;
            }
            self.add(CriCustomizationConfig { name, content: file.content.clone() });
            return true;
        }
        let Some(name) = file.path.strip_prefix("/etc/").filter(|_| file.op == "overwrite") else {
            return false;
        };
        let (name, mode) = (name.to_owned(), file.permissions);
        if mode == FileMode::default() || self.has_named::<EtcFileConfig>(&name) {
            return false;
        }
        let document = EtcFileConfig { name, mode, contents: file.content.clone() };
        let mut findings = Findings::default();
        Validate::validate(&document, &mut findings);
        let fits = findings.errors().next().is_none();
        if fits {
            self.add(document);
        }
        fits
    }

    fn encryption(&mut self, machine: &mut Machine) {
        let Some(encryption) = machine.system_disk_encryption.take() else { return };
        for (name, part) in [("STATE", encryption.state), ("EPHEMERAL", encryption.ephemeral)] {
            let Some(part) = part else { continue };
            let encryption = volume_encryption(&part);
            let known = self
                .documents
                .iter_mut()
                .filter_map(|document| document.as_any_mut().downcast_mut::<VolumeConfig>())
                .find(|document| document.name == name);
            match known {
                Some(document) => document.encryption = encryption,
                None => self.add(VolumeConfig {
                    name: name.to_owned(),
                    encryption,
                    ..VolumeConfig::default()
                }),
            }
        }
    }
}

/// The condition that finds the same disk as the old fields, when there is one.
fn condition(install: &Install) -> Option<String> {
    let Some(selector) = &install.disk_selector else {
        return (!install.disk.is_empty()).then(|| format!("disk.dev_path == {:?}", install.disk));
    };
    let mut parts = Vec::new();
    if let Some(size) = &selector.size {
        let text = size.to_string();
        let text = text.trim();
        let operator = ["<=", ">=", "==", "<", ">"].into_iter().find(|sign| text.starts_with(sign));
        let number = text.trim_start_matches(['<', '>', '=']).trim();
        let bytes = number.parse::<crate::scalar::ByteSize>().ok()?.bytes();
        parts.push(format!("disk.size {} {bytes}u", operator.unwrap_or("==")));
    }
    let patterns = [
        ("model", &selector.model),
        ("serial", &selector.serial),
        ("modalias", &selector.modalias),
        ("uuid", &selector.uuid),
        ("wwid", &selector.wwid),
        ("bus_path", &selector.bus_path),
    ];
    for (field, pattern) in patterns.into_iter().filter(|(_, pattern)| !pattern.is_empty()) {
        parts.push(format!("glob({pattern:?}, disk.{field})"));
    }
    match selector.kind.to_lowercase().as_str() {
        "" => {}
        "ssd" => parts.push("!disk.rotational".to_owned()),
        "hdd" => parts.push("disk.rotational".to_owned()),
        "nvme" => parts.push("disk.transport == \"nvme\"".to_owned()),
        "sd" => parts.push("disk.transport == \"mmc\"".to_owned()),
        _ => return None,
    }
    (!parts.is_empty() && selector.name.is_empty()).then(|| parts.join(" && "))
}

fn volume_encryption(old: &DiskEncryption) -> Encryption {
    let key = |key: &crate::v1alpha1::EncryptionKey| VolumeKey {
        slot: key.slot,
        fixed: key.fixed.clone(),
        node_id: key.node_id.clone(),
        kms: key.kms.clone(),
        tpm: key.tpm.as_ref().map(|tpm| VolumeTpmKey {
            options: None,
            check_secureboot_status_on_enroll: tpm.check_secureboot_status_on_enroll,
        }),
        lock_to_state: None,
    };
    Encryption {
        provider: if old.provider.is_empty() { "luks2".to_owned() } else { old.provider.clone() },
        keys: old.keys.iter().flatten().map(key).collect(),
        cipher: old.cipher.clone(),
        key_size: old.key_size,
        block_size: old.block_size,
        options: old.options.clone(),
        allow_discards: None,
    }
}
