//! The kubelet's client certificate: kept while it fits the node, issued here where the authority is at hand, thrown
//! away where it does not fit.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pki::{Authority, Certificate, ExtendedUsage, Leaf, System, Validity};

use crate::files::atomic;

/// What is to be done about the certificate that lies in the kubelet's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificatePlan {
    /// It is good.
    Keep,
    /// The kubelet has to ask for one: whatever lies there goes.
    Request {
        /// Why.
        reason: &'static str,
    },
}

/// Judges the file: it must be for this node, of an accepted authority, and have some life left.
pub(crate) fn plan(
    present: Option<&str>,
    nodename: &str,
    accepted: &[Certificate],
    now: i64,
) -> CertificatePlan {
    let request = |reason| CertificatePlan::Request { reason };
    let Some(pem) = present else { return request("there is none") };
    // The key follows in the same file.
    let certificate =
        pki::pem::decode_first(pem).ok().map(|block| Certificate::from_der(block.content));
    let Some(Ok(certificate)) = certificate else { return request("it does not read") };
    if certificate.common_name != format!("system:node:{nodename}") {
        return request("it is for another node name");
    }
    if !accepted.iter().any(|authority| certificate.is_signed_by(authority)) {
        return request("its authority is not accepted any more");
    }
    if now >= certificate.validity.not_after {
        return request("it has expired");
    }
    CertificatePlan::Keep
}

/// A certificate could not be put in place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateFileError {
    /// It could not be issued.
    #[error("cannot issue the kubelet's client certificate for {nodename}")]
    Issue {
        nodename: String,
        #[source]
        source: pki::IssueError,
    },
    /// Its key could not be written as text.
    #[error("cannot encode the key of the kubelet's client certificate")]
    Key(#[source] pki::KeyError),
    /// Its file could not be written.
    #[error(transparent)]
    Write(#[from] atomic::WriteError),
    /// Its link or its directory could not be changed.
    #[error("cannot change {path}")]
    Link {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// How long a client certificate issued here is good: the kubelet renews it by itself long before.
const LIFE: i64 = 365 * 24 * pki::HOUR;

/// Issues a client certificate into the kubelet's directory, in the form in which the kubelet keeps it.
pub(crate) fn issue(
    directory: &Path,
    nodename: &str,
    authority: &Authority,
    now: i64,
) -> Result<(), CertificateFileError> {
    let validity = Validity { not_before: now - 60, not_after: now + LIFE };
    let leaf = Leaf::new(&[ExtendedUsage::ClientAuth], validity)
        .common_name(format!("system:node:{nodename}"))
        .organization("system:nodes");
    let identity = authority
        .issue(&leaf, &mut System)
        .map_err(|source| CertificateFileError::Issue { nodename: nodename.to_owned(), source })?;
    let key = identity.key_pem().map_err(CertificateFileError::Key)?;
    let pem = format!("{}{key}", identity.certificate_pem());
    let file = format!("kubelet-client-{now}.pem");
    atomic::write(&directory.join(&file), pem.as_bytes(), 0o600)?;
    let current = directory.join("kubelet-client-current.pem");
    let next = directory.join("kubelet-client-next");
    let link = || {
        let _ = fs::remove_file(&next);
        symlink(directory.join(&file), &next)?;
        fs::rename(&next, &current)
    };
    link().map_err(|source| CertificateFileError::Link { path: current.clone(), source })
}

/// Removes everything the kubelet knows about its identity.
pub(crate) fn forget(directory: &Path, kubeconfig: &Path) -> Result<(), CertificateFileError> {
    for (path, removed) in
        [(directory, fs::remove_dir_all(directory)), (kubeconfig, fs::remove_file(kubeconfig))]
    {
        match removed {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(CertificateFileError::Link { path: path.to_owned(), source });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pki::{Algorithm, PrivateKey};

    const NOW: i64 = 1_800_000_000;

    fn authority() -> Authority {
        let key = PrivateKey::generate(Algorithm::EcdsaP256).unwrap();
        Authority::create(
            key,
            "kubernetes",
            Validity::starting(NOW, pki::AUTHORITY_LIFE),
            &mut System,
        )
        .unwrap()
    }

    #[test]
    fn an_issued_certificate_fits_until_something_changes() {
        let directory = tempfile::tempdir().unwrap();
        let (own, other) = (authority(), authority());
        issue(directory.path(), "cp-1", &own, NOW).unwrap();
        issue(directory.path(), "cp-1", &own, NOW + 1).unwrap();
        let current = directory.path().join("kubelet-client-current.pem");
        assert!(fs::symlink_metadata(&current).unwrap().is_symlink());
        let pem = fs::read_to_string(current).unwrap();
        let accepted = [own.certificate().clone()];
        let foreign = [other.certificate().clone()];
        let request = |reason| CertificatePlan::Request { reason };
        for (present, nodename, accepted, now, expected) in [
            (Some(pem.as_str()), "cp-1", &accepted, NOW, CertificatePlan::Keep),
            (None, "cp-1", &accepted, NOW, request("there is none")),
            (Some("x"), "cp-1", &accepted, NOW, request("it does not read")),
            (Some(&pem), "cp-2", &accepted, NOW, request("it is for another node name")),
            (Some(&pem), "cp-1", &foreign, NOW, request("its authority is not accepted any more")),
            (Some(&pem), "cp-1", &accepted, NOW + LIFE + 2, request("it has expired")),
        ] {
            assert_eq!(plan(present, nodename, accepted, now), expected);
        }
        let kubeconfig = directory.path().join("absent");
        forget(directory.path(), &kubeconfig).unwrap();
        forget(directory.path(), &kubeconfig).unwrap();
        assert!(!directory.path().exists());
    }
}
