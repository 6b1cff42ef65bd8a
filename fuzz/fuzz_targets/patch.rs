//! Patches from anywhere on a configuration from anywhere: reading and merging never panic, the result is a
//! configuration, and a configuration merged into itself keeps its scalars and maps.

#![no_main]

use config::patch::{self, Patch};
use yaml::Value;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // The text is cut at the first 0xff, which no YAML holds.
    let at = bytes.iter().position(|byte| *byte == 0xff).unwrap_or(bytes.len());
    let (config, patch) = bytes.split_at(at);
    let Ok(config) = config::load(config) else { return };
    let own = config.encode();
    if let Ok(mirror @ Patch::Strategic(_)) = patch::load(own.as_bytes())
        && let Ok(merged) = patch::apply_to(&config, &[mirror])
    {
        for (before, after) in config.values().iter().zip(merged.values()) {
            contained(before, &after);
        }
    }
    let Ok(patch) = patch::load(patch.get(1..).unwrap_or_default()) else { return };
    if let Ok(patched) = patch::apply(own.as_bytes(), std::slice::from_ref(&patch))
        && matches!(patch, Patch::Strategic(_))
    {
        let again = config::load(&patched)
            .unwrap_or_else(|error| panic!("the result is no configuration: {error}"));
        assert_eq!(again.encode().as_bytes(), patched);
    }
});

/// Every scalar and every key is still there; lists may be longer.
fn contained(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Map(entries), after) => {
            for (key, value) in entries {
                let now = after.entry(key).unwrap_or_else(|| panic!("{key} is gone"));
                contained(value, now);
            }
        }
        (Value::Seq(items), Value::Seq(more)) => assert!(more.len() >= items.len()),
        (before, after) => assert_eq!(before, after),
    }
}
