//! (room simulator)
