//! One column of numbers, compressed with pco.

use pco::ChunkConfig;
use pco::data_types::Number;
use pco::standalone::{simple_compress, simple_decompress};

use super::error::StoreError;

/// Compresses a column; an empty one takes no bytes.
pub(super) fn pack<T: Number>(column: &[T]) -> Vec<u8> {
    if column.is_empty() {
        return Vec::new();
    }
    simple_compress(column, &ChunkConfig::default()).expect("the default configuration is valid for any numbers")
}

/// Returns a column that must have `length` numbers. `what` names it in the error.
pub(super) fn unpack<T: Number>(bytes: &[u8], length: usize, what: &str) -> Result<Vec<T>, StoreError> {
    if bytes.is_empty() && length == 0 {
        return Ok(Vec::new());
    }
    let column: Vec<T> =
        simple_decompress(bytes).map_err(|error| StoreError::Damaged(format!("column {what}: {error}")))?;
    if column.len() == length {
        Ok(column)
    } else {
        Err(StoreError::Damaged(format!("column {what}: {} numbers, {length} expected", column.len())))
    }
}
