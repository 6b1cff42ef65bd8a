//! Every example loads and is in canonical form.

use config::catalog::KINDS;

#[test]
fn examples_are_canonical() {
    let mut bad = Vec::new();
    let legacy = ("v1alpha1", config::v1alpha1::EXAMPLE);
    for (kind, example) in KINDS.iter().map(|info| (info.kind, info.example)).chain([legacy]) {
        match config::load(example.as_bytes()) {
            Ok(loaded) if loaded.encode() == example => {}
            Ok(loaded) => bad.push(format!("{kind}:\n{}", loaded.encode())),
            Err(errors) => bad.push(format!("{kind}: {errors}")),
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
