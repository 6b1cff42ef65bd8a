//! The two 32-bit cyclic redundancy checks that disk formats use, both bit-reflected.

/// One polynomial with its table.
struct Polynomial([u32; 256]);

impl Polynomial {
    const fn new(reflected: u32) -> Self {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            #[allow(clippy::cast_possible_truncation, reason = "below 256")]
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { (value >> 1) ^ reflected } else { value >> 1 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        Self(table)
    }

    fn update(&self, state: u32, bytes: &[u8]) -> u32 {
        bytes.iter().fold(state, |state, byte| {
            let [low, ..] = state.to_le_bytes();
            (state >> 8) ^ self.0[usize::from(low ^ byte)]
        })
    }
}

static IEEE: Polynomial = Polynomial::new(0xEDB8_8320);
static CASTAGNOLI: Polynomial = Polynomial::new(0x82F6_3B78);

/// CRC-32 of IEEE 802.3, as GPT headers have it (UEFI 2.10, chapter 5.3.2).
///
/// ```
/// assert_eq!(storage::crc::crc32(b"123456789"), 0xCBF4_3926);
/// ```
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    !IEEE.update(!0, bytes)
}

/// CRC-32C continued from `state` without the final inversion, which is how ext4 chains it
/// (kernel documentation, `filesystems/ext4/checksums`). A new chain starts with all ones.
///
/// ```
/// assert_eq!(!storage::crc::crc32c(!0, b"123456789"), 0xE306_9283);
/// ```
#[must_use]
pub fn crc32c(state: u32, bytes: &[u8]) -> u32 {
    CASTAGNOLI.update(state, bytes)
}
