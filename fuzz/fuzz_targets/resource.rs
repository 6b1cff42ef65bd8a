//! Resource specs from another node: decoding never panics, whatever the type, and what was decoded
//! encodes to bytes that decode to the same.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [high, low, spec @ ..] = bytes else { return };
    let at = usize::from(u16::from_be_bytes([*high, *low])) % resource::DEFINITIONS.len();
    let definition = &resource::DEFINITIONS[at];
    let Ok(decoded) = (definition.decode)(spec) else { return };
    let again = (definition.decode)(&decoded.proto())
        .unwrap_or_else(|error| panic!("{}: what was encoded is refused: {error}", definition.type_name));
    assert_eq!(again.proto(), decoded.proto(), "{}", definition.type_name);
    // Every spec can be shown to a person.
    let _ = decoded.yaml();
});
