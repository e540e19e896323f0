//! The whole trip through the binary, with no service: recorded samples in, records out.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails loudly")]

use std::process::Command;

#[test]
fn wrong_usage_ends_with_code_2() {
    let output = Command::new(env!("CARGO_BIN_EXE_parkgate")).arg("fly").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
