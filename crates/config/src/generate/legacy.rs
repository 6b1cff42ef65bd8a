//! The v1alpha1 document: everything before 1.14, what is left of it since.

use super::documents::{given, image};
use super::{Options, Pair, Secrets, policy};
use crate::scalar::Base64;
use crate::scalar::{Identity, Key};
use crate::v1alpha1::{
    AdmissionPlugin, ApiServer, Cluster, ClusterNetwork, Cni, ControlPlane, ControllerManager,
    Discovery, DiscoveryRegistries, Etcd, Features, HostDns, Install, KubePrism, KubeSpan, Kubelet,
    KubernetesRegistry, Machine, Network, Proxy, Registries, RegistryMirror, RegistrySettings,
    RegistryTls, Scheduler, ServiceRegistry, V1Alpha1,
};
use crate::view::MachineType;
use crate::{List, defaults};

pub(crate) fn v1alpha1(options: &Options, secrets: &Secrets<'_>, kind: MachineType) -> V1Alpha1 {
    let control_plane = kind.is_control_plane();
    let mut machine = Machine {
        kind: kind.as_str().to_owned(),
        token: secrets.trustd_token.to_owned(),
        ca: Some(identity(secrets.os, control_plane)),
        cert_sans: given(&options.additional_sans),
        features: Some(features(options)),
        ..Machine::default()
    };
    let mut cluster = Cluster::default();
    if control_plane && !options.skip_kubernetes {
        let ca = Some(identity(secrets.etcd, true));
        cluster.etcd = Some(Etcd { ca, ..Etcd::default() });
    }
    if !(control_plane && options.skip_kubernetes) {
        secrets.bootstrap_token.clone_into(&mut cluster.token);
    }
    if !options.contract.at_least(1, 14) {
        old_machine(&mut machine, options, control_plane);
        old_cluster(&mut cluster, options, secrets, control_plane);
    }
    V1Alpha1 {
        version: "v1alpha1".to_owned(),
        debug: Some(false),
        persist: Some(true),
        machine: Some(machine),
        cluster: Some(cluster),
    }
}

fn identity(pair: Pair<'_>, with_key: bool) -> Identity {
    let key = if with_key { pair.key } else { "" };
    Identity { crt: pair.crt.as_bytes().to_vec(), key: key.as_bytes().to_vec() }
}

fn features(options: &Options) -> Features {
    let at_least = |minor| options.contract.at_least(1, minor);
    let old = |since: bool| (since && !at_least(12)).then_some(true);
    let mut features = Features {
        rbac: old(true),
        stable_hostname: old(at_least(2)),
        apid_check_ext_key_usage: old(at_least(3)),
        disk_quota_support: at_least(5).then_some(true),
        ..Features::default()
    };
    if at_least(14) {
        return features;
    }
    if at_least(6) && options.kube_prism_port != 0 {
        let port = options.kube_prism_port.into();
        features.kube_prism = Some(KubePrism { enabled: Some(true), port });
    }
    if at_least(7) {
        features.host_dns = Some(HostDns {
            enabled: Some(true),
            forward_kube_dns_to_host: options.forwards_kube_dns().then_some(true),
            resolve_member_names: None,
        });
    }
    features
}

fn old_machine(machine: &mut Machine, options: &Options, control_plane: bool) {
    let at_least = |minor| options.contract.at_least(1, minor);
    machine.kubelet = Some(Kubelet {
        image: image(defaults::KUBELET_IMAGE, options),
        default_runtime_seccomp_profile_enabled: at_least(2).then_some(true),
        disable_manifests_directory: at_least(3).then_some(true),
        ..Kubelet::default()
    });
    let kubespan = (options.kube_span && !at_least(13))
        .then(|| KubeSpan { enabled: Some(true), ..KubeSpan::default() });
    if !at_least(13) {
        machine.network = Some(Network { kubespan, ..Network::default() });
    }
    machine.disks = options.user_disks.iter().cloned().map(Some).collect::<Vec<_>>().into();
    machine.install = Some(Install {
        disk: options.install_disk.clone(),
        extra_kernel_args: given(&options.extra_kernel_args),
        image: options.install_image.clone(),
        wipe: Some(false),
        grub_use_uki_cmdline: at_least(12).then_some(true),
        ..Install::default()
    });
    machine.sysctls = options.sysctls.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    if !at_least(12) {
        machine.registries = registries(options);
    }
    if control_plane && at_least(8) {
        let label = "node.kubernetes.io/exclude-from-external-load-balancers";
        machine.node_labels.insert(label, String::new());
    }
}

