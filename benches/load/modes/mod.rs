//! What is measured.

pub mod catchup;
pub mod ceiling;
pub mod connections;
pub mod delivery;
pub mod faulty;
pub mod modbus;
pub mod mqtt;
pub mod soak;
