//! The checks of `machine:`.

use std::collections::BTreeSet;

use super::device;
use crate::finding::Findings;
use crate::v1alpha1::{DiskEncryption, Install, KubeSpan, Machine, Network, V1Alpha1};
use crate::validate::{Mode, Options, shared};
use crate::view::MachineType;

pub(crate) fn check(
    config: &V1Alpha1,
    machine: &Machine,
    role: MachineType,
    options: Options,
    findings: &mut Findings,
) {
    if options.mode == Mode::Metal
        && !options.installed
        && let Some(install) = &machine.install
    {
        self::install(install, findings);
    }
    features(machine, role, findings);
    match machine.kind.as_str() {
        "" | "join" => findings.warning(
            "machine.type",
            format!("use \"worker\" instead of {:?} for machine type", machine.kind),
        ),
        _ => {}
    }
    authority(config, machine, role, findings);
    if let Some(network) = &machine.network {
        self::network(network, role, findings);
    }
    disks(machine, findings);
    kubelet(machine, findings);
    if let Some(encryption) = &machine.system_disk_encryption {
        for (name, part) in [("state", &encryption.state), ("ephemeral", &encryption.ephemeral)] {
            if let Some(part) = part {
                self::encryption(part, name, findings);
            }
        }
    }
    logging(machine, findings);
    extensions(machine, findings);
    shared::labels(&machine.node_labels, "machine.nodeLabels", findings);
    shared::annotations(&machine.node_annotations, "machine.nodeAnnotations", findings);
    shared::taints(&machine.node_taints, "machine.nodeTaints", findings);
    access(machine, role, findings);
    if let Some(features) = &machine.features
        && !matches!(features.node_address_sort_algorithm.as_str(), "" | "v1" | "v2")
    {
        let word = &features.node_address_sort_algorithm;
        findings.error(
            "machine.features.nodeAddressSortAlgorithm",
            format!("unknown node address sort algorithm {word:?}: want v1 or v2"),
        );
    }
    if config.persist == Some(false) {
        findings.error("persist", ".persist should be enabled");
    }
    if let Err(problem) = crate::check::runtime_spec(&machine.base_runtime_spec_overrides) {
        findings.error(
            "machine.baseRuntimeSpecOverrides",
            format!("failed to convert baseRuntimeSpecOverrides to an OCI runtime spec: {problem}"),
        );
    }
    if let Some(registries) = &machine.registries {
        for (host, settings) in &registries.config {
            if settings.is_none() {
                findings.error(
                    "machine.registries.config",
                    format!("registry config for host {host:?} is null"),
                );
            }
        }
        for (host, mirror) in &registries.mirrors {
            if mirror.is_none() {
                findings.error(
                    "machine.registries.mirrors",
                    format!("registry mirror for host {host:?} is null"),
                );
            }
        }
    }
    images(config, machine, role, findings);
}

fn install(install: &Install, findings: &mut Findings) {
    let path = "machine.install";
    match &install.disk_selector {
        Some(selector) => {
            if !selector.name.is_empty() {
                findings.error(
                    &format!("{path}.diskSelector.name"),
                    "install disk selector: the name matcher is not supported",
                );
            }
            if !matches!(selector.kind.to_lowercase().as_str(), "" | "ssd" | "hdd" | "nvme" | "sd")
            {
                findings.error(
                    &format!("{path}.diskSelector.type"),
                    format!(
                        "install disk selector: unknown disk type {:?}, want ssd, hdd, nvme or sd",
                        selector.kind
                    ),
                );
            }
        }
        None if install.disk.is_empty() => {
            findings.error(path, "either install disk or diskSelector should be defined");
        }
        None => {}
    }
    if !install.extra_kernel_args.is_empty() && install.grub_use_uki_cmdline.unwrap_or(false) {
        findings.error(
            &format!("{path}.extraKernelArgs"),
            "install.extraKernelArgs and install.grubUseUKICmdline can't be used together",
        );
    }
}

fn features(machine: &Machine, _role: MachineType, findings: &mut Findings) {
    let dns = machine.features.as_ref().and_then(|features| features.host_dns.as_ref());
    if let Some(dns) = dns
        && dns.forward_kube_dns_to_host.unwrap_or(false)
        && !dns.enabled.unwrap_or(false)
    {
        findings.error(
            "machine.features.hostDNS.forwardKubeDNSToHost",
            "feature hostDNS should be enabled when hostDNS.forwardKubeDNSToHost is enabled",
        );
    }
}

