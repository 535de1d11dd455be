//! The hosted backend, for tests: it keeps the bits in ordinary memory, records an ordered trace
//! instead of executing barriers, and simulates interrupts and tasks.
//!
//! Each thread of the host is a machine of its own. It has one CPU, its own tasks and its own
//! trace, so tests can run in parallel. The simulation is not optimised for speed.
//!
//! The module panics if a test makes a second [`Task`](crate::Task) handle of the same simulated
//! task.
//!
//! ```
//! use core::sync::atomic::AtomicU64;
//! use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
//! use lazy_mmu::raw::Kind;
//! use lazy_mmu::sim::{self, Event};
//!
//! type Mmu = sim::Sim;
//!
//! let slot = AtomicU64::new(0);
//! let page = Leaf::page(0x4000_0000, KERNEL_DATA);
//! lazy_mmu::with::<Mmu, _>(|mmu| mmu.write(&slot, page));
//! assert_eq!(
//!     sim::take_trace(),
//!     [
//!         Event::Enter(Kind::Outermost),
//!         Event::Store { slot: &raw const slot as usize, value: page.0 },
//!         Event::DsbIshst,
//!         Event::Isb,
//!         Event::Leave(Kind::Outermost),
//!     ]
//! );
//! ```
//!
//! A test that only counts barrier pairs uses [`pairs`]. A test that asks whether a mapping may be
//! used calls [`is_settled`]:
//!
//! ```
//! # use core::sync::atomic::AtomicU64;
//! # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
//! use lazy_mmu::sim::{self, Sim as Mmu};
//!
//! let slot = AtomicU64::new(0);
//! lazy_mmu::with::<Mmu, _>(|mmu| {
//!     mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
//!     assert!(sim::is_pending::<Mmu>() && !sim::is_settled(&slot));
//!     mmu.flush();
//!     assert!(!sim::is_pending::<Mmu>() && sim::is_settled(&slot));
//! });
//! assert_eq!(sim::pairs(&sim::take_trace()), 1);
//! ```

extern crate std;

use core::cell::{Cell, RefCell};
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::boxed::Box;
use std::collections::HashSet;
use std::sync::Mutex;
use std::vec::Vec;

use crate::aarch64::{Form, Tlbi, Tlbs};
use crate::protocol::backend::{Backend, Machine};
use crate::protocol::bits::{Bits, OwnByte, SharedWord, Storage};
use crate::protocol::event;
use crate::protocol::range::Invalidation;
use crate::protocol::token::Kind;

/// The hosted backend with its bits in a flags word that has other flags too, as in Linux's
/// `thread_info`.
///
/// A test passes it to code that is generic over the backend:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::Backend;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Sim as Mmu, pairs, take_trace};
///
/// fn map<B: Backend>(slots: &[AtomicU64], first: u64) {
///     lazy_mmu::with::<B, _>(|mmu| {
///         for (slot, page) in slots.iter().zip((first..).step_by(4096)) {
///             mmu.write(slot, Leaf::page(page, KERNEL_DATA));
///         }
///     });
/// }
///
/// map::<Mmu>(&[const { AtomicU64::new(0) }; 8], 0x4000_0000);
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Sim;

/// The hosted backend with its bits in a byte of the task's own.
///
/// Its bits are not those of [`Sim`], so a section of the one backend does not defer the stores of
/// the other:
///
/// ```
/// use lazy_mmu::Bits;
/// use lazy_mmu::sim::{self, Sim, SimOwnByte as Mmu};
///
/// lazy_mmu::with::<Mmu, _>(|_| {
///     assert_eq!(sim::bits::<Mmu>(), Bits::ACTIVE);
///     assert_eq!(sim::bits::<Sim>(), Bits::EMPTY);
///     assert_eq!(sim::flags().load(), 0); // The flags word is not used.
/// });
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SimOwnByte;

