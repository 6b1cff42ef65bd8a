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

#[test]
fn the_superblock_reads_back() {
    let parameters = parameters(100 * MIB);
    let filesystem = Filesystem::new(&parameters).unwrap();
    let pieces: Vec<_> = filesystem.pieces().collect();
    let superblock = &pieces.last().unwrap().bytes;
    let read = Superblock::parse(superblock).unwrap();
    assert_eq!((read.uuid, read.label.as_str()), (parameters.uuid, "EPHEMERAL"));
    assert_eq!((read.size(), read.clean), (100 * MIB, true));
    let mut damaged = superblock.to_vec();
    damaged[0x78] ^= 1;
    let checksum = Ext4Error::Damaged("its checksum is wrong");
    assert_eq!(Superblock::parse(&damaged), Err(checksum));
    assert_eq!(Superblock::parse(&[0; 1024]), Err(Ext4Error::Absent));
    // The same arguments give the same bytes.
    assert_eq!(pieces, Filesystem::new(&parameters).unwrap().pieces().collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_made_is_refused() {
    let small = Filesystem::new(&parameters(MIB)).err();
    assert_eq!(small, Some(Ext4Error::TooSmall { size: MIB, least: 8 * MIB }));
    let labelled = Parameters { label: "seventeen letters".into(), ..parameters(100 * MIB) };
    assert!(matches!(Filesystem::new(&labelled), Err(Ext4Error::Label(_))));
}

/// Mounts what is made, fills it, grows it while it is mounted, and checks it again. The kernel
/// needs to offer loop devices to this process; without root or in a sandbox it may not.
#[test]
fn the_kernel_mounts_and_grows_it() {
    let size = 300 * MIB;
    let filesystem = Filesystem::new(&parameters(size)).unwrap();
    let image = image(size, filesystem.pieces());
    let target = image.directory.path().join("target");
    std::fs::create_dir(&target).unwrap();
    let script = image.directory.path().join("script");
    // In a mount namespace of its own: when the shell ends, the mount and loop device are gone.
    let text = r#"
set -e
image=$1 target=$2
mount --make-rprivate /
mount -o loop "$image" "$target" || exit 77
mkdir "$target/directory"
for number in $(seq 300); do echo "$number" > "$target/directory/a file with a long name $number"; done
head -c 50000000 /dev/zero | tr '\0' 'x' > "$target/large"
truncate -s 3G "$image"
device=$(findmnt -n -o SOURCE "$target")
losetup -c "$device"
if resize2fs "$device"; then grown=1; else grown=0; fi
test "$(ls "$target/directory" | wc -l)" = 300
umount "$target"
# Growing while mounted takes the capability sys_resource, which a sandbox may lack.
if [ $grown = 0 ]; then
    echo "NOT TESTED: the kernel refuses this process to grow a mounted file system" >&2
    e2fsck -f -y "$image"
    resize2fs "$image"
    mount -o loop "$image" "$target"
fi
mountpoint -q "$target" || mount -o loop "$image" "$target"
test "$(ls "$target/directory" | wc -l)" = 300
df --output=size -B1M "$target" | tail -1
umount "$target"
"#;
    std::fs::write(&script, text).unwrap();
    let run = |program: &str, arguments: &[&str], last: &std::path::Path| {
        tool::run(program, arguments, last)
    };
    let shell = script.to_str().unwrap();
    let path = image.path.to_str().unwrap();
    let output = run("unshare", &["--mount", "sh", shell, path], &target);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    if error.contains("NOT TESTED") {
        eprintln!("{error}");
    }
    if output.status.code() == Some(77) || error.contains("unshare failed") {
        eprintln!("NOT TESTED: this process may not mount loop devices: {error}");
        return;
    }
    assert!(output.status.success(), "{text}\n{error}");
    let mib: u64 = text.lines().last().unwrap().trim().parse().unwrap();
    assert!((2900..3072).contains(&mib), "{text}\n{error}");
    accepted("e2fsck", &["-f", "-n"], &image.path);
}
