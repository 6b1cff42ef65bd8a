//! `cargo xtask pin`: takes the versions of Debian packages that the archive offers now.
//!
//! An archive keeps only the current version of a package, so a pinned one can disappear. The new
//! pins are a change of the source tree like any other: look at it, build, test, commit.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use image::pins::{DebianPin, Pins};

use crate::{tools, workspace};

/// Rewrites the pins that the archive has moved past.
pub(crate) fn renew() -> Result<()> {
    tools::update_lists()?;
    let directory = workspace::components();
    let pins = Pins::read(&directory)?;
    let path = directory.join("components.toml");
    let mut text =
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut changed = 0;
    for pin in pins.debian.iter().chain([&pins.kernel]) {
        let offered = offered(&pin.package)?;
        if offered != *pin {
            println!("{}: {} -> {}", pin.package, pin.version, offered.version);
            text = replaced(&text, pin, &offered);
            changed += 1;
        }
    }
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    println!("{changed} pins changed");
    Ok(())
}

/// What the archive offers of a package.
fn offered(package: &str) -> Result<DebianPin> {
    let output = Command::new("apt-cache")
        .args(["show", "--no-all-versions", package])
        .output()
        .context("starting apt-cache")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    match (field("Version: "), field("SHA256: ")) {
        (Some(version), Some(sha256)) => {
            Ok(DebianPin { package: package.to_owned(), version, sha256 })
        }
        _ => bail!("the archive offers no package {package}; pin another one in components.toml"),
    }
}

/// The text with one pin replaced by another.
fn replaced(text: &str, old: &DebianPin, new: &DebianPin) -> String {
    let block = |pin: &DebianPin| {
        format!(
            "package = \"{}\"\nversion = \"{}\"\nsha256 = \"{}\"",
            pin.package, pin.version, pin.sha256
        )
    };
    text.replacen(&block(old), &block(new), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pin_itself_is_replaced() {
        let pin = |version: &str| DebianPin {
            package: "a".to_owned(),
            version: version.to_owned(),
            sha256: format!("sum-{version}"),
        };
        let text = "package = \"a\"\nversion = \"1\"\nsha256 = \"sum-1\"\n\n\
            package = \"ab\"\nversion = \"1\"\nsha256 = \"sum-1\"\n";
        let expected = text.replacen("\"1\"", "\"2\"", 1).replacen("sum-1", "sum-2", 1);
        assert_eq!(replaced(text, &pin("1"), &pin("2")), expected);
    }

    #[test]
    fn every_committed_pin_has_the_form_that_is_replaced() {
        let directory = workspace::components();
        let text = fs::read_to_string(directory.join("components.toml")).unwrap();
        let pins = Pins::read(&directory).unwrap();
        for pin in pins.debian.iter().chain([&pins.kernel]) {
            let other = DebianPin { version: "0".to_owned(), ..pin.clone() };
            assert_ne!(replaced(&text, pin, &other), text, "{}", pin.package);
        }
    }
}