fn registries(options: &Options) -> Option<Registries> {
    let mut registries = Registries::default();
    for (host, mirrors) in &options.registry_mirrors {
        let endpoints = mirrors.clone().into();
        let mirror = RegistryMirror { endpoints, ..RegistryMirror::default() };
        registries.mirrors.insert(host, Some(mirror));
    }
    let insecure = options.insecure_registries.iter();
    for host in options.registry_cas.keys().chain(insecure) {
        let ca = options.registry_cas.get(host).map(|pem| pem.as_bytes().to_vec());
        let tls = RegistryTls {
            ca: Base64(ca.unwrap_or_default()),
            insecure_skip_verify: options.insecure_registries.contains(host).then_some(true),
            ..RegistryTls::default()
        };
        registries.config.insert(host, Some(RegistrySettings { tls: Some(tls), auth: None }));
    }
    (registries != Registries::default()).then_some(registries)
}

fn old_cluster(
    cluster: &mut Cluster,
    options: &Options,
    secrets: &Secrets<'_>,
    control_plane: bool,
) {
    let at_least = |minor| options.contract.at_least(1, minor);
    secrets.cluster_id.clone_into(&mut cluster.id);
    secrets.cluster_secret.clone_into(&mut cluster.secret);
    if options.discovery {
        let disabled = at_least(2).then_some(true);
        cluster.discovery = Some(Discovery {
            enabled: Some(true),
            registries: DiscoveryRegistries {
                kubernetes: KubernetesRegistry { disabled },
                service: ServiceRegistry::default(),
            },
        });
    }
    if options.skip_kubernetes {
        return;
    }
    cluster.control_plane = Some(ControlPlane {
        endpoint: Some(options.endpoint.clone()),
        local_api_server_port: match options.local_api_server_port {
            Some(port) if control_plane => port.into(),
            _ => 0,
        },
    });
    if control_plane || at_least(8) {
        cluster.cluster_name.clone_from(&options.cluster_name);
    }
    cluster.network = Some(ClusterNetwork {
        cni: options.custom_cni_url.as_ref().map(|url| Cni {
            name: "custom".to_owned(),
            urls: vec![url.clone()].into(),
            flannel: None,
        }),
        dns_domain: options.dns_domain.clone(),
        pod_subnets: options.pod_subnets.clone().into(),
        service_subnets: options.service_subnets.clone().into(),
    });
    cluster.ca = Some(identity(secrets.kubernetes, control_plane));
    if control_plane {
        old_control_plane(cluster, options, secrets);
    }
}

fn old_control_plane(cluster: &mut Cluster, options: &Options, secrets: &Secrets<'_>) {
    let at_least = |minor| options.contract.at_least(1, minor);
    secrets.aescbc_encryption_secret.clone_into(&mut cluster.aescbc_encryption_secret);
    secrets.secretbox_encryption_secret.clone_into(&mut cluster.secretbox_encryption_secret);
    cluster.aggregator_ca = Some(identity(secrets.aggregator, true));
    cluster.service_account = Some(Key { key: secrets.service_account_key.as_bytes().to_vec() });
    let mut sans = Vec::new();
    if !at_least(12) {
        sans.push(options.endpoint.hostname().to_owned());
    }
    sans.extend(options.additional_sans.iter().cloned());
    let mut admission_control = List::default();
    if at_least(1) {
        admission_control.push(AdmissionPlugin {
            name: "PodSecurity".to_owned(),
            configuration: Some(policy::pod_security()),
        });
    }
    cluster.api_server = Some(ApiServer {
        image: image(defaults::API_SERVER_IMAGE, options),
        cert_sans: given(&sans),
        disable_pod_security_policy: (at_least(1) && !at_least(12)).then_some(true),
        admission_control,
        audit_policy: if at_least(3) { policy::audit() } else { crate::Free::default() },
        ..ApiServer::default()
    });
    cluster.controller_manager = Some(ControllerManager {
        image: image(defaults::CONTROLLER_MANAGER_IMAGE, options),
        ..ControllerManager::default()
    });
    cluster.proxy =
        Some(Proxy { image: image(defaults::PROXY_IMAGE, options), ..Proxy::default() });
    cluster.scheduler = Some(Scheduler {
        image: image(defaults::SCHEDULER_IMAGE, options),
        ..Scheduler::default()
    });
    if options.allow_scheduling_on_control_planes {
        if at_least(2) {
            cluster.allow_scheduling_on_control_planes = Some(true);
        } else {
            cluster.allow_scheduling_on_masters = Some(true);
        }
    }
}
