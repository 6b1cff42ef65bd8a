//! Archives of the first file system: what can be read can be written, and is then the same.
#![no_main]

use boot::cpio::{Writer, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|archive: &[u8]| {
    let Ok(entries) = read(archive) else { return };
    let mut writer = Writer::new();
    for entry in &entries {
        writer.entry(entry).unwrap();
    }
    let written = writer.finish().unwrap();
    assert_eq!(read(&written).unwrap(), entries);
});
