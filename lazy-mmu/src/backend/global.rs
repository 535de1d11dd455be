//! The one backend of the program: registered by the final binary, used by libraries that do not
//! know it.
//!
//! Separate from the backends because it has no bits and no barrier of its own: it calls the
//! registered one's by functions of fixed names, which the linker finds. There is no pointer to
//! follow, so it works at addresses at which the program is not linked, before the MMU is on.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering};

use super::eager::Off;
use crate::protocol::backend::{Backend, Global, Machine};
use crate::protocol::bits::{
    Bits, FlagsWord, OwnByte, SharedWord, Storage, from_word, inert_word, to_word,
};
use crate::protocol::event::Event;
use crate::protocol::range::Invalidation;

/// Registers the program's [`Backend`](crate::Backend), for [`Global`](crate::Global). One line,
/// once, in the final binary.
///
/// Without it, or with two, the program is not linked, and the error has this macro's name in it.
/// (A shared library is linked all the same, and fails when it is loaded; a static library is
/// somebody else's to link.)
///
/// The backend keeps its bits in a [`SharedWord`](crate::SharedWord) or in an
/// [`OwnByte`](crate::OwnByte), or it is an [`Eager`](crate::Eager). It does not pass its methods
/// on to `Global`, and so to itself.
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
            use $crate::__private::registered as __registered;

            #[unsafe(export_name = $crate::__symbol!(constants))]
            static CONSTANTS: __registered::Constants = __registered::Constants::new::<$backend>();

            // Without a use of its own the linker may not look at this object at all, and a second
            // registration would not be seen. Nothing reads it.
            #[used]
            static KEEP: &__registered::Constants = &CONSTANTS;

            #[cfg(miri)]
            #[unsafe(export_name = $crate::__symbol!(constants_for_miri))]
            fn constants() -> &'static __registered::Constants {
                &CONSTANTS
            }

            #[unsafe(export_name = $crate::__symbol!(context))]
            fn context() -> (__registered::Place, bool) {
                __registered::context::<$backend>()
            }

            #[unsafe(export_name = $crate::__symbol!(barrier))]
            fn barrier() {
                __registered::barrier::<$backend>();
            }

            #[unsafe(export_name = $crate::__symbol!(table_barrier))]
            fn table_barrier() {
                __registered::table_barrier::<$backend>();
            }

            #[unsafe(export_name = $crate::__symbol!(invalidate))]
            fn invalidate(invalidations: &[$crate::Invalidation]) {
                __registered::invalidate::<$backend>(invalidations);
            }

            #[unsafe(export_name = $crate::__symbol!(invalidate_all))]
            fn invalidate_all() {
                __registered::invalidate_all::<$backend>();
            }

            #[unsafe(export_name = $crate::__symbol!(mode_begins))]
            fn mode_begins() {
                <$backend as $crate::Backend>::mode_begins();
            }

            #[unsafe(export_name = $crate::__symbol!(mode_ends))]
            fn mode_ends() {
                <$backend as $crate::Backend>::mode_ends();
            }

            #[unsafe(export_name = $crate::__symbol!(observe))]
            fn observe(event: $crate::Event) {
                __registered::observe::<$backend>(event);
            }
        };
    };
}

/// The name of a symbol that `set_global_backend!` defines.
///
/// If the registration is missing, or stands twice, the linker names the symbols, and the name says
/// what to do. Linkers' scripts allow the characters.
///
/// The full version is in it, because two versions of the crate have different functions for it to
/// lead to. Cargo refuses a second copy in one program; other build systems do not.
#[doc(hidden)]
#[macro_export]
macro_rules! __symbol {
    ($name:ident) => {
        concat!(
            "lazy_mmu::set_global_backend!.must_stand_once_in_the_program.",
            stringify!($name),
            ".0_1_0"
        )
    };
}

// SAFETY: the names are this crate's, and only the macro above defines them, with these types.
unsafe extern "Rust" {
    #[cfg(not(miri))]
    #[link_name = crate::__symbol!(constants)]
    safe static CONSTANTS: Constants;
    // Miri knows functions of other crates by their name, but not statics.
    #[cfg(miri)]
    #[link_name = crate::__symbol!(constants_for_miri)]
    safe fn constants_for_miri() -> &'static Constants;

    #[link_name = crate::__symbol!(context)]
    safe fn registered_context() -> (Place, bool);
    #[link_name = crate::__symbol!(barrier)]
    safe fn registered_barrier();
    #[link_name = crate::__symbol!(table_barrier)]
    safe fn registered_table_barrier();
    #[link_name = crate::__symbol!(invalidate)]
    safe fn registered_invalidate(invalidations: &[Invalidation]);
    #[link_name = crate::__symbol!(invalidate_all)]
    safe fn registered_invalidate_all();
    #[link_name = crate::__symbol!(mode_begins)]
    safe fn registered_mode_begins();
    #[link_name = crate::__symbol!(mode_ends)]
    safe fn registered_mode_ends();
    #[link_name = crate::__symbol!(observe)]
    safe fn registered_observe(event: Event);
}

