//! What PID 1 has to say: to the kernel log of a machine, to standard output in a container.

use std::error::Error;
use std::io::Write as _;

use sys::kmsg::KernelLogWriter;

use crate::platform::Platform;

const ERROR: u32 = 3;
const INFO: u32 = 6;

pub(crate) struct Console {
    kernel: Option<KernelLogWriter>,
}

impl Console {
    pub(crate) fn standard() -> Self {
        Self { kernel: None }
    }

    pub(crate) fn open(platform: Platform) -> Self {
        let kernel = match platform {
            Platform::Container => None,
            Platform::Machine => KernelLogWriter::open().ok(),
        };
        Self { kernel }
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.write(INFO, text);
    }

    /// An error with all its causes on one line.
    pub(crate) fn error(&mut self, what: &str, error: &dyn Error) {
        let mut text = format!("{what}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.write(ERROR, &text);
    }

    fn write(&mut self, level: u32, text: &str) {
        let line = format!("init: {text}");
        // A console that cannot be written to must not stop PID 1.
        let _ = match &mut self.kernel {
            Some(kernel) => kernel.write(level, &line),
            None => writeln!(std::io::stdout(), "{line}"),
        };
    }
}
