//! Sizes, durations, addresses and the other scalars with a form of their own: parsing never panics, and what was
//! read is written so that it reads the same.

#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use config::scalar::{
    Address, ByteSize, DiskSize, DiskSizeMatch, Duration, HardwareAddress, PortRange, Prefix, RoutingTable, Size,
    SocketAddress, Url,
};

libfuzzer_sys::fuzz_target!(|text: &str| {
    round::<Duration>(text);
    round::<ByteSize>(text);
    round::<Size>(text);
    round::<DiskSize>(text);
    round::<DiskSizeMatch>(text);
    round::<Address>(text);
    round::<Prefix>(text);
    round::<SocketAddress>(text);
    round::<HardwareAddress>(text);
    round::<PortRange>(text);
    round::<RoutingTable>(text);
    if let Ok(url) = text.parse::<Url>() {
        // A URL is written with its parts escaped; from then on it stays as it is.
        let shown = url.to_string();
        if let Ok(again) = shown.parse::<Url>() {
            assert_eq!(again.to_string(), shown, "{text:?}");
        }
    }
});

fn round<T: FromStr + Display + PartialEq>(text: &str) {
    let Ok(value) = text.parse::<T>() else { return };
    let shown = value.to_string();
    match shown.parse::<T>() {
        Ok(again) => assert!(again == value, "{text:?} is written {shown:?}, which is something else"),
        Err(_) => panic!("{text:?} is written {shown:?}, which does not read"),
    }
}
