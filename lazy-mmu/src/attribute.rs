//! The page of the attribute.
//!
//! Separate from the macro because a crate of macros cannot compile examples of this crate.

/// Opens a lazy MMU section for the body of a function, and leaves it on every way out.
///
/// The section defers the barrier pair (`dsb ishst; isb`) of the body's stores. The leave emits the
/// pair if a store awaits it: at the end of the body, on an early return, on `?` and on a panic.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, memory_type};
/// use lazy_mmu::lazy_mmu;
/// # use lazy_mmu::sim;
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// /// Data in normal memory, which is in byte 1 of this kernel's MAIR_EL1.
/// const NORMAL: u64 = KERNEL_DATA | memory_type(1);
///
/// struct Occupied;
///
/// #[lazy_mmu(backend = Mmu, mmu)]
/// fn map(slots: &[AtomicU64], first: u64) -> Result<(), Occupied> {
///     for (slot, page) in slots.iter().zip((first..).step_by(4096)) {
///         if slot.load(Ordering::Relaxed) != 0 {
///             return Err(Occupied); // the earlier stores get their pair too
///         }
///         mmu.write(slot, Leaf::page(page, NORMAL));
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
/// The arguments stand in any order, each at most once. `paused` cannot be combined with `mmu` or
/// `join`.
///
/// * none: a section of the registered backend, [`Global`](crate::Global)
/// * `backend = path`: a section of this [`Backend`](crate::Backend)
/// * `mmu` or `mmu = name`: the body can name the section, which has the type
///   `&mut `[`LazyMmu`](crate::LazyMmu)`<'_, `[`Dynamic`](crate::Dynamic)`, B>`
/// * `join`: the body defers into the section that is open, or opens a section if stores are not
///   deferred, as under [`join()`](crate::join())
/// * `paused`: a pause in the place of a section, so that the body's stores are immediate, as under
///   [`paused()`](crate::paused())
/// * `crate = path`: the path of this crate, if it is not `::lazy_mmu`
///
/// ## `backend`
///
/// The argument `backend` chooses the backend at compile time, so the compiler inlines it. An
/// attribute without the argument works in a library, which does not know the backend. The final
/// binary then registers the backend with [`set_global_backend!`](crate::set_global_backend).
///
/// ```
/// # use core::sync::atomic::AtomicU64;
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// # type Mmu = lazy_mmu::sim::Sim;
/// lazy_mmu::set_global_backend!(Mmu); // once, in the final binary
///
/// #[lazy_mmu::lazy_mmu(mmu)]
/// fn in_a_library(slot: &AtomicU64) {
///     mmu.write(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
/// }
/// # in_a_library(&AtomicU64::new(0));
/// # assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 1);
/// ```
///
/// ## `mmu`
///
/// The argument `mmu` gives the section a name in the body. The body can pass the section on to
/// functions that take `&mut LazyMmu<..>`. Their stores are deferred into it.
///
/// ```
/// # use core::sync::atomic::AtomicU64;
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// # use lazy_mmu::{lazy_mmu, sim};
/// # type Mmu = lazy_mmu::sim::Sim;
/// use lazy_mmu::{LazyMmu, Nesting};
///
/// #[lazy_mmu(backend = Mmu, mmu = section)]
/// fn map_all(tables: &[[AtomicU64; 4]], first: u64) {
///     for table in tables {
///         map_table(section, table, first);
///     }
/// }
///
/// /// Its mappings are usable after its caller's flush or leave.
/// fn map_table(mmu: &mut LazyMmu<'_, impl Nesting, Mmu>, table: &[AtomicU64], first: u64) {
///     mmu.write_range(table, |i| Leaf::page(first + 4096 * i as u64, KERNEL_DATA));
/// }
/// # map_all(&[const { [const { AtomicU64::new(0) }; 4] }; 3], 0);
/// # assert_eq!(sim::pairs(&sim::take_trace()), 1);
/// ```
///
/// ## `join`
///
/// The argument `join` is for functions that are called in a loop. Without it, such a function
/// opens a nested section, which flushes when it is left, because the caller may use the mapping.
/// The loop then executes one pair for each call. With `join`, the function defers into the section
/// that is open. It opens a section of its own if no section is open, in interrupt context, and in
/// a pause.
///
/// ```
/// # use core::sync::atomic::AtomicU64;
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// # use lazy_mmu::{lazy_mmu, sim};
/// # type Mmu = lazy_mmu::sim::Sim;
/// #[lazy_mmu(backend = Mmu)]
/// fn map_all(table: &[AtomicU64; 512]) {
///     for (slot, page) in table.iter().zip((0..).step_by(4096)) {
///         map_page(slot, page);
///     }
/// }
///
/// #[lazy_mmu(backend = Mmu, join, mmu)]
/// fn map_page(slot: &AtomicU64, page: u64) {
///     mmu.write(slot, Leaf::page(page, KERNEL_DATA));
/// }
/// # map_all(&[const { AtomicU64::new(0) }; 512]);
/// # assert_eq!(sim::pairs(&sim::take_trace()), 1);
/// ```
///
/// If the caller has a section, the stores of a joined function may still be pending when the
/// function returns. They become visible when that section flushes. A body that uses its own
/// mapping therefore calls `mmu.flush()` first, which costs one pair.
///
/// A [`Pending`](crate::Pending) value belongs to one section by its type. A joined function cannot
/// return it, but a function that takes `&mut LazyMmu<..>` can. A function that returns a mapping
/// for immediate use does not join: it calls [`visible()`](crate::visible()).
///
/// The layers of a kernel use these forms:
///
/// * `#[lazy_mmu]` for the functions of a system call, a fault handler or the loader. Such a
///   function maps much, and returns before other code uses the mappings.
/// * `#[lazy_mmu(join)]`, or [`write()`](crate::write()) without an attribute, for a function that
///   maps one page, changes one entry or allocates a table. Such a function is called in loops. Its
///   caller uses the result later.
/// * `#[lazy_mmu]` or [`visible()`](crate::visible()) for a function whose caller uses the mapping
///   at once: `ioremap`, `vmalloc`, a temporary mapping.
/// * `#[lazy_mmu]` without `join` for the handler of a synchronous exception (see
///   [`raw`](crate::raw#exception-handlers)).
/// * `#[lazy_mmu(paused)]` for an allocator that must not defer, a debugger or a panic handler.
///
/// The kernel Hermit executed 133,280 `dsb ishst` at boot with `#[lazy_mmu]` on every function that
/// maps. With `join` on the inner functions it executed 3,890. A restructuring of its functions by
/// hand reached the same number.
///
/// ## `paused`
///
/// The argument `paused` is for a function whose mappings are used at once by code that does not
/// receive the guard. The caller may have a section.
///
/// ```
/// # use core::sync::atomic::AtomicU64;
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// # use lazy_mmu::sim::is_settled;
/// # use lazy_mmu::lazy_mmu;
/// # type Mmu = lazy_mmu::sim::Sim;
/// #[lazy_mmu(backend = Mmu, paused)]
/// fn map_and_use(slot: &AtomicU64) {
///     lazy_mmu::write::<Mmu, _>(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///     assert!(is_settled(slot)); // the pair has executed, in the caller's section too
/// }
/// # lazy_mmu::with::<Mmu, _>(|_| map_and_use(&AtomicU64::new(0)));
/// ```
///
/// ## `crate`
///
/// The argument `crate` is for a renamed dependency, for a re-export, and for a macro that expands
/// to attributed functions (`crate = $crate::path::to::lazy_mmu`).
///
/// ```
/// mod vendored {
///     pub(super) use ::lazy_mmu as mmu;
/// }
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// #[vendored::mmu::lazy_mmu(crate = vendored::mmu, backend = Mmu)]
/// fn map() {}
/// # map();
/// ```
///
/// # Expansion
///
/// The attribute inserts one statement, or three with `mmu`. They are the first statements of the
/// body. Only its inner attributes, and the items with which it begins, precede them. With `mmu`,
/// they come before the first `macro_rules!` among these items, so that the macro can use the name.
/// The rest of the function does not change. `#[lazy_mmu(backend = Mmu)]` turns
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
/// The arguments change the statements:
///
/// * `mmu`: `let mut __section = ..;`, then `let mut __view =
///   ::lazy_mmu::__private::view(&mut __section);`, then `let mmu = __view.section();`
/// * `join`: `joined` in the place of `section`
/// * `paused`: `let __pause = ::lazy_mmu::__private::pause::<Mmu>();`
///
/// The paths resolve inside the body. An item in the body with the backend's name therefore shadows
/// the backend. The names that begin with two underscores are hygienic: the body cannot name the
/// guard, and therefore cannot forget it. `mmu` borrows a [`View`](crate::View), whose drop does
/// not leave the section.
///
/// An attribute macro can turn an item at the start of the body into statements. These statements
/// run before the section is opened, and cannot use `mmu`.
///
/// # Order of drops
///
/// The section is dropped like a variable of the first `let` in the body, in every edition: after
/// all other variables of the body, and before the parameters. A lock guard created in the body
/// drops **before** the pair. One that is passed in, or held by the caller, drops after it:
///
/// ```
/// # use lazy_mmu::sim::{self, Event};
/// # use lazy_mmu::lazy_mmu;
/// # type Mmu = lazy_mmu::sim::Sim;
/// # struct Lock(u64);
/// # impl Drop for Lock {
/// #     fn drop(&mut self) { sim::execute(Event::Tlbi(self.0)) }
/// # }
/// # const INSIDE: Event = Event::Tlbi(1);
/// # const PASSED_IN: Event = Event::Tlbi(2);
/// #[lazy_mmu(backend = Mmu, mmu)]
/// fn map(_passed_in: Lock) {
///     let _inside = Lock(1);
///     mmu.note_store();
/// }
/// map(Lock(2));
/// let order = sim::take_trace();
/// # let mut order = order;
/// # order.retain(|it| matches!(it, Event::Tlbi(_) | Event::DsbIshst));
/// assert_eq!(order, [INSIDE, Event::DsbIshst, PASSED_IN]); // `INSIDE` is the release of that lock
/// ```
///
/// If others may use the mapping as soon as they can take the lock, lock in the caller, or call
/// `mmu.flush()` before the release:
///
/// ```
/// # use core::sync::atomic::AtomicU64;
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// # use lazy_mmu::sim::{self, Event};
/// # use lazy_mmu::lazy_mmu;
/// # type Mmu = lazy_mmu::sim::Sim;
/// # struct Lock(u64);
/// # impl Drop for Lock {
/// #     fn drop(&mut self) { sim::execute(Event::Tlbi(self.0)) }
/// # }
/// #[lazy_mmu(backend = Mmu, mmu)]
/// fn map(slot: &AtomicU64) {
///     let lock = Lock(1);
///     mmu.write(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///     mmu.flush();
///     drop(lock);
/// }
/// # map(&AtomicU64::new(0));
/// # let mut order = sim::take_trace();
/// # order.retain(|it| matches!(it, Event::Tlbi(_) | Event::DsbIshst));
/// # assert_eq!(order, [Event::DsbIshst, Event::Tlbi(1)]);
/// ```
///
/// The edition decides when a temporary of the body's last expression is dropped. Up to edition
/// 2021 it is dropped after the section. From edition 2024 on it is dropped before the section. A
/// lock guard in a last expression, such as `TABLE.lock().map(page)`, is such a temporary. In
/// edition 2021:
///
/// * The lint `tail_expr_drop_order` (of `rust_2024_compatibility`) names `__section` there, and is
///   right.
/// * A temporary that borrows from `mmu` does not live long enough. Bind the result with `let`
///   first.
///
/// A closure, an `impl Iterator` or an `impl Future` that the function *returns* runs after the
/// section, and opens its own.
///
/// # Where the attribute is rejected
///
/// The attribute reports an error on an item that cannot have a section. The error points at the
/// token that causes it. The expansion still contains the item, so code that uses the item has no
/// further errors.
///
/// * `async fn`: other tasks run at an `.await`, and the section would defer their stores. Use
///   [`with`](crate::with()) in the body, between two `.await`s.
/// * `gen fn`: the caller runs at a `yield`. Use [`with`](crate::with()) in the body, between two
///   `yield`s.
/// * `const fn`: there is no thread at compile time. Remove `const`.
/// * A naked function: its body is assembly only. Put the attribute on the function that the
///   assembly calls.
/// * A function without a body: put the attribute on the implementation, or, for a foreign
///   function, on the caller.
/// * `impl`, `trait`, `mod` or `extern` block: put the attribute on each function in the block that
///   changes mappings.
/// * A statement, an expression or a closure: use [`with`](crate::with()).
/// * A function that already has the attribute under this name: remove one of them.
///
/// ```
/// # use core::sync::atomic::AtomicU64;
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// # type Mmu = lazy_mmu::sim::Sim;
/// # async fn disk() {}
/// async fn page_in(slot: &AtomicU64) {
///     disk().await;
///     lazy_mmu::with::<Mmu, _>(|mmu| mmu.write(slot, Leaf::page(0x4000_0000, KERNEL_DATA)));
///     disk().await; // the section was left before
/// }
/// # let _ = page_in(&AtomicU64::new(0));
/// ```
///
/// # Other attributes
///
/// These attributes can stand above or beneath `#[lazy_mmu]`, and keep their meaning: `#[inline]`,
/// `#[cold]`, `#[track_caller]`, `#[must_use]`, `#[deprecated]`, `#[target_feature]`,
/// `#[unsafe(no_mangle)]`, lint levels, `#[cfg]` and documentation. `#[cfg_attr(condition,
/// lazy_mmu)]` works too, also twice with conditions that exclude each other.
///
/// The compiler expands attribute macros from the top:
///
/// * A macro *above* `#[lazy_mmu]` sees a function that still has the attribute. If that macro
///   moves the body into a closure or a future, it decides whether the attribute moves too.
/// * A macro *beneath* `#[lazy_mmu]` sees the body with the section in it.
///
/// Put `#[lazy_mmu]` last, next to the function, unless the section must also cover the code that
/// the other macro adds.
///
/// The attribute of an executor above `#[lazy_mmu]`, such as `#[tokio::main]`, removes `async`. The
/// section then encloses the executor's `block_on`. It is open at each `.await`, and it defers the
/// stores of the thread's other tasks. `#[lazy_mmu]` cannot reject this, because an ordinary
/// function can also return, spawn or poll an async block. Use [`with`](crate::with()) between two
/// `.await`s instead. [Clippy reports](crate::soundness#sections-and-await) some other sections
/// that are held across an `.await`.
///
/// # Warnings
///
/// The body keeps its warnings, at the same places. Some lints of Clippy behave differently,
/// because they judge the body as a whole:
///
/// * `missing_const_for_fn`, `manual_async_fn`, `derivable_impls` and `empty_drop` no longer
///   propose a change that would remove the section. With the attribute, an empty `drop` flushes
///   its caller's section.
/// * `misnamed_getters` no longer takes the function for a getter.
/// * `non_canonical_clone_impl` and `non_canonical_partial_ord_impl` report such an implementation,
///   because the section is additional code.
/// * `inline_always` reports a function with an empty body.
/// * `items_after_statements` reports the items behind a macro call that begins the body and
///   expands to nothing. With `mmu` it also reports the items behind a `macro_rules!`.
///
/// If the attribute reports an error, rustc may also warn about an import that only the attribute
/// uses.
pub use lazy_mmu_macros::lazy_mmu;
