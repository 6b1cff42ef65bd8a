//! The documentation is true as far as that shows without a cluster: what its commands are made of exists, its links
//! and pictures lead somewhere, and it has one sentence per line.
//!
//! That `ichorctl` understands the commands is a test of `ichorctl`; that they do what the pages say is a step of the
//! cluster test.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod pages;

use std::fs;
use std::path::Path;
use std::process::Command;

use pages::{PAGES, checkout, commands, read};

fn none(violations: &[String]) {
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

/// The lines of a page that are text: no commands, no pictures made of characters, no tables.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced && !line.starts_with('|') {
            lines.push((at + 1, line));
        }
    }
    lines
}

#[test]
fn commands_are_made_of_what_there_is() {
    let makefile = fs::read_to_string(checkout().join("Makefile")).unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut violations = Vec::new();
    let mut count = 0;
    for page in PAGES {
        for (line, command) in commands(&read(page)) {
            count += 1;
            let words: Vec<&str> = command.split_whitespace().collect();
            let known = match words.as_slice() {
                ["make", target, ..] => {
                    makefile.lines().any(|l| l.split(':').next() == Some(*target))
                }
                ["cargo", "xtask", name, ..] => {
                    help.lines().any(|l| l.split_whitespace().next() == Some(*name))
                }
                // Their own tests look at them.
                ["ichorctl" | "kubectl", ..] => true,
                ["export" | "mkdir" | "zstd" | "truncate" | "(cd", ..] => true,
                _ => false,
            };
            if !known {
                violations.push(format!("{page}:{line}: what is `{command}`?"));
            }
        }
    }
    none(&violations);
    assert!(count > 50, "only {count} commands were found: the test no longer sees the pages");
}

/// `kubectl` says itself whether it has a command with these flags.
#[test]
fn kubectl_understands_its_commands() {
    let kubectl = checkout().join("out/bin/kubectl");
    assert!(kubectl.exists(), "out/bin/kubectl is missing; build it first: cargo xtask all");
    let mut violations = Vec::new();
    for page in PAGES {
        for (line, command) in commands(&read(page)) {
            let Some(arguments) = command.strip_prefix("kubectl ") else { continue };
            // What is run inside a container is not kubectl's.
            let own = arguments.split(" -- ").next().unwrap_or_default();
            let script = format!("{} {own} --help", kubectl.display());
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            if !output.status.success() {
                let error = String::from_utf8_lossy(&output.stderr).into_owned();
                violations.push(format!("{page}:{line}: {command}\n{error}"));
            }
        }
    }
    none(&violations);
}

#[test]
fn links_and_pictures_lead_somewhere() {
    let mut violations = Vec::new();
    let mut pictures = Vec::new();
    for page in PAGES {
        let directory = checkout().join(page).parent().unwrap().to_owned();
        for (line, text) in prose(&read(page)) {
            for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if target.starts_with("http") {
                    continue;
                }
                if !directory.join(target).exists() {
                    violations.push(format!("{page}:{line}: {target} is not there"));
                }
                pictures.extend(Path::new(target).file_name().map(ToOwned::to_owned));
            }
        }
    }
    for entry in fs::read_dir(checkout().join("docs/images")).unwrap() {
        let name = entry.unwrap().file_name();
        if !pictures.contains(&name) {
            violations.push(format!("docs/images/{} is shown nowhere", name.display()));
        }
    }
    none(&violations);
}

#[test]
fn every_page_is_known_and_has_one_sentence_per_line() {
    let mut violations = Vec::new();
    for entry in fs::read_dir(checkout().join("docs")).unwrap() {
        let name = format!("docs/{}", entry.unwrap().file_name().display());
        if name.ends_with(".md") && !PAGES.contains(&name.as_str()) {
            violations.push(format!("{name} is not among the pages that tests read"));
        }
    }
    for page in PAGES {
        for (line, text) in prose(&read(page)) {
            let second = text.match_indices(". ").any(|(at, _)| {
                let begins = text.get(at + 2..).and_then(|rest| rest.chars().next());
                let ends = text.get(..at).and_then(|rest| rest.chars().next_back());
                begins.is_some_and(|c| c.is_uppercase() || c == '`')
                    // A number that counts a list ends no sentence.
                    && ends.is_some_and(|c| !c.is_ascii_digit())
            });
            if second {
                violations.push(format!("{page}:{line}: more than one sentence: {text}"));
            }
        }
    }
    none(&violations);
}
