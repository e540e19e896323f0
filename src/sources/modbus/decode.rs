//! Words to values.
