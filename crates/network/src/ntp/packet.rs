//! The wire form (RFC 5905 chapter 7.3).

use std::time::Duration;

use thiserror::Error;

/// The length of a packet without extensions.
pub const SIZE: usize = 48;
/// Version 4.
const VERSION: u8 = 4;
const MODE_CLIENT: u8 = 3;
const MODE_SERVER: u8 = 4;
/// Servers this far from a reference clock do not know the time (RFC 5905 figure 11).
const STRATUM_UNSYNCHRONISED: u8 = 16;
/// A server that may be this wrong has no time to give (MAXDISP of RFC 5905).
const MOST_DISTANCE: Duration = Duration::from_secs(16);

/// Seconds from 1900 to 1970.
const UNIX: u64 = 2_208_988_800;
/// Times on the wire repeat every 136 years. They are taken to be after this one, the start of 2025, which no clock
/// that is right can be before.
const PIVOT: u64 = UNIX + 1_735_689_600;

const NANOSECONDS: u64 = 1_000_000_000;

/// What the last minute of the day has to do with its seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leap {
    /// Nothing.
    #[default]
    None,
    /// It has one more.
    Insert,
    /// It has one less.
    Delete,
}

/// Why bytes are no answer that can be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PacketError {
    /// It is too short.
    #[error("a packet of {length} bytes is too short")]
    Short {
        /// Its length.
        length: usize,
    },
    /// It is no server's answer.
    #[error("it is no answer of a time server")]
    NotAnAnswer,
    /// It answers another question, or none.
    #[error("it answers another question")]
    Stranger,
    /// The server wants not to be asked any more (kiss codes DENY and RSTR).
    #[error("the server refuses to answer")]
    Refused,
    /// The server wants to be asked less often (kiss code RATE).
    #[error("the server is asked too often")]
    TooOften,
    /// The server does not know the time.
    #[error("the server does not know the time")]
    Unsynchronised,
}

/// What a server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// About leap seconds.
    pub leap: Leap,
    /// How far the server is from a reference clock.
    pub stratum: u8,
    /// How wrong the server may be at most.
    pub distance: Duration,
    /// When the question came, by the server's clock, in nanoseconds since the Unix epoch.
    pub received: i64,
    /// When the answer left, by the server's clock.
    pub sent: i64,
}

/// A question. `nonce` stands in the place of the client's time, which is nobody's business: the server gives it back.
pub(super) fn question(nonce: u64) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let [head, .., a, b, c, d, e, f, g, h] = &mut bytes;
    *head = VERSION << 3 | MODE_CLIENT;
    [*a, *b, *c, *d, *e, *f, *g, *h] = nonce.to_be_bytes();
    bytes
}

fn field<const N: usize>(bytes: &[u8; SIZE], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk().copied()).unwrap_or([0; N])
}

/// Seconds in units of 1/65536.
fn short(bytes: [u8; 4]) -> Duration {
    let [a, b, c, d] = bytes;
    let seconds = u64::from(u16::from_be_bytes([a, b]));
    let fraction = u64::from(u16::from_be_bytes([c, d]));
    Duration::from_secs(seconds) + Duration::from_nanos((fraction * NANOSECONDS) >> 16)
}

/// A time of the wire as nanoseconds since the Unix epoch.
fn long(bytes: [u8; 8]) -> i64 {
    let value = u64::from_be_bytes(bytes);
    let (mut seconds, fraction) = (value >> 32, value & u64::from(u32::MAX));
    if seconds < PIVOT & u64::from(u32::MAX) {
        seconds += 1 << 32;
    }
    let nanoseconds = (seconds - UNIX) * NANOSECONDS + ((fraction * NANOSECONDS) >> 32);
    i64::try_from(nanoseconds).unwrap_or(i64::MAX)
}

