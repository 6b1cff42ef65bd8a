//! Names of modules and their parameters, in which the kernel takes a dash for an underscore (kernel parameters
//! document, section on dashes).

/// A byte of a name as the kernel knows it.
pub(crate) fn plain_byte(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte }
}

/// A name as the kernel knows it.
pub(crate) fn plain(name: &str) -> Vec<u8> {
    name.bytes().map(plain_byte).collect()
}

/// Whether two texts are the same name.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.bytes().map(plain_byte).eq(other.bytes().map(plain_byte))
}
