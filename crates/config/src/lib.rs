//! The machine configuration language.
#![forbid(unsafe_code)]
