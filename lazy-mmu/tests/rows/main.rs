//! The rows of the project's list of behaviours that a host can show, on the backend `sim`. The
//! name of each test begins with its row.

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
