//! Certificates that an earlier machined of this boot issued: their files outlive its crash, and whoever reads them
//! must not be restarted for new ones.

use std::path::Path;

use resource::types::PemEncodedCertificateAndKey;

/// The pair in `<name>.crt` and `<name>.key`; nothing unless both are there.
pub(super) fn pair(directory: &Path, name: &str) -> PemEncodedCertificateAndKey {
    let read = |extension: &str| std::fs::read(directory.join(format!("{name}.{extension}")));
    match (read("crt"), read("key")) {
        (Ok(crt), Ok(key)) => PemEncodedCertificateAndKey { crt: crt.into(), key: key.into() },
        // What cannot be read is issued anew, which needs no error.
        _ => PemEncodedCertificateAndKey::default(),
    }
}

/// The text of a file; empty when there is none.
pub(super) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pairs_are_taken() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(pair(directory.path(), "server"), PemEncodedCertificateAndKey::default());
        std::fs::write(directory.path().join("server.crt"), "C").unwrap();
        assert_eq!(pair(directory.path(), "server"), PemEncodedCertificateAndKey::default());
        std::fs::write(directory.path().join("server.key"), "K").unwrap();
        assert_eq!(pair(directory.path(), "server").key.0, b"K");
        assert_eq!(text(&directory.path().join("absent")), "");
    }
}