impl Response {
    /// Reads the answer to the question with this nonce.
    ///
    /// # Errors
    /// When the bytes are no answer, or none that tells the time.
    pub fn parse(bytes: &[u8], nonce: u64) -> Result<Self, PacketError> {
        let bytes: &[u8; SIZE] =
            bytes.first_chunk().ok_or(PacketError::Short { length: bytes.len() })?;
        let [head, stratum, ..] = *bytes;
        let (leap, version, mode) = (head >> 6, head >> 3 & 7, head & 7);
        if mode != MODE_SERVER || !(3..=4).contains(&version) {
            return Err(PacketError::NotAnAnswer);
        }
        if u64::from_be_bytes(field(bytes, 24)) != nonce {
            return Err(PacketError::Stranger);
        }
        if stratum == 0 {
            return Err(match &field(bytes, 12) {
                b"DENY" | b"RSTR" => PacketError::Refused,
                b"RATE" => PacketError::TooOften,
                _ => PacketError::Unsynchronised,
            });
        }
        let distance = short(field(bytes, 4)) / 2 + short(field(bytes, 8));
        let (received, sent) = (long(field(bytes, 32)), long(field(bytes, 40)));
        let leap = match leap {
            0 => Leap::None,
            1 => Leap::Insert,
            2 => Leap::Delete,
            _ => return Err(PacketError::Unsynchronised),
        };
        let unset = field::<8>(bytes, 40) == [0; 8] || field::<8>(bytes, 32) == [0; 8];
        if stratum >= STRATUM_UNSYNCHRONISED
            || distance >= MOST_DISTANCE
            || unset
            || sent < received
        {
            return Err(PacketError::Unsynchronised);
        }
        Ok(Self { leap, stratum, distance, received, sent })
    }
}

/// A server's answer to a question, for tests: head, stratum, kiss code, and both times since the Unix epoch.
#[cfg(test)]
pub(super) fn answer(
    question: &[u8],
    head: u8,
    stratum: u8,
    kiss: &[u8; 4],
    times: [i64; 2],
) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    bytes[0] = head;
    bytes[1] = stratum;
    bytes[12..16].copy_from_slice(kiss);
    bytes[24..32].copy_from_slice(&question[40..48]);
    for (at, time) in [(32, times[0]), (40, times[1])] {
        let time = u64::try_from(time).unwrap();
        // Rounded up, so that whole microseconds come back whole.
        let fraction = ((time % NANOSECONDS) << 32).div_ceil(NANOSECONDS);
        let value = (time / NANOSECONDS + UNIX) << 32 | fraction;
        bytes[at..at + 8].copy_from_slice(&value.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_250_000_000;

    #[test]
    fn answers_tell_the_time() {
        let question = question(77);
        assert_eq!((question[0], &question[1..40]), (0x23, &[0; 39][..]));
        let bytes = answer(&question, 0x64, 2, b"\x0a\0\0\x01", [NOW, NOW + 1000]);
        let response = Response::parse(&bytes, 77).unwrap();
        assert_eq!((response.leap, response.stratum), (Leap::Insert, 2));
        assert_eq!((response.received, response.sent), (NOW, NOW + 1000));
        // After February 2036 the seconds of the wire begin at zero again.
        let late = 2_100_000_000_000_000_000;
        let bytes = answer(&question, 0x24, 2, b"LOCL", [late, late]);
        assert_eq!(Response::parse(&bytes, 77).unwrap().received, late);
    }

    #[test]
    fn what_tells_no_time_says_why() {
        let question = question(77);
        let good = answer(&question, 0x24, 2, b"LOCL", [NOW, NOW]);
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            bytes
        };
        let kiss = |code: &[u8; 4]| answer(&question, 0xe4, 0, code, [NOW, NOW]);
        let cases: [(Vec<u8>, PacketError); 12] = [
            (good[..47].to_vec(), PacketError::Short { length: 47 }),
            (with(0, 0x23), PacketError::NotAnAnswer),
            (with(0, 0x14), PacketError::NotAnAnswer),
            (with(31, 78), PacketError::Stranger),
            (kiss(b"DENY"), PacketError::Refused),
            (kiss(b"RSTR"), PacketError::Refused),
            (kiss(b"RATE"), PacketError::TooOften),
            (kiss(b"INIT"), PacketError::Unsynchronised),
            (with(0, 0xe4), PacketError::Unsynchronised),
            (with(1, 16), PacketError::Unsynchronised),
            (with(9, 17), PacketError::Unsynchronised),
            (
                answer(&question, 0x24, 2, b"LOCL", [NOW + 1, NOW - 1000]),
                PacketError::Unsynchronised,
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(Response::parse(&bytes, 77), Err(error));
        }
    }
}
