//! The resource store and the controller runtime.
