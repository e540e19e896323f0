//! Benches of the trip.
fn main() {}
