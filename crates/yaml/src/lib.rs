//! YAML: positioned parsing and the contract's emission rules.
#![forbid(unsafe_code)]
