//! Derive macros of the configuration language.
