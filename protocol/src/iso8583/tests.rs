//! Facts of the codec.
