//! gRPC's message frames: one byte of flags, four of length, then the message.
//!
//! Must never: look into a message.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The largest message the contract allows.
pub const MAX_MESSAGE: usize = 32 * 1024 * 1024;

/// Flags and length.
pub const HEADER: usize = 5;

/// Why bytes are not a sequence of frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The message is larger than the contract allows.
    #[error("a message of {length} bytes is larger than the {MAX_MESSAGE} allowed")]
    TooLarge {
        /// Its announced length.
        length: usize,
    },
    /// The message is compressed, which was not asked for.
    #[error("a message is compressed (flags {flags:#x}), which was not asked for")]
    Compressed {
        /// The flags byte.
        flags: u8,
    },
    /// The stream ended within a frame.
    #[error("the stream ended after {have} bytes of an unfinished message")]
    Truncated {
        /// How much of it came.
        have: usize,
    },
}

/// Takes bytes as they arrive and gives whole messages.
#[derive(Debug, Default)]
pub struct Splitter {
    buffer: BytesMut,
}

impl Splitter {
    /// Takes the next piece of the stream.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole message, if it has arrived.
    ///
    /// # Errors
    /// [`FrameError`] when what arrived cannot be a frame; the stream is of no further use then.
    pub fn message(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some((&[flags, a, b, c, d], rest)) = self.buffer.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        if flags != 0 {
            return Err(FrameError::Compressed { flags });
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > MAX_MESSAGE {
            return Err(FrameError::TooLarge { length });
        }
        if rest.len() < length {
            return Ok(None);
        }
        self.buffer.advance(HEADER);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Checks that the stream ended between two frames.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] when it did not.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.buffer.len() {
            0 => Ok(()),
            have => Err(FrameError::Truncated { have }),
        }
    }
}

/// A frame's header for a message of this length.
///
/// # Errors
/// [`FrameError::TooLarge`] when the contract does not allow such a message.
pub fn header(length: usize) -> Result<[u8; HEADER], FrameError> {
    let checked = u32::try_from(length).ok().filter(|_| length <= MAX_MESSAGE);
    let [a, b, c, d] = checked.ok_or(FrameError::TooLarge { length })?.to_be_bytes();
    Ok([0, a, b, c, d])
}

/// A message made of pieces as one frame.
///
/// # Errors
/// [`FrameError::TooLarge`] when the contract does not allow such a message.
pub fn join(pieces: &[&[u8]]) -> Result<Bytes, FrameError> {
    let length = pieces.iter().map(|piece| piece.len()).sum();
    let mut frame = BytesMut::with_capacity(HEADER + length);
    frame.put_slice(&header(length)?);
    for piece in pieces {
        frame.put_slice(piece);
    }
    Ok(frame.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let messages: [&[u8]; 4] = [b"one", b"", b"three", &[7; 300]];
        let stream: Vec<u8> = messages.iter().flat_map(|m| join(&[m]).unwrap()).collect();
        for step in [1, 2, 5, 7, 64, stream.len()] {
            let mut splitter = Splitter::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(step) {
                splitter.push(piece);
                while let Some(message) = splitter.message().unwrap() {
                    seen.push(message);
                }
            }
            assert_eq!(seen, messages, "pieces of {step}");
            assert_eq!(splitter.finish(), Ok(()));
        }
    }

    #[test]
    fn what_cannot_be_a_frame_is_refused_before_its_body_is_waited_for() {
        let mut compressed = Splitter::default();
        compressed.push(&[1, 0, 0, 0, 0]);
        assert_eq!(compressed.message(), Err(FrameError::Compressed { flags: 1 }));
        let mut large = Splitter::default();
        large.push(&[0, 2, 0, 0, 1]);
        assert_eq!(large.message(), Err(FrameError::TooLarge { length: MAX_MESSAGE + 1 }));
        let mut short = Splitter::default();
        short.push(&[0, 0, 0, 0, 2, 9]);
        assert_eq!(short.message(), Ok(None));
        assert_eq!(short.finish(), Err(FrameError::Truncated { have: 6 }));
    }
}
