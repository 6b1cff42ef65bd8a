//! Where a machine configuration comes from: the disk, then the platform.

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

fn decompress(origin: &'static str, bytes: Vec<u8>) -> Result<Vec<u8>, SourceError> {
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
    fn an_absent_file_is_no_error_and_an_unreadable_one_is() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(disk(&directory.path().join("config.yaml")).unwrap(), None);
        assert!(matches!(disk(directory.path()), Err(SourceError::Read { .. })));
    }
}
