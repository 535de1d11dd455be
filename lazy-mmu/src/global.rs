//! The one backend of the program: registered by the final binary, used by libraries that do not know it.
//!
//! Separate from the backends because it has no bits and no barrier of its own: it forwards to the registered one.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::backend::{Backend, Event};
use crate::bits::{Bits, OwnByte, SharedWord, Storage, bits_to_word, word_to_bits};
use crate::eager::Off;

/// The backend that the program registered with [`set_global_backend!`](crate::set_global_backend).
///
/// It is the default wherever a backend can be named. A section costs one call at its enter and one for each barrier
/// pair; stores call nothing.
#[derive(Debug)]
#[non_exhaustive]
pub struct Global;

/// Registers the program's [`Backend`], for [`Global`]. One line, once, in the final binary.
///
/// The backend keeps its bits in a [`SharedWord`], in an [`OwnByte`], or nowhere ([`Eager`](crate::Eager)).
///
/// ```
/// lazy_mmu::set_global_backend!(lazy_mmu::sim::Sim);
///
/// // Anywhere in the program, without naming the backend:
/// #[lazy_mmu::lazy_mmu(mmu)]
/// fn change_mappings() {
///     mmu.note_store();
/// }
/// # change_mappings();
/// # assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 1);
/// ```
#[macro_export]
macro_rules! set_global_backend {
    ($backend:ty) => {
        const _: () = {
            #[unsafe(export_name = "_lazy_mmu_0_1_layout")]
            static LAYOUT: $crate::__private::Layout = $crate::__private::layout_of::<$backend>();

            #[unsafe(export_name = "_lazy_mmu_0_1_layout_for_miri")]
            fn layout() -> $crate::__private::Layout {
                LAYOUT
            }

            #[unsafe(export_name = "_lazy_mmu_0_1_context")]
            fn context() -> ($crate::__private::Place, bool) {
                // SAFETY: this is the backend that is registered here.
                unsafe { $crate::__private::context_of::<$backend>() }
            }

            #[unsafe(export_name = "_lazy_mmu_0_1_barrier")]
            fn barrier() {
                <$backend as $crate::Backend>::barrier()
            }

            #[unsafe(export_name = "_lazy_mmu_0_1_observe")]
            fn observe(event: $crate::Event) {
                <$backend as $crate::Backend>::observe(event)
            }
        };
    };
}

// What `set_global_backend!` defines. The version in the names keeps two incompatible versions of this crate apart.
//
// SAFETY: the names are this crate's, and only the macro above defines them, with these types.
unsafe extern "Rust" {
    #[cfg(not(miri))]
    #[link_name = "_lazy_mmu_0_1_layout"]
    safe static LAYOUT: Layout;
    // Miri knows functions of other crates by their name, but not statics.
    #[cfg(miri)]
    #[link_name = "_lazy_mmu_0_1_layout_for_miri"]
    safe fn registered_layout() -> Layout;
    #[link_name = "_lazy_mmu_0_1_context"]
    safe fn registered_context() -> (Place, bool);
    #[link_name = "_lazy_mmu_0_1_barrier"]
    safe fn registered_barrier();
    #[link_name = "_lazy_mmu_0_1_observe"]
    safe fn registered_observe(event: Event);
}

/// A load from a constant, which the compiler moves out of loops; no call.
#[inline]
fn layout() -> Layout {
    #[cfg(not(miri))]
    {
        LAYOUT
    }
    #[cfg(miri)]
    {
        registered_layout()
    }
}

/// Where the registered backend keeps its bits, known at link time, so that the guard need carry only a pointer.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    /// A [`SharedWord`] with these bit numbers.
    SharedWord {
        /// The number of ACTIVE.
        active: u32,
        /// The number of PENDING.
        pending: u32,
        /// The number of PAUSED.
        paused: u32,
    },
    /// An [`OwnByte`].
    OwnByte,
    /// Nowhere: the mode is switched off.
    Off,
}

/// One thread's bits, as the registered backend gave them: only `context_of` makes one.
#[derive(Clone, Copy, Debug)]
pub struct Place(NonNull<()>);

/// A storage that a registered backend can have. Sealed by being private.
#[diagnostic::on_unimplemented(
    message = "a global backend cannot keep its bits in `{Self}`",
    note = "use `SharedWord` or `OwnByte`, or name the backend where it is used: `#[lazy_mmu(backend = ..)]`"
)]
pub trait Registrable: Storage {
    /// Where it keeps the bits.
    const LAYOUT: Layout;
    /// This thread's.
    fn place(self) -> Place;
}

