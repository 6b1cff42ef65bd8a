//! The node's API secrets: the authority from the configuration, the names, and the certificates of apid and trustd.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::runtime::Condition;
use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use config::Config;
use pki::{ExtendedUsage, System};
use resource::config::{MachineConfigSpec, MachineTypeSpec};
use resource::enums::MachineType;
use resource::network::{HostnameStatusSpec, NodeAddressSpec};
use resource::secrets::{APICertsSpec, CertSANSpec, OSRootSpec, TrustdCertsSpec};
use resource::time;
use resource::types::{NetIp, PemEncodedCertificate, PemEncodedCertificateAndKey};

use super::leaf::{self, LeafPlan, Wanted};
use super::sans;
use crate::Node;
use crate::config::active::{ACTIVE, Active, NAMESPACE};
use crate::plain::plain;

/// What the configuration says about the API's authority.
#[must_use]
pub fn root(config: &Config) -> OSRootSpec {
    let view = config.view();
    let issuing_ca = view
        .machine_ca()
        .map(|pair| PemEncodedCertificateAndKey { crt: pair.crt.into(), key: pair.key.into() })
        .unwrap_or_default();
    let accepted = view.machine_accepted_cas().into_iter();
    let mut spec = OSRootSpec {
        issuing_ca,
        accepted_cas: accepted.map(|crt| PemEncodedCertificate { crt: crt.into() }).collect(),
        token: view.machine_token().to_owned(),
        ..OSRootSpec::default()
    };
    for name in view.machine_cert_sans() {
        match name.parse() {
            Ok(ip) => spec.cert_san_ips.push(NetIp(Some(ip))),
            Err(_) => spec.cert_sandns_names.push(name.clone()),
        }
    }
    spec
}

/// Seconds since the epoch.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn until(moment: i64) -> Next {
    Next::After(Duration::from_secs(u64::try_from(moment - now()).unwrap_or(1).max(1)))
}

/// Adds the controllers of the node's own API secrets.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    register_root(controllers, node.config.clone())?;
    register_sans(controllers)?;
    register_api(controllers)?;
    register_trustd(controllers)
}

