//! Where this program's own messages go: a file, and the console of a container.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Writes each message to the standard output, and to a file where there is one.
struct Tee {
    file: Option<Mutex<File>>,
}

struct Line<'a>(&'a Tee);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = &self.0.file {
            // A full disk must not keep the message from the console.
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes);
        }
        // Nor may a console that is gone be a reason to fail.
        let _ = io::stdout().lock().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Tee {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

fn init(tee: Tee) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::INFO)
        .with_ansi(false)
        .with_writer(tee)
        .finish();
    // Only a second call could fail, and there is none.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Messages go to the standard output, which the starter has arranged.
pub(crate) fn to_stdout() {
    init(Tee { file: None });
}

/// Messages are appended to a file too.
pub(crate) fn to_file(path: &Path) -> Result<()> {
    let open = || {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        OpenOptions::new().append(true).create(true).open(path)
    };
    let file = open().with_context(|| format!("cannot write the log {}", path.display()));
    let (file, failed) = match file {
        Ok(file) => (Some(Mutex::new(file)), None),
        Err(error) => (None, Some(error)),
    };
    init(Tee { file });
    failed.map_or(Ok(()), Err)
}
