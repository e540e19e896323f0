//! (room dashboard)
