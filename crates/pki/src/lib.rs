//! Keys, certificates and the secrets bundle.
#![forbid(unsafe_code)]
