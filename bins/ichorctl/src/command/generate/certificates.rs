//! `gen ca`, `gen key`, `gen csr`, `gen crt`, `gen keypair`.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use pki::{
    Algorithm, Authority, ExtendedUsage, HOUR, Identity, Leaf, PrivateKey, Request, System,
    Validity,
};

use crate::{files, remote};

/// Arguments of `gen ca`.
#[derive(Debug, clap::Args)]
pub(crate) struct CaArgs {
    /// Organization of the authority; also the base name of the files
    #[arg(long)]
    organization: String,
    /// Hours that it is valid
    #[arg(long, default_value_t = 87_600)]
    hours: u32,
    /// An RSA key instead of Ed25519
    #[arg(long)]
    rsa: bool,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
}

/// Arguments of `gen key`.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// Base name of the file
    #[arg(long)]
    name: String,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
}

/// Arguments of `gen csr`.
#[derive(Debug, clap::Args)]
pub(crate) struct CsrArgs {
    /// Key file
    #[arg(long)]
    key: PathBuf,
    /// Address that the certificate is for
    #[arg(long)]
    ip: IpAddr,
    /// Roles that the certificate gives
    #[arg(long, value_delimiter = ',', default_value = "os:admin")]
    roles: Vec<String>,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
}

/// Arguments of `gen crt`.
#[derive(Debug, clap::Args)]
pub(crate) struct CrtArgs {
    /// Base name of the file
    #[arg(long)]
    name: String,
    /// Base name of the authority's files
    #[arg(long)]
    ca: PathBuf,
    /// Request file
    #[arg(long)]
    csr: PathBuf,
    /// Hours that it is valid
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
}

/// Arguments of `gen keypair`.
#[derive(Debug, clap::Args)]
pub(crate) struct KeypairArgs {
    /// Address that the certificate is for
    #[arg(long)]
    ip: Option<IpAddr>,
    /// Organization of the certificate; also the base name of the files
    #[arg(long)]
    organization: String,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
}

fn with_extension(base: &Path, extension: &str) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Generates a certificate authority.
pub(crate) fn ca(arguments: &CaArgs) -> anyhow::Result<()> {
    let base = Path::new(&arguments.organization);
    let [crt, hash, key] =
        ["crt", "sha256", "key"].map(|extension| with_extension(base, extension));
    files::refuse_existing(&[&crt, &hash, &key], arguments.force)?;
    let algorithm = if arguments.rsa { Algorithm::Rsa4096 } else { Algorithm::Ed25519 };
    let validity = Validity::starting(remote::now(), i64::from(arguments.hours) * HOUR);
    let authority = Authority::create(
        PrivateKey::generate(algorithm)?,
        &arguments.organization,
        validity,
        &mut System,
    )?;
    files::write(&crt, authority.certificate_pem().as_bytes(), 0o644)?;
    files::write(&hash, authority.certificate().sha256().as_bytes(), 0o644)?;
    files::write(&key, authority.key_pem()?.as_bytes(), 0o600)
}

/// Generates an Ed25519 key.
pub(crate) fn key(arguments: &KeyArgs) -> anyhow::Result<()> {
    let path = with_extension(Path::new(&arguments.name), "key");
    files::refuse_existing(&[&path], arguments.force)?;
    let key = PrivateKey::generate(Algorithm::Ed25519)?;
    files::write(&path, key.to_pem()?.as_bytes(), 0o600)
}

/// Generates a request for a key.
pub(crate) fn csr(arguments: &CsrArgs) -> anyhow::Result<()> {
    let path = arguments.key.with_extension("csr");
    files::refuse_existing(&[&path], arguments.force)?;
    let key = PrivateKey::from_pem(&files::read_text(&arguments.key)?)
        .with_context(|| format!("using {}", arguments.key.display()))?;
    let request = Request::create(&key, "", &arguments.roles, &[], &[arguments.ip])?;
    files::write(&path, request.to_pem().as_bytes(), 0o644)
}

/// Signs a request as an API client certificate.
pub(crate) fn crt(arguments: &CrtArgs) -> anyhow::Result<()> {
    let path = with_extension(Path::new(&arguments.name), "crt");
    files::refuse_existing(&[&path], arguments.force)?;
    let authority = Authority::from_pem(
        &files::read_text(&with_extension(&arguments.ca, "crt"))?,
        &files::read_text(&with_extension(&arguments.ca, "key"))?,
    )
    .with_context(|| format!("using the authority {}", arguments.ca.display()))?;
    let request = Request::from_pem(&files::read_text(&arguments.csr)?)
        .with_context(|| format!("using {}", arguments.csr.display()))?;
    let validity = Validity::starting(remote::now(), i64::from(arguments.hours) * HOUR);
    let usages = [ExtendedUsage::ClientAuth];
    let certificate = authority.sign_request(&request, &usages, validity, &mut System)?;
    files::write(&path, certificate.to_pem().as_bytes(), 0o644)
}

/// Generates a certificate that vouches for itself.
pub(crate) fn keypair(arguments: &KeypairArgs) -> anyhow::Result<()> {
    let base = Path::new(&arguments.organization);
    let [crt, key] = ["crt", "key"].map(|extension| with_extension(base, extension));
    files::refuse_existing(&[&crt, &key], arguments.force)?;
    let usages = [ExtendedUsage::ServerAuth, ExtendedUsage::ClientAuth];
    let leaf = Leaf::new(&usages, Validity::starting(remote::now(), pki::NODE_LIFE))
        .organization(&arguments.organization)
        .names([], arguments.ip);
    let identity =
        Identity::self_signed(PrivateKey::generate(Algorithm::Ed25519)?, &leaf, &mut System)?;
    files::write(&crt, identity.certificate_pem().as_bytes(), 0o644)?;
    files::write(&key, identity.key_pem()?.as_bytes(), 0o600)
}
