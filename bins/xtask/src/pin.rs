//! `cargo xtask pin`: takes the versions of Debian packages that the archive offers now.
//!
//! An archive keeps only the current version of a package, so a pinned one can disappear. The new
//! pins are a change of the source tree like any other: look at it, build, test, commit.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use image::pins::{DebianPin, Pins};

use crate::{tools, workspace};

/// Rewrites the pins that the archive has moved past, and says which.
pub(crate) fn renew() -> Result<()> {
    tools::update_lists()?;
    let directory = workspace::components();
    let pins = Pins::read(&directory)?;
    let path = directory.join("components.toml");
    let mut text =
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut changed = 0;
    let mut gone = Vec::new();
    for pin in pins.packages() {
        match offered(pin) {
            Ok(offered) if offered != *pin => {
                println!("{}", change(pin, &offered));
                text = replaced(&text, pin, &offered);
                changed += 1;
            }
            Ok(_) => {}
            Err(error) => gone.push(format!("{error:#}")),
        }
    }
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    let all = pins.packages().count();
    println!("{changed} of {all} pins changed; see: git diff components/components.toml");
    if !gone.is_empty() {
        bail!("{}", gone.join("\n"));
    }
    Ok(())
}

/// What has changed, for a person to read.
fn change(old: &DebianPin, new: &DebianPin) -> String {
    if old.package == new.package && old.version == new.version {
        return format!("{} {}: other content, {}", old.package, old.version, new.sha256);
    }
    if old.package == new.package {
        return format!("{}: {} -> {}", old.package, old.version, new.version);
    }
    format!("{} {} -> {} {}", old.package, old.version, new.package, new.version)
}

/// What the archive offers in the place of a package.
fn offered(pin: &DebianPin) -> Result<DebianPin> {
    let package = match &pin.newest {
        Some(newest) => {
            let record = record(newest)?;
            let depends = field(&record, "Depends: ").unwrap_or_default().to_owned();
            newest_of(&pin.package, &depends)
                .with_context(|| format!("{newest} depends on no package like {}", pin.package))?
        }
        None => pin.package.clone(),
    };
    let record = record(&package)?;
    match (field(&record, "Version: "), field(&record, "SHA256: ")) {
        (Some(version), Some(sha256)) => Ok(DebianPin {
            package,
            version: version.to_owned(),
            sha256: sha256.to_owned(),
            newest: pin.newest.clone(),
        }),
        _ => bail!("apt knows {package}, but neither its version nor its checksum"),
    }
}

/// What apt says of a package.
fn record(package: &str) -> Result<String> {
    let output = Command::new("apt-cache")
        .args(["show", "--no-all-versions", package])
        .output()
        .context("starting apt-cache")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.trim().is_empty() {
        bail!("the archive offers no package {package}; pin another one in components.toml");
    }
    Ok(text)
}

fn field<'a>(record: &'a str, name: &str) -> Option<&'a str> {
    record.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// The package of a list of dependencies that is the pinned one in another version: it begins with
/// the same letters up to the first digit.
fn newest_of(pinned: &str, depends: &str) -> Option<String> {
    let kind = pinned.split(|c: char| c.is_ascii_digit()).next().unwrap_or(pinned);
    let names = depends.split([',', '|']).filter_map(|name| name.split_whitespace().next());
    names.filter(|name| name.starts_with(kind)).map(str::to_owned).next()
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

    fn pin(package: &str, version: &str) -> DebianPin {
        DebianPin {
            package: package.to_owned(),
            version: version.to_owned(),
            sha256: format!("sum-{version}"),
            newest: None,
        }
    }

    #[test]
    fn only_the_pin_itself_is_replaced() {
        let text = "package = \"a\"\nversion = \"1\"\nsha256 = \"sum-1\"\n\n\
            package = \"ab\"\nversion = \"1\"\nsha256 = \"sum-1\"\n";
        let expected = text.replacen("\"1\"", "\"2\"", 1).replacen("sum-1", "sum-2", 1);
        assert_eq!(replaced(text, &pin("a", "1"), &pin("a", "2")), expected);
    }

    #[test]
    fn versions_in_names_are_followed() {
        let depends = "linux-image-6.12.118+deb12-amd64 (= 6.12.118-1~deb12u1), linux-base";
        let newest = newest_of("linux-image-6.12.117+deb12-amd64", depends);
        assert_eq!(newest.as_deref(), Some("linux-image-6.12.118+deb12-amd64"));
        assert_eq!(newest_of("linux-image-6.12.117+deb12-amd64", "libc6"), None);
    }

    #[test]
    fn a_change_says_what_matters() {
        assert_eq!(change(&pin("a", "1"), &pin("a", "2")), "a: 1 -> 2");
        assert_eq!(change(&pin("a-1", "1"), &pin("a-2", "2")), "a-1 1 -> a-2 2");
        let other = DebianPin { sha256: "x".to_owned(), ..pin("a", "1") };
        assert_eq!(change(&pin("a", "1"), &other), "a 1: other content, x");
    }

    #[test]
    fn every_committed_pin_has_the_form_that_is_replaced() {
        let directory = workspace::components();
        let text = fs::read_to_string(directory.join("components.toml")).unwrap();
        let pins = Pins::read(&directory).unwrap();
        for pin in pins.packages() {
            let other = DebianPin { version: "0".to_owned(), ..pin.clone() };
            assert_ne!(replaced(&text, pin, &other), text, "{}", pin.package);
        }
    }
}