/// A step of the simulated CPU, as the trace records it.
///
/// A test filters a trace, or compares it with a list of events:
///
/// ```
/// use lazy_mmu::Scope;
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::sim::{Event, Sim as Mmu, take_trace};
///
/// let pages = Granule::Kib4.range(0xffff_8000_0000_0000, 2)?;
/// lazy_mmu::invalidate::<Mmu>(pages, Scope::PAGES);
/// let mut trace = take_trace();
/// trace.retain(|it| matches!(it, Event::Tlbi(_)));
/// assert_eq!(trace, [0xffff_8000_0000_0000, 0xffff_8000_0000_1000].map(Event::Tlbi));
/// assert_eq!(format!("{:?}", trace[0]), "Tlbi(0xffff800000000000)");
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A descriptor was stored in the 64-bit entry at address `slot`.
    Store {
        /// The address of the entry.
        slot: usize,
        /// The bits of the descriptor.
        value: u64,
    },
    /// `dsb ishst`. If [`Isb`](Self::Isb) follows directly, the two are a barrier pair.
    DsbIshst,
    /// `dsb ish`, after a TLB invalidation.
    DsbIsh,
    /// `dsb nsh`, after a TLB invalidation for this CPU only.
    DsbNsh,
    /// `isb`.
    Isb,
    /// A TLB invalidation of the page at this virtual address.
    Tlbi(u64),
    /// A TLB invalidation of the page at this virtual address, and of cached entries of the tables
    /// above it.
    TlbiTable(u64),
    /// A TLB invalidation of everything.
    TlbiAll,
    /// A TLB invalidation in another form: for one ASID, or for this CPU only.
    TlbiForm(Tlbi),
    /// The repeated TLB invalidation that many CPUs need ([`Tlbs::invalidate`]). The
    /// [`DsbIsh`](Self::DsbIsh) after it completes it.
    TlbiRepeated,
    /// A section was entered.
    Enter(Kind),
    /// A section was left. Its barriers are before this event.
    Leave(Kind),
    /// The mode was paused. The barriers are before this event.
    Pause(Kind),
    /// An outermost pause ended.
    Resume(Kind),
    /// An interrupt began.
    Interrupt,
    /// An interrupt returned.
    InterruptReturn,
    /// This task runs from here on.
    Switch(TaskId),
}

/// Prints addresses and descriptors in hexadecimal.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store { slot, value } => {
                write!(f, "Store {{ slot: {slot:#x}, value: {value:#x} }}")
            }
            Self::Tlbi(address) => write!(f, "Tlbi({address:#x})"),
            Self::TlbiTable(address) => write!(f, "TlbiTable({address:#x})"),
            Self::TlbiForm(tlbi) => write!(f, "TlbiForm({tlbi:?})"),
            Self::Enter(kind) => write!(f, "Enter({kind:?})"),
            Self::Leave(kind) => write!(f, "Leave({kind:?})"),
            Self::Pause(kind) => write!(f, "Pause({kind:?})"),
            Self::Resume(kind) => write!(f, "Resume({kind:?})"),
            Self::Switch(task) => write!(f, "Switch({task:?})"),
            Self::DsbIshst => f.write_str("DsbIshst"),
            Self::DsbIsh => f.write_str("DsbIsh"),
            Self::DsbNsh => f.write_str("DsbNsh"),
            Self::Isb => f.write_str("Isb"),
            Self::TlbiAll => f.write_str("TlbiAll"),
            Self::TlbiRepeated => f.write_str("TlbiRepeated"),
            Self::Interrupt => f.write_str("Interrupt"),
            Self::InterruptReturn => f.write_str("InterruptReturn"),
        }
    }
}

/// A simulated task. Each thread of the host starts with [`TaskId::FIRST`].
///
/// ```
/// use lazy_mmu::sim::{self, Event, TaskId};
///
/// let [one, two] = [sim::spawn(), sim::spawn()];
/// for task in [one, two, TaskId::FIRST] {
///     sim::switch_to(task);
/// }
/// assert_eq!(sim::take_trace(), [one, two, TaskId::FIRST].map(Event::Switch));
/// assert_eq!(two.to_string(), "task 2");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskId(usize);

impl TaskId {
    /// The task that runs at the start.
    pub const FIRST: Self = Self(0);
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.0)
    }
}

