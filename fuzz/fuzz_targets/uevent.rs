//! The kernel's device events: any bytes are an event or none, and what is one keeps its promises.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sys::uevent::Uevent;

fuzz_target!(|bytes: &[u8]| {
    if let Some(event) = Uevent::parse(bytes) {
        assert_eq!(event.subsystem, event.properties.get("SUBSYSTEM").cloned().unwrap_or_default());
        if let Some(device) = event.device() {
            assert!(device.is_absolute());
        }
        let _ = event.modalias();
    }
});
