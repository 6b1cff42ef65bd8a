//! Kernel modules: what a module says of itself, which ones there are, which one a device needs
//! and in which order they are loaded.
//!
//! The image builder reads every module ([`metadata`]) and writes the lists ([`depmod`]); a node
//! reads the lists ([`catalogue`]). The lists have the form of kmod's depmod.d and modules.dep(5).

pub mod catalogue;
pub mod depmod;
pub mod metadata;
pub mod pattern;

use std::fmt;

/// The name of a module as the kernel knows it: with underscores, never dashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The name that a text means, be it written with dashes or underscores.
    pub fn new(text: &str) -> Self {
        Self(text.replace('-', "_"))
    }

    /// The name of the module in this file, such as `kernel/fs/ext4/ext4.ko`.
    pub fn of_path(path: &str) -> Self {
        Self::new(stem(path))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a file without its directories and without what follows `.ko`.
fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split_once(".ko").map_or(file, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        for (path, name) in [
            ("kernel/drivers/md/dm-crypt.ko", "dm_crypt"),
            ("kernel/fs/ext4/ext4.ko.xz", "ext4"),
            ("virtio_net", "virtio_net"),
        ] {
            assert_eq!(Name::of_path(path).as_str(), name);
        }
    }
}
