//! Reference data.

/// Dated reference data.
#[derive(Debug, Clone, Default)]
pub struct Reference;
