//! The version that every program of Ichor reports.

/// Version of the contract, with Ichor's own as build metadata.
pub const TAG: &str = concat!("v1.14.0+ichor.", env!("CARGO_PKG_VERSION"));
/// Commit the program was built from; empty when the build did not say.
pub const SHA: &str = match option_env!("ICHOR_COMMIT") {
    Some(commit) => commit,
    None => "",
};
/// When it was built; empty when the build did not say (a build is reproducible unless told otherwise).
pub const BUILT: &str = match option_env!("ICHOR_BUILT") {
    Some(time) => time,
    None => "",
};
/// The tool chain, in the place where the contract has its own.
pub const TOOLCHAIN: &str = concat!("rust", env!("CARGO_PKG_RUST_VERSION"));
/// Operating system.
pub const OS: &str = std::env::consts::OS;
/// Architecture, by the contract's names.
pub const ARCH: &str = if cfg!(target_arch = "x86_64") {
    "amd64"
} else if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    std::env::consts::ARCH
};
