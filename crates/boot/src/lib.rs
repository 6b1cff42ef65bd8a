//! Kernel command line, boot entries, images.
#![forbid(unsafe_code)]
