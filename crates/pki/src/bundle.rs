//! The secrets of a cluster: what `gen secrets` writes, and what every machine configuration of that cluster is made from.

use crate::{
    authority::{Authority, Identity, IssueError, Leaf},
    certificate::Validity,
    fields::{self, FieldError},
    key::{Algorithm, KeyError, PrivateKey},
    system::{Random, RandomError},
    token,
};

/// A certificate and its private key in PEM.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// The secrets of a cluster.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Identity of the cluster in discovery.
    pub cluster_id: String,
    /// Shared secret of the cluster in discovery.
    pub cluster_secret: String,
    /// Kubernetes bootstrap token.
    pub bootstrap_token: String,
    /// Secretbox key for secrets at rest; empty when the older AES-CBC one is used.
    pub secretbox_encryption_secret: String,
    /// AES-CBC key for secrets at rest of older clusters; empty otherwise.
    pub aescbc_encryption_secret: String,
    /// Token with which a machine asks trustd for its certificate.
    pub trustd_token: String,
    /// Authority of etcd.
    pub etcd: Pair,
    /// Authority of Kubernetes.
    pub kubernetes: Pair,
    /// Authority of Kubernetes' API aggregation.
    pub aggregator: Pair,
    /// Key that signs service account tokens.
    pub service_account_key: String,
    /// Authority of the operating system's API.
    pub os: Pair,
}

/// What of the secrets of a new cluster looked different in older releases of the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// An AES-CBC key for secrets at rest instead of a secretbox one, as before 1.3.
    pub aescbc: bool,
    /// A service account key of ECDSA P-256 instead of RSA 4096, as before 1.7.
    pub ecdsa_service_account: bool,
}

impl std::fmt::Debug for Secrets {
    /// Shows no secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("cluster_id", &self.cluster_id).finish_non_exhaustive()
    }
}

