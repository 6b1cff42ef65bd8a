//! ichorctl

fn main() {}
