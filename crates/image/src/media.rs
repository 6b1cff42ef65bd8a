//! What machines start from: a raw disk with a partition table, and an image for USB sticks and
//! optical drives.
//!
//! Both are written as a stream, from their first byte to their last, so nothing of their size is
//! held in memory or on disk.

use std::io::{self, Write};

use boot::command_line::CommandLine;
use boot::entry::{IMAGES, ImageName, REMOVABLE, SETTINGS, Settings};
use boot::uki::UkiError;
use storage::fat::{self, FatError};
use storage::gpt::{self, Geometry, GptError, Request, Table};
use storage::iso::{self, IsoError};
use storage::tree::{Tree, TreeError};
use storage::{Guid, Piece};

use crate::machine::Assets;

/// Bytes of the EFI system partition: the contract's, with room for two images and a third that
/// is being written.
pub const EFI_SIZE: u64 = 2101 << 20;

/// Bytes of the partition META.
pub const META_SIZE: u64 = 1 << 20;

/// Bytes of a sector of the disk.
const SECTOR: u32 = 512;

/// The level of compression: nearly all that is not zero is compressed already.
const LEVEL: i32 = 1;

/// How long the menu of a stick is shown, in seconds: somebody sits before the machine.
const STICK_MENU: u32 = 3;

/// What is on a stick besides what starts it.
const README: &[u8] = b"This medium starts Ichor on a machine with UEFI firmware.\n";

