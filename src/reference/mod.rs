//! (room reference)
