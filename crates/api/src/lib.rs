//! Generated wire types of every protocol spoken.
