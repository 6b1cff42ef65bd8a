//! A node without a configuration has no authority of its own: in maintenance the API shows a certificate that a
//! passing authority, made in memory, vouches for, and lets anybody in as a reader.

use std::net::IpAddr;

use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use pki::{Algorithm, Authority, Certificate, ExtendedUsage, PrivateKey, System, Validity};
use resource::ichor::MaintenanceStatusSpec;
use resource::network::{HostnameStatusSpec, NodeAddressSpec};
use resource::runtime::MaintenanceServiceRequestSpec;
use resource::secrets::{APICertsSpec, CertSANSpec, MaintenanceRootSpec, OSRootSpec};
use resource::types::{NetIp, PemEncodedCertificate, PemEncodedCertificateAndKey};

use super::leaf::{self, LeafPlan, Wanted};
use super::os::{now, until};
use super::sans;
use crate::plain::plain;

/// The name that the certificate goes by.
const NAME: &str = "maintenance-service.talos.dev";

/// The passing authority; made once.
fn root(context: &Context) -> Result<PemEncodedCertificateAndKey, ControllerError> {
    if let Some(root) = context.get::<MaintenanceRootSpec>("secrets", "maintenance") {
        return Ok(root.spec.ca.clone());
    }
    let key = PrivateKey::generate(Algorithm::Ed25519)?;
    let life = Validity::starting(now(), pki::AUTHORITY_LIFE);
    let authority = Authority::create(key, "talos", life, &mut System)?;
    let ca = PemEncodedCertificateAndKey {
        crt: authority.certificate_pem().into(),
        key: authority.key_pem()?.into(),
    };
    context.modify::<MaintenanceRootSpec>("secrets", "maintenance", |spec| {
        spec.ca.clone_from(&ca);
    })?;
    Ok(ca)
}

fn reconcile(context: &Context) -> Result<Next, ControllerError> {
    if context.list::<MaintenanceServiceRequestSpec>("runtime").is_empty() {
        context.cleanup::<APICertsSpec>("secrets", |_| false)?;
        context.cleanup::<CertSANSpec>("secrets", |_| false)?;
        context.cleanup::<MaintenanceRootSpec>("secrets", |_| false)?;
        context.cleanup::<MaintenanceStatusSpec>("runtime", |_| false)?;
        return Ok(Next::OnChange);
    }
    let hostname = context
        .get::<HostnameStatusSpec>("network", "hostname")
        .map(|status| (*status.spec).clone())
        .unwrap_or_default();
    let Some(addresses) = context.get::<NodeAddressSpec>("network", "accumulative") else {
        return Ok(Next::OnChange);
    };
    let mut names = sans::plan(&OSRootSpec::default(), &hostname, &addresses.spec);
    NAME.clone_into(&mut names.fqdn);
    context.modify::<CertSANSpec>("secrets", "maintenance", |spec| spec.clone_from(&names))?;
    let ca = root(context)?;
    let Some(authority) = leaf::authority(&ca)? else { return Ok(Next::OnChange) };
    let wanted = Wanted::server(&names);
    let present = context
        .get::<APICertsSpec>("secrets", "api")
        .map(|certificates| certificates.spec.server.clone())
        .unwrap_or_default();
    let (server, half) = match leaf::plan(&present, authority.certificate(), &wanted, now()) {
        LeafPlan::Keep { until } => (present, until),
        LeafPlan::Issue { .. } => {
            // Addresses come one by one; the key stays, and with it the fingerprint that somebody has written down.
            let key = PrivateKey::from_pem(&String::from_utf8_lossy(&present.key.0))
                .or_else(|_| PrivateKey::generate(Algorithm::Ed25519))?;
            let usage = ExtendedUsage::ServerAuth;
            let server = leaf::issue_for(&authority, &wanted, usage, &key, now(), &mut System)?;
            (server, now() + pki::NODE_LIFE / 2)
        }
    };
    context.modify::<APICertsSpec>("secrets", "api", |spec| {
        spec.accepted_cas = vec![PemEncodedCertificate { crt: ca.crt.clone() }];
        spec.server.clone_from(&server);
        spec.skip_verifying_client_cert = true;
    })?;
    announce(context, &server)?;
    Ok(until(half))
}