fn register_root(controllers: &mut Runtime, active: Active) -> Result<(), RegisterError> {
    controllers.register(plain(
        "secrets.RootOSController",
        vec![Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE)],
        vec![Output::exclusive::<OSRootSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            let config: Option<Arc<Config>> = active.complete(context.store())?;
            if let Some(wanted) = config.as_deref().map(root) {
                context.modify::<OSRootSpec>("secrets", "os", |spec| spec.clone_from(&wanted))?;
            }
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

fn register_sans(controllers: &mut Runtime) -> Result<(), RegisterError> {
    controllers.register(plain(
        "secrets.APICertSANsController",
        vec![
            Input::weak::<OSRootSpec>("secrets").with_id("os"),
            Input::weak::<HostnameStatusSpec>("network").with_id("hostname"),
            Input::weak::<NodeAddressSpec>("network").with_id("accumulative-no-k8s"),
        ],
        vec![Output::shared::<CertSANSpec>()],
        |context: &Context| -> Result<Next, ControllerError> {
            let root = context.get::<OSRootSpec>("secrets", "os");
            let hostname = context.get::<HostnameStatusSpec>("network", "hostname");
            let addresses = context.get::<NodeAddressSpec>("network", "accumulative-no-k8s");
            // A certificate without an address would have to be issued again in a moment.
            let addresses = addresses.filter(|addresses| !addresses.spec.addresses.is_empty());
            if let (Some(root), Some(hostname), Some(addresses)) = (root, hostname, addresses) {
                let wanted = sans::plan(&root.spec, &hostname.spec, &addresses.spec);
                context.modify::<CertSANSpec>("secrets", "api", |spec| spec.clone_from(&wanted))?;
            }
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

/// Whether the clock is right. Who issues certificates asks before, and lists [`clock`] among its inputs, so that it
/// looks again when the clock has jumped.
pub(super) fn is_synced(context: &Context) -> bool {
    let synced = |status: resource::Resource<time::StatusSpec>| status.spec.synced;
    if context.get::<time::StatusSpec>("runtime", "node").is_some_and(synced) {
        return true;
    }
    let state = "is synced";
    context.waiting(&Condition::resource_state::<time::StatusSpec>("runtime", "node", state));
    false
}

/// What is known about the clock, as an input.
pub(super) fn clock() -> Input {
    Input::weak::<time::StatusSpec>("runtime").with_id("node")
}

/// Keeps the present certificate or issues a new one; also says when to look again.
fn keep_or_issue(
    present: &PemEncodedCertificateAndKey,
    authority: &pki::Authority,
    wanted: &Wanted,
    usage: ExtendedUsage,
    what: &str,
) -> Result<(PemEncodedCertificateAndKey, i64), ControllerError> {
    match leaf::plan(present, authority.certificate(), wanted, now()) {
        LeafPlan::Keep { until } => Ok((present.clone(), until)),
        LeafPlan::Issue { reason } => {
            tracing::info!(what, reason, "issuing a certificate");
            let issued = leaf::issue(authority, wanted, usage, now(), &mut System)?;
            Ok((issued, now() + pki::NODE_LIFE / 2))
        }
    }
}

/// The role by which apid speaks for the callers whose calls it passes on.
const IMPERSONATOR: &str = "os:impersonator";

fn register_api(controllers: &mut Runtime) -> Result<(), RegisterError> {
    controllers.register(plain(
        "secrets.APIController",
        vec![
            Input::weak::<OSRootSpec>("secrets").with_id("os"),
            Input::weak::<CertSANSpec>("secrets").with_id("api"),
            clock(),
            Input::weak::<MachineTypeSpec>(NAMESPACE).with_id("machine-type"),
        ],
        // Workers get theirs from another controller, through trustd.
        vec![Output::shared::<APICertsSpec>()],
        |context: &Context| -> Result<Next, ControllerError> {
            let root = context.get::<OSRootSpec>("secrets", "os");
            let sans = context.get::<CertSANSpec>("secrets", "api");
            let (Some(root), Some(sans)) = (root, sans) else { return Ok(Next::OnChange) };
            let Some(authority) = leaf::authority(&root.spec.issuing_ca)? else {
                return Ok(Next::OnChange);
            };
            if !is_synced(context) {
                return Ok(Next::OnChange);
            }
            let present = context
                .get::<APICertsSpec>("secrets", "api")
                .map(|certificates| (*certificates.spec).clone())
                .unwrap_or_default();
            let server = Wanted::server(&sans.spec);
            let client = Wanted {
                common_name: sans.spec.fqdn.clone(),
                organizations: vec![IMPERSONATOR.to_owned()],
                ..Wanted::default()
            };
            let (server, until_server) = keep_or_issue(
                &present.server,
                &authority,
                &server,
                ExtendedUsage::ServerAuth,
                "apid server",
            )?;
            let (client, until_client) = keep_or_issue(
                &present.client,
                &authority,
                &client,
                ExtendedUsage::ClientAuth,
                "apid client",
            )?;
            context.modify::<APICertsSpec>("secrets", "api", |spec| {
                spec.accepted_cas.clone_from(&root.spec.accepted_cas);
                spec.server.clone_from(&server);
                spec.client.clone_from(&client);
            })?;
            Ok(until(until_server.min(until_client)))
        },
    ))?;
    Ok(())
}

fn register_trustd(controllers: &mut Runtime) -> Result<(), RegisterError> {
    controllers.register(plain(
        "secrets.TrustdController",
        vec![
            Input::weak::<OSRootSpec>("secrets").with_id("os"),
            Input::weak::<CertSANSpec>("secrets").with_id("api"),
            clock(),
            Input::weak::<MachineTypeSpec>(NAMESPACE).with_id("machine-type"),
        ],
        vec![Output::exclusive::<TrustdCertsSpec>()],
        |context: &Context| -> Result<Next, ControllerError> {
            let machine_type = context
                .get::<MachineTypeSpec>(NAMESPACE, "machine-type")
                .map(|spec| spec.spec.machine_type)
                .unwrap_or_default();
            let root = context.get::<OSRootSpec>("secrets", "os");
            let sans = context.get::<CertSANSpec>("secrets", "api");
            let (Some(root), Some(sans)) = (root, sans) else { return Ok(Next::OnChange) };
            if machine_type == MachineType::WORKER || !is_synced(context) {
                return Ok(Next::OnChange);
            }
            let Some(authority) = leaf::authority(&root.spec.issuing_ca)? else {
                return Ok(Next::OnChange);
            };
            let present = context
                .get::<TrustdCertsSpec>("secrets", "trustd")
                .map(|certificates| certificates.spec.server.clone())
                .unwrap_or_default();
            let (server, until_server) = keep_or_issue(
                &present,
                &authority,
                &Wanted::server(&sans.spec),
                ExtendedUsage::ServerAuth,
                "trustd server",
            )?;
            context.modify::<TrustdCertsSpec>("secrets", "trustd", |spec| {
                spec.accepted_cas.clone_from(&root.spec.accepted_cas);
                spec.server.clone_from(&server);
            })?;
            Ok(until(until_server))
        },
    ))?;
    Ok(())
}
