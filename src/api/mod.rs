//! (room api)
