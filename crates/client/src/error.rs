//! A failed call: which node, which call, why, and what to do about it.

use std::{error::Error, fmt, io, time::SystemTime};

use pki::Certificate;
use tonic::{Code, Status};

use crate::{dial::DialError, node::Node, tls::Trust};

/// A call that failed.
#[derive(Debug)]
pub struct CallError {
    /// The node it was for.
    pub node: String,
    /// The call, as `Service/Method`.
    pub call: String,
    /// What to do about it; empty when nothing general can be said.
    pub cure: String,
    status: Status,
}

impl CallError {
    /// Describes a failed call.
    pub fn new(node: &Node, call: &str, status: Status) -> Self {
        let cure = cure(node, &status);
        Self { node: node.name().to_owned(), call: call.to_owned(), cure, status }
    }

    /// The status the call ended with.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.status.code()
    }

    /// Why it failed, down to the last source.
    pub fn reason(&self) -> String {
        match self.status.source() {
            Some(source) => chain(source),
            None => format!("{} ({:?})", self.status.message(), self.status.code()),
        }
    }

    /// Whether the node could not be reached at all or was lost in the middle of its answer, so that a later try may
    /// succeed.
    pub fn is_unreachable(&self) -> bool {
        is_lost(&self.status)
    }
}

/// Whether a call ended because of the way to the node, and not by the node's own answer.
fn is_lost(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable => true,
        // A node's answer has no source; what breaks off on this side has the error of the connection.
        Code::Unknown | Code::Internal | Code::Cancelled => status.source().is_some(),
        _ => false,
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: {}", self.call, self.node, self.reason())
    }
}

/// The status is told by `Display`, source chain included.
impl Error for CallError {}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        // Wrappers of the libraries below repeat their source.
        if !last.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        last = cause;
        next = error.source();
    }
    text
}

/// Names a result's call and node.
pub trait Named<T> {
    /// Turns a failed status into a [`CallError`].
    fn named(self, node: &Node, call: &str) -> Result<T, CallError>;
}

impl<T> Named<T> for Result<tonic::Response<T>, Status> {
    fn named(self, node: &Node, call: &str) -> Result<T, CallError> {
        self.map(tonic::Response::into_inner).map_err(|status| CallError::new(node, call, status))
    }
}

fn cure(node: &Node, status: &Status) -> String {
    if let Some(tls) = find::<rustls::Error>(status) {
        return tls_cure(node, tls);
    }
    if let Some(dial) = find::<DialError>(status) {
        return match dial {
            DialError::Resolve { .. } => {
                "check the endpoint's name, or give an address with --endpoints".into()
            }
            DialError::Connect { endpoint, .. } | DialError::Timeout { endpoint } => format!(
                "check that the machine behind {endpoint} is up and that its API port can be reached from here; the endpoints come from --endpoints or from the client configuration (`ichorctl config info`)"
            ),
            DialError::Tls { .. } => {
                "check that the endpoint is the API of a node (port 50000) and not another service"
                    .into()
            }
            DialError::Http { .. } => {
                "check that the endpoint is the API of a node (port 50000)".into()
            }
            DialError::Broken { .. } => {
                "the connection broke; check that the node is up, and try again".into()
            }
            DialError::Socket { .. } => String::new(),
            DialError::NoEndpoint => {
                "give one with --endpoints or `ichorctl config endpoint`".into()
            }
        };
    }
    match status.code() {
        Code::PermissionDenied if status.message().contains("not authorized") => {
            "the client certificate's roles do not allow this call; `ichorctl config info` shows them"
                .into()
        }
        Code::PermissionDenied if status.message().contains("no request forwarding") => {
            "a worker does not forward calls: make a control plane node the endpoint".into()
        }
        Code::Unauthenticated => "check the credentials in the client configuration".into(),
        Code::Unavailable if status.message().contains("connect") => {
            "the endpoint could not reach the node; check that the node is up".into()
        }
        _ => String::new(),
    }
}

fn tls_cure(node: &Node, error: &rustls::Error) -> String {
    use rustls::{AlertDescription as Alert, CertificateError as Certificate};
    let trust = node.connection().trust();
    match error {
        rustls::Error::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => {
            "the server's certificate is not from the authority in the client configuration: it is another cluster's node (choose with --context or --talosconfig), or a machine without configuration (use --insecure)".into()
        }
        rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => {
            "the server's certificate is not for this name: use one of the node's own names or addresses as the endpoint, or add this one to machine.certSANs".into()
        }
        rustls::Error::InvalidCertificate(
            Certificate::Expired | Certificate::ExpiredContext { .. },
        ) => "the server's certificate has expired: check the clocks of the node and of this machine".into(),
        rustls::Error::InvalidCertificate(
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. },
        ) => "the server's certificate is not valid yet: check the clocks of the node and of this machine".into(),
        rustls::Error::AlertReceived(alert) => match (alert, trust) {
            (_, Some(Trust::Mutual { crt, .. })) if is_expired(crt) => {
                "the client certificate has expired: make a new one with `ichorctl config new` from a configuration that still works, or from the cluster's secrets with `ichorctl gen config --output-types talosconfig --with-secrets`".into()
            }
            (Alert::CertificateRequired, _) => {
                "the node wants a client certificate: leave out --insecure, the machine has a configuration already".into()
            }
            (Alert::UnknownCA | Alert::BadCertificate | Alert::DecryptError | Alert::CertificateUnknown, _) => {
                "the node does not know the client certificate's authority: the client configuration is another cluster's; choose with --context or --talosconfig".into()
            }
            _ => "the node refused the client certificate; `ichorctl config info` shows it".into(),
        },
        _ => String::new(),
    }
}

fn is_expired(crt: &str) -> bool {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX));
    Certificate::from_pem(crt).is_ok_and(|certificate| certificate.validity.not_after < now)
}

/// The first error of the type in a status's chain of sources; `io::Error` hides what it wraps, so it is opened.
fn find<T: Error + 'static>(status: &Status) -> Option<&T> {
    let mut next: Option<&(dyn Error + 'static)> = status.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = (inner as &(dyn Error + 'static)).downcast_ref::<T>()
        {
            return Some(found);
        }
        if let Some(inner) =
            error.downcast_ref::<std::sync::Arc<io::Error>>().and_then(|e| e.get_ref())
            && let Some(found) = (inner as &(dyn Error + 'static)).downcast_ref::<T>()
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_breaks_off_is_no_answer() {
        let broken = io::Error::new(io::ErrorKind::BrokenPipe, "stream closed");
        assert!(is_lost(&Status::from_error(Box::new(broken))));
        assert!(is_lost(&Status::unavailable("starting")));
        assert!(!is_lost(&Status::unknown("the node says so")));
        assert!(!is_lost(&Status::internal("the node says so")));
        assert!(!is_lost(&Status::permission_denied("no")));
    }
}
