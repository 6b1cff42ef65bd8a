//! YAML from anywhere: reading never panics, and a document that was written out reads as one that is
//! written the same. (The values may differ: the contract writes the number 1.0 as 1.)

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(documents) = yaml::parse(bytes) else { return };
    for document in documents {
        let value = document.root.to_value();
        let text = yaml::to_string(&value);
        let again = yaml::parse(text.as_bytes())
            .unwrap_or_else(|error| panic!("what was written is refused: {error}\n{text}"));
        let again = again.first().map(|document| document.root.to_value());
        assert_eq!(yaml::to_string(&again.unwrap_or(yaml::Value::Null)), text);
    }
});