impl<const ACTIVE: u32, const PENDING: u32, const PAUSED: u32> Registrable
    for SharedWord<ACTIVE, PENDING, PAUSED>
{
    const LAYOUT: Layout = Layout::SharedWord {
        active: ACTIVE,
        pending: PENDING,
        paused: PAUSED,
    };

    #[inline]
    fn place(self) -> Place {
        Place(self.as_ptr())
    }
}

impl Registrable for OwnByte {
    const LAYOUT: Layout = Layout::OwnByte;

    #[inline]
    fn place(self) -> Place {
        Place(self.as_ptr())
    }
}

impl Registrable for Off {
    const LAYOUT: Layout = Layout::Off;

    #[inline]
    fn place(self) -> Place {
        Place(NonNull::dangling())
    }
}

/// For [`set_global_backend!`](crate::set_global_backend).
pub const fn layout_of<B: Backend<Storage: Registrable>>() -> Layout {
    <B::Storage as Registrable>::LAYOUT
}

/// For [`set_global_backend!`](crate::set_global_backend).
///
/// # Safety
///
/// `B` is the program's registered backend: a place is accessed by the registered layout.
#[inline]
pub unsafe fn context_of<B: Backend<Storage: Registrable>>() -> (Place, bool) {
    let (bits, in_interrupt) = B::context();
    (bits.place(), in_interrupt)
}

impl Place {
    /// The word of a `SharedWord`.
    ///
    /// # Safety
    ///
    /// The registered layout is `SharedWord`.
    #[inline]
    unsafe fn word(&self) -> &AtomicU64 {
        // SAFETY: the handle from which the place was made pointed to a word that is valid as long as it is used.
        unsafe { self.0.cast().as_ref() }
    }

    /// The byte of an `OwnByte`.
    ///
    /// # Safety
    ///
    /// The registered layout is `OwnByte`.
    #[inline]
    unsafe fn byte(self) -> OwnByte {
        // SAFETY: the handle from which the place was made pointed to a byte that is valid as long as it is used.
        unsafe { OwnByte::from_ptr(self.0.cast::<AtomicU8>()) }
    }
}

impl Storage for Place {
    #[inline]
    fn load(self) -> Bits {
        match layout() {
            Layout::SharedWord {
                active,
                pending,
                paused,
            } => {
                // SAFETY: this arm's layout.
                let word = unsafe { self.word() }.load(Ordering::Relaxed);
                word_to_bits(word, active, pending, paused)
            }
            // SAFETY: this arm's layout.
            Layout::OwnByte => unsafe { self.byte() }.load(),
            Layout::Off => Off.load(),
        }
    }

    #[inline]
    unsafe fn set(self, bits: Bits) -> Bits {
        match layout() {
            Layout::SharedWord {
                active,
                pending,
                paused,
            } => {
                let mask = bits_to_word(bits, active, pending, paused);
                // SAFETY: this arm's layout.
                let before = unsafe { self.word() }.fetch_or(mask, Ordering::Relaxed);
                word_to_bits(before, active, pending, paused)
            }
            Layout::OwnByte => {
                // SAFETY: this arm's layout.
                let byte = unsafe { self.byte() };
                // SAFETY: the caller's promise is the same.
                unsafe { byte.set(bits) }
            }
            Layout::Off => Off.load(),
        }
    }

    #[inline]
    unsafe fn clear(self, bits: Bits) {
        match layout() {
            Layout::SharedWord {
                active,
                pending,
                paused,
            } => {
                let mask = bits_to_word(bits, active, pending, paused);
                // SAFETY: this arm's layout.
                unsafe { self.word() }.fetch_and(!mask, Ordering::Relaxed);
            }
            Layout::OwnByte => {
                // SAFETY: this arm's layout.
                let byte = unsafe { self.byte() };
                // SAFETY: the caller's promise is the same.
                unsafe { byte.clear(bits) };
            }
            Layout::Off => {}
        }
    }
}

// SAFETY: it forwards to the registered backend, whose author has promised the same. That storage is one of three,
// which `Place` accesses as they do themselves.
unsafe impl Backend for Global {
    type Storage = Place;

    #[inline]
    fn current() -> Place {
        registered_context().0
    }

    #[inline]
    fn in_interrupt() -> bool {
        registered_context().1
    }

    #[inline]
    fn barrier() {
        registered_barrier();
    }

    #[inline]
    fn observe(event: Event) {
        // One call per store, which only the recording backend is worth.
        if cfg!(feature = "sim") {
            registered_observe(event);
        }
    }

    #[inline]
    fn context() -> (Place, bool) {
        registered_context()
    }
}
