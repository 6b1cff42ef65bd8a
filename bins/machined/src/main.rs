//! machined

fn main() {}
