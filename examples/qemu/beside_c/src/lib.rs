//! The crate beside the same protocol in C, and beside assembly written by hand: what is counted, and on what.

#![no_std]

pub mod forms;
pub mod live;
pub mod pmu;
