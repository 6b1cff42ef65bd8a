//! Controllers, one module tree per domain.
