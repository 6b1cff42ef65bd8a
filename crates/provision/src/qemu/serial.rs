//! What a machine's serial line tells about it before anything of ours runs.

/// What the firmware shows when it found nothing to start from; it waits there for ever.
const SHELL: &[u8] = b"Shell> ";

/// Looks for signs in a stream, wherever it is cut.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    rest: Vec<u8>,
}

impl Scanner {
    /// Why the machine cannot go on, when the next bytes of its line say so.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<&'static str> {
        self.rest.extend_from_slice(bytes);
        let found = self.rest.windows(SHELL.len()).any(|window| window == SHELL);
        let keep = self.rest.len().saturating_sub(SHELL.len() - 1);
        self.rest.drain(..keep);
        found.then_some(
            "its firmware found nothing to start from on its disk and waits in the UEFI shell",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmwares_shell_is_found_wherever_the_stream_is_cut() {
        let text = b"\x1b[08;01H\x1b[1m\x1b[33m\x1b[40mShell> \x1b[0m";
        for cut in 0..=text.len() {
            let mut scanner = Scanner::default();
            let (first, second) = text.split_at(cut);
            let found = [scanner.feed(first), scanner.feed(second)];
            assert_eq!(found.iter().flatten().count(), 1, "cut at {cut}");
        }
        let mut scanner = Scanner::default();
        for _ in 0..1000 {
            assert_eq!(scanner.feed(b"[    1.0] a kernel says Shell and > much else\r\n"), None);
        }
        assert!(scanner.rest.len() < SHELL.len());
    }
}
