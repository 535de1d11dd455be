//! Tests of the behaviours in `docs/behaviours.md` that a host can show, with the backend
//! `lazy_mmu::sim`. The name of a test begins with the id of its behaviour.

mod attack;
mod attribute;
mod backends;
mod contiguous;
mod debug;
mod descriptors;
mod entries;
mod exceptions;
mod gather;
mod handles;
mod hooks;
mod inert;
mod interrupts;
mod join;
mod panics;
mod pause;
mod riscv64;
mod state_machine;
mod stores;
mod tables;
mod taking_away;
mod unreached;
mod updates;
mod user_ranges;
mod visible;
mod without_section;
mod wrapped;
