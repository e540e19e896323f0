//! IN.

pub mod modbus;
pub mod mqtt;
