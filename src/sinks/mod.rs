//! OUT: each destination is a cursor over what the store holds.
//!
//! - `platform`: signed pages to an authority's hub
//! - `influxdb`: records as points to InfluxDB 2 or what takes its write API
//! - `mqtt`: records as JSON to a broker of the factory or the park
//! - `files`: five-minute values of stacks and outfalls as text files for the receiving department
//!
//! A destination is one folder: `config`, `encode` (pure) and the sending shell; `forwarder` holds the cursor, the
//! back-off and the health they share, `access` how HTTP destinations are reached. A sink never touches a source, and nothing here delays the pipeline.

mod access;
mod budget;
pub mod files;
pub mod forwarder;
pub mod http;
pub mod influxdb;
pub mod mqtt;
pub mod platform;
