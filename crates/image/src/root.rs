//! The root image: one read-only squashfs that is the whole operating system of a node.
//!
//! It holds Ichor's own programs, the container runtime, the CNI plugins and nft; no shell, no
//! interpreter, no package manager. Everything writable is mounted over the empty directories and
//! files that are made here.

use std::fs;
use std::io;
use std::path::PathBuf;

use boot::release::Release;
use registry::digest::Digest;
use registry::layer::{Entry, Layer, Source};

use crate::component::{ComponentError, Workshop};
use crate::debian::DebianError;
use crate::squashfs::{self, SquashfsError};
use crate::store::{Inputs, StoreError};

/// How many executables the image may have.
pub const EXECUTABLES: usize = 12;

/// Our own programs and facts that go into the image.
#[derive(Clone, Debug)]
pub struct Content {
    /// The first process.
    pub init: PathBuf,
    /// The node daemon.
    pub machined: PathBuf,
    /// The version of Ichor.
    pub version: String,
    /// The bill of materials.
    pub sbom: Vec<u8>,
    /// The level of compression, 1 to 22.
    pub compression: u32,
}

/// Why the root image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// A part is not to be had.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// A package's file is not to be had.
    #[error("the root image")]
    Debian(#[from] DebianError),
    /// One of our own programs is not to be had.
    #[error("reading the program {}; build it first: cargo xtask programs", path.display())]
    Program {
        /// The program.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// There are more executables than there may be.
    #[error("the root image has {} executables, {EXECUTABLES} are allowed: {}", list.len(), list.join(" "))]
    TooMany {
        /// All of them.
        list: Vec<String>,
    },
    /// Something is put below a symbolic link.
    #[error("/{path} of the root image lies below the symbolic link /{link}")]
    BelowLink {
        /// What is put there.
        path: String,
        /// The link.
        link: String,
    },
    /// The image could not be written.
    #[error(transparent)]
    Squashfs(#[from] SquashfsError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Programs of components and where they are in the image.
const PROGRAMS: [(&str, &str); 8] = [
    ("usr/bin/containerd", "containerd/containerd"),
    ("usr/bin/containerd-shim-runc-v2", "containerd-shim/containerd-shim-runc-v2"),
    ("usr/bin/runc", "runc/runc"),
    ("opt/cni/bin/bridge", "cni/bridge"),
    ("opt/cni/bin/firewall", "cni/firewall"),
    ("opt/cni/bin/host-local", "cni/host-local"),
    ("opt/cni/bin/loopback", "cni/loopback"),
    ("opt/cni/bin/portmap", "cni/portmap"),
];

/// Files that change with every build of ours.
const OURS: [&str; 4] = ["usr/bin/init", "usr/bin/machined", OS_RELEASE, SBOM];

/// Where the system says what it is called.
const OS_RELEASE: &str = "usr/lib/os-release";

/// Where the bill of materials is.
const SBOM: &str = "usr/share/spdx/ichor.spdx.json";

/// Files of Debian packages: portmap calls nft.
const DEBIAN: [&str; 1] = ["/usr/sbin/nft"];

/// Empty directories, most of them to mount on.
const DIRECTORIES: [&str; 23] = [
    "dev",
    "etc/cni",
    "etc/containerd",
    "etc/cri/conf.d/hosts",
    "etc/kubernetes",
    "etc/ssl/certs",
    "mnt",
    "opt/cni/bin",
    "proc",
    "root",
    "run",
    "sys",
    "system",
    "usr/bin",
    "usr/etc",
    "usr/lib/firmware",
    "usr/lib/modules",
    "usr/local/bin",
    "usr/local/etc/containers",
    "usr/local/lib/containers",
    "usr/local/lib/kubelet/credentialproviders",
    "usr/share/spdx",
    "var",
];

/// Empty files to mount over: what the node writes there lives on a tmpfs.
const PLACEHOLDERS: [&str; 5] =
    ["etc/hostname", "etc/hosts", "etc/machine-id", "etc/nfsmount.conf", "etc/resolv.conf"];

/// Links of a merged `/usr`.
const LINKS: [(&str, &str); 8] = [
    ("bin", "usr/bin"),
    ("sbin", "usr/bin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("usr/sbin", "bin"),
    // The kernel calls it by this name when it needs a module.
    ("usr/bin/modprobe", "init"),
    ("etc/os-release", "../usr/lib/os-release"),
    ("etc/ssl/cert.pem", "certs/ca-certificates.crt"),
];

/// The users that processes of the node run as; nobody can log in.
const PASSWD: &str = "root:x:0:0:root:/:/\n\
    apid:x:50:50:apid:/:/\n\
    trustd:x:51:51:trustd:/:/\n\
    etcd:x:60:60:etcd:/:/\n\
    nobody:x:65534:65534:nobody:/:/\n";

/// Their groups.
const GROUP: &str = "root:x:0:\napid:x:50:\ntrustd:x:51:\netcd:x:60:\nnobody:x:65534:\n";

/// Puts the tree of the root image together.
pub fn tree(workshop: &Workshop<'_>, content: &Content) -> Result<Layer, RootError> {
    let mut tree = Layer::new();
    for directory in DIRECTORIES {
        tree.directory(directory, 0o755);
    }
    tree.directory("tmp", 0o1777);
    for (path, target) in LINKS {
        tree.link(path, target);
    }
    let text = |text: &str| Source::Bytes(text.as_bytes().to_vec());
    for path in PLACEHOLDERS {
        tree.file(path, text(""), 0o644);
    }
    tree.file("etc/passwd", text(PASSWD), 0o644);
    tree.file("etc/group", text(GROUP), 0o644);
    tree.file("etc/nsswitch.conf", text("passwd: files\ngroup: files\nhosts: files dns\n"), 0o644);
    let release = Release { version: content.version.clone() };
    tree.file(OS_RELEASE, text(&release.to_string()), 0o644);
    tree.file(SBOM, Source::Bytes(content.sbom.clone()), 0o644);

    for (path, program) in
        [("usr/bin/init", &content.init), ("usr/bin/machined", &content.machined)]
    {
        fs::metadata(program)
            .map_err(|source| RootError::Program { path: program.clone(), source })?;
        tree.file(path, Source::Path(program.clone()), 0o755);
    }
    for (path, program) in PROGRAMS {
        tree.file(path, Source::Path(workshop.program(program)?), 0o755);
    }
    let debian = workshop.debian()?;
    debian.install(&mut tree, &DEBIAN.map(str::to_owned))?;
    tree.file("etc/ssl/certs/ca-certificates.crt", Source::Bytes(authorities(workshop)?), 0o644);

    below_links(&tree)?;
    let list = executables(&tree);
    if list.len() > EXECUTABLES { Err(RootError::TooMany { list }) } else { Ok(tree) }
}

/// Makes the root image, once for its content, and returns where it is.
///
/// Upstream's programs are most of it and change seldom: they are compressed once, into an image
/// that every root image begins with.
pub fn build(workshop: &Workshop<'_>, content: &Content) -> Result<PathBuf, RootError> {
    let tree = tree(workshop, content)?;
    let level = content.compression;
    let (ours, others) = split(&tree);
    let base = workshop.store().part("root-base", &inputs(&others, level)?, |output| {
        squashfs::write(&others, None, &output.join("base.sqfs"), level)?;
        Ok::<_, RootError>(())
    })?;
    let base = base.path.join("base.sqfs");
    let part = workshop.store().part("root", &inputs(&tree, level)?, |output| {
        squashfs::write(&ours, Some(&base), &output.join("root.sqfs"), level)?;
        Ok::<_, RootError>(())
    })?;
    Ok(part.path.join("root.sqfs"))
}

/// What is made with every build, and everything else.
fn split(tree: &Layer) -> (Layer, Layer) {
    let (mut ours, mut others) = (Layer::new(), Layer::new());
    for (path, entry) in tree.entries() {
        let layer = if OURS.contains(&path) { &mut ours } else { &mut others };
        match entry {
            Entry::Directory { mode } => layer.directory(path, *mode),
            Entry::Link { target } => layer.link(path, target),
            Entry::File { source, mode } => layer.file(path, source.clone(), *mode),
        };
    }
    (ours, others)
}

/// Everything the bytes of the image depend on.
fn inputs(tree: &Layer, compression: u32) -> Result<Inputs, RootError> {
    let mut inputs = squashfs::inputs(compression);
    for (path, entry) in tree.entries() {
        match entry {
            Entry::Directory { mode } => inputs.text(path, &format!("directory {mode:o}")),
            Entry::Link { target } => inputs.text(path, &format!("link {target}")),
            Entry::File { source: Source::Bytes(bytes), mode } => {
                inputs.text(path, &format!("file {mode:o} {}", Digest::of(bytes)))
            }
            Entry::File { source: Source::Path(origin), mode } => {
                inputs.text(path, &format!("file {mode:o}")).file(origin)?
            }
        };
    }
    Ok(inputs)
}

/// The paths of all files that may be executed, sorted.
pub fn executables(tree: &Layer) -> Vec<String> {
    tree.entries()
        .filter(|(_, entry)| matches!(entry, Entry::File { mode, .. } if mode & 0o111 != 0))
        .map(|(path, _)| format!("/{path}"))
        .collect()
}

fn below_links(tree: &Layer) -> Result<(), RootError> {
    let is_link = |path: &str| {
        tree.entries().any(|(at, entry)| at == path && matches!(entry, Entry::Link { .. }))
    };
    for (path, _) in tree.entries() {
        let parents = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        if let Some(link) = parents.into_iter().find(|parent| is_link(parent)) {
            return Err(RootError::BelowLink { path: path.to_owned(), link: link.to_owned() });
        }
    }
    Ok(())
}

/// The certificate authorities, one bundle in the order of their names.
fn authorities(workshop: &Workshop<'_>) -> Result<Vec<u8>, RootError> {
    let debian = workshop.debian()?;
    let mut bundle = Vec::new();
    for path in debian.below("/usr/share/ca-certificates/mozilla") {
        let (bytes, _) = debian.file(path, "the bundle of authorities")?;
        bundle.extend_from_slice(bytes);
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_lie_below_a_link() {
        let mut tree = Layer::new();
        tree.link("sbin", "usr/bin").file("sbin/init", Source::Bytes(Vec::new()), 0o755);
        let error = below_links(&tree).unwrap_err().to_string();
        assert_eq!(error, "/sbin/init of the root image lies below the symbolic link /sbin");
    }

    #[test]
    fn only_files_that_may_be_executed_count() {
        let mut tree = Layer::new();
        tree.directory("usr/bin", 0o755)
            .file("usr/bin/a", Source::Bytes(Vec::new()), 0o755)
            .file("usr/lib/b.so", Source::Bytes(Vec::new()), 0o644)
            .link("bin", "usr/bin");
        assert_eq!(executables(&tree), ["/usr/bin/a"]);
    }
}
