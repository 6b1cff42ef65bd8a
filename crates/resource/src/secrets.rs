//! Keys and certificates: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;
use crate::types::{
    NetIp, Object, PemEncodedCertificate, PemEncodedCertificateAndKey, PemEncodedKey, Url,
};

/// Apid server/client certs and accepted CAs; ids: `api`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "ApiCertificates.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct APICertsSpec {
    #[field(4, yaml = "acceptedCAs")]
    pub accepted_cas: Vec<PemEncodedCertificate>,
    #[field(2)]
    pub client: PemEncodedCertificateAndKey,
    #[field(3)]
    pub server: PemEncodedCertificateAndKey,
    #[field(5, yaml = "skipVerifyingClientCert")]
    pub skip_verifying_client_cert: bool,
}

/// SANs for api, maintenance, k8s certs; ids: `api` `maintenance` `k8s`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "CertSANs.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct CertSANSpec {
    #[field(1)]
    pub ips: Vec<NetIp>,
    #[field(2, yaml = "dnsNames")]
    pub dns_names: Vec<String>,
    #[field(3)]
    pub fqdn: String,
}

/// Salt mixed into disk keys; ids: `salt`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "EncryptionSalts.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct EncryptionSaltSpec {
    #[field(1, yaml = "diskSalt")]
    pub disk_salt: Vec<u8>,
}

/// Etcd server/peer/admin/API client certs; ids: `etcd`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "EtcdSecrets.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct EtcdCertsSpec {
    #[field(1)]
    pub etcd: PemEncodedCertificateAndKey,
    #[field(2, yaml = "etcdPeer")]
    pub etcd_peer: PemEncodedCertificateAndKey,
    #[field(3, yaml = "etcdAdmin")]
    pub etcd_admin: PemEncodedCertificateAndKey,
    #[field(4, yaml = "etcdAPIServer")]
    pub etcd_api_server: PemEncodedCertificateAndKey,
}

/// Etcd CA; ids: `etcd`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "EtcdRootSecrets.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct EtcdRootSpec {
    #[field(1, yaml = "etcdCA")]
    pub etcd_ca: PemEncodedCertificateAndKey,
}

/// Kubelet bootstrap endpoint, token, CA; ids: `kubelet`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KubeletSecrets.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct KubeletSpec {
    #[field(1)]
    pub endpoint: Url,
    #[field(6, yaml = "endpointTLSServerName", omit)]
    pub endpoint_tls_server_name: String,
    #[field(5, yaml = "acceptedCAs")]
    pub accepted_cas: Vec<PemEncodedCertificate>,
    #[field(3, yaml = "bootstrapTokenID")]
    pub bootstrap_token_id: String,
    #[field(4, yaml = "bootstrapTokenSecret")]
    pub bootstrap_token_secret: String,
}

/// Kubeconfigs of control plane components and admin; ids: `k8s-certs`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KubernetesSecrets.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct KubernetesCertsSpec {
    #[field(4, yaml = "schedulerKubeconfig")]
    pub scheduler_kubeconfig: String,
    #[field(5, yaml = "controllerManagerKubeconfig")]
    pub controller_manager_kubeconfig: String,
    #[field(6, yaml = "localhostAdminKubeconfig")]
    pub localhost_admin_kubeconfig: String,
    #[field(7, yaml = "adminKubeconfig")]
    pub admin_kubeconfig: String,
}

/// API server, kubelet client, front-proxy certs; ids: `k8s-dynamic-certs`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KubernetesDynamicCerts.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct KubernetesDynamicCertsSpec {
    #[field(1, yaml = "apiServer")]
    pub api_server: PemEncodedCertificateAndKey,
    #[field(2, yaml = "apiServerKubeletClient")]
    pub api_server_kubelet_client: PemEncodedCertificateAndKey,
    #[field(3, yaml = "frontProxy")]
    pub front_proxy: PemEncodedCertificateAndKey,
}

/// Kubernetes CAs, SA key, tokens, SANs; ids: `k8s`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KubernetesRootSecrets.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct KubernetesRootSpec {
    #[field(1)]
    pub name: String,
    #[field(2)]
    pub endpoint: Url,
    #[field(3)]
    pub local_endpoint: Url,
    #[field(4, yaml = "certSANs")]
    pub cert_sans: Vec<String>,
    #[field(14, yaml = "apiServerIPs")]
    pub api_server_ips: Vec<NetIp>,
    #[field(6, yaml = "dnsDomain")]
    pub dns_domain: String,
    #[field(7, yaml = "issuingCA")]
    pub issuing_ca: PemEncodedCertificateAndKey,
    #[field(15, yaml = "acceptedCAs")]
    pub accepted_cas: Vec<PemEncodedCertificate>,
    #[field(9, yaml = "aggregatorCA")]
    pub aggregator_ca: PemEncodedCertificateAndKey,
    #[field(17, yaml = "acceptedAggregatorCAs")]
    pub accepted_aggregator_cas: Vec<PemEncodedCertificate>,
    #[field(8, yaml = "serviceAccount")]
    pub service_account: PemEncodedKey,
    #[field(18, yaml = "serviceAccountAcceptedKeys")]
    pub service_account_accepted_keys: Vec<PemEncodedKey>,
    #[field(19, yaml = "issuerURL")]
    pub issuer_url: String,
    #[field(20, yaml = "acceptedIssuers")]
    pub accepted_issuers: Vec<String>,
    #[field(21, yaml = "apiAudiences")]
    pub api_audiences: Vec<String>,
    #[field(10, yaml = "aesCBCEncryptionSecret")]
    pub aes_cbc_encryption_secret: String,
    #[field(11, yaml = "bootstrapTokenID")]
    pub bootstrap_token_id: String,
    #[field(12, yaml = "bootstrapTokenSecret")]
    pub bootstrap_token_secret: String,
    #[field(13, yaml = "secretboxEncryptionSecret")]
    pub secretbox_encryption_secret: String,
    #[field(16, yaml = "etcdEncryptionConfig")]
    pub etcd_encryption_config: Object,
}

/// Self-signed CA for maintenance mode; ids: `maintenance`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "MaintenanceRootSecrets.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct MaintenanceRootSpec {
    #[field(1)]
    pub ca: PemEncodedCertificateAndKey,
}

/// Talos CA, accepted CAs, SANs, trustd token; ids: `os`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "OSRootSecrets.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct OSRootSpec {
    #[field(1, yaml = "issuingCA")]
    pub issuing_ca: PemEncodedCertificateAndKey,
    #[field(5, yaml = "acceptedCAs")]
    pub accepted_cas: Vec<PemEncodedCertificate>,
    #[field(2, yaml = "certSANIPs")]
    pub cert_san_ips: Vec<NetIp>,
    #[field(3, yaml = "certSANDNSNames")]
    pub cert_sandns_names: Vec<String>,
    #[field(4)]
    pub token: String,
}

/// Trustd server cert; ids: `trustd`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "TrustdCertificates.secrets.talos.dev", namespace = "secrets", sensitive)]
pub struct TrustdCertsSpec {
    #[field(3, yaml = "acceptedCAs")]
    pub accepted_cas: Vec<PemEncodedCertificate>,
    #[field(2)]
    pub server: PemEncodedCertificateAndKey,
}
