//! The authority's side: verified pages in, figures of sites, parks and provinces out.
//!
//! What comes in: signed pages of gateways that the directory knows. What goes out: receipts, and figures computed
//! from merged facts by the functions the boxes use. Nothing here rewrites what was published: a page is stored as it
//! came, a corrected window is a further revision, and a percentage is never averaged.

pub mod config;
