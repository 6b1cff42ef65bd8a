//! How much room a tree takes: directories with all that is in them, the deepest first.
//!
//! Must never: count what a link points to.

use std::path::Path;

use api::machine::{DiskUsageInfo, DiskUsageRequest};
use tokio::sync::mpsc;
use tonic::Status;

use super::tree::{Entry, relative, walk};

type To = mpsc::Sender<Result<DiskUsageInfo, Status>>;

pub(super) fn report(root: &Path, request: &DiskUsageRequest, to: &To) -> Result<(), Status> {
    // A depth of zero or less shows everything.
    let shown = usize::try_from(request.recursion_depth).ok().filter(|depth| *depth > 0);
    // Directories that are not finished yet, with what was added up so far.
    let mut open: Vec<(Entry, i64)> = Vec::new();
    for entry in walk(root, usize::MAX) {
        while open.last().is_some_and(|(directory, _)| directory.depth >= entry.depth) {
            if !close(root, request, shown, &mut open, to) {
                return Ok(());
            }
        }
        match &entry.metadata {
            Err(error) => {
                let info = DiskUsageInfo { error: error.to_string(), ..named(root, &entry) };
                if to.blocking_send(Ok(info)).is_err() {
                    return Ok(());
                }
            }
            Ok(metadata) => {
                let size = i64::try_from(metadata.len()).unwrap_or(i64::MAX);
                if metadata.is_dir() {
                    open.push((entry, size));
                    continue;
                }
                if let Some((_, sum)) = open.last_mut() {
                    *sum = sum.saturating_add(size);
                }
                let alone = entry.depth == 0;
                if (request.all || alone) && !tell(root, request, shown, &entry, size, to) {
                    return Ok(());
                }
            }
        }
    }
    while !open.is_empty() {
        if !close(root, request, shown, &mut open, to) {
            return Ok(());
        }
    }
    Ok(())
}

fn named(root: &Path, entry: &Entry) -> DiskUsageInfo {
    DiskUsageInfo {
        name: entry.path.to_string_lossy().into_owned(),
        relative_name: relative(root, entry),
        ..Default::default()
    }
}

/// Ends the innermost directory: adds it to the one around it and tells it. `false` when nobody listens any more.
fn close(
    root: &Path,
    request: &DiskUsageRequest,
    shown: Option<usize>,
    open: &mut Vec<(Entry, i64)>,
    to: &To,
) -> bool {
    let Some((entry, size)) = open.pop() else { return true };
    if let Some((_, sum)) = open.last_mut() {
        *sum = sum.saturating_add(size);
    }
    tell(root, request, shown, &entry, size, to)
}

fn tell(
    root: &Path,
    request: &DiskUsageRequest,
    shown: Option<usize>,
    entry: &Entry,
    size: i64,
    to: &To,
) -> bool {
    let dropped = (request.threshold > 0 && size < request.threshold)
        || (request.threshold < 0 && size > request.threshold.saturating_neg());
    if dropped || shown.is_some_and(|deepest| entry.depth > deepest) {
        return true;
    }
    to.blocking_send(Ok(DiskUsageInfo { size, ..named(root, entry) })).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(request: &DiskUsageRequest) -> Vec<(String, i64)> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        std::fs::write(root.path().join("a/b/big"), vec![0; 100_000]).unwrap();
        std::fs::write(root.path().join("a/small"), "x").unwrap();
        let own = |path: &str| {
            i64::try_from(std::fs::metadata(root.path().join(path)).unwrap().len()).unwrap()
        };
        // What a directory itself takes differs between file systems.
        let empty = [
            ("a/b", own("a/b")),
            ("a", own("a") + own("a/b")),
            (".", own("") + own("a") + own("a/b")),
        ];
        let (sender, mut receiver) = mpsc::channel(100);
        report(root.path(), request, &sender).unwrap();
        drop(sender);
        std::iter::from_fn(|| receiver.blocking_recv())
            .map(Result::unwrap)
            .map(|info| {
                let own = empty.iter().find(|(name, _)| *name == info.relative_name);
                (info.relative_name, info.size - own.map_or(0, |(_, size)| *size))
            })
            .collect()
    }

    #[test]
    fn directories_hold_the_sum_of_what_is_in_them() {
        let named = |pairs: &[(&str, i64)]| -> Vec<(String, i64)> {
            pairs.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
        };
        let all = DiskUsageRequest { all: true, ..Default::default() };
        assert_eq!(
            sizes(&all),
            named(&[
                ("a/b/big", 100_000),
                ("a/b", 100_000),
                ("a/small", 1),
                ("a", 100_001),
                (".", 100_001)
            ])
        );
        let directories = DiskUsageRequest { recursion_depth: 1, ..Default::default() };
        assert_eq!(sizes(&directories), named(&[("a", 100_001), (".", 100_001)]));
        let large = DiskUsageRequest { all: true, threshold: 50_000, ..Default::default() };
        assert_eq!(sizes(&large).len(), 4);
        let small = DiskUsageRequest { all: true, threshold: -50_000, ..Default::default() };
        assert_eq!(sizes(&small), named(&[("a/small", 1)]));
    }
}
