//! Kubernetes objects that a cluster starts with.
#![forbid(unsafe_code)]
