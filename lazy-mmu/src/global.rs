//! The one backend of the program: registered by the final binary, used by libraries that do not know it.
//!
//! Separate from the backends because it has no bits and no barrier of its own: it forwards to the registered one.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering};

use crate::backend::{Backend, Event};
use crate::bits::{Bits, FlagsWord, OwnByte, SharedWord, Storage, from_word, inert_word, to_word};
use crate::eager::Off;
use crate::tlb::Tlbi;

/// The backend that the program registered with [`set_global_backend!`](crate::set_global_backend).
///
/// It is the default of the types and of the attribute; functions name it: `write::<Global, _>(..)`,
/// `with::<Global, _>(..)`. A section costs one call at its enter and one for each barrier
/// pair; stores call nothing.
#[derive(Debug)]
#[non_exhaustive]
pub struct Global;

/// Registers the program's [`Backend`], for [`Global`]. One line, once, in the final binary.
///
/// Without it, or with two, the program is not linked, and the error has this macro's name in it. (A shared library is linked
/// all the same, and fails when it is loaded; a static library is somebody else's to link.)
///
/// The backend keeps its bits in a [`SharedWord`] or in an [`OwnByte`], or it is an
/// [`Eager`](crate::Eager) of such a backend. It is not one that passes its methods on to `Global`, and so to itself.
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
            #[unsafe(export_name = $crate::__symbol!())]
            static REGISTERED: $crate::__private::Registered =
                $crate::__private::Registered::new::<$backend>();

            // Without a use the linker may not look at this object at all, and a second registration would not be seen.
            #[used]
            static KEEP: &$crate::__private::Registered = &REGISTERED;

            #[cfg(miri)]
            #[unsafe(export_name = $crate::__symbol!(for_miri))]
            fn registered() -> &'static $crate::__private::Registered {
                &REGISTERED
            }
        };
    };
}

/// The name of a symbol that `set_global_backend!` defines.
///
/// If the registration is missing, or stands twice, the linker names the symbol, and the name says
/// what to do. Linkers' scripts allow the characters.
///
/// The full version is in it, because two versions of the crate have different functions for it to
/// lead to. Cargo refuses a second copy in one program; other build systems do not.
#[doc(hidden)]
#[macro_export]
macro_rules! __symbol {
    () => {
        "lazy_mmu::set_global_backend!.must_stand_once_in_the_program.0_1_0"
    };
    (for_miri) => {
        "lazy_mmu::set_global_backend!.for_miri.0_1_0"
    };
}

// SAFETY: the names are this crate's, and only the macro above defines them, with these types.
unsafe extern "Rust" {
    #[cfg(not(miri))]
    #[link_name = crate::__symbol!()]
    safe static REGISTERED: Registered;
    // Miri knows functions of other crates by their name, but not statics.
    #[cfg(miri)]
    #[link_name = crate::__symbol!(for_miri)]
    safe fn registered_for_miri() -> &'static Registered;
}

/// The program's backend.
#[inline]
fn registered() -> &'static Registered {
    #[cfg(not(miri))]
    {
        &REGISTERED
    }
    #[cfg(miri)]
    {
        registered_for_miri()
    }
}

/// The program's backend, as [`set_global_backend!`](crate::set_global_backend) defines it.
#[derive(Debug)]
pub struct Registered {
    layout: Layout,
    context: fn() -> (Place, bool),
    barrier: fn(),
    table_barrier: fn(),
    tlb_invalidate: fn(Tlbi),
    tlb_barrier: fn(),
    has_tlb_range: fn() -> bool,
    has_hooks: bool,
    mode_begins: fn(),
    mode_ends: fn(),
    observe: fn(Event),
}

impl Registered {
    /// What the functions of `B` are.
    #[must_use]
    pub const fn new<B: Backend<Storage: Registrable>>() -> Self {
        Self {
            layout: <B::Storage as Registrable>::LAYOUT,
            context: || {
                let (bits, in_interrupt) = B::context();
                (bits.place(), in_interrupt)
            },
            barrier: B::barrier,
            table_barrier: B::table_barrier,
            tlb_invalidate: B::tlb_invalidate,
            tlb_barrier: B::tlb_barrier,
            has_tlb_range: B::has_tlb_range,
            has_hooks: B::HAS_HOOKS,
            mode_begins: B::mode_begins,
            mode_ends: B::mode_ends,
            observe: B::observe,
        }
    }
}

/// Where the registered backend keeps its bits, known at link time, so that the guard need carry only a pointer.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    /// A [`SharedWord`] whose bits begin at this number.
    SharedWord(u32),
    /// An [`OwnByte`].
    OwnByte,
    /// Nowhere: the mode is switched off.
    Off,
}

/// One thread's bits, as the registered backend gave them: only its `context` makes one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Place(NonNull<()>);

