//! Special scalars: text with a form of its own, checked when it is read and written back as the
//! contract writes it.

mod address;
mod args;
mod bytes;
mod choice;
mod duration;
mod mode;
mod number;
mod pem;
mod size;
mod text;
mod url;

pub use address::{Address, HardwareAddress, Prefix, SocketAddress};
pub use args::{Arg, Args};
pub use bytes::Base64;
pub use choice::ChoiceError;
pub(crate) use choice::choice;
pub use duration::{Duration, DurationError};
pub use mode::FileMode;
pub use number::{PortRange, RoutingTable};
pub use pem::{Certificate, Identity, Key};
pub use size::{ByteSize, DiskSize, DiskSizeMatch, Size, SizeError};
pub use text::Expression;
pub use url::{Url, UrlError};
