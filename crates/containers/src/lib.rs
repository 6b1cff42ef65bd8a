//! containerd, CRI and OCI.
