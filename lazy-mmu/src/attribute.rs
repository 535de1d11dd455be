//! The attribute's page: the macro itself is in `lazy-mmu-macros`, which cannot show examples of
//! this crate.

/// Opens a lazy MMU section for the body of a function, and leaves it on every way out.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, memory_type};
/// use lazy_mmu::sim::{self, Sim};
/// use lazy_mmu::lazy_mmu;
///
/// /// Data in normal memory, if the kernel has that in the byte 1 of MAIR_EL1.
/// const NORMAL: u64 = KERNEL_DATA | memory_type(1);
///
/// struct Occupied;
///
/// #[lazy_mmu(backend = Sim)]
/// fn map(slots: &[AtomicU64], first: u64) -> Result<(), Occupied> {
///     for (slot, page) in slots.iter().zip(0..) {
///         if slot.load(core::sync::atomic::Ordering::Relaxed) != 0 {
///             return Err(Occupied); // what was stored is visible all the same
///         }
///         lazy_mmu::write::<Sim, _>(slot, Leaf::page(first + 4096 * page, NORMAL));
///     }
///     Ok(())
/// }
///
/// let slots = [const { AtomicU64::new(0) }; 8];
/// assert!(map(&slots, 0x4000_0000).is_ok());
/// assert_eq!(sim::pairs(&sim::take_trace()), 1); // eight stores, one pair
/// ```
///
/// # Arguments
///
/// In any order, each at most once. `paused` cannot be combined with `mmu` or `join`.
///
/// * none: the program's registered backend, [`Global`](crate::Global)
/// * `backend = path`: this [`Backend`](crate::Backend), inlined
/// * `mmu`, `mmu = name`: the section by a name, as
///   `&mut `[`LazyMmu`](crate::LazyMmu)`<'_, `[`Dynamic`](crate::Dynamic)`, B>`
/// * `join`: no section of its own where one is open, as under [`join()`](crate::join())
/// * `paused`: not a section, but a pause: the body's stores are immediate, as under
///   [`paused()`](crate::paused())
/// * `crate = path`: this crate, where it is not `::lazy_mmu`
///
/// **`backend`** names the backend at compile time. Without it the attribute works in a library
/// that does not know the backend; the final binary has the line
/// [`set_global_backend!`](crate::set_global_backend).
///
/// ```
/// lazy_mmu::set_global_backend!(lazy_mmu::sim::Sim); // in the final binary, once
///
/// #[lazy_mmu::lazy_mmu]
/// fn in_a_library() {
///     lazy_mmu::note_store::<lazy_mmu::Global>();
/// }
/// # in_a_library();
/// # assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 1);
/// ```
///
/// **`mmu`** is for bodies that store many descriptors, flush in between, or hand the section down.
/// It is a variable like one bound by `let`: it hides a parameter or a function of the same name,
/// so give it another name there.
///
/// ```
/// # use core::sync::atomic::AtomicU64;
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// # use lazy_mmu::sim::{self, Sim};
/// # use lazy_mmu::{Dynamic, LazyMmu, lazy_mmu};
/// #[lazy_mmu(backend = Sim, mmu = section)]
/// fn map_all(tables: &[[AtomicU64; 4]], first: u64) {
///     for table in tables {
///         map_table(section, table, first);
///     }
/// }
///
/// /// Defers into its caller's section: the mappings are usable after the caller's flush or leave.
/// fn map_table(mmu: &mut LazyMmu<'_, Dynamic, Sim>, table: &[AtomicU64], first: u64) {
///     mmu.write_range(table, |i| Leaf::page(first + 4096 * i as u64, KERNEL_DATA));
/// }
/// # map_all(&[const { [const { AtomicU64::new(0) }; 4] }; 3], 0);
/// # assert_eq!(sim::pairs(&sim::take_trace()), 1);
/// ```
///
/// **`join`** is for functions that are called in a loop. Each leave of a nested section flushes,
/// because the caller may use the mapping; so a function without `join` never batches with its
/// caller. With `join` it defers into the section that is open, and opens one only if none is.
///
/// ```
/// # use core::sync::atomic::AtomicU64;
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// # use lazy_mmu::sim::{self, Sim};
/// # use lazy_mmu::lazy_mmu;
/// #[lazy_mmu(backend = Sim)]
/// fn map_all(table: &[AtomicU64; 512]) {
///     for (slot, page) in table.iter().zip(0..) {
///         map_page(slot, 4096 * page);
///     }
/// }
///
/// #[lazy_mmu(backend = Sim, join)]
/// fn map_page(slot: &AtomicU64, page: u64) {
///     lazy_mmu::write::<Sim, _>(slot, Leaf::page(page, KERNEL_DATA));
/// }
/// # map_all(&[const { AtomicU64::new(0) }; 512]);
/// # assert_eq!(sim::pairs(&sim::take_trace()), 1);
/// ```
///
/// What a joined function promises at its return is nothing, if its caller has a section: its
/// stores may be pending until that section flushes. If its own body uses a mapping, it flushes
/// first (`mmu.flush()`), which is one pair. A [`Pending`](crate::Pending) value belongs to one
/// section by its type, and so does not leave the function; a function that returns one takes `&mut
/// LazyMmu<..>` instead. A function that returns a mapping for use at once has no `join`, and uses
/// [`visible()`](crate::visible()).
///
/// Which layer of a kernel has which:
///
/// * the system call, the fault handler, the loader (they map much, and end before anything is
///   used): `#[lazy_mmu]`
/// * mapping one page, changing one entry, allocating a table (called in loops, and used later by
///   the caller): `#[lazy_mmu(join)]`, or no attribute and [`write()`](crate::write())
/// * the functions whose callers use the mapping when they return (`ioremap`, `vmalloc`, a
///   temporary mapping): `#[lazy_mmu]`
/// * the handler of a synchronous exception: `#[lazy_mmu]` without `join` (see
///   [`raw`](crate::raw#exception-handlers))
/// * an allocator that must not know of sections, a debugger, a panic handler:
///   `#[lazy_mmu(paused)]`
///
/// The kernel Hermit, with the attribute on every function that maps, executed 133,280 `dsb ishst`
/// at boot. With `join` on the inner ones it executed 3,890, as many as after its functions had
/// been restructured by hand.
///
/// **`paused`** is for functions whose mappings are used at once by code that knows of no section,
/// whoever calls them.
///
/// ```
/// # use core::sync::atomic::AtomicU64;
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// # use lazy_mmu::sim::{Sim, is_settled};
/// # use lazy_mmu::lazy_mmu;
/// #[lazy_mmu(backend = Sim, paused)]
/// fn map_and_use(slot: &AtomicU64) {
///     lazy_mmu::write::<Sim, _>(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///     assert!(is_settled(slot)); // in its caller's section too
/// }
/// # lazy_mmu::with::<Sim, _>(|_| map_and_use(&AtomicU64::new(0)));
/// ```
///
/// **`crate`** is for a renamed dependency, a re-export, or a macro that expands to annotated
/// functions (`crate = $crate::path::to::lazy_mmu`).
///
/// ```
/// mod vendored {
///     pub(super) use ::lazy_mmu as mmu;
/// }
/// #[vendored::mmu::lazy_mmu(crate = vendored::mmu, backend = vendored::mmu::sim::Sim)]
/// fn map() {}
/// # map();
/// ```
///
/// # Expansion
///
/// One statement, with `mmu` three: the first of the body, inside the function's own braces, behind
/// inner attributes and the items with which the body begins. Nothing else changes.
/// `#[lazy_mmu(backend = Mmu)]` turns
///
/// ```text
/// fn map(pages: &[Page]) -> Result<(), Error> { body }
/// ```
///
/// into
///
/// ```text
/// fn map(pages: &[Page]) -> Result<(), Error> {
///     let __section = ::lazy_mmu::__private::section::<Mmu>();
///     body
/// }
/// ```
///
/// With `mmu` the statements are `let mut __section = ..;`, `let mut __view =
/// ::lazy_mmu::__private::view(&mut __section);` and `let mmu = __view.section();`. With `join` the
/// function is `joined` instead of `section`. With `paused` the statement is `let __pause =
/// ::lazy_mmu::__private::pause::<Mmu>();`. Paths are looked up there, inside the body: an item of
/// the body that is called as the backend hides it.
///
/// An attribute macro may turn an item at the start of the body into statements. They run before
/// the section is opened, and cannot use `mmu`.
///
/// The names with two underscores are the macro's own: the body cannot name the guard, and so
/// cannot forget it. What `mmu` refers to is a view of the section, which is never dropped.
///
/// # Order of drops
///
/// That of a `let` as the first statement, in every edition: the section is left after all
/// variables of the body have been dropped, and before the parameters. So a lock that is taken
/// inside is released *before* the barrier pair, and a lock that is passed in after it:
///
/// ```
/// # use lazy_mmu::sim::{self, Event, Sim};
/// # use lazy_mmu::lazy_mmu;
/// # struct Lock(u64);
/// # impl Drop for Lock {
/// #     fn drop(&mut self) { sim::execute(Event::Tlbi(self.0)) }
/// # }
/// # const INSIDE: Event = Event::Tlbi(1);
/// # const PASSED_IN: Event = Event::Tlbi(2);
/// #[lazy_mmu(backend = Sim)]
/// fn map(_passed_in: Lock) {
///     let _inside = Lock(1);
///     lazy_mmu::note_store::<Sim>();
/// }
/// map(Lock(2));
/// let order = sim::take_trace();
/// # let order: Vec<_> = order.into_iter().filter(|it| matches!(it, Event::Tlbi(_) | Event::DsbIshst)).collect();
/// assert_eq!(order, [INSIDE, Event::DsbIshst, PASSED_IN]); // `INSIDE`: that lock's release
/// ```
///
/// Where a mapping must be usable as soon as the lock is free, take the lock in the caller, or call
/// `mmu.flush()` before it is released:
///
/// ```
/// # use lazy_mmu::sim::{self, Event, Sim};
/// # use lazy_mmu::lazy_mmu;
/// # struct Lock(u64);
/// # impl Drop for Lock {
/// #     fn drop(&mut self) { sim::execute(Event::Tlbi(self.0)) }
/// # }
/// #[lazy_mmu(backend = Sim, mmu)]
/// fn map() {
///     let lock = Lock(1);
///     mmu.note_store();
///     mmu.flush();
///     drop(lock);
/// }
/// # map();
/// # let order: Vec<_> = sim::take_trace().into_iter().filter(|it| matches!(it, Event::Tlbi(_) | Event::DsbIshst)).collect();
/// # assert_eq!(order, [Event::DsbIshst, Event::Tlbi(1)]);
/// ```
///
/// A temporary of the body's last expression is dropped as the language has it: up to edition 2021
/// after the section, since edition 2024 before it. A lock in a tail expression,
/// `TABLE.lock().map(page)`, is such a temporary. In edition 2021 the lint `tail_expr_drop_order`
/// (of `rust_2024_compatibility`) names `__section` there, and is right; and a temporary that
/// borrows from `mmu` does not live long enough: bind the result by a `let` first.
///
/// What a function *returns* runs after the section: a closure, an `impl Iterator` or an `impl
/// Future` opens its own.
///
/// # Where the attribute is rejected
///
/// An item that cannot have a section is an error, on the token that is wrong, and the item is
/// there all the same.
///
/// * `async fn`: other tasks run at an `.await`, and would be in the section. Use
///   [`with`](crate::with()) inside, between two `.await`s.
/// * `gen fn`: the caller runs at a `yield`. Use [`with`](crate::with()) inside, between two
///   `yield`s.
/// * `const fn`: there is no thread at compile time. Remove `const`.
/// * A naked function: it is its assembly and nothing else. Put the attribute on the function that
///   the assembly calls.
/// * A function without a body: there is nothing to put in a section. Put the attribute on the
///   implementation; for a foreign function, on the caller.
/// * `impl`, `trait`, `mod`, `extern` block: the attribute does not know which of the functions
///   change mappings. Put it on each that does.
/// * A statement, an expression, a closure: its end is not a place to leave. Use
///   [`with`](crate::with()).
/// * A function that has the attribute already, by this name: one section is enough. Remove one.
///
/// ```
/// # use lazy_mmu::sim::Sim;
/// # async fn disk() {}
/// async fn page_in() {
///     disk().await;
///     lazy_mmu::with::<Sim, _>(|mmu| mmu.note_store()); // left before the next `.await`
///     disk().await;
/// }
/// # let _ = page_in();
/// ```
///
/// # Other attributes
///
/// `#[inline]`, `#[cold]`, `#[track_caller]`, `#[must_use]`, `#[deprecated]`, `#[target_feature]`,
/// `#[unsafe(no_mangle)]`, lint levels, `#[cfg]` and documentation may stand above or beneath, and
/// mean the same. So does `#[cfg_attr(condition, lazy_mmu)]`, also twice with conditions that
/// exclude each other.
///
/// Attribute macros are expanded from the top. One that stands *above* sees the function with
/// `#[lazy_mmu]` still on it: if it moves the body into a closure or a future, the attribute goes,
/// or does not go, with it. One that stands *beneath* sees the body with the section in it. Put
/// `#[lazy_mmu]` last, next to the function, unless you want what the other one adds to be in the
/// section too.
///
/// An executor's attribute above `#[lazy_mmu]`, such as `#[tokio::main]`, removes `async`. The
/// section then lies around the executor's `block_on`: it is open at each `.await`, and the stores
/// of the thread's other tasks are deferred into it. `#[lazy_mmu]` cannot refuse this, because an
/// ordinary function may return, spawn or poll an async block too. Use [`with`](crate::with())
/// between two `.await`s instead. [Clippy reports](crate::soundness#sections-and-await) some other
/// sections that are held over an `.await`.
///
/// # Warnings
///
/// The body has the warnings that it had, at the same places. Some lints of Clippy differ, because
/// they judge the body as a whole:
///
/// * `missing_const_for_fn`, `manual_async_fn`, `derivable_impls` and `empty_drop` no longer
///   propose a change that would remove the section. With the attribute, an empty `drop` flushes
///   its caller's section.
/// * `misnamed_getters` no longer takes the function for a getter.
/// * `non_canonical_clone_impl` and `non_canonical_partial_ord_impl` report such an implementation,
///   because it does more than it should.
/// * `inline_always` reports a function with an empty body.
/// * `items_after_statements` reports the items behind a macro call that begins the body and makes
///   nothing. With `mmu` it also reports the items behind a `macro_rules!`.
///
/// An error of the attribute may bring a warning that an import, which only the attribute used, is
/// unused.
pub use lazy_mmu_macros::lazy_mmu;
