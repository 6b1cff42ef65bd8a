//! `image`: images that machines start from, with another command line than the ones that were built.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use image::{
    machine::{self, Assets},
    media,
};

use crate::files;

/// Arguments of `image`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the kernel's command line of the image that was built
    Cmdline(FromArgs),
    /// Make a disk, compressed with zstd, to be written to a machine's disk or given to a virtual machine
    Disk(MakeArgs),
    /// Make an image for USB sticks and optical drives
    Iso(MakeArgs),
    /// Make a unified kernel image
    Uki(MakeArgs),
}

#[derive(Debug, clap::Args)]
struct FromArgs {
    /// Directory of the image that was built
    #[arg(long, value_name = "DIRECTORY", default_value = "out/image")]
    from: PathBuf,
}

#[derive(Debug, clap::Args)]
struct MakeArgs {
    #[command(flatten)]
    from: FromArgs,
    /// Platform that the machine runs on
    #[arg(long)]
    platform: Option<String>,
    /// Argument for the kernel, NAME or NAME=VALUE; repeatable. A later one goes before an earlier one
    #[arg(long, value_name = "ARGUMENT")]
    extra_kernel_arg: Vec<String>,
    /// Seconds for which the boot loader of a disk shows its menu; 0 shows it only while a key is held
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    menu: u32,
    /// File to write to
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs the command.
pub(crate) fn run(arguments: &Args) -> anyhow::Result<()> {
    match &arguments.command {
        Command::Cmdline(arguments) => {
            let (_, line) = Assets::read(&arguments.from)?;
            files::print(&format!("{line}\n"))
        }
        Command::Disk(arguments) => make(arguments, |assets, line, output| {
            Ok(media::compressed_disk(assets, line, arguments.menu, output)?)
        }),
        Command::Iso(arguments) => {
            make(arguments, |assets, line, output| Ok(media::stick(assets, line, output)?))
        }
        Command::Uki(arguments) => {
            make(arguments, |assets, line, output| Ok(output.write_all(&assets.image(line)?)?))
        }
    }
}

fn make(
    arguments: &MakeArgs,
    content: impl FnOnce(
        &Assets,
        &boot::command_line::CommandLine,
        &mut dyn Write,
    ) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (assets, mut line) = Assets::read(&arguments.from.from)?;
    if let Some(platform) = &arguments.platform {
        line.remove("talos.platform")
            .push(machine::argument(&format!("talos.platform={platform}"))?);
    }
    for text in &arguments.extra_kernel_arg {
        line.push(machine::argument(text)?);
    }
    write(&arguments.output, |output| content(&assets, &line, output))?;
    files::print(&format!("wrote {}\n", arguments.output.display()))
}

/// Writes a whole file or nothing, without holding it in memory.
fn write(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let failed = || format!("writing {}", path.display());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let beside = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")));
    let beside = beside.with_context(failed)?;
    let mut output = BufWriter::new(beside.as_file());
    content(&mut output)?;
    output.flush().with_context(failed)?;
    drop(output);
    let file: &File = beside.as_file();
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .with_context(failed)?;
    beside.persist(path).with_context(failed)?;
    Ok(())
}
