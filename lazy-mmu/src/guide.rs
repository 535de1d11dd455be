//! The guide for people who write kernels, drivers and page-table code.
//!
//! Each chapter is a page:
//!
//! 1. [Getting started](getting_started): run a small kernel, and add the crate to your kernel.
//! 2. [Choosing a form](choosing): task handle, closure, attribute or join.
//! 3. [Coming from Linux](from_linux): the functions of Linux's C, and their counterparts here.
//! 4. [Interrupts, threads and CPUs](threads): the duties of the kernel, and the work of the crate.
//! 5. [Drivers and libraries](libraries): code that does not know the backend.
//! 6. [Testing on the host](testing): the simulated machine.
//! 7. [Glossary](glossary): the terms.
//! 8. [Error index](errors): error messages, with their cause and their fix.
//! 9. [Questions and answers](faq), with the figures.
//! 10. [Changelog](changelog).
//!
//! [`soundness`] lists the promises of the crate. The
//! [first page](crate) lists its functions by purpose.

// The links of the chapters.
#[cfg(doc)]
use crate::*;

#[doc = include_str!("../guide/getting_started.md")]
pub mod getting_started {}

#[doc = include_str!("../guide/choosing.md")]
pub mod choosing {}

#[doc = include_str!("../guide/from_linux.md")]
pub mod from_linux {}

#[doc = include_str!("../guide/threads.md")]
pub mod threads {}

#[doc = include_str!("../guide/libraries.md")]
pub mod libraries {}

#[doc = include_str!("../guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../guide/glossary.md")]
pub mod glossary {}

#[doc = include_str!("../guide/errors.md")]
pub mod errors {}

#[doc = include_str!("../guide/faq.md")]
pub mod faq {}

#[doc = include_str!("../CHANGELOG.md")]
pub mod changelog {}
