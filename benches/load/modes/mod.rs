//! What is measured.

pub mod ceiling;
pub mod connections;
pub mod faulty;
pub mod modbus;
pub mod mqtt;
pub mod soak;
