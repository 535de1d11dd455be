//! What is promised, and by whom: the compiler, the state machine, or you.
//!
//! In safe code, given a truthful [`Backend`](crate::Backend) and [`Machine`](crate::Machine), and
//! if the duties of the `unsafe` functions are kept:
//!
//! * **Every store that needs the barrier pair is followed by it** when its section is left or
//!   flushed, or at once where no section is open.
//! * **The mode is on only while a section is open.** (The section that began it ends it. Sections
//!   that are still open then make their stores immediate.)
//! * **A [`Pending`](crate::Pending) value is redeemed only after the pair** of the stores that
//!   were made through its section before it.
//! * **An [`Unmapped`](crate::Unmapped) value, or one in a [`Gather`](crate::Gather), is had only
//!   after its invalidation.**
//!
//! # What the compiler refuses
//!
//! Each line is a case in the project's `ui-tests/fail`, in its variants.
//!
//! * leave or drop the outer section while a nested one lives (E0505)
//! * use it meanwhile (store, flush, nest, pause), or while it is paused, though the inner guard is
//!   not used again (E0499)
//! * leave twice, resume a bare pause twice, store after leave (E0382)
//! * two sections from one task's handle; use the handle, or call what may sleep and asks for it,
//!   inside a section (E0499)
//! * two guards in a collection, from an iterator; outer and nested guard in one struct (E0499,
//!   E0505)
//! * build a guard, a token or a proof by hand (private fields)
//! * forget, move or keep a pause: it is a closure, so there is no value (E0432, E0599)
//! * a `Nesting` of one's own; a type that is none; claim that a section is `Outer` (E0277, E0308)
//! * pass a section of another nesting, or of another backend (E0308)
//! * clone a guard, a token, a pending mapping (E0599, E0382)
//! * send a guard, token, proof or handle to another thread, share it, keep it in a static (E0277)
//! * keep a guard in a thread-local, in a cell outside its closure, in a `'static` trait object;
//!   return it from its function (E0521, E0515, E0716)
//! * forget or leave the section of a closure or of the attribute; exchange or replace a closure's
//!   (E0507, E0521, E0716, E0506)
//! * name the attribute's hidden guard (E0425)
//! * hold a section over `.await`: in an `async fn` that the attribute sees, a closure, a sent
//!   future (macro error, E0728, E0277)
//! * use a pending mapping without a proof; with one from before the mapping, of another section,
//!   of a nested one, of the caller; after another store (E0061, E0616; E0499, E0521, E0597, E0716)
//! * let a pending mapping or a proof out of its closure; shorten or lengthen its brand (lifetime
//!   errors)
//! * have an unmapped frame back before its invalidation, or twice; forge what was unmapped;
//!   invalidate it on another thread, or with another backend (private fields, E0382, E0277, E0308)
//! * have a gathered value before its invalidation; keep, forget or exchange a gather (E0499,
//!   E0521)
//! * a leaf where a table is expected; an entry that is not 64 bits (E0308, E0277)
//! * without `unsafe`: make a handle, use bare tokens, change the bits (E0133)
//! * without `unsafe`: implement `Backend`, `Machine`, `Entry` or `NoWalker` (E0200)
//! * without `unsafe`: store without synchronization or barrier, split a block, invalidate on one
//!   CPU (E0133)
//!
//! # What the state machine handles at run time
//!
//! * **A forgotten nested guard**: the section around it emits.
//! * **A forgotten guard of the task's handle** (`forget`, `ManuallyDrop`, `Box::leak`, an `Rc`
//!   cycle): if its section began the mode, the handle leaves in its place when it is used next, or
//!   dropped. Until then the mode stays on, and what is pending stays pending. If the section was
//!   entered inside a caller's, the caller's leave emits.
//! * **Nested guards of two closures' sections, exchanged** (their types may be the same): neither
//!   ends the mode, and what one does not flush the section around it does.
//! * **Sections of different origin, nested or overlapping** (handle, closure, attribute): the
//!   section that began the mode ends it. A section that is left after that makes its stores
//!   immediate.
//! * **The section that began the mode, left inside a pause**: the pause goes on until its closure
//!   returns.
//! * **Panics**, in callbacks and descriptors, through sections and pauses: what was stored gets
//!   its pair, and the thread is as it was.
//! * **Interrupts**: sections and pauses are inert, stores immediate, and the interrupted thread's
//!   bits untouched.
//! * **A context that changes between enter and leave** (softirqs disabled in between): the token
//!   decides, not the context.
//! * **An inert section whose cause ends inside it** (softirqs enabled, the pause ended): its leave
//!   emits the pair of the stores that were deferred into a section further up meanwhile.
//! * **A table that is filled and then linked**: the store of a valid `Table` or `TopLevel`, and
//!   `link_table`, are ordered after all earlier stores of their thread.
//! * **The invalidation of an entry that is taken away** is as wide as the old entry asks: all
//!   levels if it was a table.
//! * **A part of a contiguous group** is refused before anything is changed; so is a second split
//!   of the same block.
//! * **Proofs of another section whose brand is as long**: a closure's brand is its own, but those
//!   of `nest`, of a handle's section and of the attribute are borrows, and code that holds two
//!   lineages at once may have two that the compiler takes for one. So redeeming looks whether the
//!   pair is owed still, and emits it if so. With the right proof it never is.
//! * **The attribute's section, exchanged** for a nested one of a parameter's: what the body has is
//!   a view, which is never dropped; the guard that leaves has no name.
//!
//! # What neither can, and whose duty it is
//!
//! Code that stores or maps:
//!
//! * Stores to the tables that do not go through the crate (raw pointers, `AtomicU64::store`, other
//!   crates) need [`note_stores`](crate::note_stores()) around them, or
//!   [`note_store`](crate::note_store) after them. Such code also orders the store that links a
//!   table after the stores that fill it.
//! * The kind of a descriptor is the caller's choice. A table entry written as a
//!   [`Leaf`](crate::aarch64::descriptor::Leaf) is not ordered after the stores that fill the
//!   table. A kernel's text written as a [`UxnLeaf`](crate::aarch64::descriptor::UxnLeaf) with UXN
//!   clear, or an EL2 leaf written as a `Leaf`, loses its pair.
//! * Plain stores do not read the old entry. They may change a part of a contiguous group (the
//!   other operations refuse that: see [`contiguous`](crate::aarch64::contiguous)), and they may
//!   overwrite what the hardware noted.
//! * A mapping that a plain store takes away needs its TLB invalidation before the frame is used
//!   again. [`unmap`](crate::LazyMmu::unmap) has that order in its types.
//! * An address whose old mapping is unmapped, but not invalidated, must not be mapped. A forgotten
//!   [`Unmapped`](crate::Unmapped) is never invalidated.
//! * The range of virtual addresses that an entry translates, the ASID of a user's range, and other
//!   users of the range while [`break_before_make`](crate::LazyMmu::break_before_make) has broken
//!   it, are the caller's duty. So are the range and scope of a value that is
//!   [withheld](crate::Unmapped::withhold).
//! * A function that [joins](crate::join()) its caller's section promises nothing at its return:
//!   its mappings are usable after the caller's flush or leave.
//! * A TLB invalidation covers TLBs. Software that walks the tables (`get_user_pages`, a dump, a
//!   hypervisor's shadow walker) may hold an old entry, or a table, longer: the code that frees the
//!   table waits for it too. [`Unmapped::map`](crate::Unmapped::map) wraps the table for that.
//! * Another CPU that is told of a mapping needs an `isb`, or an exception entry or return, before
//!   it uses the mapping.
//! * A pending value that is dropped unredeemed drops its contents, perhaps before the pair. A
//!   value given to [`pending`](crate::LazyMmu::pending) may say something else than the stores
//!   before it.
//! * Where softirqs are disabled, a pause is inert, and a section from before still defers through
//!   its guard. A mapping that is made through an inert section there waits for that section, not
//!   for those further up.
//! * A section that is inert because softirqs were disabled, in which they are enabled and disabled
//!   again, cannot tell at its leave whose pair is pending. Stores deferred in between wait for the
//!   section further up.
//! * A section held over an `.await` on one thread defers the stores of other futures, too; so does
//!   one around `block_on`, where an executor's attribute stands above `#[lazy_mmu]`.
//!
//! Authors of a kernel:
//!
//! * A wrong [`Backend`](crate::Backend) or [`Storage`](crate::Storage) loses barriers. The trait's
//!   list has all duties: among them the barriers of a context switch, and the same hooks for all
//!   backends that share bits.
//! * Code that calls [`Task::current`](crate::Task::current) makes one handle a thread, does not
//!   use it in an interrupt, and does not forget it together with its section.
//! * Code that calls [`raw`](crate::raw) passes each bare token on once, in order, on its thread.
//! * An exception handler that stores opens a section of its own, which does not join (see
//!   [`raw`](crate::raw)).
//! * Code names the kernel's own backend. Another one, with the machine of another exception level
//!   ([`El1`](crate::aarch64::El1) at EL2), invalidates another regime.
//! * `__private` belongs to the macros.
//! * The contents of the tables are the kernel's, and the hardware is its maker's.
//!
//! # Sections and `.await`
//!
//! The compiler refuses to send a future that holds a section to another thread. It accepts such a
//! future on one thread, where the stores of other tasks are then deferred into the section. Clippy
//! reports a variable that holds a guard or a token over an `.await`, if `clippy.toml` has:
//!
//! ```toml
//! await-holding-invalid-types = [
//!     "lazy_mmu::LazyMmu",
//!     "lazy_mmu::raw::PauseState",
//!     "lazy_mmu::raw::State",
//! ]
//! ```
//!
//! Clippy does not report a guard in a field or behind a reference. Nor does it report the section
//! of [an attribute beneath an executor's](macro@crate::lazy_mmu#other-attributes).
