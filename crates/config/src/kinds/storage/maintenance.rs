//! Regular upkeep of file systems, and compressed swap.

use config_derive::Section;

use crate::scalar::Duration;

/// Upkeep of one volume.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct VolumeUpkeep {
    /// Turns it on or off for this volume.
    pub enabled: Option<bool>,
    /// How often it is done.
    pub interval: Option<Duration>,
}

/// Tells disks regularly which blocks are free; without this document it is not done.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "FilesystemTrimConfig", group = "storage", since = "1.14")]
pub struct FilesystemTrimConfig {
    /// How often it is done.
    pub interval: Option<Duration>,
}

/// Checks file systems regularly.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "FilesystemScrubConfig", group = "storage", since = "1.14")]
pub struct FilesystemScrubConfig {
    /// How often it is done.
    #[field(default = "168h")]
    pub interval: Option<Duration>,
}

/// Keeps swapped pages compressed in memory first.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "ZswapConfig", group = "storage", since = "1.11")]
pub struct ZswapConfig {
    /// The most memory it takes, in percent.
    pub max_pool_percent: Option<i64>,
    /// Writes cold pages to disk when memory is short.
    pub shrinker_enabled: Option<bool>,
}