/// What is constant of the program's backend: data, without a pointer in it.
#[inline]
fn constants() -> &'static Constants {
    #[cfg(not(miri))]
    {
        &CONSTANTS
    }
    #[cfg(miri)]
    {
        constants_for_miri()
    }
}

/// What [`set_global_backend!`](crate::set_global_backend) expands to.
pub mod registered {
    use super::{Backend, Event, Invalidation, Machine, Registrable};

    pub use super::{Constants, Place};

    /// The current thread's bits, and whether this is an interrupt.
    #[inline]
    pub fn context<B: Backend<Storage: Registrable>>() -> (Place, bool) {
        let (bits, in_interrupt) = B::context();
        (bits.place(), in_interrupt)
    }

    /// As [`Machine::barrier`].
    #[inline]
    pub fn barrier<B: Backend>() {
        B::Machine::barrier();
    }

    /// As [`Machine::table_barrier`].
    #[inline]
    pub fn table_barrier<B: Backend>() {
        B::Machine::table_barrier();
    }

    /// As [`Machine::invalidate`].
    #[inline]
    pub fn invalidate<B: Backend>(invalidations: &[Invalidation]) {
        B::Machine::invalidate(invalidations);
    }

    /// As [`Machine::invalidate_all`].
    #[inline]
    pub fn invalidate_all<B: Backend>() {
        B::Machine::invalidate_all();
    }

    /// As [`Machine::observe`].
    #[inline]
    pub fn observe<B: Backend>(event: Event) {
        B::Machine::observe(event);
    }
}

/// What is constant of a registered backend.
#[derive(Debug)]
pub struct Constants {
    layout: Layout,
    has_hooks: bool,
}

impl Constants {
    /// Those of `B`.
    #[must_use]
    pub const fn new<B: Backend<Storage: Registrable>>() -> Self {
        const {
            assert!(
                !B::Machine::IS_REGISTERED_ONE,
                "`Global` is the registered backend: an `Eager` of it cannot be registered"
            );
        }
        Self {
            layout: <B::Storage as Registrable>::LAYOUT,
            has_hooks: B::HAS_HOOKS,
        }
    }
}

/// Where the registered backend keeps its bits, known at link time, so that the guard need carry
/// only a pointer.
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

impl Registrable for Off {
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
        match constants().layout {
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

    #[inline]
    fn address(self) -> *const () {
        match self.kept() {
            Kept::Word(..) | Kept::Byte(_) => self.0.as_ptr(),
            Kept::Off => core::ptr::null(),
        }
    }
}

// SAFETY: it forwards to the registered backend, whose author has promised the same. That storage
// is one of three, which `Place` accesses as they do themselves.
unsafe impl Backend for Global {
    type Storage = Place;
    type Machine = Self;

    #[inline]
    fn current() -> Place {
        registered_context().0
    }

    #[inline]
    fn in_interrupt() -> bool {
        registered_context().1
    }

    /// Looked up: a load of a constant, and a call only where the registered backend has hooks.
    const HAS_HOOKS: bool = true;

    #[inline]
    fn mode_begins() {
        if constants().has_hooks {
            registered_mode_begins();
        }
    }

    #[inline]
    fn mode_ends() {
        if constants().has_hooks {
            registered_mode_ends();
        }
    }

    #[inline]
    fn context() -> (Place, bool) {
        registered_context()
    }
}

// SAFETY: as above.
unsafe impl Machine for Global {
    #[inline]
    fn barrier() {
        registered_barrier();
    }

    #[inline]
    fn table_barrier() {
        registered_table_barrier();
    }

    #[inline]
    fn invalidate(invalidations: &[Invalidation]) {
        registered_invalidate(invalidations);
    }

    #[inline]
    fn invalidate_all() {
        registered_invalidate_all();
    }

    #[inline]
    fn observe(event: Event) {
        // One call per store, which only the recording backend is worth.
        if cfg!(feature = "sim") {
            registered_observe(event);
        }
    }

    const IS_REGISTERED_ONE: bool = true;
}

#[cfg(test)]
mod tests {
    #[test]
    fn k11_the_symbol_has_the_full_version() {
        let version = env!("CARGO_PKG_VERSION").replace('.', "_");
        let symbol = crate::__symbol!(barrier);
        assert_eq!(symbol.rsplit('.').next(), Some(&*version));
    }
}
