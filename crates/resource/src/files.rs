//! Files below `/etc`: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;

/// Desired file below /etc.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "EtcFileSpecs.files.talos.dev", namespace = "files", sensitive)]
pub struct EtcFileSpecSpec {
    #[field(1)]
    pub contents: Vec<u8>,
    #[field(2)]
    pub mode: u32,
    #[field(3)]
    pub selinux_label: String,
}

/// /etc file was rendered (spec version).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "EtcFileStatuses.files.talos.dev", namespace = "files")]
pub struct EtcFileStatusSpec {
    #[field(1, yaml = "specVersion")]
    pub spec_version: String,
}
