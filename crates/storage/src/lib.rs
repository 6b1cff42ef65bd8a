//! Volume plans and on-disk formats.
#![forbid(unsafe_code)]
