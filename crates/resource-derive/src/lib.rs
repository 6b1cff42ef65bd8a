//! Derive macros of the resource model.
