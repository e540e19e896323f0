//! The roles a `parkgate` process can play: one file each, and the only room that may import all others.
//!
//! A role reads its configuration, wires the rooms together, and reports to a person how it ended. It computes nothing
//! itself: what a figure depends on lives in the rooms, so that every role gets the same one.

pub mod check;
pub mod demo;
pub mod hub;
pub mod key;
pub mod read;
pub mod replay;
pub mod run;
pub mod verify;