/// The `thread_info` of a task: the flags word, and a byte of its own.
#[derive(Default)]
struct ThreadInfo {
    flags: AtomicU64,
    byte: AtomicU8,
}

/// The machine of one thread of the host.
struct Host {
    tasks: RefCell<Vec<&'static ThreadInfo>>,
    trace: RefCell<Vec<Event>>,
    /// Whether the trace has been too long since the last call of `take_trace`.
    overflowed: Cell<bool>,
    /// The entries that were stored and lack a `dsb`. A `dsb` moves them to `completed`.
    stored: RefCell<HashSet<usize>>,
    /// The entries that lack only the `isb`.
    completed: RefCell<HashSet<usize>>,
    /// The addresses of the bits for which a handle exists.
    handles: RefCell<HashSet<usize>>,
}

std::thread_local! {
    static HOST: Host = Host {
        tasks: RefCell::new(std::vec![current_task()]),
        trace: RefCell::new(Vec::new()),
        overflowed: Cell::new(false),
        stored: RefCell::default(),
        completed: RefCell::default(),
        handles: RefCell::default(),
    };

    // The backends use only these two. They do not have a destructor, so they last until the thread
    // of the host ends. The destructor of another thread-local may use sections after the machine
    // is gone.

    /// The task that runs; `None` before its first use.
    static CURRENT: Cell<Option<&'static ThreadInfo>> = const { Cell::new(None) };
    /// The number of nested interrupts.
    static INTERRUPTS: Cell<usize> = const { Cell::new(0) };
}

/// All tasks. Tasks are never freed, because a guard may outlive the machine of its thread. The
/// list keeps them reachable, so leak checkers do not report them.
static TASKS: Mutex<Vec<&'static ThreadInfo>> = Mutex::new(Vec::new());

fn new_task() -> &'static ThreadInfo {
    let task: &'static ThreadInfo = Box::leak(Box::default());
    TASKS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .push(task);
    task
}

fn current_task() -> &'static ThreadInfo {
    CURRENT.get().unwrap_or_else(|| {
        let first = new_task();
        CURRENT.set(Some(first));
        first
    })
}

/// Records a step of the simulated CPU. The backend calls it for stores, barriers and sections. A
/// test or a machine that simulates more calls it for other steps.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{self, Event, Sim as Mmu};
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///     // The barriers of a context switch, which complete the store too.
///     sim::execute(Event::DsbIsh);
///     sim::execute(Event::Isb);
///     assert!(sim::is_settled(&slot));
/// });
/// ```
///
/// The function does nothing if the thread of the host is ending and its machine is gone. A guard
/// in another thread-local may be dropped then.
pub fn execute(event: Event) {
    let _ = HOST.try_with(|machine| {
        let mut trace = machine.trace.borrow_mut();
        if trace.len() == TRACE_LIMIT {
            trace.clear();
            machine.overflowed.set(true);
        }
        trace.push(event);
        let mut stored = machine.stored.borrow_mut();
        let mut completed = machine.completed.borrow_mut();
        match event {
            Event::Store { slot, .. } => {
                completed.remove(&slot);
                stored.insert(slot);
            }
            Event::DsbIshst | Event::DsbIsh => completed.extend(stored.drain()),
            Event::Isb => completed.clear(),
            _ => {}
        }
    });
}

/// Whether a barrier pair has followed the latest store to `slot` in the trace: a `dsb`, and an
/// `isb` after it. Code may use the mapping only then.
///
/// Any later pair of this CPU counts: the pair of the section, of another section or of an
/// interrupt handler, or the barriers of a TLB invalidation. A test that asks this finds a mapping
/// that must not be used yet. It does not find out which section executed the pair.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Sim as Mmu, is_settled};
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///     assert!(!is_settled(&slot)); // The mapping must not be used yet.
/// });
/// assert!(is_settled(&slot));
/// ```
pub fn is_settled(slot: &AtomicU64) -> bool {
    let slot = core::ptr::from_ref(slot) as usize;
    HOST.with(|machine| {
        !machine.stored.borrow().contains(&slot) && !machine.completed.borrow().contains(&slot)
    })
}

