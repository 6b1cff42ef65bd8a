//! Expressions from anywhere: compiling never panics, and what compiles ends in bounded time.

#![no_main]

use std::collections::BTreeMap;

use config::cel::{DISK, Environment, LINK, Program, VOLUME, Value};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let environments = [
        Environment::Disk,
        Environment::Volume,
        Environment::Link,
        Environment::OomTrigger,
        Environment::OomRanking,
    ];
    let object = |object| Value::Object(object, BTreeMap::new());
    let variables = BTreeMap::from([
        ("disk".to_owned(), object(&DISK)),
        ("volume".to_owned(), object(&VOLUME)),
        ("link".to_owned(), object(&LINK)),
        ("system_disk".to_owned(), Value::Bool(true)),
    ]);
    for environment in environments {
        match Program::compile(text, environment) {
            Ok(program) => drop(program.eval(&variables)),
            Err(error) => drop(error.to_string()),
        }
    }
});
