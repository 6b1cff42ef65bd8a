//! Values that many specs share: addresses, durations, points in time, URLs, certificates,
//! unstructured objects.

mod address;
mod object;
mod pem;
mod rare;
mod text;
mod time;

pub use address::{HardwareAddr, NetIp, NetIpPort, NetIpPrefix};
pub use object::Object;
pub use pem::{Base64Bytes, PemEncodedCertificate, PemEncodedCertificateAndKey, PemEncodedKey};
pub use rare::{Empty, Rare};
pub use text::{Expression, Url};
pub use time::Duration;
