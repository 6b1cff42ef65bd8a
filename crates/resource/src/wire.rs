//! The protobuf wire format: tags, varints, length-delimited bytes. It knows no message.

use thiserror::Error;

/// Why bytes are not the message they were said to be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end inside a value.
    #[error("message ends inside a value")]
    Truncated,
    /// A varint has more than ten bytes or does not fit 64 bits.
    #[error("varint is longer than 64 bits")]
    Varint,
    /// A tag with field number 0, or beyond the largest allowed.
    #[error("field number {0} is outside 1 to 536870911")]
    FieldNumber(u64),
    /// Wire types 3, 4, 6 and 7: groups and values that never existed.
    #[error("wire type {0} is not supported")]
    WireType(u8),
    /// The wire type does not fit the field's type.
    #[error("expected {expected}, found {found}")]
    Mismatch {
        /// What the field is.
        expected: &'static str,
        /// What the wire carries.
        found: &'static str,
    },
    /// A string is not UTF-8.
    #[error("string is not UTF-8")]
    Utf8,
    /// The value is well formed but means nothing.
    #[error("not {0}")]
    Value(&'static str),
    /// Messages nested too deeply.
    #[error("more than {0} levels of nesting")]
    Depth(usize),
    /// Where the error is.
    #[error("field {number}")]
    Field {
        /// The field's number.
        number: u32,
        /// What is wrong with it.
        #[source]
        source: Box<DecodeError>,
    },
}

impl DecodeError {
    /// Says in which field the error is.
    #[must_use]
    pub fn in_field(self, number: u32) -> Self {
        Self::Field { number, source: Box::new(self) }
    }
}

/// One value as the wire carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire<'a> {
    /// int32, int64, uint32, uint64, bool, enum
    Varint(u64),
    /// fixed64, double
    Fixed64(u64),
    /// string, bytes, message, packed repeated
    Bytes(&'a [u8]),
    /// fixed32, float
    Fixed32(u32),
}

impl<'a> Wire<'a> {
    fn kind(self) -> &'static str {
        match self {
            Self::Varint(_) => "a varint",
            Self::Fixed64(_) => "a 64-bit value",
            Self::Bytes(_) => "length-delimited bytes",
            Self::Fixed32(_) => "a 32-bit value",
        }
    }

    /// The varint, or why not.
    ///
    /// # Errors
    /// When the wire carries something else.
    pub fn varint(self) -> Result<u64, DecodeError> {
        match self {
            Self::Varint(value) => Ok(value),
            other => Err(DecodeError::Mismatch { expected: "a varint", found: other.kind() }),
        }
    }

    /// The 64-bit value, or why not.
    ///
    /// # Errors
    /// When the wire carries something else.
    pub fn fixed64(self) -> Result<u64, DecodeError> {
        match self {
            Self::Fixed64(value) => Ok(value),
            other => Err(DecodeError::Mismatch { expected: "a 64-bit value", found: other.kind() }),
        }
    }

    /// The bytes, or why not.
    ///
    /// # Errors
    /// When the wire carries something else.
    pub fn bytes(self) -> Result<&'a [u8], DecodeError> {
        match self {
            Self::Bytes(value) => Ok(value),
            other => Err(DecodeError::Mismatch {
                expected: "length-delimited bytes",
                found: other.kind(),
            }),
        }
    }

    /// The text, or why not.
    ///
    /// # Errors
    /// When the wire carries something else, or bytes that are not UTF-8.
    pub fn text(self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::Utf8)
    }
}

/// Reads the fields of one message.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of a message or of packed values.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all bytes were read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next field's number and value; `None` at the end.
    ///
    /// # Errors
    /// When the bytes are not a protobuf message.
    pub fn field(&mut self) -> Result<Option<(u32, Wire<'a>)>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        let Some(field) = u32::try_from(number).ok().filter(|n| (1..=0x1fff_ffff).contains(n))
        else {
            return Err(DecodeError::FieldNumber(number));
        };
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| DecodeError::Truncated)?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(DecodeError::WireType(u8::try_from(other).unwrap_or(u8::MAX))),
        };
        Ok(Some((field, wire)))
    }

    /// A bare varint, as packed lists carry it.
    ///
    /// # Errors
    /// When the bytes end, or the number does not fit.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let (first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
            self.rest = rest;
            let low = u64::from(first & 0x7f);
            if shift == 63 && low > 1 {
                return Err(DecodeError::Varint);
            }
            value |= low << shift;
            if first & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint)
    }

    /// A bare 64-bit value, as packed lists of doubles carry it.
    ///
    /// # Errors
    /// When the bytes end.
    pub fn fixed64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = tail;
        Ok(*head)
    }
}

/// Appends a varint.
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a varint field.
pub(crate) fn put_varint_field(number: u32, value: u64, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3, out);
    put_varint(value, out);
}

/// Appends a 64-bit field.
pub(crate) fn put_fixed64_field(number: u32, value: u64, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | 1, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a 32-bit field.
pub(crate) fn put_fixed32_field(number: u32, value: u32, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | 5, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a length-delimited field.
pub(crate) fn put_bytes_field(number: u32, value: &[u8], out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | 2, out);
    put_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_and_refuse_too_much() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            assert_eq!(Reader::new(&out).varint(), Ok(value));
        }
        assert_eq!(Reader::new(&[0x80; 11]).varint(), Err(DecodeError::Varint));
        assert_eq!(Reader::new(&[0x80]).varint(), Err(DecodeError::Truncated));
        let mut nine = vec![0xff; 9];
        nine.push(2);
        assert_eq!(Reader::new(&nine).varint(), Err(DecodeError::Varint));
    }

    #[test]
    fn bad_tags_are_named() {
        assert_eq!(Reader::new(&[0x00, 0]).field(), Err(DecodeError::FieldNumber(0)));
        assert_eq!(Reader::new(&[0x0b]).field(), Err(DecodeError::WireType(3)));
        assert_eq!(Reader::new(&[0x0a, 5, 1]).field(), Err(DecodeError::Truncated));
    }
}
