//! Network arguments of a kernel command line from anywhere: reading never panics, and what is wanted of a link names one
//! that the kernel can have.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let arguments = text.split_ascii_whitespace().filter_map(|word| word.split_once('='));
    let (cmdline, _) = network::cmdline::Cmdline::parse(arguments, Some("eth0"));
    for link in &cmdline.links {
        assert!((1..=15).contains(&link.name.len()), "{:?}", link.name);
        assert!(!link.name.contains(['/', ':']), "{:?}", link.name);
    }
    for address in &cmdline.addresses {
        assert!(address.address.0.is_some());
    }
});