/// Why a medium could not be written.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// There is no unified kernel image.
    #[error(transparent)]
    Image(#[from] UkiError),
    /// A file cannot have its name on the EFI system partition.
    #[error("the EFI system partition")]
    Tree(#[from] TreeError),
    /// The EFI system partition cannot be made.
    #[error("the EFI system partition")]
    Fat(#[from] FatError),
    /// The partition table cannot be made.
    #[error("the partition table")]
    Table(#[from] GptError),
    /// The stick's image cannot be made.
    #[error("the image of the stick")]
    Iso(#[from] IsoError),
    /// Writing failed.
    #[error("writing the image")]
    Write(#[source] io::Error),
}

/// Bytes of a whole disk image: a partition table's room at both ends.
pub const DISK_SIZE: u64 = EFI_SIZE + META_SIZE + 2 * (gpt::EDGE as u64);

/// Writes the raw disk that a machine with this command line starts from. Its image is counted: the
/// node that came up takes the counter out of the name.
pub fn disk(
    assets: &Assets,
    line: &CommandLine,
    menu: u32,
    output: &mut dyn Write,
) -> Result<(), MediaError> {
    let image = assets.image(line)?;
    let settings = settings(menu);
    let tree = system(assets, &ImageName::new(&assets.version), &image, &settings)?;
    let mut table =
        Table::new(Geometry::new(SECTOR, DISK_SIZE)?, Guid::derived(&["ichor", "disk"]));
    let partition = |label: &str, kind, size| Request {
        label: label.to_owned(),
        kind,
        id: Guid::derived(&["ichor", "disk", label]),
        attributes: 0,
        min: size,
        max: Some(size),
    };
    let efi = table.add(partition("EFI", gpt::EFI_SYSTEM, EFI_SIZE))?;
    table.add(partition("META", gpt::LINUX_DATA, META_SIZE))?;
    let start = table.partitions().get(&efi).map_or(0, |partition| table.offset(partition));
    let volume = fat::Volume::new(&parameters(EFI_SIZE, start), &tree)?;
    let mut pieces = table.encode();
    pieces.extend(volume.pieces().map(|piece| piece.shifted(start)));
    stream(pieces, DISK_SIZE, output)
}

/// Writes the same disk compressed with zstd: a few megabytes more than its one large file, which is
/// compressed already.
pub fn compressed_disk(
    assets: &Assets,
    line: &CommandLine,
    menu: u32,
    output: &mut dyn Write,
) -> Result<(), MediaError> {
    let mut encoder = zstd::Encoder::new(output, LEVEL).map_err(MediaError::Write)?;
    encoder.include_checksum(true).map_err(MediaError::Write)?;
    encoder.set_pledged_src_size(Some(DISK_SIZE)).map_err(MediaError::Write)?;
    disk(assets, line, menu, &mut encoder)?;
    encoder.finish().map(|_| ()).map_err(MediaError::Write)
}

/// Writes the image for USB sticks and optical drives. Nothing can be renamed on it, so its image
/// is not counted; and a machine that is installed does not start from it by accident.
pub fn stick(
    assets: &Assets,
    line: &CommandLine,
    output: &mut dyn Write,
) -> Result<(), MediaError> {
    let mut line = line.clone();
    line.extend(&CommandLine::from("talos.halt_if_installed=1"));
    let image = assets.image(&line)?;
    let settings = settings(STICK_MENU);
    let tree = system(assets, &ImageName::new(&assets.version).blessed(), &image, &settings)?;
    // What the files take, and a share of it and some more for the file system's own tables; FAT32
    // has a least size.
    let files = (image.len() + assets.loader.len()) as u64;
    let size = (files + files / 32 + (4 << 20)).max(48 << 20).next_multiple_of(1 << 20);
    let volume = fat::Volume::new(&parameters(size, 0), &tree)?;
    let mut root = Tree::new();
    root.file("README.txt", README)?;
    let parameters = iso::Parameters {
        label: "ICHOR".to_owned(),
        time: 0,
        disk: Guid::derived(&["ichor", "stick"]),
        partition: Guid::derived(&["ichor", "stick", "EFI"]),
    };
    let medium = iso::Image::new(&parameters, &root, Some(&volume))?;
    stream(medium.pieces().collect(), medium.size(), output)
}

fn settings(menu: u32) -> String {
    Settings { timeout: menu, ..Settings::default() }.to_string()
}

/// The files of an EFI system partition.
fn system<'a>(
    assets: &'a Assets,
    name: &ImageName,
    image: &'a [u8],
    settings: &'a str,
) -> Result<Tree<'a>, TreeError> {
    let mut tree = Tree::new();
    tree.file(REMOVABLE, &assets.loader)?;
    tree.file(&format!("{IMAGES}/{name}"), image)?;
    tree.file(SETTINGS, settings.as_bytes())?;
    Ok(tree)
}

fn parameters(size: u64, start: u64) -> fat::Parameters {
    fat::Parameters {
        size,
        sector_size: SECTOR,
        hidden_sectors: u32::try_from(start / u64::from(SECTOR)).unwrap_or(0),
        volume_id: u32::from_be_bytes(*b"ICHR"),
        label: "EFI".to_owned(),
        time: 0,
    }
}

/// Writes pieces in the order of their places, with zeros between them.
fn stream(mut pieces: Vec<Piece<'_>>, size: u64, output: &mut dyn Write) -> Result<(), MediaError> {
    pieces.sort_by_key(|piece| piece.offset);
    let mut at = 0;
    for piece in &pieces {
        zeros(piece.offset.saturating_sub(at), output)?;
        output.write_all(&piece.bytes).map_err(MediaError::Write)?;
        at = piece.offset + piece.bytes.len() as u64;
    }
    zeros(size.saturating_sub(at), output)
}

fn zeros(mut count: u64, output: &mut dyn Write) -> Result<(), MediaError> {
    const ZEROS: &[u8] = &[0; 1 << 20];
    while count > 0 {
        let part = usize::try_from(count).map_or(ZEROS.len(), |count| count.min(ZEROS.len()));
        output.write_all(ZEROS.get(..part).unwrap_or(ZEROS)).map_err(MediaError::Write)?;
        count -= part as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_order_with_zeros_between() {
        let pieces = vec![Piece::owned(5, vec![5]), Piece::owned(1, vec![1, 2])];
        let mut output = Vec::new();
        stream(pieces, 8, &mut output).unwrap();
        assert_eq!(output, [0, 1, 2, 0, 0, 5, 0, 0]);
    }
}
