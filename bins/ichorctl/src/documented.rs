//! The commands that the documentation shows are commands that this program has.
//!
//! Whether they do what the documentation says, the cluster test shows by running them.

use std::{fs, path::Path, process::Command};

use clap::Parser as _;
use resource::{DEFINITIONS, EXTENSIONS};

use crate::cli::Cli;

const PAGES: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "docs/getting-started.md",
    "docs/how-a-node-works.md",
    "docs/installing.md",
    "docs/local-clusters.md",
    "docs/machines.md",
    "docs/troubleshooting.md",
];

/// The commands in the blocks of a page that hold commands, with their lines' numbers.
fn commands(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside && line.starts_with("ichorctl ") {
            found.push((at + 1, line));
        }
    }
    found
}

/// The words of a command as a shell reads them.
fn words(command: &str) -> Vec<String> {
    let script = format!("printf '%s\\0' {command}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{command}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// How many of a node's types `get` may mean by a word.
fn types(wanted: &str) -> usize {
    let definitions = DEFINITIONS.iter().chain(EXTENSIONS);
    definitions.filter(|d| d.all_aliases().iter().any(|alias| alias == wanted)).count()
}

#[test]
fn documented_commands_are_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in PAGES {
        let text = fs::read_to_string(root.join(page)).unwrap();
        for (line, command) in commands(&text) {
            count += 1;
            let words = words(command);
            if let Err(error) = Cli::try_parse_from(&words) {
                wrong.push(format!("{page}:{line}: {command}\n{error}"));
            }
            if words.get(1).is_some_and(|word| word == "get")
                && let Some(kind) = words.get(2)
                && types(kind) != 1
            {
                let meant = types(kind);
                wrong.push(format!("{page}:{line}: {command}\n{kind} means {meant} types"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 40, "only {count} commands were found: the test no longer sees the pages");
}
