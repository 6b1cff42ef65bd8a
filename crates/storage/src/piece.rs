//! What a format's writer gives: bytes and where they belong. Holds data, never writes it.

use std::borrow::Cow;

/// Bytes and where they belong, counted from the start of what is being written (a disk, a
/// partition, an image file).
///
/// The pieces of one writer are written in their order; a later one may replace what an earlier
/// one wrote. Together they are every byte that a reader of the format may look at: what is not
/// in a piece may keep any content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Distance from the start, in bytes.
    pub offset: u64,
    /// The bytes.
    pub bytes: Cow<'a, [u8]>,
}

impl<'a> Piece<'a> {
    /// A piece that owns its bytes.
    #[must_use]
    pub fn owned(offset: u64, bytes: Vec<u8>) -> Self {
        Self { offset, bytes: Cow::Owned(bytes) }
    }

    /// A piece that borrows its bytes.
    #[must_use]
    pub fn borrowed(offset: u64, bytes: &'a [u8]) -> Self {
        Self { offset, bytes: Cow::Borrowed(bytes) }
    }

    /// The same bytes `by` bytes further: how a partition's pieces become a disk's.
    #[must_use]
    pub fn shifted(self, by: u64) -> Self {
        Self { offset: self.offset.saturating_add(by), ..self }
    }
}