/// A secrets bundle could not be made or is not usable.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A key could not be generated or written.
    #[error("generating the secrets of a cluster")]
    Key(#[from] KeyError),
    /// An authority could not be made.
    #[error("generating the authorities of a cluster")]
    Issue(#[from] IssueError),
    /// No random bytes.
    #[error("generating the tokens of a cluster")]
    Random(#[from] RandomError),
    /// The text of a bundle does not read.
    #[error("reading the secrets bundle")]
    Read(#[from] FieldError),
    /// A part is missing or wrong; every such part is listed.
    #[error("checking the secrets bundle: {}", .problems.join("; "))]
    Invalid {
        /// One line for each part.
        problems: Vec<String>,
    },
}

impl Pair {
    fn of(authority: &Authority) -> Result<Self, KeyError> {
        Ok(Self { certificate: authority.certificate_pem(), key: authority.key_pem()? })
    }

    /// The pair as an authority.
    pub fn authority(&self) -> Result<Authority, IssueError> {
        Authority::from_pem(&self.certificate, &self.key)
    }
}

impl Secrets {
    /// Makes the secrets of a new cluster.
    pub fn generate(now: i64, random: &mut dyn Random) -> Result<Self, BundleError> {
        Self::generate_as(Form::default(), now, random)
    }

    /// Makes the secrets of a new cluster in the form of an older release.
    pub fn generate_as(form: Form, now: i64, random: &mut dyn Random) -> Result<Self, BundleError> {
        let validity = Validity::starting(now, crate::AUTHORITY_LIFE);
        let mut authority = |algorithm, organization| -> Result<Pair, BundleError> {
            let key = PrivateKey::generate(algorithm)?;
            Ok(Pair::of(&Authority::create(key, organization, validity, random)?)?)
        };
        let etcd = authority(Algorithm::EcdsaP256, "etcd")?;
        let kubernetes = authority(Algorithm::EcdsaP256, "kubernetes")?;
        // The contract's aggregator authority has an empty subject.
        let aggregator = authority(Algorithm::EcdsaP256, "")?;
        let os = authority(Algorithm::Ed25519, "talos")?;
        let service_account =
            if form.ecdsa_service_account { Algorithm::EcdsaP256 } else { Algorithm::Rsa4096 };
        let (secretbox, aescbc) = if form.aescbc {
            (String::new(), token::base64_32(random)?)
        } else {
            (token::base64_32(random)?, String::new())
        };
        Ok(Self {
            cluster_id: token::base64_32(random)?,
            cluster_secret: token::base64_32(random)?,
            bootstrap_token: token::bootstrap_token(random)?,
            secretbox_encryption_secret: secretbox,
            aescbc_encryption_secret: aescbc,
            trustd_token: token::bootstrap_token(random)?,
            etcd,
            kubernetes,
            aggregator,
            service_account_key: PrivateKey::generate(service_account)?.to_pem()?,
            os,
        })
    }

    /// Reads what `gen secrets` wrote. Unknown keys are skipped and missing ones left empty: [`Self::validate`] lists them.
    pub fn from_yaml(text: &[u8]) -> Result<Self, BundleError> {
        let documents = yaml::parse(text).map_err(FieldError::from)?;
        let Some(root) = documents.first().map(|document| &document.root) else {
            return Ok(Self::default());
        };
        if root.entries().is_none() {
            return Err(fields::form(
                root,
                &[],
                "a mapping with cluster, secrets, trustdinfo, certs",
            )
            .into());
        }
        let pair = |name| -> Result<Pair, FieldError> {
            Ok(Pair {
                certificate: fields::encoded(root, &["certs", name, "crt"])?,
                key: fields::encoded(root, &["certs", name, "key"])?,
            })
        };
        Ok(Self {
            cluster_id: fields::text(root, &["cluster", "id"])?,
            cluster_secret: fields::text(root, &["cluster", "secret"])?,
            bootstrap_token: fields::text(root, &["secrets", "bootstraptoken"])?,
            secretbox_encryption_secret: fields::text(
                root,
                &["secrets", "secretboxencryptionsecret"],
            )?,
            aescbc_encryption_secret: fields::text(root, &["secrets", "aescbcencryptionsecret"])?,
            trustd_token: fields::text(root, &["trustdinfo", "token"])?,
            etcd: pair("etcd")?,
            kubernetes: pair("k8s")?,
            aggregator: pair("k8saggregator")?,
            service_account_key: fields::encoded(root, &["certs", "k8sserviceaccount", "key"])?,
            os: pair("os")?,
        })
    }

    /// The file that `gen secrets` writes.
    pub fn to_yaml(&self) -> String {
        let text = |value: &str| yaml::Value::String(value.to_owned());
        let pair = |pair: &Pair| {
            fields::map([
                ("crt", fields::encode(&pair.certificate)),
                ("key", fields::encode(&pair.key)),
            ])
        };
        yaml::to_string(&fields::map([
            (
                "cluster",
                fields::map([
                    ("id", text(&self.cluster_id)),
                    ("secret", text(&self.cluster_secret)),
                ]),
            ),
            (
                "secrets",
                fields::map_of_set([
                    ("bootstraptoken", text(&self.bootstrap_token)),
                    ("secretboxencryptionsecret", text(&self.secretbox_encryption_secret)),
                    ("aescbcencryptionsecret", text(&self.aescbc_encryption_secret)),
                ]),
            ),
            ("trustdinfo", fields::map([("token", text(&self.trustd_token))])),
            (
                "certs",
                fields::map([
                    ("etcd", pair(&self.etcd)),
                    ("k8s", pair(&self.kubernetes)),
                    ("k8saggregator", pair(&self.aggregator)),
                    (
                        "k8sserviceaccount",
                        fields::map([("key", fields::encode(&self.service_account_key))]),
                    ),
                    ("os", pair(&self.os)),
                ]),
            ),
        ]))
    }

    /// Issues a client certificate of the operating system's API with the roles.
    pub fn client(
        &self,
        roles: &[String],
        now: i64,
        random: &mut dyn Random,
    ) -> Result<Identity, IssueError> {
        let leaf = Leaf::client(roles, Validity::starting(now, crate::CLIENT_LIFE));
        self.os.authority()?.issue(&leaf, random)
    }

    /// Checks every part and lists what is missing or wrong.
    pub fn validate(&self) -> Result<(), BundleError> {
        self.validate_parts(true)
    }

    /// Checks the parts of a cluster; those of etcd and Kubernetes only when it runs them.
    pub fn validate_parts(&self, kubernetes: bool) -> Result<(), BundleError> {
        let mut problems = Vec::new();
        for (name, value) in
            [("cluster.id", &self.cluster_id), ("cluster.secret", &self.cluster_secret)]
        {
            if value.is_empty() {
                problems.push(format!("{name} is missing"));
            }
        }
        let tokens = [
            ("secrets.bootstraptoken", &self.bootstrap_token, kubernetes),
            ("trustdinfo.token", &self.trustd_token, true),
        ];
        for (name, value, _) in tokens.into_iter().filter(|(_, _, wanted)| *wanted) {
            if value.is_empty() {
                problems.push(format!("{name} is missing"));
            } else if !token::is_bootstrap_token(value) {
                problems.push(format!("{name} is not of the form <6 characters>.<16 characters>"));
            }
        }
        if kubernetes {
            self.encryption_problem(&mut problems);
        }
        let pairs = [
            ("certs.etcd", &self.etcd, kubernetes),
            ("certs.k8s", &self.kubernetes, kubernetes),
            ("certs.k8saggregator", &self.aggregator, kubernetes),
            ("certs.os", &self.os, true),
        ];
        for (name, pair, _) in pairs.into_iter().filter(|(_, _, wanted)| *wanted) {
            if pair.certificate.is_empty() || pair.key.is_empty() {
                problems.push(format!("{name} needs both crt and key"));
            } else if let Err(error) = pair.authority() {
                problems.push(format!("{name}: {}", chain(&error)));
            }
        }
        if kubernetes {
            if self.service_account_key.is_empty() {
                problems.push("certs.k8sserviceaccount.key is missing".into());
            } else if let Err(error) = PrivateKey::from_pem(&self.service_account_key) {
                problems.push(format!("certs.k8sserviceaccount.key: {}", chain(&error)));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(BundleError::Invalid { problems }) }
    }

    fn encryption_problem(&self, problems: &mut Vec<String>) {
        let secretbox = !self.secretbox_encryption_secret.is_empty();
        match (secretbox, !self.aescbc_encryption_secret.is_empty()) {
            (false, false) => problems.push("secrets.secretboxencryptionsecret is missing".into()),
            (true, true) => problems.push(
                "secrets.secretboxencryptionsecret and secrets.aescbcencryptionsecret exclude each other"
                    .into(),
            ),
            _ => {}
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
