//! Kernel modules: what a module says of itself, and the lists of all modules.
#![no_main]

use boot::module::catalogue::{Catalogue, Lists};
use boot::module::metadata::Metadata;
use boot::module::pattern;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Metadata::read(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (first, second) = text.split_once('\0').unwrap_or((text, ""));
    let _ = pattern::matches(first, second);
    let lists = Lists {
        dependencies: first.to_owned(),
        aliases: second.to_owned(),
        ..Lists::default()
    };
    let Ok(catalogue) = Catalogue::read(&lists) else { return };
    for (name, _) in catalogue.modules() {
        assert!(catalogue.steps(name).unwrap().iter().any(|step| step.name == name));
    }
    let _ = catalogue.matching(first);
});
