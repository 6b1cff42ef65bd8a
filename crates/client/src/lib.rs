//! Client of the node API.
