//! The roles a `parkgate` process can play: one file each, and the only room that may import all others.

pub mod check;
pub mod demo;
pub mod hub;
pub mod key;
pub mod read;
pub mod replay;
pub mod run;
pub mod verify;
