//! What leaves the factory for an authority: numbered, chained, signed pages, and their verification.
//!
//! In: closed records and a share policy. Out: [`page::SignedPage`]s whose bytes are final, and findings about the
//! pages of others. An edit, a gap, a repetition, a reordering or a fork shows without any help of who holds them.
//!
//! - `key`: Ed25519 keys, JWK and thumbprint
//! - `jws`: detached signatures over a page's bytes
//! - `page`: what a page says, its canonical bytes and hash
//! - `share`: what a destination may see, and whether that is more than was agreed
//! - `stream`: cuts records into pages after a share policy
//! - `verify`: checks one page
//! - `chain`: checks a chain of them and says in sentences what is wrong
//! - `withheld`: what pages hold of the record log, and what stayed inside
//!
//! Nothing here reads a clock, a file or the network, and no page can hold a tag or free text.

pub mod chain;
pub mod jws;
pub mod key;
pub mod page;
pub mod share;
pub mod stream;
pub mod verify;
pub mod withheld;

#[cfg(test)]
mod attack;
#[cfg(test)]
pub(crate) mod fixture;
