//! QEMU's interface for TCG plugins, version 1, which QEMU 7.2 has (`docs/devel/tcg-plugins.rst` in
//! QEMU's sources).

use std::ffi::{c_char, c_int, c_uint, c_void};

/// The version of the interface. QEMU does not load a plugin of another version.
#[unsafe(no_mangle)]
pub(crate) static qemu_plugin_version: c_int = 1;

/// A plugin. QEMU passes the number to `qemu_plugin_install`.
pub(crate) type Id = u64;
/// A block of instructions that QEMU translates, and one of them. Both live during the translation.
pub(crate) type Block = *mut c_void;
pub(crate) type Instruction = *mut c_void;
/// A physical address, which is valid during the callback of an access.
pub(crate) type Physical = *mut c_void;

/// The callbacks do not read registers.
pub(crate) const NO_REGISTERS: c_int = 0;
/// Loads and stores.
pub(crate) const READ_WRITE: c_int = 3;
pub(crate) const WRITE: c_int = 2;

pub(crate) type OnTranslation = extern "C" fn(Id, Block);
pub(crate) type OnCpu = extern "C" fn(Id, c_uint);
pub(crate) type OnExit = extern "C" fn(Id, *mut c_void);
/// Called before an instruction is executed, with the CPU.
pub(crate) type OnExecution = extern "C" fn(c_uint, *mut c_void);
/// Called after an access, with the CPU, the kind of the access, and the virtual address.
pub(crate) type OnAccess = extern "C" fn(c_uint, u32, u64, *mut c_void);

unsafe extern "C" {
    pub(crate) fn qemu_plugin_register_vcpu_init_cb(id: Id, callback: OnCpu);
    pub(crate) fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, callback: OnTranslation);
    pub(crate) fn qemu_plugin_register_atexit_cb(id: Id, callback: OnExit, data: *mut c_void);
    pub(crate) fn qemu_plugin_tb_n_insns(block: Block) -> usize;
    pub(crate) fn qemu_plugin_tb_get_insn(block: Block, index: usize) -> Instruction;
    pub(crate) fn qemu_plugin_insn_size(instruction: Instruction) -> usize;
    /// Returns the bytes of the instruction.
    pub(crate) fn qemu_plugin_insn_data(instruction: Instruction) -> *const [u8; 4];
    pub(crate) fn qemu_plugin_insn_vaddr(instruction: Instruction) -> u64;
    pub(crate) fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: Instruction,
        callback: OnExecution,
        flags: c_int,
        data: *mut c_void,
    );
    pub(crate) fn qemu_plugin_register_vcpu_mem_cb(
        instruction: Instruction,
        callback: OnAccess,
        flags: c_int,
        accesses: c_int,
        data: *mut c_void,
    );
    pub(crate) fn qemu_plugin_mem_is_store(info: u32) -> bool;
    /// Returns the logarithm of the number of bytes.
    pub(crate) fn qemu_plugin_mem_size_shift(info: u32) -> c_uint;
    pub(crate) fn qemu_plugin_get_hwaddr(info: u32, address: u64) -> Physical;
    pub(crate) fn qemu_plugin_hwaddr_is_io(physical: Physical) -> bool;
    pub(crate) fn qemu_plugin_hwaddr_phys_addr(physical: Physical) -> u64;

    /// Ends the process without its exit handlers, which would wait for the calling CPU.
    pub(crate) safe fn _exit(code: c_int) -> !;
}

/// The beginning of QEMU's description of itself.
#[repr(C)]
pub(crate) struct Info {
    /// The architecture of the machine.
    pub(crate) target_name: *const c_char,
}

/// The arguments of a plugin: `count` C strings.
pub(crate) type Arguments = *const *const c_char;
