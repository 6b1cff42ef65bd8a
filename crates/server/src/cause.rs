//! How an error is written out with everything that led to it.
//!
//! Must never: be used where a caller can look at the error itself.

use std::error::Error;

/// An error and its causes on one line, the outermost first.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
