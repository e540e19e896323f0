//! A plant that isn't there: pure process models, and the shells that speak for them over Modbus and MQTT.
//!
//! In: a seed and plant time. Out: register values and messages, as devices would give them. `plant` and `steel` are
//! pure; `modbus`, `mqtt` and `broker` are shells on loopback. Nothing here knows an engine, a figure or a page.

pub mod broker;
pub mod factories;
pub mod modbus;
pub mod mqtt;
pub mod plant;
pub mod steel;
