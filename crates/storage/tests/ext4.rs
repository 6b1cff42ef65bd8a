//! ext4: what e2fsck, dumpe2fs and the kernel say about what is made.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use storage::Guid;
use storage::ext4::{Ext4Error, Filesystem, Parameters, Superblock};

mod tool;
use tool::{accepted, image};

const MIB: u64 = 1 << 20;

fn parameters(size: u64) -> Parameters {
    Parameters {
        size,
        uuid: Guid::derived(&["test", "filesystem"]),
        hash_seed: Guid::derived(&["test", "hash"]),
        label: "EPHEMERAL".into(),
        time: 1_767_323_045,
    }
}

/// Sizes with one group, a short last group, a last group that is left out, tables of several
/// flexible groups, and journals of each length.
const SIZES: [u64; 14] = [
    8 * MIB,
    8 * MIB + 5000,
    100 * MIB,
    128 * MIB,
    128 * MIB + (40 << 12),
    128 * MIB + (3000 << 12),
    200 * MIB,
    1100 * MIB,
    2048 * MIB + (100 << 12),
    2048 * MIB + (700 << 12),
    10 << 30,
    17 << 30,
    100 << 30,
    (3 << 40) + 4096,
];

#[test]
fn e2fsck_accepts_every_size() {
    for size in SIZES {
        let filesystem = Filesystem::new(&parameters(size)).unwrap();
        let image = image(size, filesystem.pieces());
        // Forced, without changes: any complaint is an error of its exit code.
        let checked = accepted("e2fsck", &["-f", "-n"], &image.path);
        assert!(!checked.to_lowercase().contains("fix"), "{size}: {checked}");
        let shown = accepted("dumpe2fs", &["-h"], &image.path);
        for fact in [
            "Filesystem volume name:   EPHEMERAL",
            &format!("Filesystem UUID:          {}", parameters(size).uuid),
            "Filesystem state:         clean",
            "Default directory hash:   half_md4",
            "Journal backup:           inode blocks",
        ] {
            assert!(shown.contains(fact), "{size}: {fact:?} is not in\n{shown}");
        }
    }
}
