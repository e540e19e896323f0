//! The gateway key file.
