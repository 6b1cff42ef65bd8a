//! `cargo xtask machine`: everything that a machine of a profile starts from, into `out/image`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use image::component::Event;
use image::initramfs::{self, Content};
use image::machine::{self, Assets};
use image::{drivers, kernel, media};
use registry::digest::Digest;

use crate::build::{CLOUD, COMPRESSION, root, shown, size, workshop};
use crate::progress::Progress;
use crate::{tools, workspace};

/// Where the files of a profile go.
fn directory(profile: &str) -> PathBuf {
    let image = workspace::out().join("image");
    if profile == CLOUD { image } else { image.join(profile) }
}

/// Makes the files of one profile.
pub(crate) fn build(progress: &Progress, names: &[String]) -> Result<()> {
    let name = match names {
        [] => CLOUD,
        [name] => name.as_str(),
        _ => bail!("one profile at a time: cargo xtask machine [PROFILE]"),
    };
    let report = |event: Event<'_>| progress.show(&event);
    let workshop = workshop(&report)?;
    let profile = workshop.pins().profile(name)?.clone();
    progress.expect(workshop.pins().debian.len() + 2);
    tools::refresh_lists(&profile.kernel.package, &profile.kernel.version)?;
    let directory = directory(name);
    let root = root(&workshop, &profile, &directory)?;
    let kernel = kernel::build(&workshop, &profile)?;
    let drivers = drivers::build(&workshop, &profile, &kernel, COMPRESSION)?;
    let (loader, stub) = machine::loader(&workshop)?;
    let init = workspace::out().join("bin/init");
    let content = Content { init: &init, root: &root, drivers: &drivers, kernel: &kernel };
    let image = kernel.image();
    let assets = Assets {
        loader,
        stub,
        kernel: fs::read(&image).with_context(|| format!("reading {}", image.display()))?,
        release: kernel.release.clone(),
        initramfs: initramfs::build(&content)?,
        version: workspace::VERSION.to_owned(),
    };
    let line = machine::command_line(&profile.arguments, &[]);
    let [boot, stub, uki] = machine::FILES;
    let files: [(&str, &Writer<'_>); 7] = [
        (boot, &|output| Ok(output.write_all(&assets.loader)?)),
        (stub, &|output| Ok(output.write_all(&assets.stub)?)),
        ("vmlinuz", &|output| Ok(output.write_all(&assets.kernel)?)),
        ("initramfs.img", &|output| Ok(output.write_all(&assets.initramfs)?)),
        (uki, &|output| Ok(output.write_all(&assets.image(&line)?)?)),
        ("disk.raw.zst", &|output| {
            Ok(media::compressed_disk(&assets, &line, profile.menu, output)?)
        }),
        ("ichor.iso", &|output| Ok(media::stick(&assets, &line, output)?)),
    ];
    for (name, content) in files {
        write(&directory.join(name), content)?;
    }
    Ok(())
}

/// Writes the content of a file.
type Writer<'a> = dyn Fn(&mut dyn Write) -> Result<()> + 'a;

/// Writes a file beside its place, moves it there, and says its checksum in another file.
fn write(path: &Path, content: &Writer<'_>) -> Result<()> {
    let beside = path.with_extension("new");
    let failed = || format!("writing {}", beside.display());
    let mut output = BufWriter::new(File::create(&beside).with_context(failed)?);
    content(&mut output).with_context(failed)?;
    output.flush().with_context(failed)?;
    let (digest, _) = File::open(&beside)
        .and_then(|mut file| Digest::of_reader(&mut file))
        .with_context(|| format!("reading {}", beside.display()))?;
    fs::rename(&beside, path).with_context(|| format!("moving {} into place", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let sum = path.with_file_name(format!("{name}.sha256"));
    fs::write(&sum, format!("{}  {name}\n", digest.hex()))
        .with_context(|| format!("writing {}", sum.display()))?;
    println!("  {}  {}", shown(path), size(path)?);
    Ok(())
}
