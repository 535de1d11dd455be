//! What the crate promises, and who keeps each promise: the compiler, the state machine, or you.
//!
//! A *section* defers the *barrier pair* (`dsb ishst; isb`, on RISC-V a fence) of its stores to its
//! leave or to its next flush. While the *mode* of a thread is on, the thread defers its stores,
//! unless the mode is paused. A section is *inert* if it is opened in interrupt context or while
//! the mode is paused. An inert section does not change the bits of the thread, and its stores are
//! immediate: each is followed by its pair at once. A section that the task handle enters during a
//! pause does not change the bits either. Its stores are immediate until the pause ends. After
//! that, they are deferred if the mode is on, and immediate otherwise.
//!
//! The crate promises the following to safe code. The promises depend on a correct
//! [`Backend`](crate::Backend) and [`Machine`](crate::Machine), and on the duties of the `unsafe`
//! functions.
//!
//! * **Every store that needs the pair is followed by it.** Inside a section, the pair executes
//!   when the section is left or flushed. Elsewhere it executes at once.
//! * **The mode is on only while a section is open.** The section that began the mode ends it. A
//!   section that is still open after that makes its stores immediate. If code forgets the guard of
//!   a task handle, its section stays open until the handle is used or dropped.
//! * **A [`Pending`](crate::Pending) value is available only after the pair** of the stores that
//!   its section made before the value was created.
//! * **An [`Unmapped`](crate::Unmapped) value is available only after its invalidation**, and so is
//!   a value in a [`Gather`](crate::Gather).
//!
//! # What the compiler refuses
//!
//! The compiler rejects code that does one of the following. The project's `ui-tests/fail` has a
//! case for each, and for its variants. A *guard* is a [`LazyMmu`](crate::LazyMmu), a *token* is a
//! [`State`](crate::raw::State), a *proof* is a [`Visible`](crate::Visible), and the *handle* is
//! the [`Task`](crate::Task) of the thread.
//!
//! Guards and sections:
//!
//! * leaves or drops a section while a section nested in it is open (E0505)
//! * stores through a section, flushes, nests or pauses it, while a section nested in it is open;
//!   the drop of the nested guard counts as its last use (E0499)
//! * uses a section while it is paused (E0499)
//! * leaves a section twice, stores after the leave, or resumes a bare pause twice (E0382)
//! * opens two sections from one handle at the same time (E0499)
//! * inside a section of the handle, uses the handle, or calls a function that may sleep and
//!   therefore takes `&mut Task` (E0499)
//! * keeps two guards of one handle or section in a collection, or collects them from an iterator;
//!   keeps an outer and a nested guard in one struct (E0499, E0505)
//! * builds a guard, a token or a proof by hand (private fields)
//! * clones a guard, a token or a pending mapping (E0599, E0382)
//! * names the guard of a pause, to forget, move or keep it: a pause is a closure (E0432, E0599)
//! * names the hidden guard of the attribute (E0425)
//! * forgets or leaves the section of a closure or of the attribute; exchanges or replaces the
//!   section of a closure (E0507, E0521, E0716, E0506)
//! * sends a guard, a token, a proof or a handle to another thread, shares it, or keeps it in a
//!   static (E0277)
//! * keeps a guard in a thread-local, in a cell outside its closure, or in a `'static` trait
//!   object; returns it from the function of its handle (E0521, E0515, E0716)
//! * holds a section across an `.await`: in an attributed `async fn` (error of the macro), in a
//!   closure (E0728), in a future that is sent (E0277)
//!
//! Types:
//!
//! * implements `Nesting`, uses another type as a nesting, or claims that a section is `Outer`
//!   (E0277, E0308)
//! * passes a section of another nesting or of another backend (E0308)
//! * stores a leaf where a table is expected, or an entry that does not have 64 bits (E0308, E0277)
//!
//! Mappings that wait:
//!
//! * uses a pending mapping without a proof (E0061, E0616)
//! * uses a pending mapping with a proof from before the mapping, of another section, of a nested
//!   section, or of the caller's section; uses a proof after another store (E0499, E0521, E0597,
//!   E0716)
//! * lets a pending mapping or a proof out of its closure; shortens or lengthens the lifetime that
//!   identifies the section (lifetime errors)
//! * reads an unmapped frame before its invalidation, or gets it twice; builds an `Unmapped` by
//!   hand; invalidates it on another thread or with another backend (private fields, E0382, E0277,
//!   E0308)
//! * reads a gathered value before its invalidation; keeps, forgets or exchanges a gather (E0499,
//!   E0521)
//!
//! Without `unsafe`:
//!
//! * makes a handle, uses bare tokens, or changes the bits (E0133)
//! * implements `Backend`, `Machine`, `Wrapper`, `Entry`, `NoWalker`, the `Kernel` of `aarch64` or
//!   `riscv64`, or `Harts` or `HartFlags` of `riscv64` (E0200)
//! * stores without synchronization or barrier, splits a block, invalidates on one CPU only, or
//!   checks a hart's flag of new mappings (E0133)
//!
//! # What the state machine handles at run time
//!
//! Guards that are forgotten or exchanged:
//!
//! * **A forgotten nested guard.** The section around it emits the pair.
//! * **A forgotten guard of the handle** (`forget`, `ManuallyDrop`, `Box::leak`, an `Rc`
//!   cycle). If its section began the mode, the handle leaves that section when it is used next or
//!   dropped. Until then the mode stays on, and a pending pair stays pending. If the section was
//!   entered inside a caller's section, the caller's leave emits the pair.
//! * **Two exchanged guards.** The nested guards of two closures can have the same type, so code
//!   can exchange them. Neither guard ends the mode. If one of them does not flush its section, the
//!   section around that one does.
//! * **The attribute's section, exchanged** for a guard nested in a parameter's section. The body
//!   borrows a [`View`](crate::View), whose drop does not leave the section. The guard that leaves
//!   has a name that the body cannot write.
//! * **A proof of another section.** A `Pending` value and its proof carry the identity of their
//!   section, which is a lifetime. The section of a closure has a lifetime of its own. Sections of
//!   `nest`, of a handle and of the attribute have the lifetime of a borrow. Two of these lifetimes
//!   can be equal, if code holds two sections of which neither is nested in the other. The compiler
//!   then accepts the wrong proof. [`Pending::get`](crate::Pending::get) therefore tests whether a
//!   pair is still pending, and emits the pair if it is.
//!
//! Order and context:
//!
//! * **Nested or overlapping sections of different origin** (handle, closure, attribute). The
//!   section that began the mode ends it. A section that is still open after that makes its stores
//!   immediate.
//! * **The section that began the mode, left inside a pause.** The pause lasts until its closure
//!   returns.
//! * **Panics** in callbacks and descriptors, through sections and pauses. The stores before the
//!   panic get their pair, and the mode is on or off as before the section.
//! * **Interrupts.** Sections and pauses are inert, stores are immediate, and the bits of the
//!   interrupted thread do not change.
//! * **A context that changes between enter and leave**, because the thread disables softirqs, for
//!   example. The token, not the context, decides what the leave does.
//! * **An inert section whose cause ends inside it**: softirqs are enabled, or the pause ends.
//!   Other code can then defer stores into a section around the inert one. The leave of the inert
//!   section emits their pair.
//!
//! Tables and entries:
//!
//! * **A table that is filled and then linked.** The store of a valid `Table`, `TopLevel` or
//!   `UserTable`, and `link_table`, are ordered after all earlier stores of their thread.
//! * **The invalidation of a removed entry** is as wide as the old entry requires: it covers all
//!   levels if the entry was a table.
//! * **A part of a contiguous group** is refused before anything changes. A second split of the
//!   same block is refused too.
//!
//! # What remains your duty
//!
//! Code that stores descriptors:
//!
//! * Stores that bypass the crate (raw pointers, `AtomicU64::store`, other crates) are wrapped in
//!   [`note_stores`](crate::note_stores()), or followed by [`note_store`](crate::note_store) or by
//!   barriers of their own. This code also orders the store that links a table after the stores
//!   that fill it.
//! * The caller chooses the correct kind of descriptor. The crate does not order a table entry
//!   after the stores that fill the table, if the entry is written as a
//!   [`Leaf`](crate::aarch64::descriptor::Leaf). A mapping of kernel text with UXN clear loses its
//!   pair if it is written as a [`UxnLeaf`](crate::aarch64::descriptor::UxnLeaf). An EL2 leaf loses
//!   its pair if it is written as a `Leaf`. A kernel's table loses its fence if it is written as a
//!   [`UserTable`](crate::riscv64::descriptor::UserTable).
//! * Plain stores do not read the old entry. They can change a part of a contiguous group, which
//!   the other operations refuse (see [`contiguous`](crate::aarch64::contiguous)). They can also
//!   overwrite an access flag or a dirty state that the hardware has recorded.
//! * If a plain store removes a mapping, the caller invalidates the TLBs before it reuses the
//!   frame. [`unmap`](crate::LazyMmu::unmap) has this order in its types.
//! * An address is not mapped again between the unmap and the invalidation of its old mapping. A
//!   forgotten [`Unmapped`](crate::Unmapped) value is never invalidated.
//! * The caller provides the correct range of virtual addresses for an entry, and the correct ASID
//!   for a user range. An address space has the same ASID on every CPU. The caller also provides
//!   the range and scope of a [withheld](crate::Unmapped::withhold) value.
//! * While [`break_before_make`](crate::LazyMmu::break_before_make) has broken a range, the caller
//!   keeps other users out of the range.
//! * A function that [joins](crate::join()) the section of its caller does not make its mappings
//!   usable when it returns. They are usable after the caller's flush or leave.
//! * An invalidation covers the TLBs only. Software that walks the tables (`get_user_pages`, a
//!   dump, the shadow walker of a hypervisor) can hold an old entry or table for longer. Code that
//!   frees a table waits for that software too. [`Unmapped::map`](crate::Unmapped::map) can pass
//!   the table to code that waits.
//! * On aarch64, another CPU that learns of a mapping executes an `isb`, an exception entry or an
//!   exception return before it uses the mapping. On RISC-V, an exception is not a fence. The
//!   kernel's [`Harts`](crate::riscv64::Harts) make that hart execute one.
//! * A pending value that is dropped drops its contents, perhaps before the pair. The value that is
//!   passed to [`pending`](crate::LazyMmu::pending) need not describe the stores before it.
//!
//! Code that runs with softirqs disabled, in a kernel that treats this as interrupt context:
//!
//! * A [pause](crate::paused()) is inert there, and a section that was opened earlier still defers.
//!   If a mapping is needed at once, open a section for it: that section is inert, so its stores do
//!   not wait for the sections around it.
//! * A thread can enable softirqs inside an inert section and disable them again before the leave.
//!   The leave then cannot tell whose pair is pending. Stores that were deferred in between wait
//!   for the section around the inert one.
//!
//! Async code:
//!
//! * A section held across an `.await` on one thread defers the stores of other futures too. The
//!   same holds for a section around `block_on`, where the attribute of an executor stands above
//!   `#[lazy_mmu]`. See [below](#sections-and-await).
//!
//! The author of a kernel:
//!
//! * [`Backend`](crate::Backend), [`Machine`](crate::Machine) and [`Storage`](crate::Storage) are
//!   implemented correctly, because a wrong one loses barriers. Their pages list all duties, such
//!   as the barriers of a context switch, and equal hooks and barriers for all backends that share
//!   bits.
//! * Code that calls [`Task::current`](crate::Task::current) makes one handle of a thread at a
//!   time. It does not use the handle in an interrupt. It does not forget the handle together with
//!   a section, unless the bits are freed with the thread and there are no hooks.
//! * Code that calls [`raw`](crate::raw) passes each bare token on once, in order, on its thread.
//! * An exception handler that stores opens its own section, which does not join (see
//!   [`raw`](crate::raw#exception-handlers)).
//! * Code names the kernel's own backend. A backend with the machine of another exception level
//!   ([`El1`](crate::aarch64::El1) at EL2, for example) invalidates another translation regime.
//! * Code does not use `__private`, which belongs to the macros.
//! * The kernel is responsible for the contents of its tables, and the hardware must be correct.
//!
//! # Sections and `.await`
//!
//! The compiler refuses to send a future that holds a section to another thread. It accepts such a
//! future on one thread, where the section then also defers the stores of other tasks. Clippy
//! reports a variable that holds a guard or a token across an `.await`, if `clippy.toml` has:
//!
//! ```toml
//! await-holding-invalid-types = [
//!     "lazy_mmu::LazyMmu",
//!     "lazy_mmu::raw::PauseState",
//!     "lazy_mmu::raw::State",
//! ]
//! ```
//!
//! Clippy does not report a guard in a field or behind a reference. It does not report the section
//! of [an attribute beneath an executor's](macro@crate::lazy_mmu#other-attributes) either.