fn authority(config: &V1Alpha1, machine: &Machine, role: MachineType, findings: &mut Findings) {
    let ca = machine.ca.as_ref();
    if ca.is_none() && machine.accepted_cas.is_empty() {
        findings.error(
            "machine.ca",
            "trusted CA certificates are required: set .machine.ca or .machine.acceptedCAs",
        );
    }
    let cluster_key = config
        .cluster
        .as_ref()
        .and_then(|cluster| cluster.ca.as_ref())
        .is_some_and(|ca| !ca.key.is_empty());
    match role {
        MachineType::Init | MachineType::ControlPlane => match ca {
            None => findings.error(
                "machine.ca",
                "issuing CA is required on control plane machines (.machine.ca)",
            ),
            Some(ca) if ca.key.is_empty() => {
                findings.error(
                    "machine.ca.key",
                    "issuing CA key is required on control plane machines (.machine.ca)",
                );
            }
            Some(_) => {}
        },
        MachineType::Worker => {
            if let Some(network) = &machine.network {
                for (number, device) in network.interfaces.iter().enumerate() {
                    let Some(device) = device else { continue };
                    let vlans = device.vlans.iter().flatten();
                    if device.vip.is_some() || vlans.into_iter().any(|vlan| vlan.vip.is_some()) {
                        findings.error(
                            &format!("machine.network.interfaces.{number}"),
                            format!("virtual (shared) IP is not allowed on non-controlplane nodes: interface {:?}", device.interface),
                        );
                    }
                }
            }
            if ca.is_some_and(|ca| !ca.key.is_empty()) {
                findings.error(
                    "machine.ca.key",
                    "issuing CA key is not allowed on non-controlplane nodes (.machine.ca)",
                );
            }
            if cluster_key {
                // Reported a second time, after the check of the cluster section.
                findings.error(
                    "cluster.ca.key",
                    "cluster CA key is not allowed on non-controlplane nodes (.cluster.ca)",
                );
            }
            if ca.is_some_and(|ca| ca.crt.is_empty()) && machine.accepted_cas.is_empty() {
                findings
                    .error("machine.ca.crt", "trusted CA certificate is required (.machine.ca)");
            }
        }
        MachineType::Unknown => {
            let word = &machine.kind;
            findings.error(
                "machine.type",
                format!("unknown machine type {word:?}: want controlplane or worker"),
            );
        }
    }
}

fn network(network: &Network, _role: MachineType, findings: &mut Findings) {
    device::check(&network.interfaces, findings);
    if let Some(kubespan) = &network.kubespan {
        self::kubespan(kubespan, findings);
    }
}

fn kubespan(kubespan: &KubeSpan, findings: &mut Findings) {
    if !kubespan.enabled.unwrap_or(false) {
        return;
    }
    let path = "machine.network.kubespan";
    if kubespan.mtu.is_some_and(|mtu| mtu < crate::defaults::KUBESPAN_MIN_MTU) {
        findings.error(
            &format!("{path}.mtu"),
            format!("kubespan link MTU must be at least {}", crate::defaults::KUBESPAN_MIN_MTU),
        );
    }
    let Some(filters) = &kubespan.filters else { return };
    for text in filters.endpoints.iter().filter(|text| !shared::is_prefix_filter(text)) {
        findings.error(
            &format!("{path}.filters.endpoints"),
            format!("KubeSpan endpoint filter is not valid: {text:?}"),
        );
    }
    for prefix in filters.exclude_advertised_networks.iter().filter(|prefix| prefix.is_unset()) {
        findings.error(
            &format!("{path}.filters.excludeAdvertisedNetworks"),
            format!("KubeSpan network filter is not valid: {:?}", prefix.to_string()),
        );
    }
}

fn disks(machine: &Machine, findings: &mut Findings) {
    for (number, disk) in machine.disks.iter().enumerate() {
        let path = format!("machine.disks.{number}");
        let Some(disk) = disk else {
            findings.error(&path, format!("machine.disks[{number}] is null"));
            continue;
        };
        for (at, partition) in disk.partitions.iter().enumerate() {
            let last = at + 1 == disk.partitions.len();
            if !last && partition.as_ref().is_none_or(|partition| partition.size.bytes() == 0) {
                findings.error(
                    &format!("{path}.partitions.{at}"),
                    format!("partition for disk {:?} is set to occupy full disk, but it's not the last partition in the list", disk.device),
                );
            }
        }
    }
}

