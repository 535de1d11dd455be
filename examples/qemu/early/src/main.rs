//! Sections before the MMU is on, through `lazy_mmu::Global`, at addresses at which the kernel is
//! not linked.
//!
//! The image is linked in the high half, and loaded at its physical address. While the MMU is off,
//! the kernel cannot call a function through an absolute address, which a vtable or a `static` with
//! a function pointer holds. In this time, the kernel builds its tables through the registered
//! backend. It then turns the MMU on, continues in the high half, and maps a page there.
//!
//! Until then, statics keep its observations, because formatting follows absolute addresses.

#![no_std]
#![no_main]

mod boot;
mod counts;
mod kernel;
