//! The code that the kernels for aarch64 and for RISC-V share. Each of their libraries includes
//! this module. Two of the programs include `migration` and `nested_sections.rs`.
//!
//! The code is not a crate, because its statics have types of the architecture.
//!
//! The library has a module of the same name for what only the architecture knows:
//!
//! | module | for the code here |
//! |---|---|
//! | `access` | a load or a store that may fault |
//! | `boot` | the beginning of a program |
//! | `registers` | the registers in a context switch, and the mask of interrupts |
//! | `smp` | the number of the running CPU, and a loop that waits for another CPU |
//! | `switch` | the context switch, with its barriers |
//! | `thread` | the task pointers, and the backends |
//! | `upper` | the register that points to the tables of the upper half |
//!
//! A CPU is a hart on RISC-V.

pub mod arena;
pub mod interval;
pub mod mapper;
pub mod program;
pub mod scheduler;
pub mod tasks;
pub mod thread_info;
pub mod virt;
pub mod words;
