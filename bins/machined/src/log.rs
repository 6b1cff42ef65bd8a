//! Where this program's own messages go: a file, and the console of a container or the kernel log of a machine.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use sys::kmsg::KernelLogWriter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

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

/// Messages go to the standard error, because the standard output is a screen.
pub(crate) fn to_stderr() {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::INFO)
        .with_ansi(false)
        .with_writer(io::stderr)
        .finish();
    // Only a second call could fail, and there is none.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Messages go to the standard output, which the starter has arranged.
pub(crate) fn to_stdout() {
    init(Tee { file: None });
}

fn open(path: &Path) -> Result<File> {
    let open = || {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        OpenOptions::new().append(true).create(true).open(path)
    };
    open().with_context(|| format!("cannot write the log {}", path.display()))
}

/// Messages are appended to a file too.
pub(crate) fn to_file(path: &Path) -> Result<()> {
    let (file, failed) = match open(path) {
        Ok(file) => (Some(Mutex::new(file)), None),
        Err(error) => (None, Some(error)),
    };
    init(Tee { file });
    failed.map_or(Ok(()), Err)
}

/// Messages are appended to a file, and are records of the kernel log, from where they reach the consoles of a machine
/// and whoever follows that log over the API.
pub(crate) fn to_kernel_log_and_file(path: &Path) -> Result<()> {
    let kernel = KernelLogWriter::open().context("cannot write to the kernel log")?;
    let kernel = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .without_time()
        .with_level(false)
        .with_target(false)
        .with_writer(Records(Mutex::new(kernel)));
    let file = open(path);
    let (file, failed) = match file {
        Ok(file) => (Some(file), None),
        Err(error) => (None, Some(error)),
    };
    let file = file.map(|file| {
        tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Mutex::new(file))
    });
    let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(kernel).with(file);
    // Only a second call could fail, and there is none.
    let _ = tracing::subscriber::set_global_default(subscriber);
    failed.map_or(Ok(()), Err)
}

/// Each message as one record of the kernel log, with its importance.
struct Records(Mutex<KernelLogWriter>);

struct Record<'a> {
    log: &'a Mutex<KernelLogWriter>,
    level: u32,
}

impl Write for Record<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        // A record is one line, and a kernel log that takes none is nobody's concern here.
        for line in text.lines().filter(|line| !line.is_empty()) {
            let _ = log.write(self.level, &format!("machined: {line}"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The kernel's numbers for the levels (syslog(3)).
fn importance(level: Level) -> u32 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

impl<'a> MakeWriter<'a> for Records {
    type Writer = Record<'a>;

    fn make_writer(&'a self) -> Record<'a> {
        Record { log: &self.0, level: importance(Level::INFO) }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Record<'a> {
        Record { log: &self.0, level: importance(*metadata.level()) }
    }
}
