//! What a user sees: transcripts of the program's commands, run one after another in a directory of their own.
//!
//! A transcript below `transcripts/` holds commands (`$ ichorctl …`), the lines they print (standard output, then standard error)
//! and, when it is not 0, the exit code (`? 1`). `[..]` in an expected line stands for anything. With `TRANSCRIPTS=overwrite`
//! the files are written anew instead of compared.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

struct Step {
    command: String,
    expected: String,
}

fn read(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), expected: String::new() });
        } else if let Some(step) = steps.last_mut() {
            step.expected.push_str(line);
            step.expected.push('\n');
        }
    }
    steps
}

/// Words, with single quotes around those that hold spaces.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut any) = (false, false);
    for character in command.chars() {
        match character {
            '\'' => {
                quoted = !quoted;
                any = true;
            }
            ' ' if !quoted => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            other => word.push(other),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

fn run(command: &str, directory: &Path) -> String {
    let words = words(command);
    let (program, arguments) = words.split_first().expect("a command has a first word");
    let output = if program == "ichorctl" {
        Command::new(env!("CARGO_BIN_EXE_ichorctl"))
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("HOME", directory)
            .output()
    } else {
        Command::new(program).args(arguments).current_dir(directory).output()
    }
    .unwrap_or_else(|error| panic!("starting {program}: {error}"));
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => text.push_str(&format!("? {code}\n")),
        None => text.push_str("? killed\n"),
    }
    text.replace(&directory.display().to_string(), "$HOME")
}

fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

fn same(expected: &str, actual: &str) -> bool {
    let (expected, actual): (Vec<&str>, Vec<&str>) =
        (expected.trim_end().lines().collect(), actual.trim_end().lines().collect());
    expected.len() == actual.len() && expected.iter().zip(&actual).all(|(p, l)| fits(p, l))
}

#[test]
fn transcripts_are_true() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let overwrite = std::env::var("TRANSCRIPTS").is_ok_and(|value| value == "overwrite");
    let mut files: Vec<PathBuf> = fs::read_dir(&home)
        .expect("the transcripts are here")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut failures = String::new();
    for file in files {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut written = String::new();
        for step in read(&fs::read_to_string(&file).expect("readable")) {
            let actual = run(&step.command, directory.path());
            let is_same = same(&step.expected, &actual);
            if !is_same {
                failures.push_str(&format!(
                    "{}: $ {}\n--- expected\n{}--- actual\n{actual}\n",
                    file.display(),
                    step.command,
                    step.expected
                ));
            }
            let kept = if is_same { step.expected.trim_end() } else { actual.trim_end() };
            written.push_str(&format!(
                "$ {}\n{kept}{}\n",
                step.command,
                if kept.is_empty() { "" } else { "\n" }
            ));
        }
        if overwrite {
            fs::write(&file, written).expect("writable");
        }
    }
    assert!(overwrite || failures.is_empty(), "{failures}");
}

#[test]
fn patterns_fit() {
    assert!(
        fits("a[..]c", "abc")
            && fits("[..]", "")
            && fits("abc", "abc")
            && fits("a[..]b[..]", "a1b2")
    );
    assert!(!fits("a", "ab") && !fits("a[..]d", "abc") && !fits("b[..]", "abc"));
}