/// A storage that a registered backend can have. Sealed: code outside the crate cannot name it. An
/// implementation is trusted with its layout, because a [`Place`] is accessed by that.
#[diagnostic::on_unimplemented(
    message = "the registered backend cannot keep its bits in `{Self}`",
    note = "register a backend with a `SharedWord` or an `OwnByte`, or an `Eager` of one",
    note = "`Global` is the registered backend: neither it nor an `Eager` of it can be registered",
    note = "any other backend is named where it is used: `#[lazy_mmu(backend = ..)]`"
)]
pub trait Registrable: Storage {
    /// Where it keeps the bits.
    const LAYOUT: Layout;
    /// This thread's.
    fn place(self) -> Place;
}

impl<const FIRST: u32> Registrable for SharedWord<FIRST> {
    const LAYOUT: Layout = Layout::SharedWord(FIRST);

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

/// Only if `S` is registrable too, because an `Eager<Global>` would forward to itself for ever.
impl<S: Registrable> Registrable for Off<S> {
    const LAYOUT: Layout = Layout::Off;

    /// As with `Off` itself, whose bits are the inert ones: `check_idle` tells by them.
    #[inline]
    fn place(self) -> Place {
        Place::inert()
    }
}

/// A [`Place`], by the registered layout.
enum Kept<'a> {
    Word(&'a FlagsWord, u32),
    Byte(OwnByte),
    Off,
}

impl Place {
    #[inline]
    fn kept(&self) -> Kept<'_> {
        match registered().layout {
            Layout::SharedWord(first) => {
                // SAFETY: in this layout the place was made of a handle to a word, which is valid
                // as long as the handle is used.
                Kept::Word(unsafe { self.0.cast().as_ref() }, first)
            }
            Layout::OwnByte => {
                // SAFETY: in this layout the place was made of a handle to a byte, which is valid
                // as long as the handle is used.
                Kept::Byte(unsafe { OwnByte::from_ptr(self.0.cast::<AtomicU8>()) })
            }
            Layout::Off => Kept::Off,
        }
    }
}

impl Storage for Place {
    /// A word of zeros, whatever the layout.
    #[inline]
    fn inert() -> Self {
        Self(NonNull::from(inert_word()).cast())
    }

    #[inline]
    fn load(self) -> Bits {
        match self.kept() {
            Kept::Word(word, first) => from_word(word.load(Ordering::Relaxed), first),
            Kept::Byte(byte) => byte.load(),
            Kept::Off => Bits::PAUSED,
        }
    }

    #[inline]
    unsafe fn set(self, seen: Bits, bits: Bits) {
        match self.kept() {
            Kept::Word(word, first) => {
                word.fetch_or(to_word(bits, first), Ordering::Relaxed);
            }
            // SAFETY: the caller's promise is the same.
            Kept::Byte(byte) => unsafe { byte.set(seen, bits) },
            Kept::Off => {}
        }
    }

    #[inline]
    unsafe fn clear(self, seen: Bits, bits: Bits) {
        match self.kept() {
            Kept::Word(word, first) => {
                word.fetch_and(!to_word(bits, first), Ordering::Relaxed);
            }
            // SAFETY: the caller's promise is the same.
            Kept::Byte(byte) => unsafe { byte.clear(seen, bits) },
            Kept::Off => {}
        }
    }
}

// SAFETY: it forwards to the registered backend, whose author has promised the same. That storage is one of three,
// which `Place` accesses as they do themselves.
unsafe impl Backend for Global {
    type Storage = Place;

    #[inline]
    fn current() -> Place {
        (registered().context)().0
    }

    #[inline]
    fn in_interrupt() -> bool {
        (registered().context)().1
    }

    #[inline]
    fn barrier() {
        (registered().barrier)();
    }

    #[inline]
    fn table_barrier() {
        (registered().table_barrier)();
    }

    #[inline]
    fn tlb_invalidate(instruction: Tlbi) {
        (registered().tlb_invalidate)(instruction);
    }

    #[inline]
    fn tlb_barrier() {
        (registered().tlb_barrier)();
    }

    #[inline]
    fn has_tlb_range() -> bool {
        (registered().has_tlb_range)()
    }

    /// Looked up: a load of a constant, and a call only where the registered backend has hooks.
    const HAS_HOOKS: bool = true;

    #[inline]
    fn mode_begins() {
        if registered().has_hooks {
            (registered().mode_begins)();
        }
    }

    #[inline]
    fn mode_ends() {
        if registered().has_hooks {
            (registered().mode_ends)();
        }
    }

    #[inline]
    fn observe(event: Event) {
        // One call per store, which only the recording backend is worth.
        if cfg!(feature = "sim") {
            (registered().observe)(event);
        }
    }

    #[inline]
    fn context() -> (Place, bool) {
        (registered().context)()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn k11_the_symbol_has_the_full_version() {
        let version = env!("CARGO_PKG_VERSION").replace('.', "_");
        for symbol in [crate::__symbol!(), crate::__symbol!(for_miri)] {
            assert_eq!(symbol.rsplit('.').next(), Some(&*version));
        }
    }
}