/// Whether the current task has a pair pending: a store was deferred, and has not been flushed
/// since.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, USER_DATA};
/// use lazy_mmu::sim::{Sim as Mmu, is_pending};
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     mmu.write(&slot, Leaf::page(0x4000_0000, USER_DATA));
///     assert!(!is_pending::<Mmu>()); // A user leaf does not need the pair.
///     mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///     assert!(is_pending::<Mmu>());
/// });
/// ```
pub fn is_pending<B: Backend>() -> bool {
    bits::<B>().contains(Bits::PENDING)
}

/// Returns the trace since the last call, or since the thread began.
///
/// ```
/// use lazy_mmu::sim::{self, Event, Sim as Mmu};
///
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     mmu.note_store();
///     sim::take_trace(); // Drops the earlier events.
///     sim::interrupt(lazy_mmu::flush::<Mmu>); // The flush of a handler does nothing.
///     assert_eq!(sim::take_trace(), [Event::Interrupt, Event::InterruptReturn]);
/// });
/// ```
///
/// # Panics
///
/// If there were more than [`TRACE_LIMIT`] events. The earlier ones are lost.
pub fn take_trace() -> Vec<Event> {
    HOST.with(|machine| {
        let trace = machine.trace.take();
        assert!(
            !machine.overflowed.replace(false),
            "the trace had more than {TRACE_LIMIT} events: take it more often"
        );
        trace
    })
}

/// The most events that a trace holds: 2^20, or 2^14 under Miri, which is slow. The limit bounds
/// the memory of a test that never takes its trace.
pub const TRACE_LIMIT: usize = if cfg!(miri) { 1 << 14 } else { 1 << 20 };

/// Returns the number of barrier pairs in a trace: each `dsb ishst` that `isb` follows directly.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Event, Sim as Mmu, pairs, take_trace};
///
/// let slots = [const { AtomicU64::new(0) }; 8];
/// lazy_mmu::write_range::<Mmu, _>(&slots, |i| Leaf::page(4096 * i as u64, KERNEL_DATA));
/// assert_eq!(pairs(&take_trace()), 1);
/// // The barrier before a TLBI is not a pair, and neither is the one before the link of a table.
/// assert_eq!(pairs(&[Event::DsbIshst, Event::TlbiAll, Event::DsbIsh, Event::Isb]), 0);
/// ```
pub fn pairs(trace: &[Event]) -> usize {
    trace
        .windows(2)
        .filter(|two| matches!(two, [Event::DsbIshst, Event::Isb]))
        .count()
}

