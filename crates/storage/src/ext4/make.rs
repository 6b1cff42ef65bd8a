//! An empty file system as the blocks that make it.

use super::inode::{self, Inode, extent_map};
use super::shape::{ADDRESSES, GROUP_BLOCKS, LOST_FOUND_BLOCKS, Shape};
use super::superblock::{self, seed};
use super::{BLOCK, Ext4Error, Parameters, directory, group, journal};
use crate::Piece;
use crate::bytes::{narrow, put};

/// An empty file system that can be written.
#[derive(Clone, Debug)]
pub struct Filesystem {
    parameters: Parameters,
    shape: Shape,
    seed: u32,
}

impl Filesystem {
    /// Divides a partition.
    ///
    /// # Errors
    /// When the size or the label is impossible.
    pub fn new(parameters: &Parameters) -> Result<Self, Ext4Error> {
        if parameters.label.len() > 16 || parameters.label.contains('\0') {
            return Err(Ext4Error::Label(parameters.label.clone()));
        }
        let shape = Shape::new(parameters)?;
        Ok(Self { parameters: parameters.clone(), shape, seed: seed(parameters.uuid) })
    }

    /// Everything to write. The superblock comes last: a partition whose making was interrupted
    /// has no file system.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'static>> + '_ {
        let descriptors = self.descriptors();
        let last = self.copy(0, &descriptors);
        let shape = &self.shape;
        let bitmaps = (0..shape.groups)
            .filter(|number| group::has_bitmap(shape, *number))
            .map(|number| at(shape.block_bitmap(number), group::block_bitmap(shape, number)));
        let backups = shape.backups().flat_map(move |group| self.copy(group, &descriptors));
        // Whatever file system was here before is gone first.
        let clear = Piece::owned(0, vec![0; narrow(2 * BLOCK)]);
        std::iter::once(clear).chain(bitmaps).chain(backups).chain(self.first_group()).chain(last)
    }

    fn journal_map(&self) -> [u8; 60] {
        let start = self.shape.journal_start();
        let mut extents = Vec::new();
        let mut done = 0;
        while done < self.shape.journal {
            let length = (self.shape.journal - done).min(GROUP_BLOCKS);
            extents.push((length, start + done));
            done += length;
        }
        extent_map(&extents)
    }

    fn descriptors(&self) -> Vec<u8> {
        let all = (0..self.shape.groups)
            .flat_map(|number| group::descriptor(&self.shape, number, self.seed));
        let mut bytes: Vec<u8> = all.collect();
        bytes.resize(narrow(self.shape.descriptors * BLOCK), 0);
        bytes
    }

    /// Superblock and descriptors of a group, the superblock last.
    fn copy(&self, group: u64, descriptors: &[u8]) -> [Piece<'static>; 2] {
        let map = self.journal_map();
        let journal = (&map, self.shape.journal * BLOCK);
        let superblock = superblock::encode(&self.parameters, &self.shape, group, journal);
        let start = group * GROUP_BLOCKS;
        // The first kilobyte of a partition is a boot loader's.
        let offset = if group == 0 { 1024 } else { start * BLOCK };
        [at(start + 1, descriptors.to_vec()), Piece::owned(offset, superblock)]
    }

    /// The contents of the first group: its inodes, their directories, the journal's first block,
    /// and the lists of blocks that are kept for growing.
    fn first_group(&self) -> Vec<Piece<'static>> {
        let shape = &self.shape;
        let root = [(inode::ROOT, "."), (inode::ROOT, ".."), (inode::LOST_FOUND, "lost+found")];
        let lost = [(inode::LOST_FOUND, "."), (inode::ROOT, "..")];
        let mut pieces = vec![
            at(shape.inode_bitmap(0), group::inode_bitmap(shape)),
            at(shape.inode_table(0), self.inodes()),
            at(shape.root(), directory::block(self.seed, inode::ROOT, &root)),
            at(shape.lost_found(), directory::block(self.seed, inode::LOST_FOUND, &lost)),
            at(shape.journal_start(), journal::first_block(shape.journal, self.parameters.uuid)),
        ];
        for number in 1..LOST_FOUND_BLOCKS {
            let block = directory::block(self.seed, inode::LOST_FOUND, &[]);
            pieces.push(at(shape.lost_found() + number, block));
        }
        if shape.reserved > 0 {
            pieces.extend(self.kept_blocks());
        }
        pieces
    }

    /// The double-indirect list of blocks that are kept for descriptors: each kept block of the
    /// first group lists the same block of all copies.
    fn kept_blocks(&self) -> impl Iterator<Item = Piece<'static>> {
        let shape = &self.shape;
        let mut list = vec![0; narrow(BLOCK)];
        let mut pieces = Vec::new();
        for number in 0..shape.reserved {
            let block = 1 + shape.descriptors + number;
            let place = (shape.descriptors + number) % ADDRESSES;
            put(&mut list, narrow(4 * place), &inode::halves(block)[0]);
            let mut copies = vec![0; narrow(BLOCK)];
            for (index, group) in shape.backups().enumerate() {
                let [address, _] = inode::halves(block + group * GROUP_BLOCKS);
                put(&mut copies, 4 * index, &address);
            }
            pieces.push(at(block, copies));
        }
        pieces.into_iter().chain([at(shape.resize_list(), list)])
    }

    /// The first block of the inode table.
    fn inodes(&self) -> Vec<u8> {
        let shape = &self.shape;
        let directory = |number, permissions, links, block, blocks| Inode {
            number,
            mode: inode::DIRECTORY | permissions,
            links,
            size: blocks * BLOCK,
            blocks,
            map: extent_map(&[(blocks, block)]),
            extents: true,
        };
        let root = directory(inode::ROOT, 0o755, 3, shape.root(), 1);
        let lost = directory(inode::LOST_FOUND, 0o700, 2, shape.lost_found(), LOST_FOUND_BLOCKS);
        let journal = Inode {
            number: inode::JOURNAL,
            mode: inode::FILE | 0o600,
            links: 1,
            size: shape.journal * BLOCK,
            blocks: shape.journal,
            map: self.journal_map(),
            extents: true,
        };
        let mut bytes = vec![0; narrow(BLOCK)];
        let resize = (shape.reserved > 0).then(|| self.resize_inode());
        for inode in [root, lost, journal].into_iter().chain(resize) {
            let place = u64::from(inode.number - 1) * super::shape::INODE_SIZE;
            put(&mut bytes, narrow(place), &inode.encode(self.seed, self.parameters.time));
        }
        bytes
    }

    /// The inode that owns the kept blocks. It has the size of everything that addresses of one
    /// and two levels reach.
    fn resize_inode(&self) -> Inode {
        let shape = &self.shape;
        let copies = 1 + crate::bytes::wide(shape.backups().count());
        let mut map = [0; 60];
        put(&mut map, 4 * 13, &inode::halves(shape.resize_list())[0]);
        Inode {
            number: inode::RESIZE,
            mode: inode::FILE | 0o600,
            links: 1,
            size: (ADDRESSES * ADDRESSES + ADDRESSES + 12) * BLOCK,
            blocks: shape.reserved * copies + 1,
            map,
            extents: false,
        }
    }
}

fn at(block: u64, bytes: Vec<u8>) -> Piece<'static> {
    Piece::owned(block * BLOCK, bytes)
}
