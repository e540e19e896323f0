//! The frame of every encoded blob: a codec byte, the body, a CRC-32.
//!
//! SQLite checks the structure of its pages, not their content, and a flipped bit in a compressed column still
//! decompresses, to another number. The checksum turns it into an error. CRC-32 (IEEE) because every language has
//! it, for whoever reads the file without this program.

use super::error::StoreError;

/// Encodes `body` under `codec`.
pub(super) fn seal(codec: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 5);
    seal_with(codec, &mut bytes, |bytes| bytes.extend_from_slice(body));
    bytes
}

/// As [`seal`], with a body that `write` appends, into a buffer that is used again.
pub(super) fn seal_with(codec: u8, bytes: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    bytes.clear();
    bytes.push(codec);
    write(bytes);
    let sum = crc32(bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
}

/// Returns the body, where the checksum and the codec are right. `what` names the blob in the error.
pub(super) fn open<'b>(codec: u8, bytes: &'b [u8], what: &str) -> Result<&'b [u8], StoreError> {
    let damaged = |why: String| StoreError::Damaged(format!("{what}: {why}"));
    let (framed, sum) = bytes.split_last_chunk::<4>().ok_or_else(|| damaged(format!("{} bytes", bytes.len())))?;
    if crc32(framed) != u32::from_le_bytes(*sum) {
        return Err(damaged("wrong checksum".to_owned()));
    }
    match framed.split_first() {
        Some((found, body)) if *found == codec => Ok(body),
        Some((found, _)) => Err(damaged(format!("codec {found}, this program reads {codec}"))),
        None => Err(damaged("no codec".to_owned())),
    }
}

/// CRC-32 as in zip, PNG and Python's zlib. **Source**: ISO/IEC 13239, polynomial 0x04C11DB7 reflected.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| (sum >> 8) ^ TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)])
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut sum = index;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[index as usize] = sum;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{crc32, open, seal};

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn any_flipped_bit_is_found() {
        let sealed = seal(1, b"a column");
        assert_eq!(open(1, &sealed, "blob").unwrap(), b"a column");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(1, &flipped, "blob").is_err(), "bit {bit}");
        }
    }

    #[test]
    fn an_unknown_codec_is_named() {
        let error = open(1, &seal(7, b""), "chunk 12").unwrap_err().to_string();
        assert!(error.contains("chunk 12: codec 7, this program reads 1"), "{error}");
    }
}
