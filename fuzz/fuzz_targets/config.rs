//! Machine configurations from anywhere: loading never panics, and what was accepted and written
//! out is accepted again and then written out the same.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(loaded) = config::load(bytes) else { return };
    let text = loaded.encode();
    let again = config::load(text.as_bytes())
        .unwrap_or_else(|errors| panic!("what was written is refused: {errors}\n{text}"));
    assert_eq!(again.encode(), text, "the second encoding differs");
});
