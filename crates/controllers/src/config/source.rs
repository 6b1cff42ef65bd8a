//! Where a machine configuration comes from, and the forms it comes in.
//!
//! The order of the sources is the contract's (config.md, 7.4); the first complete configuration ends the search.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use flate2::read::GzDecoder;

/// A configuration larger than this is none.
const LIMIT: u64 = 16 << 20;

/// Why a source gave no configuration.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file could not be read.
    #[error("cannot read the machine configuration {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The user data is not base64.
    #[error(
        "the machine configuration in USERDATA is not base64: set it to the base64 of the YAML text"
    )]
    Base64(#[source] base64::DecodeError),
    /// A kernel argument is not base64.
    #[error(
        "the machine configuration in the kernel argument {argument} is not base64: set it to the base64 of the YAML text, compressed with zstd"
    )]
    Argument {
        /// The argument.
        argument: &'static str,
        /// Why.
        #[source]
        source: base64::DecodeError,
    },
    /// A kernel argument is not compressed as it must be.
    #[error(
        "the machine configuration in the kernel argument {argument} is not compressed with zstd"
    )]
    Zstd {
        /// The argument.
        argument: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The compressed form is damaged.
    #[error("the machine configuration from {origin} is compressed, but does not decompress")]
    Gzip {
        /// Where it is from.
        origin: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is absurdly large.
    #[error("the machine configuration from {origin} is larger than 16 MiB")]
    Size {
        /// Where it is from.
        origin: &'static str,
    },
}

/// A place that may have a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The volume STATE, where the node itself kept it.
    State,
    /// The root image.
    Embedded,
    /// The kernel argument `talos.config.early`.
    Early,
    /// What the platform offers: a URL, a volume with a label, user data.
    Platform,
    /// The kernel argument `talos.config.inline`.
    Inline,
}

impl Origin {
    /// The sources in their order; the command line of a container's kernel is another system's.
    #[must_use]
    pub fn order(in_container: bool) -> &'static [Self] {
        if in_container {
            &[Self::State, Self::Embedded, Self::Platform]
        } else {
            &[Self::State, Self::Embedded, Self::Early, Self::Platform, Self::Inline]
        }
    }

    /// The source in a few words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State => "STATE",
            Self::Embedded => "the root image",
            Self::Early => "the kernel argument talos.config.early",
            Self::Platform => "the platform",
            Self::Inline => "the kernel argument talos.config.inline",
        }
    }
}

/// Where the root image may have a configuration.
pub const EMBEDDED: &str = "/usr/local/etc/talos/config.yaml";

/// The configuration on disk; `None` when there is no such file.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn disk(path: &Path) -> Result<Option<Vec<u8>>, SourceError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SourceError::Read { path: path.to_owned(), source }),
    }
}

/// The configuration in base64 user data; `None` when it is empty.
///
/// # Errors
/// When it is not base64 or its compressed form is damaged.
pub fn user_data(text: &str) -> Result<Option<Vec<u8>>, SourceError> {
    let text: String = text.split_ascii_whitespace().collect();
    if text.is_empty() {
        return Ok(None);
    }
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes =
        GeneralPurpose::new(&STANDARD, lenient).decode(text).map_err(SourceError::Base64)?;
    decompress("USERDATA", bytes).map(Some)
}

/// The configuration in the kernel argument `argument`, whose pieces are put together in `text`.
///
/// # Errors
/// When it is not base64 or not compressed with zstd.
pub fn argument(argument: &'static str, text: &str) -> Result<Vec<u8>, SourceError> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&STANDARD, lenient)
        .decode(text)
        .map_err(|source| SourceError::Argument { argument, source })?;
    let failed = |source| SourceError::Zstd { argument, source };
    let decoder = zstd::stream::read::Decoder::new(bytes.as_slice()).map_err(failed)?;
    let mut plain = Vec::new();
    let read = decoder.take(LIMIT).read_to_end(&mut plain).map_err(failed)?;
    if u64::try_from(read).is_ok_and(|read| read >= LIMIT) {
        return Err(SourceError::Size { origin: argument });
    }
    Ok(plain)
}

/// The plain form of what a source gave, which may be compressed with gzip.
///
/// # Errors
/// When the compressed form is damaged or absurdly large.
pub(super) fn decompress(origin: &'static str, bytes: Vec<u8>) -> Result<Vec<u8>, SourceError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    let read = GzDecoder::new(bytes.as_slice())
        .take(LIMIT)
        .read_to_end(&mut plain)
        .map_err(|source| SourceError::Gzip { origin, source })?;
    if u64::try_from(read).is_ok_and(|read| read >= LIMIT) {
        return Err(SourceError::Size { origin });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    #[test]
    fn user_data_is_base64_and_may_be_compressed() {
        let yaml = b"version: v1alpha1\n";
        let plain = general_purpose::STANDARD.encode(yaml);
        assert_eq!(user_data(&plain).unwrap().unwrap(), yaml);
        let unpadded = plain.trim_end_matches('=').to_owned();
        assert_eq!(user_data(&unpadded).unwrap().unwrap(), yaml);
        let wrapped = format!("{}\n{}\n", &plain[..8], &plain[8..]);
        assert_eq!(user_data(&wrapped).unwrap().unwrap(), yaml);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(yaml).unwrap();
        let packed = encoder.finish().unwrap();
        let text = general_purpose::STANDARD.encode(&packed);
        assert_eq!(user_data(&text).unwrap().unwrap(), yaml);
        let cut = general_purpose::STANDARD.encode(&packed[..packed.len() - 9]);
        assert!(matches!(user_data(&cut), Err(SourceError::Gzip { .. })));
        assert!(matches!(user_data("%%%"), Err(SourceError::Base64(_))));
        assert_eq!(user_data(" \n").unwrap(), None);
    }

    #[test]
    fn kernel_arguments_are_base64_of_zstd() {
        const NAME: &str = "talos.config.inline";
        let yaml = b"version: v1alpha1\n";
        let packed = zstd::encode_all(yaml.as_slice(), 3).unwrap();
        let text = general_purpose::STANDARD.encode(&packed);
        assert_eq!(argument(NAME, &text).unwrap(), yaml);
        let unpadded = text.trim_end_matches('=');
        assert_eq!(argument(NAME, unpadded).unwrap(), yaml);
        let plain = general_purpose::STANDARD.encode(yaml);
        assert!(matches!(argument(NAME, &plain), Err(SourceError::Zstd { .. })));
        assert!(matches!(argument(NAME, "%"), Err(SourceError::Argument { .. })));
        // Sixteen megabytes of zeros are a few bytes.
        let bomb = zstd::encode_all(vec![0; 17 << 20].as_slice(), 3).unwrap();
        let bomb = general_purpose::STANDARD.encode(bomb);
        assert!(matches!(argument(NAME, &bomb), Err(SourceError::Size { .. })));
    }

    #[test]
    fn a_container_has_no_command_line_of_its_own() {
        assert!(!Origin::order(true).contains(&Origin::Inline));
        let order = Origin::order(false);
        let at = |origin| order.iter().position(|found| *found == origin).unwrap();
        assert!(at(Origin::State) < at(Origin::Embedded));
        assert!(at(Origin::Early) < at(Origin::Platform));
        assert!(at(Origin::Platform) < at(Origin::Inline));
    }

    #[test]
    fn an_absent_file_is_no_error_and_an_unreadable_one_is() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(disk(&directory.path().join("config.yaml")).unwrap(), None);
        assert!(matches!(disk(directory.path()), Err(SourceError::Read { .. })));
    }
}
