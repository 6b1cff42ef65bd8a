//! What PID 1 has to say: to the kernel log of a machine, to standard output in a container.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write as _;

use sys::kmsg::KernelLogWriter;

use crate::fatal::chain;
use crate::platform::Platform;

const EMERGENCY: u32 = 0;
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
        self.write(ERROR, &chain(what, error));
    }

    /// What must be seen whatever the console is told to leave out.
    pub(crate) fn emergency(&mut self, text: &str) {
        if self.kernel.is_none()
            && let Ok(mut console) = OpenOptions::new().write(true).open("/dev/console")
        {
            let _ = writeln!(console, "init: {text}");
        }
        self.write(EMERGENCY, text);
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
