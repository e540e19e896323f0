//! Device profiles: what a device type answers where, as typed data.
//!
//! In: `config/profiles/*.toml`, built into the program, and files of a user's own as text. Out: [`library::Profile`] by name, which the Modbus source turns
//! into points. A profile is data reviewed against a source: adding a device is one file and one line in
//! [`builtin::BUILTIN`]. Nothing here opens a file or a socket, and no device knowledge lives in code.

pub mod builtin;
mod faults;
pub mod identity;
pub mod library;
pub mod limits;
pub mod register;

pub use library::Library;

#[cfg(test)]
mod tests;
