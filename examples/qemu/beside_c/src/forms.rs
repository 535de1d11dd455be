//! The same work in three forms, which are counted side by side: with the crate, in C
//! (`lazy_mmu.c`), and by hand in assembly, which is the limit because it keeps no mode.
//!
//! All forms have the same signature, so the same code calls each of them. `cargo xtask test`
//! compares the crate's forms for aarch64 with the golden assembly.
//!
//! The kernels for aarch64 and for RISC-V share this file. Each of them has a module `arch` with
//! the descriptors, the backends and the forms by hand.

use core::ffi::c_void;
use core::slice;
use core::sync::atomic::AtomicU64;

use lazy_mmu::{Backend, Eager, LazyMmu, Outer, Task, lazy_mmu};
use lazy_mmu_examples::populate::RESERVE;
use lazy_mmu_examples::tolerant::Tolerant;

use crate::arch::{
    ByteMmu, KernelLeaf, Leaf, Mmu, NEXT_PAGE, limit_map, limit_map_pagealloc, limit_one,
    limit_per_store, limit_per_store_pagealloc, limit_tolerant_pagealloc, nothing,
};

/// A form of an operation, which maps `pages` consecutive pages in `slots`.
///
/// The descriptor `first` maps the first of them. With DEBUG_PAGEALLOC, the form also maps the
/// allocator's pages in `linear`. `handle` points to the task's handle, for the backend that the
/// operation uses.
pub type Form = unsafe extern "C" fn(
    handle: *mut c_void,
    slots: *const AtomicU64,
    linear: *const AtomicU64,
    pages: usize,
    first: u64,
);

/// The forms of one operation.
#[derive(Clone, Copy, Debug)]
pub struct Forms {
    /// The form with the crate.
    pub ours: Form,
    /// The form in C.
    pub c: Form,
    /// The form by hand, which is the limit.
    pub limit: Form,
}

/// Returns the arguments of the crate's forms as references.
///
/// # Safety
///
/// - `handle` points to a `Task<B>` that other code does not use in the meantime.
/// - `slots` and `linear` each point to `pages` entries.
unsafe fn arguments<'a, B: Backend>(
    handle: *mut c_void,
    slots: *const AtomicU64,
    linear: *const AtomicU64,
    pages: usize,
) -> (&'a mut Task<B>, &'a [AtomicU64], &'a [AtomicU64]) {
    // SAFETY: the caller promises it.
    let task = unsafe { &mut *handle.cast::<Task<B>>() };
    // SAFETY: the caller promises it.
    let slots = unsafe { slice::from_raw_parts(slots, pages) };
    // SAFETY: the caller promises it.
    let linear = unsafe { slice::from_raw_parts(linear, pages) };
    (task, slots, linear)
}

/// Iterates over the slots, with the descriptor for each.
fn pages(slots: &[AtomicU64], first: u64) -> impl Iterator<Item = (&AtomicU64, u64)> {
    let mut next = first;
    slots.iter().map(move |slot| {
        let descriptor = next;
        next = next.wrapping_add(NEXT_PAGE);
        (slot, descriptor)
    })
}

/// Maps the allocator's pages in the linear map, as DEBUG_PAGEALLOC does. The section is its own,
/// because the allocator does not know that its caller has one open.
#[inline(never)]
fn allocate<B: Backend>(linear: &[AtomicU64], first: u64) {
    lazy_mmu::with::<B, _>(|mmu| {
        for (slot, descriptor) in pages(linear, first) {
            mmu.write(slot, Leaf(descriptor));
        }
    });
}

/// Maps pages in one section, and calls the allocator for every eight.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the caller is counted")]
fn map_pagealloc<B: Backend>(
    task: &mut Task<B>,
    slots: &[AtomicU64],
    linear: &[AtomicU64],
    mut first: u64,
) {
    let mut mmu = task.enter();
    let mut done = 0;
    while done < slots.len() {
        let part = done..done + RESERVE.min(slots.len() - done);
        // SAFETY: the part is inside the slots.
        let slots = unsafe { slots.get_unchecked(part.clone()) };
        // SAFETY: `linear` has the same length.
        let linear = unsafe { linear.get_unchecked(part.clone()) };
        allocate::<B>(linear, first);
        for (slot, descriptor) in pages(slots, first) {
            mmu.write(slot, Leaf(descriptor));
        }
        first = first.wrapping_add(NEXT_PAGE * slots.len() as u64);
        done = part.end;
    }
}

