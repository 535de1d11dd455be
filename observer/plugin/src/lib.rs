//! A plugin for QEMU (interface 1) that feeds the [observer](lazy_mmu_observer) with what the CPUs
//! of an emulated aarch64 or riscv64 machine execute. `cargo xtask observe` builds and loads it.
//!
//! A plugin does not see the registers. The operands of `msr ttbr1_el1`, `tlbi`, `csrw satp`,
//! `sfence.vma` and the like come from trampolines, which store them below the stack pointer. The
//! values of entries come from the machine's memory, which is a file that QEMU and the plugin
//! share.
//!
//! The arguments are these:
//!
//! - `ram=FILE`: the memory of the machine, which begins at `base=ADDRESS`.
//! - `log=FILE`: the plugin writes its reports to it when QEMU ends.
//! - `vectors=ADDRESS`: the initial value of VBAR_EL1, if no trampoline tells it.
//! - `trampolines=ADDRESS`: where the trampolines run, and where they are in memory.
//! - `size=BYTES`: how long they are.
//! - `stop=on`: the first report ends QEMU with exit code 77.
//! - `sites=on`: the log has each barrier, how often it was executed, and how many accesses relied
//!   on it alone.
//!
//! A program for RISC-V may have marks, `slti x0, x0, N` (a HINT). With N of at least 1, the plugin
//! begins to record the [steps](lazy_mmu_observer::steps) of the hart, and with 0 it ends. The log
//! has a line for each recording.

mod ffi;

use std::collections::BTreeMap;
use std::ffi::{CStr, c_int, c_uint, c_void};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::ptr::{from_ref, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use lazy_mmu_observer::instruction::{self, Operation};
use lazy_mmu_observer::steps::{Recorder, Recording, Step};
use lazy_mmu_observer::{Access, Architecture, CPUS, Kind, Observer, Ram, Report, Store, Tlbi};
use memmap2::MmapOptions;

/// The exit code of `stop=on`.
const STOPPED: c_int = 77;

static PLUGIN: OnceLock<Plugin> = OnceLock::new();

struct Plugin {
    architecture: Architecture,
    observer: Observer<'static>,
    ram: Ram<'static>,
    arguments: Arguments,
    /// VBAR_EL1.
    vectors: AtomicU64,
    cpus: [Cpu; CPUS],
    /// The instructions that have a callback, by address and word.
    instructions: Mutex<BTreeMap<(u64, u32), &'static Instruction>>,
    reports: Mutex<BTreeMap<(Kind, u64), (u64, Report)>>,
    /// The recordings that have ended, in order.
    recordings: Mutex<Vec<Recording>>,
}

#[derive(Default)]
#[repr(align(64))]
struct Cpu {
    /// The last three values that trampolines have stored. The last one is first.
    operands: [AtomicU64; 3],
    /// Whether the CPU has called the firmware for a remote fence, of `start` and `size`.
    is_calling: AtomicBool,
    call: [AtomicU64; 2],
    loads: AtomicU64,
    stores: AtomicU64,
    /// Whether a recording is open.
    is_recorded: AtomicBool,
    recorder: Mutex<Recorder>,
}

struct Instruction {
    /// The address. For an instruction in a trampoline, that of the instruction it replaces.
    pc: u64,
    word: u32,
    operation: Option<Operation>,
    executed: AtomicU64,
}

#[derive(Default)]
struct Arguments {
    ram: String,
    base: u64,
    log: String,
    vectors: u64,
    trampolines: u64,
    size: u64,
    stop: bool,
    sites: bool,
}

impl Arguments {
    fn parse<'a>(
        architecture: Architecture,
        words: impl Iterator<Item = &'a str>,
    ) -> Result<Self, String> {
        let mut arguments = Self {
            // QEMU's `virt` board.
            base: match architecture {
                Architecture::Aarch64 => 0x4000_0000,
                Architecture::Riscv64 => 0x8000_0000,
            },
            ..Self::default()
        };
        for word in words {
            let (key, value) = word.split_once('=').ok_or(format!("`{word}` has no `=`"))?;
            let number = || {
                let digits = value.strip_prefix("0x");
                let digits = digits.ok_or(format!("`{word}`: the number must begin with 0x"))?;
                u64::from_str_radix(digits, 16).map_err(|error| format!("`{word}`: {error}"))
            };
            match key {
                "ram" => value.clone_into(&mut arguments.ram),
                "log" => value.clone_into(&mut arguments.log),
                "base" => arguments.base = number()?,
                "vectors" => arguments.vectors = number()?,
                "trampolines" => arguments.trampolines = number()?,
                "size" => arguments.size = number()?,
                "stop" => arguments.stop = value == "on",
                "sites" => arguments.sites = value == "on",
                _ => return Err(format!("unknown argument `{word}`")),
            }
        }
        Ok(arguments)
    }
}

