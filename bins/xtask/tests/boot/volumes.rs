//! A machine finds its configuration on a volume that somebody has put in.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::CLOCK_IS_RIGHT;
use crate::guest::{Around, Guest};
use crate::lab::Lab;
use crate::outcome::{Outcome, run};

/// The machine has read a whole configuration, and it was not its own disk's.
const FOUND: &str = "machine configuration from the platform complete=true";

pub(crate) fn are_found(lab: &Lab) -> Outcome {
    let text = lab.configuration("worker", &[CLOCK_IS_RIGHT])?;
    let metal = disc(lab, "metal-iso", &[("config.yaml", &text)])?;
    let around = Around { disk: Some(&metal), config: "metal-iso", ..Around::default() };
    let mut guest = Guest::start(lab, "metal", &around)?;
    guest.says(FOUND)?;
    guest.cut()?;
    let cloud =
        disc(lab, "cidata", &[("user-data", &text), ("meta-data", "local-hostname: rack-7\n")])?;
    let around =
        Around { disk: Some(&cloud), platform: "nocloud", config: "", ..Around::default() };
    let mut guest = Guest::start(lab, "nocloud", &around)?;
    guest.says(FOUND)?;
    guest.cut()
}

/// A disc of that label with some files.
fn disc(lab: &Lab, label: &str, files: &[(&str, &str)]) -> Outcome<PathBuf> {
    let directory = lab.file(&format!("{label}.files"));
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    for (name, content) in files {
        fs::write(directory.join(name), content).map_err(|error| error.to_string())?;
    }
    let path = lab.file(&format!("{label}.iso"));
    let mut make = Command::new("xorriso");
    make.args(["-as", "mkisofs", "-quiet", "-rational-rock", "-volid", label, "-o"]);
    run(make.arg(&path).arg(&directory))?;
    Ok(path)
}