fn kubelet(machine: &Machine, findings: &mut Findings) {
    let Some(kubelet) = &machine.kubelet else { return };
    for subnet in kubelet.node_ip.iter().flat_map(|ip| &ip.valid_subnets) {
        if !shared::is_subnet_filter(subnet) {
            findings.error(
                "machine.kubelet.nodeIP.validSubnets",
                format!("kubelet nodeIP subnet is not valid: {subnet:?}"),
            );
        }
    }
    shared::kubelet_config(&kubelet.extra_config, "machine.kubelet.extraConfig", findings);
}

fn encryption(encryption: &DiskEncryption, name: &str, findings: &mut Findings) {
    let path = format!("machine.systemDiskEncryption.{name}");
    if encryption.keys.is_empty() {
        findings.error(
            &path,
            format!("no encryption keys provided for the {name} partition encryption"),
        );
    }
    let mut slots = BTreeSet::new();
    for (number, key) in encryption.keys.iter().enumerate() {
        let path = format!("{path}.keys.{number}");
        let Some(key) = key else {
            findings
                .error(&path, format!("encryption key {number} of the {name} partition is null"));
            continue;
        };
        if !slots.insert(key.slot) {
            findings
                .error(&path, format!("duplicate key slot {} of the {name} partition", key.slot));
        }
        let method =
            key.fixed.is_some() || key.node_id.is_some() || key.kms.is_some() || key.tpm.is_some();
        if !method {
            findings.error(&path, format!("encryption key of slot {} of the {name} partition has no method: want static, nodeID, kms or tpm", key.slot));
        }
    }
}

fn logging(machine: &Machine, findings: &mut Findings) {
    let destinations = machine.logging.iter().flat_map(|logging| &logging.destinations);
    for (number, destination) in destinations.enumerate() {
        let path = format!("machine.logging.destinations.{number}");
        match &destination.endpoint {
            Some(url) if !url.is_unset() => {
                if url.hostname().is_empty() {
                    findings.error(&path, "logging destination endpoint host can't be empty");
                }
                if !matches!(url.scheme.as_str(), "tcp" | "udp") {
                    findings.error(
                        &path,
                        format!(
                            "logging destination endpoint scheme {:?} is unknown: want tcp or udp",
                            url.scheme
                        ),
                    );
                }
            }
            _ => findings.error(&path, "logging destination endpoint can't be empty"),
        }
        if destination.format != "json_lines" {
            findings.error(
                &path,
                format!("unknown log format {:?}: want json_lines", destination.format),
            );
        }
    }
}

fn extensions(machine: &Machine, findings: &mut Findings) {
    let extensions = machine.install.iter().flat_map(|install| &install.extensions);
    let mut seen = BTreeSet::new();
    let mut any = false;
    for extension in extensions {
        any = true;
        if !seen.insert(&extension.image) {
            findings.error(
                "machine.install.extensions",
                format!("duplicate system extension {:?}", extension.image),
            );
        }
    }
    if any {
        findings.warning(
            "machine.install.extensions",
            ".machine.install.extensions is deprecated: build extensions into the installer image",
        );
    }
}

fn access(machine: &Machine, role: MachineType, findings: &mut Findings) {
    let path = "machine.features.kubernetesTalosAPIAccess";
    let access = machine.features.as_ref().and_then(|f| f.kubernetes_api_access.as_ref());
    let Some(access) = access.filter(|access| access.enabled.unwrap_or(false)) else { return };
    if !role.is_control_plane() {
        findings.error(path, "feature API Access can only be enabled on control plane machines");
    }
    for unknown in
        access.allowed_roles.iter().filter(|role| !shared::ROLES.contains(&role.as_str()))
    {
        findings.error(
            &format!("{path}.allowedRoles"),
            format!("invalid role {unknown:?} in allowed roles for feature API Access"),
        );
    }
}

fn images(config: &V1Alpha1, machine: &Machine, role: MachineType, findings: &mut Findings) {
    if let Some(kubelet) = &machine.kubelet {
        shared::kubernetes_image(&kubelet.image, "machine.kubelet.image", findings);
    }
    let Some(cluster) = config.cluster.as_ref().filter(|_| role.is_control_plane()) else { return };
    if let Some(server) = &cluster.api_server {
        shared::kubernetes_image(&server.image, "cluster.apiServer.image", findings);
    }
    if let Some(manager) = &cluster.controller_manager {
        shared::kubernetes_image(&manager.image, "cluster.controllerManager.image", findings);
    }
    if let Some(scheduler) = &cluster.scheduler {
        shared::kubernetes_image(&scheduler.image, "cluster.scheduler.image", findings);
    }
}
