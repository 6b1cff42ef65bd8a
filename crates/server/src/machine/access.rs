//! Credentials for people: a kubeconfig, and a client configuration of the node's own API.
//!
//! Both are issued on demand by the authorities that a control plane node holds. Must never: be stored.

use std::{
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use api::{
    common::Data,
    machine::{GenerateClientConfiguration, GenerateClientConfigurationRequest},
};
use flate2::{Compression, write::GzEncoder};
use futures::{StreamExt, stream};
use pki::{Access, Authority, Context, ExtendedUsage, Leaf, System, Validity};
use resource::{
    cluster::InfoSpec,
    secrets::{KubernetesRootSpec, OSRootSpec},
    types::PemEncodedCertificateAndKey,
};
use tonic::Status;

use super::{Node, config::control_plane_only, logs::CHUNK, rpc::Stream};
use crate::cause::chain;

/// The Kubernetes group whose members may do everything.
const ADMINISTRATORS: &str = "system:masters";
/// How long a kubeconfig serves: a year, and from a moment ago, since clocks differ.
const KUBECONFIG_LIFE: i64 = pki::CLIENT_LIFE;
const CLOCK_DIFFERENCE: i64 = 300;

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn text<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Status> {
    std::str::from_utf8(bytes).map_err(|_| Status::internal(format!("{what} is not text")))
}

fn authority(pair: &PemEncodedCertificateAndKey, what: &str) -> Result<Authority, Status> {
    Authority::from_pem(text(&pair.crt.0, what)?, text(&pair.key.0, what)?)
        .map_err(|error| Status::internal(format!("{what}: {}", chain(&error))))
}

/// An archive (tar, gzip) with the one file `kubeconfig`.
pub(super) fn kubeconfig(node: &Node) -> Result<Stream<Data>, Status> {
    control_plane_only(&node.store, "Kubeconfig")?;
    let identity = kubeconfig_identity(node)?;
    let document = manifests::kubeconfig::person(
        &identity.cluster,
        &identity.endpoint,
        &identity.authority,
        &identity.certificate,
        &identity.key,
    );
    let archive = archive("kubeconfig", document.as_bytes())
        .map_err(|error| Status::internal(format!("packing the kubeconfig: {error}")))?;
    let pieces: Vec<_> = archive
        .chunks(CHUNK)
        .map(|piece| Ok(Data { metadata: None, bytes: piece.to_vec().into() }))
        .collect();
    Ok(stream::iter(pieces).boxed())
}

/// A fresh identity of an administrator of Kubernetes.
pub(crate) struct KubernetesIdentity {
    /// The cluster's name.
    pub(crate) cluster: String,
    /// Where the API is from outside.
    pub(crate) endpoint: String,
    /// The authority, PEM.
    pub(crate) authority: String,
    /// The certificate, PEM.
    pub(crate) certificate: String,
    /// Its key, PEM.
    pub(crate) key: String,
}

/// Issues an identity of an administrator; refused where the node has no authority of Kubernetes.
pub(crate) fn kubeconfig_identity(node: &Node) -> Result<KubernetesIdentity, Status> {
    let root = node
        .store
        .get::<KubernetesRootSpec>("secrets", "k8s")
        .filter(|root| !root.spec.issuing_ca.key.0.is_empty())
        .ok_or_else(|| {
            Status::failed_precondition(
                "this node has no Kubernetes authority: cluster.ca is not set",
            )
        })?;
    let authority = authority(&root.spec.issuing_ca, "the Kubernetes authority")?;
    let leaf = Leaf::new(
        &[ExtendedUsage::ClientAuth],
        Validity::starting(now() - CLOCK_DIFFERENCE, KUBECONFIG_LIFE),
    )
    .common_name("admin")
    .organization(ADMINISTRATORS);
    let issuing_failed = |error: &dyn std::error::Error| {
        Status::internal(format!("issuing a Kubernetes certificate: {error}"))
    };
    let identity = authority.issue(&leaf, &mut System).map_err(|error| issuing_failed(&error))?;
    Ok(KubernetesIdentity {
        cluster: root.spec.name.clone(),
        endpoint: root.spec.endpoint.to_string(),
        authority: authority.certificate_pem(),
        certificate: identity.certificate_pem(),
        key: identity.key_pem().map_err(|error| issuing_failed(&error))?,
    })
}

fn archive(name: &str, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o600);
    header.set_mtime(now().unsigned_abs());
    header.set_entry_type(tar::EntryType::Regular);
    archive.append_data(&mut header, name, content)?;
    archive.into_inner()?.finish()
}

/// A client certificate with roles, alone and as a client configuration.
pub(super) fn client_configuration(
    node: &Node,
    request: &GenerateClientConfigurationRequest,
) -> Result<GenerateClientConfiguration, Status> {
    control_plane_only(&node.store, "GenerateClientConfiguration")?;
    let life = request.crt_ttl.map_or(0, |life| life.seconds);
    if life <= 0 {
        return Err(Status::invalid_argument(
            "crt_ttl must say how long the certificate shall be valid",
        ));
    }
    let root = node
        .store
        .get::<OSRootSpec>("secrets", "os")
        .ok_or_else(|| Status::failed_precondition("this node has no API authority yet"))?;
    let authority = authority(&root.spec.issuing_ca, "the API authority")?;
    let mut accepted = String::new();
    for certificate in &root.spec.accepted_cas {
        accepted.push_str(text(&certificate.crt.0, "an accepted authority")?.trim_end());
        accepted.push('\n');
    }
    let issuing_failed =
        |error: &dyn std::error::Error| Status::internal(format!("issuing a certificate: {error}"));
    let validity = Validity::starting(now(), life);
    let identity = authority
        .issue(&Leaf::client(&request.roles, validity), &mut System)
        .map_err(|error| issuing_failed(&error))?;
    let context = Context::new(&accepted, &identity).map_err(|error| issuing_failed(&error))?;
    let cluster = node
        .store
        .get::<InfoSpec>("cluster", "current")
        .map(|info| info.spec.cluster_name.clone())
        .unwrap_or_default();
    let name = match request.roles.as_slice() {
        [role] => format!("{}@{cluster}", role.strip_prefix("os:").unwrap_or(role)),
        _ => cluster,
    };
    Ok(GenerateClientConfiguration {
        metadata: None,
        ca: accepted.into_bytes(),
        crt: identity.certificate_pem().into_bytes(),
        key: identity.key_pem().map_err(|error| issuing_failed(&error))?.into_bytes(),
        talosconfig: Access::with(&name, context).to_yaml().into_bytes(),
    })
}