/// Runs `handler` in interrupt context, on top of the current task. Interrupts may nest.
///
/// ```
/// # use core::sync::atomic::AtomicU64;
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{self, Sim as Mmu};
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|_| {
///     sim::interrupt(|| {
///         // The section of the interrupted task does not defer the handler's stores.
///         lazy_mmu::write::<Mmu, _>(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///         assert!(sim::is_settled(&slot));
///     });
/// });
/// ```
pub fn interrupt<R>(handler: impl FnOnce() -> R) -> R {
    /// Returns from the interrupt, also if `handler` panics.
    struct Return;
    impl Drop for Return {
        fn drop(&mut self) {
            INTERRUPTS.set(INTERRUPTS.get() - 1);
            execute(Event::InterruptReturn);
        }
    }

    execute(Event::Interrupt);
    INTERRUPTS.set(INTERRUPTS.get() + 1);
    let _return = Return;
    handler()
}

/// Makes a new task. It does not run before [`switch_to`].
///
/// ```
/// use lazy_mmu::Bits;
/// use lazy_mmu::sim::{self, Sim as Mmu, TaskId};
///
/// lazy_mmu::with::<Mmu, _>(|_| {
///     let child = sim::spawn(); // Its parent is in a section.
///     sim::switch_to(child);
///     assert_eq!(sim::bits::<Mmu>(), Bits::EMPTY);
///     sim::switch_to(TaskId::FIRST);
/// });
/// ```
pub fn spawn() -> TaskId {
    let task = new_task();
    HOST.with(|machine| {
        let mut tasks = machine.tasks.borrow_mut();
        tasks.push(task);
        TaskId(tasks.len() - 1)
    })
}

/// Lets `task` run from here on.
///
/// A guard belongs to the task that entered its section, also after a switch. A test therefore
/// switches back before it drops the guard.
///
/// ```
/// use lazy_mmu::sim::{self, Sim as Mmu, TaskId};
///
/// let other = sim::spawn();
/// lazy_mmu::with::<Mmu, _>(|_| {
///     sim::switch_to(other);
///     assert!(!lazy_mmu::is_active::<Mmu>()); // the section is the first task's
///     sim::switch_to(TaskId::FIRST);
///     assert!(lazy_mmu::is_active::<Mmu>());
/// });
/// ```
///
/// # Panics
///
/// If this thread of the host does not have the task.
pub fn switch_to(task: TaskId) {
    let to = HOST.with(|machine| machine.tasks.borrow().get(task.0).copied());
    assert!(to.is_some(), "no such task: {task}");
    CURRENT.set(to);
    execute(Event::Switch(task));
}

/// Returns the current task's flags word. It stays the word of this task when another task runs.
///
/// ```
/// use lazy_mmu::sim::{self, Sim as Mmu};
///
/// const NEED_RESCHED: u64 = 1 << 1;
///
/// let flags = sim::flags();
/// lazy_mmu::with::<Mmu, _>(|_| {
///     // Another CPU asks for a reschedule.
///     std::thread::scope(|scope| scope.spawn(|| flags.set(NEED_RESCHED)).join()).unwrap();
///     assert_eq!(flags.load() & !sim::FLAGS, NEED_RESCHED);
/// });
/// assert_eq!(flags.load(), NEED_RESCHED);
/// ```
pub fn flags() -> TaskFlags {
    TaskFlags(&current_task().flags)
}

/// The flags word of a simulated task: see [`flags`]. Any thread may change its other flags, as
/// other CPUs do. The methods refuse to change the bits of the crate ([`FLAGS`]).
///
/// ```
/// use lazy_mmu::sim::{self, FLAGS, Sim as Mmu, TaskFlags, TaskId};
///
/// const SIGNAL_PENDING: u64 = 1 << 0;
///
/// let first: TaskFlags = sim::flags();
/// let other = sim::spawn();
/// lazy_mmu::with::<Mmu, _>(|_| {
///     sim::switch_to(other);
///     first.set(SIGNAL_PENDING); // A task sends a signal to the first one.
///     sim::switch_to(TaskId::FIRST);
///     assert_eq!(sim::flags().load() & !FLAGS, SIGNAL_PENDING);
/// });
/// first.clear(SIGNAL_PENDING);
/// assert_eq!(first.load(), 0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TaskFlags(&'static AtomicU64);

impl TaskFlags {
    /// Returns the whole word.
    pub fn load(self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the flags in `mask`.
    ///
    /// # Panics
    ///
    /// If `mask` has one of the crate's bits ([`FLAGS`]).
    #[track_caller]
    pub fn set(self, mask: u64) {
        self.0.fetch_or(of_others(mask), Ordering::Relaxed);
    }

    /// Clears the flags in `mask`.
    ///
    /// # Panics
    ///
    /// If `mask` has one of the crate's bits ([`FLAGS`]).
    #[track_caller]
    pub fn clear(self, mask: u64) {
        self.0.fetch_and(!of_others(mask), Ordering::Relaxed);
    }
}

#[track_caller]
fn of_others(mask: u64) -> u64 {
    assert!(mask & FLAGS == 0, "{mask:#x} has one of the mode's bits");
    mask
}

/// The bits of a [flags word](TaskFlags) that the crate uses: the four highest.
pub const FLAGS: u64 = 0b1111 << 60;

/// Records the whole sequence of an invalidation, as [`Tlbs::EL1`] executes it: without TLB range
/// instructions, and with the repeated TLBI.
fn execute_tlbis(instructions: impl IntoIterator<Item = Tlbi>, broadcast: bool) {
    execute(Event::DsbIshst);
    for instruction in instructions {
        execute(tlbi(instruction));
    }
    if broadcast {
        execute(Event::DsbIsh);
        execute(Event::TlbiRepeated);
        execute(Event::DsbIsh);
    } else {
        execute(Event::DsbNsh);
    }
    execute(Event::Isb);
}

fn tlbi(instruction: Tlbi) -> Event {
    match instruction {
        Tlbi::Page {
            operand,
            form:
                Form {
                    all_levels,
                    one_asid: false,
                    this_cpu: false,
                },
        } => {
            // The operand is VA[55:12], and the bits above are copies of bit 55.
            let above = if operand & 1 << 43 == 0 {
                0
            } else {
                0xff << 56
            };
            let address = above | operand << 12;
            if all_levels {
                Event::TlbiTable(address)
            } else {
                Event::Tlbi(address)
            }
        }
        Tlbi::All { this_cpu: false } => Event::TlbiAll,
        other => Event::TlbiForm(other),
    }
}

fn record(event: event::Event) {
    execute(match event {
        event::Event::HandleMade(bits) => return handle_made(bits),
        event::Event::HandleDropped(bits) => return handle_dropped(bits),
        event::Event::Store { slot, value } => Event::Store {
            slot: slot as usize,
            value,
        },
        event::Event::Enter(kind) => Event::Enter(kind),
        event::Event::Leave(kind) => Event::Leave(kind),
        event::Event::Pause(kind) => Event::Pause(kind),
        event::Event::Resume(kind) => Event::Resume(kind),
    });
}

/// Refuses a second handle of the same task.
fn handle_made(bits: *const ()) {
    if bits.is_null() {
        return;
    }
    let is_first = HOST.try_with(|machine| machine.handles.borrow_mut().insert(bits as usize));
    assert!(
        is_first.unwrap_or(true),
        "there is a handle of this task already: use that one, or drop it before the next is made"
    );
}

fn handle_dropped(bits: *const ()) {
    let _ = HOST.try_with(|machine| machine.handles.borrow_mut().remove(&(bits as usize)));
}

/// The storage of [`Sim`].
pub type Flags = SharedWord<60>;

// SAFETY: each simulated task has a word of its own, which is zero at first and never freed. The
// task that runs finds its word. The interrupt test is true in each simulated interrupt. Hardware
// does not walk the tables, so a trace is enough.
unsafe impl Backend for Sim {
    type Storage = Flags;
    type Machine = Self;

    fn current() -> Flags {
        // SAFETY: a task is never freed. All accesses to its flags are atomic, and `TaskFlags`
        // refuses to change the four bits.
        unsafe { SharedWord::from_ptr(NonNull::from(&current_task().flags)) }
    }

    fn in_interrupt() -> bool {
        INTERRUPTS.get() != 0
    }
}

// SAFETY: hardware does not walk the tables, so a trace is enough. Only `observe` unwinds, and only
// from `Task::current`, whose caller has broken its promise then. The handle does not exist yet,
// and the bits are unchanged.
unsafe impl Machine for Sim {
    fn barrier() {
        execute(Event::DsbIshst);
        execute(Event::Isb);
    }

    fn table_barrier() {
        execute(Event::DsbIshst);
    }

    fn invalidate(invalidations: &[Invalidation]) {
        let broadcast = invalidations.iter().any(|it| !it.range.this_cpu());
        execute_tlbis(Tlbs::EL1.instructions(invalidations), broadcast);
    }

    fn invalidate_all() {
        execute_tlbis([Tlbi::All { this_cpu: false }], true);
    }

    fn observe(event: event::Event) {
        record(event);
    }
}

// SAFETY: as for `Sim`, with the task's byte.
unsafe impl Backend for SimOwnByte {
    type Storage = OwnByte;
    type Machine = Sim;

    fn current() -> OwnByte {
        // SAFETY: a task is never freed, and only this backend writes its byte.
        unsafe { OwnByte::from_ptr(NonNull::from(&current_task().byte)) }
    }

    fn in_interrupt() -> bool {
        Sim::in_interrupt()
    }
}

/// Returns the current task's bits, as the backend `B` keeps them.
///
/// ```
/// use lazy_mmu::sim::{self, Sim as Mmu};
/// use lazy_mmu::{Bits, Task};
///
/// // SAFETY: this is the only handle of this thread.
/// let mut task = unsafe { Task::<Mmu>::current() };
/// let mut mmu = task.enter();
/// mmu.note_store();
/// let bits = [Bits::ACTIVE, Bits::OWNED, Bits::PENDING];
/// assert_eq!(sim::bits::<Mmu>(), bits.into_iter().fold(Bits::EMPTY, Bits::union));
/// ```
pub fn bits<B: Backend>() -> Bits {
    B::current().load()
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn an_entry_is_settled_by_a_dsb_and_an_isb_behind_it() {
        let slot = AtomicU64::new(0);
        let store = Event::Store {
            slot: core::ptr::from_ref(&slot) as usize,
            value: 0,
        };
        assert!(is_settled(&slot));
        for (events, settled) in [
            (&[store][..], false),
            (&[store, Event::DsbIshst], false),
            (&[store, Event::Isb, Event::DsbIshst], false),
            (&[store, Event::DsbIshst, store, Event::Isb], false),
            (&[store, Event::DsbIshst, Event::Isb], true),
            (&[store, Event::DsbIsh, Event::Isb], true),
        ] {
            events.iter().copied().for_each(execute);
            assert_eq!(is_settled(&slot), settled, "{events:?}");
        }
    }

    #[test]
    #[should_panic(expected = "events: take it more often")]
    fn a_trace_is_bounded() {
        for _ in 0..=TRACE_LIMIT {
            execute(Event::Isb);
        }
        assert_eq!(HOST.with(|it| it.trace.borrow().len()), 1);
        take_trace();
    }

    #[test]
    fn an_invalidation_is_recorded_with_its_address() {
        // The addresses are in both halves of the address space, and set the outer bits of the
        // operand.
        let form = |all_levels| Form {
            all_levels,
            one_asid: false,
            this_cpu: false,
        };
        for address in [
            0,
            0x4000_1000,
            0x007f_ffff_ffff_f000,
            0xff80_0000_0000_0000,
            0xffff_8000_0000_3000,
        ] {
            let operand = address >> 12 & ((1 << 44) - 1);
            for (all_levels, event) in [
                (false, Event::Tlbi(address)),
                (true, Event::TlbiTable(address)),
            ] {
                let form = form(all_levels);
                assert_eq!(tlbi(Tlbi::Page { operand, form }), event);
            }
        }
        assert_eq!(tlbi(Tlbi::All { this_cpu: false }), Event::TlbiAll);
        let other = Tlbi::All { this_cpu: true };
        assert_eq!(tlbi(other), Event::TlbiForm(other));
    }

    #[test]
    fn the_modes_flags_are_the_four_highest() {
        let all = Bits::ALL;
        // SAFETY: a section does not use these bits.
        unsafe { Sim::current().set(Bits::EMPTY, all) };
        assert_eq!(flags().load(), FLAGS);
        assert_eq!(FLAGS, 0xf000_0000_0000_0000);
        // SAFETY: as above.
        unsafe { Sim::current().clear(all, all) };
    }

    #[test]
    fn safe_code_cannot_change_the_modes_flags() {
        for bit in 0..64 {
            let mask = 1 << bit;
            let set = catch_unwind(|| flags().set(mask)).is_ok();
            let clear = catch_unwind(|| flags().clear(mask)).is_ok();
            assert_eq!((set, clear), (bit < 60, bit < 60), "bit {bit}");
            assert_eq!(flags().load(), 0, "bit {bit}");
        }
    }

    #[test]
    #[should_panic(expected = "0xffffffffffffffff has one of the mode's bits")]
    fn the_modes_flags_are_refused_by_name() {
        flags().clear(u64::MAX);
    }

    #[test]
    #[should_panic(expected = "no such task: task 1")]
    fn an_unknown_task_is_refused() {
        switch_to(TaskId(1));
    }
}
