//! What the parts of the poll loop promise together, without a network: hours of a misbehaving bus in a moment.
