//! etcd's certificates as files.

use std::os::unix::fs::chown;

use ::runtime::controller::{Context, Input, Next, Output};
use resource::etcd::PKIStatusSpec;
use resource::secrets::{EtcdCertsSpec, EtcdRootSpec};

use super::{PKI_DIR, UID};
use crate::files::atomic;
use crate::{Node, Plain, Run, plain};

/// Writes etcd's certificates where it reads them.
pub(super) fn controller(node: &Node) -> Plain<Run> {
    let directory = node.paths.at(PKI_DIR);
    let run = move |context: &Context| {
        let root = context.get::<EtcdRootSpec>("secrets", "etcd");
        let certificates = context.get::<EtcdCertsSpec>("secrets", "etcd");
        let (Some(root), Some(certificates)) = (root, certificates) else {
            context.remove::<PKIStatusSpec>("etcd", "etcd")?;
            return Ok(Next::OnChange);
        };
        let spec = &certificates.spec;
        for (name, content) in [
            ("ca.crt", &root.spec.etcd_ca.crt),
            ("server.crt", &spec.etcd.crt),
            ("server.key", &spec.etcd.key),
            ("peer.crt", &spec.etcd_peer.crt),
            ("peer.key", &spec.etcd_peer.key),
            ("admin.crt", &spec.etcd_admin.crt),
            ("admin.key", &spec.etcd_admin.key),
        ] {
            let path = directory.join(name);
            atomic::write(&path, &content.0, 0o400)?;
            chown(&path, Some(UID), Some(UID))?;
        }
        let version = certificates.metadata.version.to_string();
        context.modify::<PKIStatusSpec>("etcd", "etcd", |status| {
            status.ready = true;
            status.version.clone_from(&version);
        })?;
        Ok(Next::OnChange)
    };
    plain(
        "etcd.PKIController",
        vec![
            Input::weak::<EtcdRootSpec>("secrets").with_id("etcd"),
            Input::weak::<EtcdCertsSpec>("secrets").with_id("etcd"),
        ],
        vec![Output::exclusive::<PKIStatusSpec>()],
        Box::new(run),
    )
}
