//! `gen secureboot`: the keys that sign what a machine starts, and the variables that make its firmware trust them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use pki::{
    Algorithm, Certificate, Identity, Leaf, PrivateKey, Random, System, Validity,
    secureboot::{self, Trusted, Variable},
};

use crate::{files, remote};

/// Arguments of `gen secureboot`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Generate the certificate and the key that sign boot images
    Uki(UkiArgs),
    /// Generate the key that signs the measurements of a boot image
    Pcr(PcrArgs),
    /// Generate the variables PK, KEK and db for a machine's firmware
    Database(DatabaseArgs),
}

#[derive(Debug, clap::Args)]
struct UkiArgs {
    #[command(flatten)]
    target: Target,
    /// Common name of the certificate
    #[arg(long, value_name = "NAME", default_value = "Test UKI Signing Key")]
    common_name: String,
}

#[derive(Debug, clap::Args)]
struct PcrArgs {
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
struct DatabaseArgs {
    #[command(flatten)]
    target: Target,
    /// Certificate that the firmware is to trust [default: uki-signing-cert.pem in the directory]
    #[arg(long, value_name = "FILE")]
    enrolled_certificate: Option<PathBuf>,
    /// Certificate of the key that signs the variables [default: uki-signing-cert.pem in the directory]
    #[arg(long, value_name = "FILE")]
    signing_certificate: Option<PathBuf>,
    /// Key that signs the variables [default: uki-signing-key.pem in the directory]
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
    /// Also trust the certificates that firmware trusts from the factory: Microsoft's, which sign option ROMs and other systems
    #[arg(long)]
    include_well_known_uefi_certs: bool,
    /// Further certificate whose programs the firmware is to start; repeatable
    #[arg(long, value_name = "FILE")]
    include_certificate: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Target {
    /// Directory to write to
    #[arg(short, long, value_name = "DIR", default_value = "_out")]
    output: PathBuf,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
}

const CERTIFICATE: &str = "uki-signing-cert.pem";
const KEY: &str = "uki-signing-key.pem";

impl Target {
    /// The files in the directory, which is made when it is missing.
    fn prepare<const N: usize>(&self, names: [&str; N]) -> anyhow::Result<[PathBuf; N]> {
        let paths = names.map(|name| self.output.join(name));
        let all: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        files::refuse_existing(&all, self.force)?;
        std::fs::create_dir_all(&self.output)
            .with_context(|| format!("making {}", self.output.display()))?;
        Ok(paths)
    }
}

/// Runs the command.
pub(crate) fn run(arguments: Args) -> anyhow::Result<()> {
    match arguments.command {
        Command::Uki(arguments) => uki(&arguments),
        Command::Pcr(arguments) => pcr(&arguments),
        Command::Database(arguments) => database(&arguments),
    }
}

fn uki(arguments: &UkiArgs) -> anyhow::Result<()> {
    let [pem, der, key] = arguments.target.prepare([CERTIFICATE, "uki-signing-cert.der", KEY])?;
    let validity = Validity::starting(remote::now(), pki::AUTHORITY_LIFE);
    let leaf = Leaf::new(&[], validity).common_name(&arguments.common_name);
    let identity =
        Identity::self_signed(PrivateKey::generate(Algorithm::Rsa4096)?, &leaf, &mut System)?;
    files::write(&pem, identity.certificate_pem().as_bytes(), 0o644)?;
    files::write(&der, identity.certificate.der(), 0o644)?;
    files::write(&key, identity.key_pem()?.as_bytes(), 0o600)
}

fn pcr(arguments: &PcrArgs) -> anyhow::Result<()> {
    let [key] = arguments.target.prepare(["pcr-signing-key.pem"])?;
    let pem = PrivateKey::generate(Algorithm::Rsa2048)?.to_pem()?;
    files::write(&key, pem.as_bytes(), 0o600)
}

fn database(arguments: &DatabaseArgs) -> anyhow::Result<()> {
    let own = |path: &Option<PathBuf>, name: &str| {
        path.clone().unwrap_or_else(|| arguments.target.output.join(name))
    };
    let certificate = |path: &Path| -> anyhow::Result<Certificate> {
        Certificate::from_pem(&files::read_text(path)?)
            .with_context(|| format!("using {}", path.display()))
    };
    let (signer, key) =
        (own(&arguments.signing_certificate, CERTIFICATE), own(&arguments.signing_key, KEY));
    let signer = Identity::from_pem(&files::read_text(&signer)?, &files::read_text(&key)?)
        .with_context(|| format!("using {} and {}", signer.display(), key.display()))?;
    let enrolled = certificate(&own(&arguments.enrolled_certificate, CERTIFICATE))?;
    let mut further = Vec::new();
    for path in &arguments.include_certificate {
        further.push(certificate(path)?);
    }
    let variables = [Variable::PlatformKey, Variable::KeyExchangeKey, Variable::Database];
    let paths = arguments.target.prepare(["PK.auth", "KEK.auth", "db.auth"])?;
    let mut owner = [0; 16];
    System.fill(&mut owner)?;
    // A random identifier (RFC 9562, 5.4) in the byte order of firmware.
    owner[7] = (owner[7] & 0x0f) | 0x40;
    owner[8] = (owner[8] & 0x3f) | 0x80;
    for (variable, path) in variables.into_iter().zip(paths) {
        let mut trusted = vec![Trusted { owner, certificate: enrolled.clone() }];
        if variable == Variable::Database {
            trusted
                .extend(further.iter().cloned().map(|certificate| Trusted { owner, certificate }));
        }
        if arguments.include_well_known_uefi_certs {
            trusted.extend(secureboot::well_known(variable)?);
        }
        let content = secureboot::authenticated(variable, &trusted, &signer, remote::now())?;
        files::write(&path, &content, 0o644)?;
    }
    Ok(())
}
