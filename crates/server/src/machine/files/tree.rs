//! Walking a tree of files: as a listing and as an archive.
//!
//! What cannot be read is reported in its place and does not end the walk. Must never: leave the tree by a link.

use std::{
    fs::{self, Metadata},
    io::{self, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use api::machine::{FileInfo, ListRequest, Xattr, list_request::Type};
use tokio::sync::mpsc;
use tonic::Status;

type To = mpsc::Sender<Result<FileInfo, Status>>;

/// Bits of a file's mode as the contract carries them: permissions below, kinds above.
mod mode {
    pub(super) const DIRECTORY: u32 = 1 << 31;
    pub(super) const SYMLINK: u32 = 1 << 27;
    pub(super) const DEVICE: u32 = 1 << 26;
    pub(super) const PIPE: u32 = 1 << 25;
    pub(super) const SOCKET: u32 = 1 << 24;
    pub(super) const SETUID: u32 = 1 << 23;
    pub(super) const SETGID: u32 = 1 << 22;
    pub(super) const CHARACTER: u32 = 1 << 21;
    pub(super) const STICKY: u32 = 1 << 20;
}

pub(super) fn mode(metadata: &Metadata) -> u32 {
    let kind = metadata.file_type();
    let bits = metadata.permissions().mode();
    let mut mode = bits & 0o777;
    for (set, bit) in [
        (kind.is_dir(), mode::DIRECTORY),
        (kind.is_symlink(), mode::SYMLINK),
        (kind.is_block_device(), mode::DEVICE),
        (kind.is_char_device(), mode::DEVICE | mode::CHARACTER),
        (kind.is_fifo(), mode::PIPE),
        (kind.is_socket(), mode::SOCKET),
        (bits & 0o4000 != 0, mode::SETUID),
        (bits & 0o2000 != 0, mode::SETGID),
        (bits & 0o1000 != 0, mode::STICKY),
    ] {
        if set {
            mode |= bit;
        }
    }
    mode
}

/// A path below the root, with what the file system says of it.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) depth: usize,
    pub(super) metadata: io::Result<Metadata>,
}

/// Entries of a tree, directories before what is in them, in the order of names. `depth` limits how far down it goes.
pub(super) fn walk(root: &Path, depth: usize) -> impl Iterator<Item = Entry> {
    let mut ahead = vec![(root.to_owned(), 0)];
    std::iter::from_fn(move || {
        let (path, level) = ahead.pop()?;
        // The root itself may be a link to what is meant.
        let metadata = if level == 0 { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        let down = level < depth && metadata.as_ref().is_ok_and(Metadata::is_dir);
        let metadata = if down {
            match fs::read_dir(&path) {
                Ok(entries) => {
                    let mut inside: Vec<_> =
                        entries.flatten().map(|entry| (entry.path(), level + 1)).collect();
                    inside.sort_unstable_by(|a, b| b.cmp(a));
                    ahead.append(&mut inside);
                    metadata
                }
                Err(error) => Err(error),
            }
        } else {
            metadata
        };
        Some(Entry { path, depth: level, metadata })
    })
}

pub(super) fn list(root: &Path, request: &ListRequest, to: &To) -> Result<(), Status> {
    let depth = match (request.recurse, usize::try_from(request.recursion_depth)) {
        (false, _) => 1,
        (true, Ok(depth @ 1..)) => depth,
        (true, _) => usize::MAX,
    };
    if let Err(error) = fs::metadata(root) {
        return Err(super::unreadable(&request.root, &error));
    }
    for entry in walk(root, depth) {
        if entry.metadata.as_ref().is_ok_and(|metadata| !wanted(metadata, request)) {
            continue;
        }
        if to.blocking_send(Ok(info(root, &entry, request.report_xattrs))).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn wanted(metadata: &Metadata, request: &ListRequest) -> bool {
    let kind = metadata.file_type();
    request.types.is_empty()
        || request.types().any(|wanted| match wanted {
            Type::Regular => kind.is_file(),
            Type::Directory => kind.is_dir(),
            Type::Symlink => kind.is_symlink(),
        })
}

/// The name of an entry as seen from the root of the walk.
pub(super) fn relative(root: &Path, entry: &Entry) -> String {
    match entry.path.strip_prefix(root) {
        Ok(below) if !below.as_os_str().is_empty() => below.to_string_lossy().into_owned(),
        // A single file is called by its name, a directory by a dot.
        _ if entry.metadata.as_ref().is_ok_and(|metadata| !metadata.is_dir()) => {
            root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        }
        _ => ".".to_owned(),
    }
}

fn info(root: &Path, entry: &Entry, xattrs: bool) -> FileInfo {
    let named = FileInfo {
        name: entry.path.to_string_lossy().into_owned(),
        relative_name: relative(root, entry),
        ..Default::default()
    };
    match &entry.metadata {
        Err(error) => FileInfo { error: error.to_string(), ..named },
        Ok(metadata) => {
            let link =
                if metadata.is_symlink() { fs::read_link(&entry.path) } else { Ok(PathBuf::new()) };
            let (link, error) = match link {
                Ok(link) => (link.to_string_lossy().into_owned(), String::new()),
                Err(error) => (String::new(), error.to_string()),
            };
            FileInfo {
                size: i64::try_from(metadata.size()).unwrap_or(i64::MAX),
                mode: mode(metadata),
                modified: metadata.mtime(),
                is_dir: metadata.is_dir(),
                error,
                link,
                uid: metadata.uid(),
                gid: metadata.gid(),
                xattrs: if xattrs { extended(&entry.path) } else { Vec::new() },
                ..named
            }
        }
    }
}

/// The extended attributes of a file; a file system without them has none.
fn extended(path: &Path) -> Vec<Xattr> {
    const LARGEST: usize = 64 * 1024;
    let mut names = vec![0; LARGEST];
    let Ok(length) = rustix::fs::llistxattr(path, names.as_mut_slice()) else { return Vec::new() };
    names.truncate(length);
    names
        .split(|byte| *byte == 0)
        .filter_map(|name| std::str::from_utf8(name).ok())
        .filter(|name| !name.is_empty())
        .filter_map(|name| {
            let mut data = vec![0; LARGEST];
            let length = rustix::fs::lgetxattr(path, name, data.as_mut_slice()).ok()?;
            data.truncate(length);
            Some(Xattr { name: name.to_owned(), data })
        })
        .collect()
}

/// Writes a tree as an archive; what cannot be read or is no file, directory or link is left out.
pub(super) fn archive<W: Write>(root: &Path, out: W) -> io::Result<W> {
    let mut archive = tar::Builder::new(out);
    archive.follow_symlinks(false);
    for entry in walk(root, usize::MAX) {
        let Ok(metadata) = &entry.metadata else { continue };
        let name = relative(root, &entry);
        let kind = metadata.file_type();
        if kind.is_dir() {
            archive.append_dir(&name, &entry.path)?;
        } else if kind.is_symlink() {
            archive.append_path_with_name(&entry.path, &name)?;
        } else if kind.is_file() {
            append_file(&mut archive, &entry, metadata, &name)?;
        }
    }
    archive.into_inner()
}

/// A file that grows or shrinks while it is read keeps the size it had when it was looked at.
fn append_file<W: Write>(
    archive: &mut tar::Builder<W>,
    entry: &Entry,
    metadata: &Metadata,
    name: &str,
) -> io::Result<()> {
    let Ok(file) = fs::File::open(&entry.path) else { return Ok(()) };
    let mut header = tar::Header::new_gnu();
    header.set_metadata(metadata);
    let padded = io::Read::take(io::Read::chain(file, io::repeat(0)), metadata.len());
    archive.append_data(&mut header, name, padded)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("a/file"), "1234").unwrap();
        fs::write(root.path().join("a/b/deep"), "").unwrap();
        symlink("/", root.path().join("a/out")).unwrap();
        root
    }

    fn listed(root: &Path, request: &ListRequest) -> Vec<FileInfo> {
        let (sender, mut receiver) = mpsc::channel(100);
        list(root, request, &sender).unwrap();
        drop(sender);
        std::iter::from_fn(|| receiver.blocking_recv()).map(Result::unwrap).collect()
    }

    #[test]
    fn a_listing_goes_as_deep_as_asked_and_never_through_links() {
        let root = tree();
        let names = |recurse, recursion_depth, types: &[Type]| -> Vec<String> {
            let types = types.iter().map(|kind| i32::from(*kind)).collect();
            let request = ListRequest { recurse, recursion_depth, types, ..Default::default() };
            listed(root.path(), &request).into_iter().map(|info| info.relative_name).collect()
        };
        assert_eq!(names(false, 0, &[]), [".", "a"]);
        assert_eq!(names(true, 2, &[]), [".", "a", "a/b", "a/file", "a/out"]);
        assert_eq!(names(true, 0, &[]), [".", "a", "a/b", "a/b/deep", "a/file", "a/out"]);
        assert_eq!(names(true, 0, &[Type::Regular]), ["a/b/deep", "a/file"]);
        assert_eq!(names(true, 0, &[Type::Symlink]), ["a/out"]);
    }

    #[test]
    fn an_entry_says_what_it_is() {
        let root = tree();
        let request = ListRequest { recurse: true, ..Default::default() };
        let all = listed(root.path(), &request);
        let one = |name: &str| all.iter().find(|info| info.relative_name == name).unwrap();
        assert!(one("a").is_dir && one("a").mode & mode::DIRECTORY != 0);
        assert_eq!((one("a/file").size, one("a/file").mode & mode::DIRECTORY), (4, 0));
        assert_eq!(
            (one("a/out").link.as_str(), one("a/out").mode & mode::SYMLINK),
            ("/", mode::SYMLINK)
        );
        assert_eq!(one("a/file").uid, rustix::process::getuid().as_raw());
    }

    #[test]
    fn an_archive_holds_the_tree() {
        let root = tree();
        let bytes = archive(&root.path().join("a"), Vec::new()).unwrap();
        let mut read = tar::Archive::new(bytes.as_slice());
        let mut seen: Vec<_> = read
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.path().unwrap().display().to_string();
                (name, entry.header().entry_type(), entry.size())
            })
            .collect();
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        use tar::EntryType::{Directory, Regular, Symlink};
        let expected = [
            (".", Directory, 0),
            ("b", Directory, 0),
            ("b/deep", Regular, 0),
            ("file", Regular, 4),
            ("out", Symlink, 0),
        ];
        assert_eq!(seen, expected.map(|(name, kind, size)| (name.to_owned(), kind, size)));
    }
}
