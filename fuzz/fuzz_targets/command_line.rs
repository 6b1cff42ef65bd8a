//! The kernel's command line: whatever it says is understood or reported, and is written as it is
//! read.
#![no_main]

use boot::command_line::CommandLine;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let line = CommandLine::from(text);
    assert_eq!(CommandLine::from(line.to_string().as_str()), line);
    let understood = line.understand();
    for problem in &understood.problems {
        assert!(!problem.to_string().is_empty());
    }
});
