//! Sections before the MMU is on, through `lazy_mmu::Global`, at an address at which the kernel is
//! not linked.
//!
//! The image is linked in the high half, and loaded at its physical address. So a function that is
//! found by an absolute address (a vtable, a `static` with a function pointer) is not there as long
//! as the MMU is off. The kernel builds its tables in that time, by the registered backend, turns
//! the MMU on, goes on in the high half, and maps a page there.
//!
//! What it sees before the MMU is on it keeps in statics: code that formats follows absolute
//! addresses.

#![no_std]
#![no_main]

mod boot;
mod counts;
mod kernel;
