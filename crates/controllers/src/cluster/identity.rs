//! The node's identity: made once, kept in STATE, and the source of `/etc/machine-id`.

use std::path::{Path, PathBuf};

use ::runtime::controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use futures::future::BoxFuture;
use pki::{Random, System};
use resource::cluster::IdentitySpec;
use resource::files::EtcFileSpecSpec;

use crate::Node;
use crate::files::atomic::{self, WriteError};
use crate::volume;

const OWNER: &str = "cluster.NodeIdentityController";

/// The file in STATE.
const FILE: &str = "node-identity.yaml";

/// The digits of base 62, in the order that identities are written in.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[derive(Debug, thiserror::Error)]
enum IdentityError {
    #[error("cannot read the node's identity {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot make an identity for this node")]
    Make(#[from] pki::system::RandomError),
    #[error("cannot keep the node's identity")]
    Keep(#[from] WriteError),
    #[error(
        "{path} holds no identity: expected one line \"nodeId: <id>\"; remove the file to make a new one"
    )]
    Content { path: PathBuf },
}

/// The identity in the file; a new one is made and kept when there is none.
fn identity(path: &Path, random: &mut dyn Random) -> Result<String, IdentityError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text).ok_or_else(|| IdentityError::Content { path: path.to_owned() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut bytes = [0; 32];
            random.fill(&mut bytes)?;
            let id = base62(&bytes);
            atomic::write_durable(path, format!("nodeId: {id}\n").as_bytes(), 0o600)?;
            Ok(id)
        }
        Err(source) => Err(IdentityError::Read { path: path.to_owned(), source }),
    }
}

fn parse(text: &str) -> Option<String> {
    let id = text.lines().find_map(|line| line.strip_prefix("nodeId:"))?.trim();
    let id = id.trim_matches('"');
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| id.to_owned())
}

/// Big-endian bytes in base 62.
fn base62(bytes: &[u8]) -> String {
    let mut number = bytes.to_vec();
    let mut digits: Vec<u8> = Vec::new();
    while number.iter().any(|byte| *byte != 0) {
        let mut rest: u32 = 0;
        for byte in &mut number {
            let part = rest << 8 | u32::from(*byte);
            rest = part % 62;
            // The rest is below 62, so the quotient fits a byte.
            *byte = u8::try_from(part / 62).unwrap_or(u8::MAX);
        }
        digits.extend(usize::try_from(rest).ok().and_then(|rest| DIGITS.get(rest)));
    }
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}

/// The machine id: 32 hexadecimal digits that depend on nothing but the identity.
fn machine_id(identity: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(identity.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the identity known once it is made or found.
struct NodeIdentity {
    node: Node,
}

impl Controller for NodeIdentity {
    fn name(&self) -> &'static str {
        OWNER
    }

    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<IdentitySpec>(), Output::shared::<EtcFileSpecSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        Box::pin(async move {
            let read = |directory: &Path| identity(&directory.join(FILE), &mut System);
            let id = volume::with_state(&self.node, OWNER, false, read).await??;
            context.modify::<IdentitySpec>("cluster", "local", |spec| {
                spec.node_id.clone_from(&id);
            })?;
            let machine_id = format!("{}\n", machine_id(&id));
            context.modify::<EtcFileSpecSpec>("files", "machine-id", |spec| {
                spec.contents = machine_id.clone().into_bytes();
                spec.mode = 0o444;
            })?;
            Ok(Next::OnChange)
        })
    }
}

pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    controllers.register(NodeIdentity { node: node.clone() })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let first = identity(&path, &mut System).unwrap();
        assert!((40..=44).contains(&first.len()), "{first}");
        assert_eq!(identity(&path, &mut System).unwrap(), first);
        std::fs::write(&path, "nonsense\n").unwrap();
        assert!(matches!(identity(&path, &mut System), Err(IdentityError::Content { .. })));
        assert_eq!(machine_id(&first).len(), 32);
        assert_ne!(machine_id(&first), machine_id("other"));
    }

    #[test]
    fn base_62_is_positional() {
        assert_eq!(base62(&[61]), "z");
        assert_eq!(base62(&[62]), "10");
        assert_eq!(base62(&[1, 0]), "48");
    }
}
