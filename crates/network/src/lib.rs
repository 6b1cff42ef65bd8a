//! Network plans and protocol machines.
#![forbid(unsafe_code)]
