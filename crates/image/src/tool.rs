//! Runs the outside programs that a build needs, and says what is missing and how to get it.
//!
//! Only builds run outside programs; a node never does so through here.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Why an outside program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The program is not installed.
    #[error("{what} needs the program `{program}`, which is not installed; get it with: {cure}")]
    Missing {
        /// What it is needed for.
        what: String,
        /// The program.
        program: String,
        /// The command that installs it.
        cure: &'static str,
    },
    /// The program could not be started.
    #[error("{what}: starting `{program}`")]
    Start {
        /// What it is needed for.
        what: String,
        /// The program.
        program: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The program failed.
    #[error("{what} failed: `{command}` in {} ended with {status}\n{output}", directory.display())]
    Failed {
        /// What it should have done.
        what: String,
        /// The command line.
        command: String,
        /// Where it ran.
        directory: PathBuf,
        /// How it ended.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// Debian packages are needed to build.
    #[error("{what} needs Debian packages that are not installed; get them with: apt-get install {}", packages.join(" "))]
    Packages {
        /// What they are needed for.
        what: String,
        /// The packages.
        packages: Vec<String>,
    },
}

/// Which command installs a program.
fn cure(program: &str) -> &'static str {
    match program {
        "go" => "apt-get install golang, or the current release from go.dev",
        "rustc" => "rustup toolchain install",
        "apt-get" | "apt-cache" | "dpkg-deb" | "dpkg-query" => {
            "a Debian machine, which has it; images take their C programs from Debian packages"
        }
        _ => "apt-get install",
    }
}

/// Runs a command to its end and returns what it wrote to its standard output.
pub fn run(what: &str, command: &mut Command) -> Result<Vec<u8>, ToolError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|source| {
        if source.kind() == io::ErrorKind::NotFound {
            ToolError::Missing {
                what: what.to_owned(),
                program: program.clone(),
                cure: cure(&program),
            }
        } else {
            ToolError::Start { what: what.to_owned(), program: program.clone(), source }
        }
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n");
    Err(ToolError::Failed {
        what: what.to_owned(),
        command: words.join(" "),
        directory: command.get_current_dir().map_or_else(|| PathBuf::from("."), Into::into),
        status: output.status.to_string(),
        output: tail,
    })
}

/// Runs a command and returns its output as text without the final line end.
pub fn text(what: &str, command: &mut Command) -> Result<String, ToolError> {
    run(what, command).map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// The versions of installed Debian packages; an error names those that are not installed.
pub fn installed(what: &str, packages: &[String]) -> Result<Vec<String>, ToolError> {
    let mut missing = Vec::new();
    let mut versions = Vec::new();
    for package in packages {
        let mut query = Command::new("dpkg-query");
        query.args(["-W", "-f", "${db:Status-Status} ${Version}", package]);
        match text(what, &mut query) {
            Ok(answer) => match answer.strip_prefix("installed ") {
                Some(version) => versions.push(format!("{package} {version}")),
                None => missing.push(package.clone()),
            },
            // dpkg-query fails for a package it has never heard of.
            Err(ToolError::Failed { .. }) => missing.push(package.clone()),
            Err(error) => return Err(error),
        }
    }
    if missing.is_empty() {
        Ok(versions)
    } else {
        Err(ToolError::Packages { what: what.to_owned(), packages: missing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_program_comes_with_its_cure() {
        let error = run("building x", &mut Command::new("no-such-program-here")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("building x needs the program `no-such-program-here`"), "{text}");
        assert!(text.contains("get it with: "), "{text}");
    }

    #[test]
    fn failure_shows_the_command_and_its_last_words() {
        let mut command = Command::new("ls");
        command.arg("/does/not/exist");
        let text = run("listing", &mut command).unwrap_err().to_string();
        assert!(text.starts_with("listing failed: `ls /does/not/exist`"), "{text}");
        assert!(text.contains("No such file"), "{text}");
    }

    #[test]
    fn missing_packages_are_all_named() {
        let packages = ["no-such-package-a".to_owned(), "no-such-package-b".to_owned()];
        let text = installed("building x", &packages).unwrap_err().to_string();
        assert!(text.ends_with("apt-get install no-such-package-a no-such-package-b"), "{text}");
    }
}
