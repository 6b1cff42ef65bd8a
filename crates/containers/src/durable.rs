//! The part of containerd's configuration by which an unpacked image survives a power cut.
//!
//! containerd records an unpacked layer on the disk while the layer's files may be in memory only. Without power they are
//! empty afterwards, and stay so: the layer counts as unpacked. Must never: be left out where the kernel is the node's own.

use crate::image::{ARCHITECTURE, SNAPSHOTTER};

/// Has a containerd that listens on `socket` write a layer's files to the disk before it records the layer, be it pulled
/// over the Container Runtime Interface or with [`Containerd::pull`](crate::Containerd::pull).
///
/// Only the service that others call to unpack can be told so; what containerd unpacks by itself for a pull is therefore
/// made to call that service as well.
#[must_use]
pub fn durable_unpacking(socket: &str) -> String {
    format!(
        r#"
[plugins."io.containerd.service.v1.diff-service"]
sync_fs = true

[proxy_plugins.durable]
type = "diff"
address = "{socket}"
platforms = ["linux/{ARCHITECTURE}"]

[[plugins."io.containerd.transfer.v1.local".unpack_config]]
platform = "linux/{ARCHITECTURE}"
snapshotter = "{SNAPSHOTTER}"
differ = "durable"
"#
    )
}
