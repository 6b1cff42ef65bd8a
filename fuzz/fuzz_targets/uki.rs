//! EFI programs: headers are read or refused, and what can be read as a stub becomes an image whose
//! parts are found again.
#![no_main]

use boot::pe::Program;
use boot::uki::{Parts, build};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let Ok(program) = Program::read(file) else { return };
    for section in program.sections() {
        let _ = program.section(&section.name);
    }
    let parts = Parts {
        os_release: "ID=x\n",
        command_line: "quiet",
        release: "6",
        kernel: b"kernel",
        initramfs: b"archive",
    };
    let Ok(image) = build(file, &parts) else { return };
    let image = Program::read(&image).unwrap();
    assert_eq!(image.section(".linux").unwrap(), parts.kernel);
    assert_eq!(image.section(".initrd").unwrap(), parts.initramfs);
});
