//! OCI registry client and image cache server.