/// Says where the API answers and by what it is recognized: in a resource, which the screen shows, and in the log.
fn announce(
    context: &Context,
    server: &PemEncodedCertificateAndKey,
) -> Result<(), ControllerError> {
    let certificate = Certificate::from_pem(&String::from_utf8_lossy(&server.crt.0))?;
    let own: Vec<IpAddr> = certificate.ips.iter().copied().filter(|ip| !ip.is_loopback()).collect();
    let wanted = MaintenanceStatusSpec {
        addresses: own.iter().copied().map(NetIp::from).collect(),
        fingerprint: certificate.fingerprint(),
    };
    let before = context.get::<MaintenanceStatusSpec>("runtime", "maintenance");
    if before.is_none_or(|before| **before.spec != wanted) {
        let list = own.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let list = if list.is_empty() { "no address yet".to_owned() } else { list };
        tracing::info!(
            "this machine waits for its configuration: ichorctl apply-config --insecure; addresses: {list}; certificate fingerprint: {}",
            wanted.fingerprint
        );
    }
    context.modify::<MaintenanceStatusSpec>("runtime", "maintenance", |status| {
        status.clone_from(&wanted);
    })?;
    Ok(())
}

/// Adds the controller of the API's certificate in maintenance.
pub(super) fn register(controllers: &mut Runtime) -> Result<(), RegisterError> {
    controllers.register(plain(
        "secrets.MaintenanceController",
        vec![
            Input::weak::<MaintenanceServiceRequestSpec>("runtime"),
            Input::weak::<HostnameStatusSpec>("network").with_id("hostname"),
            Input::weak::<NodeAddressSpec>("network").with_id("accumulative"),
        ],
        vec![
            Output::shared::<APICertsSpec>(),
            Output::shared::<CertSANSpec>(),
            Output::exclusive::<MaintenanceRootSpec>(),
            Output::exclusive::<MaintenanceStatusSpec>(),
        ],
        reconcile,
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::runtime::store::Store;
    use resource::types::NetIpPrefix;

    #[tokio::test]
    async fn maintenance_has_a_certificate_of_its_own_and_leaves_nothing() {
        let store = Store::new();
        let mut controllers = Runtime::new(store.clone());
        register(&mut controllers).unwrap();
        let running = tokio::spawn(controllers.run(std::future::pending()));
        let addresses = NodeAddressSpec {
            addresses: vec![NetIpPrefix::new([10, 5, 0, 2].into(), 24).unwrap()],
            ..NodeAddressSpec::default()
        };
        store.create("", "network", "accumulative", addresses).unwrap();
        let request = MaintenanceServiceRequestSpec::default();
        store.create("", "runtime", "maintenance", request).unwrap();
        let certificates =
            store.wait_for::<APICertsSpec>("secrets", "api", |present| present.is_some()).await;
        let certificates = certificates.unwrap();
        assert!(certificates.spec.skip_verifying_client_cert);
        let text = String::from_utf8(certificates.spec.server.crt.0.clone()).unwrap();
        let leaf = pki::Certificate::from_pem(&text).unwrap();
        assert_eq!(leaf.common_name, NAME);
        assert!(leaf.ips.contains(&[10, 5, 0, 2].into()));
        let told = store
            .wait_for::<MaintenanceStatusSpec>("runtime", "maintenance", |told| told.is_some())
            .await
            .unwrap();
        assert_eq!(told.spec.fingerprint, leaf.fingerprint());
        assert_eq!(told.spec.addresses, [NetIp::from(IpAddr::from([10, 5, 0, 2]))]);
        let another = NetIpPrefix::new([10, 5, 0, 3].into(), 24).unwrap();
        store
            .modify::<NodeAddressSpec>("", "network", "accumulative", |spec| {
                spec.addresses.push(another);
            })
            .unwrap();
        let told = store
            .wait_for::<MaintenanceStatusSpec>("runtime", "maintenance", |told| {
                told.is_some_and(|told| told.spec.addresses.len() == 2)
            })
            .await
            .unwrap();
        assert_eq!(told.spec.fingerprint, leaf.fingerprint(), "what was written down stays good");
        store.remove::<MaintenanceServiceRequestSpec>("", "runtime", "maintenance").unwrap();
        store.wait_for::<APICertsSpec>("secrets", "api", |present| present.is_none()).await;
        running.abort();
    }
}