impl Plugin {
    fn new(architecture: Architecture, arguments: Arguments) -> Result<Self, String> {
        let error = |error| format!("{}: {error}", arguments.ram);
        let file = File::open(&arguments.ram).map_err(error)?;
        let map = MmapOptions::new().map_raw_read_only(&file).map_err(error)?;
        let (start, count) = (map.as_ptr().cast(), map.len() / 8);
        // The map is used until the process ends.
        std::mem::forget(map);
        // SAFETY: the map has `count` words, is aligned to a page, and is never unmapped. The words
        // are atomics, because QEMU changes them.
        let words: &'static [AtomicU64] = unsafe { std::slice::from_raw_parts(start, count) };
        let ram = Ram {
            base: arguments.base,
            words,
        };
        Ok(Self {
            architecture,
            observer: Observer::new(architecture, ram, arguments.sites),
            ram,
            vectors: AtomicU64::new(arguments.vectors),
            arguments,
            cpus: Default::default(),
            instructions: Mutex::default(),
            reports: Mutex::default(),
            recordings: Mutex::default(),
        })
    }

    /// Returns the instruction at `pc`, for the data of a callback.
    fn instruction(&self, pc: u64, word: u32) -> &'static Instruction {
        let mut all = lock(&self.instructions);
        all.entry((pc, word)).or_insert_with(|| {
            let operation = Operation::decode(self.architecture, word);
            Box::leak(Box::new(Instruction {
                pc: self.replaced(pc).unwrap_or(pc),
                word,
                operation,
                executed: AtomicU64::new(0),
            }))
        })
    }

    /// Returns the address of the instruction that the trampoline at `pc` replaces. The branch back
    /// behind it leads to the next instruction.
    fn replaced(&self, pc: u64) -> Option<u64> {
        self.offset_in_trampolines(pc)?;
        let words = self.ram.words;
        let next = pc + 4;
        let offset = usize::try_from(next - self.ram.base).ok()?;
        let pair = words.get(offset / 8)?.load(Relaxed);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "one of the two words is meant"
        )]
        let word = (pair >> (offset % 8 * 8)) as u32;
        let distance = instruction::branch(self.architecture, word)?;
        Some(next.wrapping_add_signed(distance) - 4)
    }

    fn offset_in_trampolines(&self, pc: u64) -> Option<u64> {
        let offset = pc.checked_sub(self.arguments.trampolines)?;
        (offset < self.arguments.size).then_some(offset)
    }

    /// Returns whether the instruction is the firmware's, which has no trampolines. It is in the
    /// first 2 MiB of a RISC-V machine.
    fn is_firmware(&self, pc: u64) -> bool {
        self.architecture == Architecture::Riscv64 && pc.wrapping_sub(self.ram.base) < 2 << 20
    }

    /// Returns what the firmware must fence: the ranges of all calls that have not returned. The
    /// firmware itself may fence more, or each page alone.
    fn asked(&self) -> impl Iterator<Item = Option<u64>> {
        self.cpus.iter().flat_map(Cpu::asked)
    }

    /// The CPU executes a mark.
    fn mark(&self, cpu: usize, number: u32) {
        let cpu = &self.cpus[cpu];
        let mut recorder = lock(&cpu.recorder);
        if let Some(recording) = recorder.mark(number) {
            lock(&self.recordings).push(recording);
        }
        cpu.is_recorded.store(recorder.is_open(), Relaxed);
    }

    /// The CPU makes a step. Those of the firmware are not the program's.
    fn step(&self, cpu: usize, pc: u64, step: Step) {
        let cpu = &self.cpus[cpu];
        if cpu.is_recorded.load(Relaxed) && !self.is_firmware(pc) {
            lock(&cpu.recorder).step(step);
        }
    }

    fn object(&self, reports: Vec<Report>) {
        // Another CPU may report at the same time. It waits here for the end.
        static STOPPING: Mutex<()> = Mutex::new(());
        for report in reports {
            let mut all = lock(&self.reports);
            let key = (report.kind, report.pc);
            all.entry(key).or_insert((0, report)).0 += 1;
            if self.arguments.stop {
                drop(all);
                let _guard = lock(&STOPPING);
                self.write_log();
                ffi::_exit(STOPPED);
            }
        }
    }

    fn write_log(&self) {
        let mut log = String::new();
        for ((kind, pc), (times, report)) in &*lock(&self.reports) {
            let Report { cpu, text, .. } = report;
            let _ = writeln!(
                log,
                "report {kind} cpu={cpu} pc={pc:#x} times={times}: {text}"
            );
        }
        if self.arguments.sites {
            let relied = self.observer.relied();
            for it in lock(&self.instructions).values() {
                if it.operation.is_some_and(Operation::is_barrier) {
                    let executed = it.executed.load(Relaxed);
                    let relied = relied.get(&it.pc).copied().unwrap_or(0);
                    let (pc, word) = (it.pc, it.word);
                    let _ = writeln!(
                        log,
                        "site pc={pc:#x} word={word:#x} executed={executed} relied={relied}"
                    );
                }
            }
        }
        for recording in &*lock(&self.recordings) {
            let _ = writeln!(log, "{recording}");
        }
        let sum = |count: fn(&Cpu) -> &AtomicU64| -> u64 {
            self.cpus.iter().map(|it| count(it).load(Relaxed)).sum()
        };
        let (loads, stores) = (sum(|it| &it.loads), sum(|it| &it.stores));
        let changes = self.observer.changes();
        let _ = writeln!(log, "end loads={loads} stores={stores} changes={changes}");
        if let Err(error) = fs::write(&self.arguments.log, &log) {
            eprintln!("{}: {error}\n{log}", self.arguments.log);
        }
    }
}