/// Defines the functions of one backend, whose names end with `$suffix`.
macro_rules! forms {
    ($module:ident, $suffix:literal, $backend:ty) => {
        /// The operations, with the bits in one place.
        pub mod $module {
            use super::*;

            /// Makes an [`Operation`] of its three forms: with the crate, in C, and by hand.
            macro_rules! operation {
                (
                    $name:literal, $limit:ident, $handle:ty,
                    |$task:ident, $slots:ident, $linear:ident, $first:ident| $body:block
                ) => {
                    {
                        #[unsafe(export_name = concat!("ours_", $name, "_", $suffix))]
                        unsafe extern "C" fn ours(
                            handle: *mut c_void,
                            slots: *const AtomicU64,
                            linear: *const AtomicU64,
                            pages: usize,
                            $first: u64,
                        ) {
                            let ($task, $slots, $linear) =
                                // SAFETY: the caller promises the same.
                                unsafe { arguments::<$handle>(handle, slots, linear, pages) };
                            $body
                        }
                        unsafe extern "C" {
                            #[link_name = concat!("c_", $name, "_", $suffix)]
                            fn c(
                                handle: *mut c_void,
                                slots: *const AtomicU64,
                                linear: *const AtomicU64,
                                pages: usize,
                                first: u64,
                            );
                        }
                        Operation {
                            name: $name,
                            storage: $suffix,
                            forms: Forms {
                                ours,
                                c,
                                limit: $limit,
                            },
                            with_handle: with_handle::<$handle>,
                        }
                    }
                };
            }

            /// Makes a form of an operation that only the crate has.
            macro_rules! form {
                ($name:literal, |$handle:ident, $slots:ident, $first:ident| $body:block) => {
                    {
                        #[unsafe(export_name = concat!("ours_", $name, "_", $suffix))]
                        unsafe extern "C" fn ours(
                            $handle: *mut c_void,
                            slots: *const AtomicU64,
                            _: *const AtomicU64,
                            pages: usize,
                            $first: u64,
                        ) {
                            // SAFETY: the caller promises so many entries.
                            let $slots = unsafe { slice::from_raw_parts(slots, pages) };
                            $body
                        }
                        ($name, ours as Form)
                    }
                };
            }

            /// The forms of operations that only the crate has, by their names.
            pub const FORMS: [(&str, Form); 5] = [
                // A section nested in that of the guard at `handle`. It stores at most one entry.
                form!("nested", |handle, _slots, _first| {
                    // SAFETY: `handle` points to such a guard, which other code does not use.
                    let outer = unsafe { &mut *handle.cast::<LazyMmu<'_, Outer, $backend>>() };
                    outer.nest().leave();
                }),
                form!("nested_store", |handle, slots, first| {
                    // SAFETY: as above.
                    let outer = unsafe { &mut *handle.cast::<LazyMmu<'_, Outer, $backend>>() };
                    let mut inner = outer.nest();
                    inner.write(&slots[0], KernelLeaf(first));
                    inner.leave();
                }),
                // The measure for `nested_store`: the same stores without the nested section.
                form!("store_flush", |handle, slots, first| {
                    // SAFETY: as above.
                    let outer = unsafe { &mut *handle.cast::<LazyMmu<'_, Outer, $backend>>() };
                    outer.write(&slots[0], KernelLeaf(first));
                    outer.flush();
                }),
                form!("attribute", |_handle, slots, first| {
                    #[lazy_mmu(backend = $backend)]
                    fn map(slots: &[AtomicU64], first: u64) {
                        for (slot, descriptor) in pages(slots, first) {
                            lazy_mmu::write::<$backend, _>(slot, Leaf(descriptor));
                        }
                    }
                    map(slots, first);
                }),
                form!("attribute_mmu", |_handle, slots, first| {
                    #[lazy_mmu(backend = $backend, mmu)]
                    fn map(slots: &[AtomicU64], first: u64) {
                        for (slot, descriptor) in pages(slots, first) {
                            mmu.write(slot, Leaf(descriptor));
                        }
                    }
                    map(slots, first);
                }),
            ];

            /// The operations, each in three forms.
            pub const OPERATIONS: [Operation; 11] = [
                operation!("enter_leave", nothing, $backend, |task, _slots, _linear, _first| {
                    drop(task.enter());
                }),
                operation!("one", limit_one, $backend, |task, slots, _linear, first| {
                    // SAFETY: there is at least one entry.
                    let slot = unsafe { slots.get_unchecked(0) };
                    task.enter().write(slot, KernelLeaf(first));
                }),
                operation!("map", limit_map, $backend, |task, slots, _linear, first| {
                    let mut mmu = task.enter();
                    for (slot, descriptor) in pages(slots, first) {
                        mmu.write(slot, Leaf(descriptor));
                    }
                }),
                operation!("map_kernel", limit_map, $backend, |task, slots, _linear, first| {
                    let mut mmu = task.enter();
                    for (slot, descriptor) in pages(slots, first) {
                        mmu.write(slot, KernelLeaf(descriptor));
                    }
                }),
                operation!("range", limit_map, $backend, |task, slots, _linear, first| {
                    let mut mmu = task.enter();
                    mmu.write_range(slots, |i| Leaf(first.wrapping_add(NEXT_PAGE * i as u64)));
                }),
                operation!("tolerant", limit_map, Tolerant<$backend>,
                    |task, slots, _linear, first| {
                        let mut mmu = task.enter();
                        for (slot, descriptor) in pages(slots, first) {
                            mmu.write(slot, Leaf(descriptor));
                        }
                    }),
                operation!("per_store", limit_per_store, Eager<$backend>,
                    |_task, slots, _linear, first| {
                        lazy_mmu::with::<Eager<$backend>, _>(|mmu| {
                            for (slot, descriptor) in pages(slots, first) {
                                mmu.write(slot, Leaf(descriptor));
                            }
                        });
                    }),
                operation!("outside", limit_per_store, $backend, |_task, slots, _linear, first| {
                    for (slot, descriptor) in pages(slots, first) {
                        lazy_mmu::write::<$backend, _>(slot, Leaf(descriptor));
                    }
                }),
                operation!("map_pagealloc", limit_map_pagealloc, $backend,
                    |task, slots, linear, first| {
                        map_pagealloc(task, slots, linear, first);
                    }),
                operation!("tolerant_pagealloc", limit_tolerant_pagealloc, Tolerant<$backend>,
                    |task, slots, linear, first| {
                        map_pagealloc(task, slots, linear, first);
                    }),
                operation!("per_store_pagealloc", limit_per_store_pagealloc, Eager<$backend>,
                    |task, slots, linear, first| {
                        map_pagealloc(task, slots, linear, first);
                    }),
            ];
        }
    };
}

forms!(own_byte, "byte", ByteMmu);
forms!(shared_word, "word", Mmu);

/// An operation, with the bits in one of the two places.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The name, without the place of the bits.
    pub name: &'static str,
    /// The place of the bits: `byte` or `word`.
    pub storage: &'static str,
    /// The forms of the operation.
    pub forms: Forms,
    /// Calls a function with the handle that the forms take.
    with_handle: fn(&mut dyn FnMut(*mut c_void)),
}

/// The numbers of pages.
const SIZES: [usize; 8] = [1, 2, 4, 8, 16, 64, 256, 512];

/// Calls `f` with each operation, for both places of the bits, and each number of pages.
///
/// # Errors
///
/// The first error of `f`.
pub fn for_each<E>(mut f: impl FnMut(&Operation, usize) -> Result<(), E>) -> Result<(), E> {
    let both = own_byte::OPERATIONS.iter().zip(&shared_word::OPERATIONS);
    for operation in both.flat_map(|(byte, word)| [byte, word]) {
        let sizes = match operation.name {
            "enter_leave" | "one" => &SIZES[..1],
            _ => &SIZES,
        };
        for &pages in sizes {
            f(operation, pages)?;
        }
    }
    Ok(())
}

impl Operation {
    /// Returns whether the operation maps pages.
    pub fn maps(&self) -> bool {
        self.name != "enter_leave"
    }

    /// Returns the operation with the name `name`.
    pub fn named(name: &str, operations: &'static [Self]) -> &'static Self {
        let mut operations = operations.iter();
        operations
            .find(|it| it.name == name)
            .expect("there is one of that name")
    }

    /// Calls `f` with the handle that the forms take.
    pub fn with<R>(&self, mut f: impl FnMut(*mut c_void) -> R) -> R {
        let mut result = None;
        (self.with_handle)(&mut |handle| result = Some(f(handle)));
        result.unwrap_or_else(|| unreachable!("`with_handle` calls"))
    }
}

/// Calls `f` with a handle of this thread.
fn with_handle<B: Backend>(f: &mut dyn FnMut(*mut c_void)) {
    // SAFETY: the programs that count have no other handle, and their handlers use none.
    let mut task = unsafe { Task::<B>::current() };
    f((&raw mut task).cast());
}

/// Defines a form by hand, for the module `arch`.
macro_rules! limit {
    ($(#[$doc:meta])* $name:ident: $($instruction:literal),+) => {
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// The duties are those of each [`Form`](crate::forms::Form).
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name(
            _: *mut ::core::ffi::c_void,
            _: *const ::core::sync::atomic::AtomicU64,
            _: *const ::core::sync::atomic::AtomicU64,
            _: usize,
            _: u64,
        ) {
            ::core::arch::naked_asm!($($instruction),+)
        }
    };
}
pub(crate) use limit;
