//! The backend of RISC-V kernels, and the parts of the crate that are specific to RISC-V's tables.

mod barriers;
pub mod descriptor;
mod harts;
mod kernel;
mod mode;
mod on_fault;
mod task_pointer;
mod tlb;

pub use barriers::{local_fence, table_barrier};
pub use harts::{Harts, OneHart, RemoteFence, Sbi};
pub use kernel::{Kernel, Riscv64, fix_spurious_fault};
pub use mode::Mode;
pub use on_fault::{HartFlags, OnFault};
pub use task_pointer::Tp;
pub use tlb::{Fence, MAX_OPS, Operands, Tlbs};

pub use crate::__riscv64_check_new_mappings as check_new_mappings;
pub use crate::protocol::place::{
    BitsAt, ByteAt, FlagsAt, InterruptTest, MaybeNull, PreemptCountAt, TaskPointer,
};
