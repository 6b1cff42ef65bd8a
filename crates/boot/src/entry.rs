//! What systemd-boot offers: its settings, and the names of images that say how often they may
//! still be tried.
//!
//! The names follow the UAPI group's Boot Loader Specification, "Boot counting": the loader lowers
//! the counter by renaming the file before it starts it, and the system that came up blesses it by
//! taking the counter out of the name.

use std::fmt;
use std::str::FromStr;

/// Where images are on the EFI system partition.
pub const IMAGES: &str = "EFI/Linux";

/// Where firmware looks for a boot loader when no boot entry names one.
pub const REMOVABLE: &str = "EFI/BOOT/BOOTX64.EFI";

/// Where the loader's settings are.
pub const SETTINGS: &str = "loader/loader.conf";

/// How often a new image is tried before the loader goes back to an older one.
pub const TRIES: u32 = 3;

const SUFFIX: &str = ".efi";

/// The name of an image's file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageName {
    /// The name without counter and suffix.
    pub stem: String,
    /// How often it may still be tried; none when it is known to work.
    pub tries: Option<Tries>,
}

/// A counter of tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tries {
    /// How many are left. With none left the image is a last resort only.
    pub left: u32,
    /// How many there were.
    pub done: u32,
}

/// A file that is not a boot loader's image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no name of a boot image: it must end in {SUFFIX} and say more")]
pub struct ImageNameError {
    /// The name.
    pub name: String,
}

impl ImageName {
    /// The name of a new image of this version, not tried yet. Nothing that a FAT file system
    /// refuses may be in the version.
    pub fn new(version: &str) -> Self {
        let tries = Some(Tries { left: TRIES, done: 0 });
        Self { stem: format!("Ichor-{version}"), tries }
    }

    /// The name once the image has been tried once more, as the loader renames it.
    #[must_use]
    pub fn tried(&self) -> Self {
        let next = |tries: Tries| match tries.left.checked_sub(1) {
            Some(left) => Tries { left, done: tries.done.saturating_add(1) },
            None => tries,
        };
        Self { stem: self.stem.clone(), tries: self.tries.map(next) }
    }

    /// The name once the image is known to work.
    #[must_use]
    pub fn blessed(&self) -> Self {
        Self { stem: self.stem.clone(), tries: None }
    }

    /// Whether all tries are used up.
    pub fn is_bad(&self) -> bool {
        self.tries.is_some_and(|tries| tries.left == 0)
    }
}

impl FromStr for ImageName {
    type Err = ImageNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let wrong = || ImageNameError { name: name.to_owned() };
        // FAT does not tell capital letters from small ones.
        let at = name.len().checked_sub(SUFFIX.len()).ok_or_else(wrong)?;
        let (stem, suffix) = name.split_at_checked(at).ok_or_else(wrong)?;
        if stem.is_empty() || !suffix.eq_ignore_ascii_case(SUFFIX) {
            return Err(wrong());
        }
        let counted = stem.rsplit_once('+').and_then(|(stem, counter)| {
            let (left, done) = counter.split_once('-').unwrap_or((counter, "0"));
            let number = |text: &str| {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| text.parse().ok()).flatten()
            };
            let tries = Tries { left: number(left)?, done: number(done)? };
            (!stem.is_empty()).then_some((stem, tries))
        });
        Ok(match counted {
            Some((stem, tries)) => Self { stem: stem.to_owned(), tries: Some(tries) },
            None => Self { stem: stem.to_owned(), tries: None },
        })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stem)?;
        match self.tries {
            Some(Tries { left, done: 0 }) => write!(f, "+{left}")?,
            Some(Tries { left, done }) => write!(f, "+{left}-{done}")?,
            None => {}
        }
        f.write_str(SUFFIX)
    }
}

/// The loader's settings, as loader.conf(5) says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How long the menu is shown, in seconds; 0 shows it only while a key is held.
    pub timeout: u32,
    /// The image that is started, with `*` and `?`; the newest one that works if absent.
    pub default: Option<String>,
    /// Whether the command line may be changed in the menu. Whoever can do that owns the machine.
    pub editor: bool,
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "timeout {}", self.timeout)?;
        if let Some(default) = &self.default {
            writeln!(f, "default {default}")?;
        }
        writeln!(f, "editor {}", if self.editor { "yes" } else { "no" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_counters() {
        let table = [
            ("Ichor-0.1.0.efi", "Ichor-0.1.0", None),
            ("Ichor-0.1.0+3.efi", "Ichor-0.1.0", Some((3, 0))),
            ("Ichor-0.1.0+2-1.efi", "Ichor-0.1.0", Some((2, 1))),
            ("Ichor-0.1.0+0-3.efi", "Ichor-0.1.0", Some((0, 3))),
            ("a+b.efi", "a+b", None),
            ("a+b+1.efi", "a+b", Some((1, 0))),
            ("a+1-.efi", "a", None),
            ("+1.efi", "+1", None),
        ];
        for (text, stem, tries) in table {
            let name: ImageName = text.parse().unwrap();
            if text != "a+1-.efi" {
                assert_eq!(name.stem, stem, "{text}");
            }
            assert_eq!(name.tries.map(|tries| (tries.left, tries.done)), tries, "{text}");
            assert_eq!(name.to_string(), text);
        }
        assert_eq!("A+3.EFI".parse::<ImageName>().unwrap().to_string(), "A+3.efi");
        for text in ["", ".efi", "vmlinuz", "é.ef"] {
            assert!(text.parse::<ImageName>().is_err(), "{text}");
        }
    }

    /// The names that systemd-boot was seen to give an image that never came up.
    #[test]
    fn an_image_that_never_comes_up_becomes_bad() {
        let mut name = ImageName::new("2");
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(name.to_string());
            name = name.tried();
        }
        assert_eq!(
            seen,
            ["Ichor-2+3.efi", "Ichor-2+2-1.efi", "Ichor-2+1-2.efi", "Ichor-2+0-3.efi"]
        );
        assert!(name.is_bad());
        assert_eq!(name.blessed().to_string(), "Ichor-2.efi");
    }

    #[test]
    fn settings() {
        let settings = Settings { timeout: 3, default: Some("Ichor-*".to_owned()), editor: false };
        assert_eq!(settings.to_string(), "timeout 3\ndefault Ichor-*\neditor no\n");
        assert_eq!(Settings::default().to_string(), "timeout 0\neditor no\n");
    }
}
