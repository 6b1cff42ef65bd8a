//! `list`, `usage`, `read`, `copy`: the file system of a machine.

use std::{io, path::PathBuf};

use anyhow::Context;
use api::machine::{
    CopyRequest, DiskUsageInfo, DiskUsageRequest, FileInfo, ListRequest, ReadRequest,
    list_request::Type,
};
use client::{CallError, Named, Node};
use tonic::Streaming;

use crate::{
    files,
    output::{age, failure::Failures, size, table::Table},
    remote::{self, RemoteArgs},
};

/// Kinds of files.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    /// Regular files
    F,
    /// Directories
    D,
    /// Symbolic links
    L,
}

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Directory to list
    #[arg(default_value = "/")]
    path: String,
    /// How many levels to go down, with --recurse
    #[arg(short, long, default_value_t = 1)]
    depth: i32,
    /// List directories below, too
    #[arg(short, long)]
    recurse: bool,
    /// More about each file
    #[arg(short, long)]
    long: bool,
    /// Sizes and ages as people read them
    #[arg(short = 'H', long)]
    humanize: bool,
    /// Only files of a kind
    #[arg(short = 't', long = "type", value_enum)]
    kinds: Vec<Kind>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Arguments of `usage`.
#[derive(Debug, clap::Args)]
pub(crate) struct UsageArgs {
    /// Directories to measure
    #[arg(default_value = "/")]
    paths: Vec<String>,
    /// Files, too
    #[arg(short, long)]
    all: bool,
    /// How many levels to go down
    #[arg(short, long, default_value_t = 0)]
    depth: i32,
    /// Sizes as people read them
    #[arg(short = 'H', long)]
    humanize: bool,
    /// Leave out what is smaller; negative: what is larger
    #[arg(short, long, default_value_t = 0, allow_negative_numbers = true)]
    threshold: i64,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Arguments of `read`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadArgs {
    /// File to print
    path: String,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Arguments of `copy`.
#[derive(Debug, clap::Args)]
pub(crate) struct CopyArgs {
    /// File or directory on the machine
    source: String,
    /// Directory to unpack into; - writes the archive (tar, gzip) to standard output
    destination: PathBuf,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Everything a stream brings.
async fn collect<T>(
    node: &Node,
    call: &'static str,
    mut stream: Streaming<T>,
) -> Result<Vec<T>, CallError> {
    let mut items = Vec::new();
    while let Some(item) =
        stream.message().await.map_err(|status| CallError::new(node, call, status))?
    {
        items.push(item);
    }
    Ok(items)
}

/// Lists a directory.
pub(crate) fn list(arguments: ListArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    const CALL: &str = "MachineService/List";
    let nodes = arguments.remote.over(before).open(None)?;
    let types = arguments
        .kinds
        .iter()
        .map(|kind| match kind {
            Kind::F => Type::Regular.into(),
            Kind::D => Type::Directory.into(),
            Kind::L => Type::Symlink.into(),
        })
        .collect();
    let request = ListRequest {
        root: arguments.path,
        recurse: arguments.recurse,
        // Without --recurse the directory itself is what is listed.
        recursion_depth: arguments.depth,
        types,
        report_xattrs: arguments.long,
    };
    remote::block_on(async {
        let (answers, mut failures) = remote::each(&nodes, |node| {
            let request = request.clone();
            async move {
                let stream = node.machine().list(request).await.named(node, CALL)?;
                collect(node, CALL, stream).await
            }
        })
        .await;
        let several = nodes.len() > 1;
        let now = remote::now();
        let mut table = match (arguments.long, several) {
            (true, _) => {
                Table::new(["NODE", "MODE", "UID", "GID", "SIZE(B)", "LASTMOD", "LABEL", "NAME"])
            }
            (false, true) => Table::new(["NODE", "NAME"]),
            (false, false) => Table::with(Vec::new()),
        };
        let mut names = String::new();
        for (node, entries) in answers {
            for entry in entries {
                if !entry.error.is_empty() {
                    let status = tonic::Status::unknown(format!("{}: {}", entry.name, entry.error));
                    failures.add(CallError::new(node, CALL, status));
                } else if arguments.long {
                    table.row(long(node, &entry, arguments.humanize, now));
                } else if several {
                    table.row(vec![node.name().to_owned(), entry.relative_name]);
                } else {
                    names.push_str(&entry.relative_name);
                    names.push('\n');
                }
            }
        }
        files::print(&if arguments.long || several { table.to_string() } else { names })?;
        failures.into_result()
    })
}

fn long(node: &Node, entry: &FileInfo, humanize: bool, now: i64) -> Vec<String> {
    let bytes = u64::try_from(entry.size).unwrap_or(0);
    let (size, modified) = if humanize {
        let moment = prost_types::Timestamp { seconds: entry.modified, nanos: 0 };
        (size::decimal(bytes), age::ago(Some(&moment), now))
    } else {
        let text = jiff::Timestamp::from_second(entry.modified)
            .map(|moment| moment.strftime("%b %e %Y %H:%M:%S").to_string());
        (bytes.to_string(), text.unwrap_or_default())
    };
    let label = entry
        .xattrs
        .iter()
        .find(|attribute| attribute.name == "security.selinux")
        .map(|attribute| String::from_utf8_lossy(&attribute.data).trim_end_matches('\0').to_owned())
        .unwrap_or_default();
    let name = if entry.link.is_empty() {
        entry.relative_name.clone()
    } else {
        format!("{} -> {}", entry.relative_name, entry.link)
    };
    vec![
        node.name().to_owned(),
        mode(entry.mode),
        entry.uid.to_string(),
        entry.gid.to_string(),
        size,
        modified,
        label,
        name,
    ]
}

/// The contract's mode bits as text: kinds from bit 31 down, then the nine permissions.
fn mode(bits: u32) -> String {
    const KINDS: &str = "dalTLDpSugct?";
    let mut text: String = KINDS
        .chars()
        .zip((19..=31).rev())
        .filter(|(_, bit)| bits & (1 << bit) != 0)
        .map(|(kind, _)| kind)
        .collect();
    if text.is_empty() {
        text.push('-');
    }
    for (permission, bit) in "rwxrwxrwx".chars().zip((0..9).rev()) {
        text.push(if bits & (1 << bit) != 0 { permission } else { '-' });
    }
    text
}

/// Measures directories.
pub(crate) fn usage(arguments: UsageArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    const CALL: &str = "MachineService/DiskUsage";
    let nodes = arguments.remote.over(before).open(None)?;
    remote::block_on(async {
        let mut table = Table::new(["NODE", "SIZE", "NAME"]);
        let mut failures = Failures::default();
        // The contract's server measures the first path of a request only.
        for path in &arguments.paths {
            let (answers, failed) = remote::each(&nodes, |node| {
                let request = DiskUsageRequest {
                    recursion_depth: arguments.depth,
                    all: arguments.all,
                    threshold: arguments.threshold,
                    paths: vec![path.clone()],
                };
                async move {
                    let stream = node.machine().disk_usage(request).await.named(node, CALL)?;
                    collect(node, CALL, stream).await
                }
            })
            .await;
            failures.extend(failed);
            for (node, entries) in answers {
                for entry in entries {
                    match measured(&entry, arguments.humanize) {
                        Ok([size, name]) => table.row(vec![node.name().to_owned(), size, name]),
                        Err(error) => failures.add(CallError::new(
                            node,
                            CALL,
                            tonic::Status::unknown(format!("{}: {error}", entry.name)),
                        )),
                    }
                }
            }
        }
        table.print(failures)
    })
}

fn measured(entry: &DiskUsageInfo, humanize: bool) -> Result<[String; 2], &str> {
    if !entry.error.is_empty() {
        return Err(&entry.error);
    }
    let bytes = u64::try_from(entry.size).unwrap_or(0);
    let size = if humanize { size::decimal(bytes) } else { bytes.to_string() };
    Ok([size, entry.relative_name.clone()])
}

/// Prints a file.
pub(crate) fn read(arguments: ReadArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    const CALL: &str = "MachineService/Read";
    let nodes = arguments.remote.over(before).open(None)?;
    remote::block_on(async {
        let (answers, failures) = remote::each(&nodes, |node| {
            let request = ReadRequest { path: arguments.path.clone() };
            async move {
                let mut stream = node.machine().read(request).await.named(node, CALL)?;
                while let Some(chunk) =
                    stream.message().await.map_err(|status| CallError::new(node, CALL, status))?
                {
                    if let Err(error) = files::print_bytes(&chunk.bytes) {
                        return Ok(Err(error));
                    }
                }
                Ok(Ok(()))
            }
        })
        .await;
        for (_, printed) in answers {
            printed?;
        }
        failures.into_result()
    })
}

/// Copies a directory from the machine.
pub(crate) fn copy(arguments: CopyArgs, before: &RemoteArgs) -> anyhow::Result<()> {
    const CALL: &str = "MachineService/Copy";
    let node = arguments.remote.over(before).open_one(None)?;
    remote::block_on(async {
        let request = CopyRequest { root_path: arguments.source.clone() };
        let mut stream = node.machine().copy(request).await.named(&node, CALL)?;
        let to_stdout = arguments.destination.as_os_str() == "-";
        let mut archive = tempfile()?;
        while let Some(chunk) =
            stream.message().await.map_err(|status| CallError::new(&node, CALL, status))?
        {
            if to_stdout {
                files::print_bytes(&chunk.bytes)?;
            } else {
                io::Write::write_all(&mut archive, &chunk.bytes).context("keeping the archive")?;
            }
        }
        if to_stdout {
            return Ok(());
        }
        let destination = &arguments.destination;
        io::Seek::rewind(&mut archive)?;
        std::fs::create_dir_all(destination)
            .with_context(|| format!("making {}", destination.display()))?;
        // The library refuses entries that point out of the directory.
        tar::Archive::new(flate2::read::GzDecoder::new(io::BufReader::new(archive)))
            .unpack(destination)
            .with_context(|| format!("unpacking into {}", destination.display()))
    })
}

/// A file without a name: gone when the program is.
fn tempfile() -> anyhow::Result<std::fs::File> {
    tempfile::tempfile().context("making a temporary file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_as_text() {
        for (bits, text) in [
            (0o644, "-rw-r--r--"),
            (1 << 31 | 0o755, "drwxr-xr-x"),
            (1 << 27 | 0o777, "Lrwxrwxrwx"),
            (1 << 31 | 1 << 20 | 0o777, "dtrwxrwxrwx"),
            (1 << 26 | 1 << 21 | 0o600, "Dcrw-------"),
        ] {
            assert_eq!(mode(bits), text);
        }
    }
}