impl Cpu {
    /// The CPU calls the firmware. The last three values are a7, a2 and a3.
    fn call(&self) {
        /// The extension RFENCE of the SBI.
        const RFENCE: u64 = 0x5246_4e43;
        let [a3, a2, a7] = self.operands.each_ref().map(|it| it.load(Relaxed));
        self.call[0].store(a2, Relaxed);
        self.call[1].store(a3, Relaxed);
        self.is_calling.store(a7 == RFENCE, Relaxed);
    }

    /// Returns the pages that the firmware must fence for the call, or `None` for every address.
    fn asked(&self) -> Vec<Option<u64>> {
        const PAGE: u64 = 4096;
        /// The firmware is not asked for more pages by this project's kernels.
        const MANY: u64 = 1024;
        let [start, size] = self.call.each_ref().map(|it| it.load(Relaxed));
        let pages = size.div_ceil(PAGE);
        if !self.is_calling.load(Relaxed) {
            Vec::new()
        } else if pages > MANY || size == 0 {
            vec![None]
        } else {
            let page = |page| Some(start.wrapping_add(page * PAGE));
            (0..pages).map(page).collect()
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds 1 to a count that only one thread changes.
fn count(count: &AtomicU64) {
    count.store(count.load(Relaxed) + 1, Relaxed);
}

/// Returns the plugin and the data of a callback.
///
/// # Safety
///
/// `data` is a pointer that [`data`] has returned.
unsafe fn callback(data: *mut c_void) -> (&'static Plugin, &'static Instruction) {
    // SAFETY: the instruction was leaked, so it lives forever.
    let instruction = unsafe { &*data.cast::<Instruction>() };
    let plugin = PLUGIN.get().expect("callbacks follow the installation");
    (plugin, instruction)
}

fn data(instruction: &'static Instruction) -> *mut c_void {
    from_ref(instruction).cast_mut().cast()
}

/// Returns the physical address of an access, or `None` if it is a device's.
fn physical(plugin: &Plugin, info: u32, address: u64) -> Option<u64> {
    // SAFETY: this runs in the callback of the access, for which the address is valid.
    let physical = unsafe { ffi::qemu_plugin_get_hwaddr(info, address) };
    // SAFETY: QEMU has returned the pointer, and checked for null.
    if physical.is_null() || unsafe { ffi::qemu_plugin_hwaddr_is_io(physical) } {
        return None;
    }
    // SAFETY: as above.
    let physical = unsafe { ffi::qemu_plugin_hwaddr_phys_addr(physical) };
    // QEMU counts from the first byte of RAM, or from physical address 0.
    let base = plugin.ram.base;
    Some(if physical < base {
        physical + base
    } else {
        physical
    })
}

extern "C" fn on_access(cpu: c_uint, info: u32, address: u64, data: *mut c_void) {
    // SAFETY: `on_translation` has registered the callback with such data.
    let (plugin, instruction) = unsafe { callback(data) };
    let cpu = cpu as usize;
    // SAFETY: QEMU has passed `info`.
    let write = unsafe { ffi::qemu_plugin_mem_is_store(info) };
    let counts = &plugin.cpus[cpu];
    if counts.is_calling.load(Relaxed) && !plugin.is_firmware(instruction.pc) {
        counts.is_calling.store(false, Relaxed);
    }
    count(if write { &counts.stores } else { &counts.loads });
    let pc = instruction.pc;
    if address >> 55 & 1 != 0 {
        let access = Access { pc, address, write };
        plugin.object(plugin.observer.access(cpu, access));
    }
    if write && let Some(physical) = physical(plugin, info, address) {
        let store = Store {
            pc,
            address: physical,
            // SAFETY: QEMU has passed `info`.
            size: 1 << unsafe { ffi::qemu_plugin_mem_size_shift(info) },
            release: instruction::is_release(instruction.word),
        };
        if plugin.observer.is_entry(physical) {
            plugin.step(cpu, pc, Step::Store);
        }
        plugin.object(plugin.observer.store(cpu, store));
    }
}

/// A trampoline has stored the operand of the next instruction.
extern "C" fn on_operand(cpu: c_uint, info: u32, address: u64, data: *mut c_void) {
    // SAFETY: `on_translation` has registered the callback with such data.
    let (plugin, _) = unsafe { callback(data) };
    let operand = physical(plugin, info, address).and_then(|it| {
        let offset = usize::try_from(it - plugin.ram.base).ok()?;
        Some(plugin.ram.words.get(offset / 8)?.load(Relaxed))
    });
    let mut value = operand.expect("the stack is in the memory of the machine");
    for operand in &plugin.cpus[cpu as usize].operands {
        value = operand.swap(value, Relaxed);
    }
}

/// An instruction will be executed.
extern "C" fn on_execution(cpu: c_uint, data: *mut c_void) {
    // SAFETY: `on_translation` has registered the callback with such data.
    let (plugin, instruction) = unsafe { callback(data) };
    let cpu = cpu as usize;
    let observer = &plugin.observer;
    let pc = instruction.pc;
    instruction.executed.fetch_add(1, Relaxed);
    let operation = instruction.operation;
    if let Some(step) = operation.and_then(Operation::step) {
        plugin.step(cpu, pc, step);
    }
    // A TLBI without a trampoline has the register XZR, or no operand.
    let operand = if operation.is_some_and(|it| it.needs_operand(instruction.word)) {
        plugin.cpus[cpu].operands[0].load(Relaxed)
    } else {
        0
    };
    match operation {
        Some(Operation::Dmb(types)) => observer.dmb(cpu, types),
        Some(Operation::Dsb(domain, types)) => observer.dsb(cpu, domain, types, pc),
        Some(Operation::Isb) => observer.synchronize(cpu, Some(pc)),
        Some(Operation::Exception) => observer.synchronize(cpu, None),
        Some(Operation::Tlbi) => {
            if let Some(tlbi) = Tlbi::decode(instruction.word, operand) {
                observer.tlbi(cpu, tlbi);
            }
        }
        Some(Operation::Ttbr1) => plugin.object(observer.set_ttbr1(cpu, operand, pc)),
        Some(Operation::Tcr) => plugin.object(observer.set_tcr(cpu, operand, pc)),
        Some(Operation::Vbar) => plugin.vectors.store(operand, Relaxed),
        Some(Operation::Fence | Operation::FenceOfStores) => observer.fence(cpu, pc),
        Some(Operation::Ecall) => plugin.cpus[cpu].call(),
        Some(Operation::Sfence(scope)) if plugin.is_firmware(pc) => {
            for address in plugin.asked() {
                observer.sfence(cpu, address, scope.all_spaces, pc);
            }
        }
        Some(Operation::Sfence(scope)) => {
            let address = scope.has_address.then_some(operand);
            observer.sfence(cpu, address, scope.all_spaces, pc);
        }
        Some(Operation::Sinval(scope)) => {
            observer.sinval(cpu, scope.has_address.then_some(operand), scope.all_spaces);
        }
        Some(Operation::SfenceWInval) => observer.sfence_w_inval(cpu),
        Some(Operation::SfenceInvalIr) => observer.sfence_inval_ir(cpu),
        Some(Operation::Satp) => plugin.object(observer.set_satp(cpu, operand, pc)),
        Some(Operation::Mark(number)) => plugin.mark(cpu, number),
        None => {}
    }
}

/// The first instruction of an exception vector will be executed.
extern "C" fn on_vector(cpu: c_uint, _: *mut c_void) {
    let plugin = PLUGIN.get().expect("callbacks follow the installation");
    plugin.observer.synchronize(cpu as usize, None);
}

extern "C" fn on_translation(_: ffi::Id, block: ffi::Block) {
    let plugin = PLUGIN.get().expect("callbacks follow the installation");
    // SAFETY: QEMU has passed the block.
    let instructions = 0..unsafe { ffi::qemu_plugin_tb_n_insns(block) };
    for index in instructions {
        // SAFETY: the block has the instruction.
        let handle = unsafe { ffi::qemu_plugin_tb_get_insn(block, index) };
        // SAFETY: QEMU has returned the handle.
        let pc = unsafe { ffi::qemu_plugin_insn_vaddr(handle) };
        // SAFETY: as above.
        let bytes = unsafe { ffi::qemu_plugin_insn_data(handle) };
        // SAFETY: as above.
        let word = match unsafe { ffi::qemu_plugin_insn_size(handle) } {
            // SAFETY: the instruction has four bytes.
            4 => u32::from_le_bytes(unsafe { *bytes }),
            // Of the short instructions, none matters.
            _ => 0,
        };
        let is_trampoline = plugin.offset_in_trampolines(pc).is_some();
        let instruction = plugin.instruction(pc, word);
        let on_access = if is_trampoline && instruction::is_operand(plugin.architecture, word) {
            (on_operand as ffi::OnAccess, ffi::WRITE)
        } else {
            (on_access as ffi::OnAccess, ffi::READ_WRITE)
        };
        let data = data(instruction);
        // SAFETY: the callback expects such data.
        unsafe {
            ffi::qemu_plugin_register_vcpu_mem_cb(
                handle,
                on_access.0,
                ffi::NO_REGISTERS,
                on_access.1,
                data,
            );
        }
        // A system register or a TLBI with an operand is of use only with its trampoline.
        let is_known = instruction
            .operation
            .is_some_and(|it| is_trampoline || plugin.is_firmware(pc) || !it.needs_operand(word));
        if is_known {
            // SAFETY: the callback expects such data.
            unsafe {
                ffi::qemu_plugin_register_vcpu_insn_exec_cb(
                    handle,
                    on_execution,
                    ffi::NO_REGISTERS,
                    data,
                );
            }
        }
        let vector = pc.wrapping_sub(plugin.vectors.load(Relaxed));
        if vector < 0x800 && vector % 0x80 == 0 {
            // SAFETY: the callback does not use its data.
            unsafe {
                ffi::qemu_plugin_register_vcpu_insn_exec_cb(
                    handle,
                    on_vector,
                    ffi::NO_REGISTERS,
                    null_mut(),
                );
            }
        }
    }
}

extern "C" fn on_cpu(_: ffi::Id, cpu: c_uint) {
    if cpu as usize >= CPUS {
        eprintln!("the observer supports {CPUS} CPUs, and the machine has more");
        ffi::_exit(1);
    }
}

extern "C" fn on_exit(_: ffi::Id, _: *mut c_void) {
    if let Some(plugin) = PLUGIN.get() {
        plugin.write_log();
    }
}

/// QEMU calls this once, with the plugin's arguments.
///
/// # Safety
///
/// `info` points to QEMU's description of itself, and `words` to `count` C strings.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn qemu_plugin_install(
    id: ffi::Id,
    info: *const ffi::Info,
    count: c_int,
    words: ffi::Arguments,
) -> c_int {
    let words = (0..usize::try_from(count).unwrap_or(0)).map(|index| {
        // SAFETY: there are `count` pointers.
        let word = unsafe { words.add(index) };
        // SAFETY: as above.
        let word = unsafe { *word };
        // SAFETY: each is a C string.
        let word = unsafe { CStr::from_ptr(word) };
        word.to_str().expect("the arguments are UTF-8")
    });
    // SAFETY: QEMU has passed the pointer.
    let target = unsafe { (*info).target_name };
    // SAFETY: the name is a C string.
    let target = unsafe { CStr::from_ptr(target) };
    let plugin = match target.to_bytes() {
        b"aarch64" => Ok(Architecture::Aarch64),
        b"riscv64" => Ok(Architecture::Riscv64),
        _ => Err(format!(
            "the architecture {} is not supported",
            target.to_string_lossy()
        )),
    }
    .and_then(|it| Plugin::new(it, Arguments::parse(it, words)?));
    match plugin {
        Ok(plugin) => {
            PLUGIN.get_or_init(|| plugin);
        }
        Err(error) => {
            eprintln!("the observer: {error}");
            return 1;
        }
    }
    // SAFETY: QEMU has passed the id.
    unsafe { ffi::qemu_plugin_register_vcpu_init_cb(id, on_cpu) };
    // SAFETY: as above.
    unsafe { ffi::qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation) };
    // SAFETY: as above, and the callback does not use its data.
    unsafe { ffi::qemu_plugin_register_atexit_cb(id, on_exit, null_mut()) };
    0
}
