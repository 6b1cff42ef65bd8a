//! The first file system: what is where in it, for whoever makes it and for the program that the
//! kernel starts from it.
//!
//! It holds [`INIT`], the root image, the image of all drivers, and the few modules that mounting
//! these needs. The drivers are an image of their own because the root image of a container is the
//! same without them, and because they change with the kernel only.

/// The program that the kernel starts.
pub const INIT: &str = "init";

/// The root image, a squashfs.
pub const ROOT: &str = "rootfs.sqsh";

/// The image of drivers, a squashfs: a directory named after the kernel's release with the lists
/// and files of all modules, and the directory `firmware`. It may be missing, when a kernel has
/// everything built in.
pub const DRIVERS: &str = "drivers.sqsh";

/// Where the image of drivers is mounted in the root image.
pub const DRIVERS_TARGET: &str = "usr/lib/modules";

/// The list of modules: a line for each of [`NEEDED`], with the paths of what it takes, relative to the root of the first
/// file system, in the order in which they are loaded. No line waits for another. Empty if the kernel has everything
/// built in.
pub const MODULES: &str = "modules/list";

/// The modules that are loaded first of all. Without most of them the root cannot be made: the images are squashfs on loop
/// devices, and what is written to `/etc` lies over it. `efi_pstore` lets firmware keep the kernel's log when a boot fails
/// before the other drivers are there.
pub const NEEDED: [&str; 4] = ["efi_pstore", "loop", "overlay", "squashfs"];

/// The list as text.
pub fn list(lines: &[Vec<String>]) -> String {
    lines.iter().map(|paths| format!("{}\n", paths.join(" "))).collect()
}

/// The paths of a list, by line.
pub fn listed(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().map(|line| line.split_whitespace().collect());
    lines.filter(|paths: &Vec<_>| !paths.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_read_back() {
        let lines = [vec!["modules/a.ko", "modules/b.ko"], vec!["modules/c.ko"]];
        let owned = lines.clone().map(|line| line.into_iter().map(str::to_owned).collect());
        assert_eq!(listed(&list(&owned)), lines);
        assert_eq!(listed("\n"), Vec::<Vec<&str>>::new());
    }
}
