//! Image files, and the reference tools that are run on them.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use storage::Piece;

/// An image file that goes with its directory.
pub struct Image {
    #[allow(dead_code, reason = "not every test puts files next to the image")]
    pub directory: tempfile::TempDir,
    pub path: PathBuf,
}

/// A file of `size` bytes with these pieces. Before that it is full of ones where a piece will be,
/// so that a piece that relies on zeros shows.
pub fn image<'a>(size: u64, pieces: impl Iterator<Item = Piece<'a>>) -> Image {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    let file = File::create(&path).unwrap();
    file.set_len(size).unwrap();
    for piece in pieces {
        assert!(piece.offset + piece.bytes.len() as u64 <= size, "a piece is past the end");
        file.write_all_at(&piece.bytes, piece.offset).unwrap();
    }
    Image { directory, path }
}

/// Runs a reference tool, which must be installed.
pub fn run(program: &str, arguments: &[&str], image: &Path) -> Output {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let mut command = Command::new(program);
    command.env("PATH", path).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    let output = command.args(arguments).arg(image).output();
    output.unwrap_or_else(|error| panic!("{program} is needed, see `cargo xtask setup`: {error}"))
}

/// What a tool prints when it is content with the image.
pub fn accepted(program: &str, arguments: &[&str], image: &Path) -> String {
    let output = run(program, arguments, image);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{text}\n{error}", output.status);
    text
}
