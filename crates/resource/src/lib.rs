//! The resource model: metadata, typed specs, both wire encodings.
#![forbid(unsafe_code)]
