//! apid, trustd and the machine API.
