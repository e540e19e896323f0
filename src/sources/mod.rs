//! IN: each source turns what a device says into [`crate::model::sample::SampleBatch`]es for the pipeline's inbox.
//!
//! - `modbus`: polls Modbus TCP devices with function codes 1 to 4
//! - `mqtt`: subscribes to a plant's broker, 3.1.1 or 5
//!
//! A source is one folder: `config`, the pure part (`plan` and `decode`, or `payload`) and the shell that does I/O. It
//! acknowledges upstream only what the pipeline reports as committed, never sees a sink, and never writes to a plant.

pub mod modbus;
pub mod mqtt;
