//! The registered backend of a program: the final binary registers it, and libraries use it without
//! its name.
//!
//! The file is separate from the other backends, because this one has neither bits nor barriers of
//! its own. It calls the registered backend by functions with fixed names, which the linker finds.
//! It does not follow a pointer. It therefore works before the MMU is on, at addresses at which the
//! program is not linked.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering};

use super::eager::Off;
use crate::protocol::backend::{Backend, Global, Machine};
use crate::protocol::bits::{
    Bits, FlagsWord, OwnByte, SharedWord, Storage, from_word, inert_word, to_word,
};
use crate::protocol::event::Event;
use crate::protocol::range::Invalidation;

/// Registers the [`Backend`](crate::Backend) of the program, which [`Global`](crate::Global) calls.
///
/// Write the line once, in the final binary. Libraries do not name a backend, because `Global` is
/// the default of the types, of the attribute and of the functions in
/// [`global`](mod@crate::global):
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, memory_type};
/// use lazy_mmu::{LazyMmu, Nesting, global};
///
/// // A library. Its functions work with every registered backend.
///
/// /// Maps a device's registers. MAIR_EL1 has Device memory in byte 0.
/// fn map_registers<L: Nesting>(mmu: &mut LazyMmu<'_, L>, slot: &AtomicU64, address: u64) {
///     mmu.write(slot, Leaf::page(address, KERNEL_DATA | memory_type(0)));
/// }
///
/// #[lazy_mmu::lazy_mmu(mmu)]
/// fn probe(table: &[AtomicU64]) {
///     map_registers(mmu, &table[0], 0x0900_0000);
///     map_registers(mmu, &table[1], 0x0901_0000);
/// }
///
/// fn remove(table: &[AtomicU64]) {
///     global::with(|mmu| mmu.write_range(table, |_| Leaf::INVALID));
/// }
///
/// // The final binary.
///
/// /// In a kernel `Aarch64<Kernel>`: see `lazy_mmu::aarch64::Kernel`.
/// type Mmu = lazy_mmu::sim::Sim;
/// lazy_mmu::set_global_backend!(Mmu);
///
/// let table = [const { AtomicU64::new(0) }; 2];
/// probe(&table);
/// assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 1);
/// remove(&table);
/// ```
///
/// # Requirements
///
/// * The [`Storage`](crate::Storage) of the backend is [`SharedWord`](crate::SharedWord) or
///   [`OwnByte`](crate::OwnByte), or the backend is an [`Eager`](crate::Eager).
/// * The backend does not forward its methods to `Global`, because `Global` would call it again.
///
/// # Link errors
///
/// A program without a registration, or with two, does not link. The linker's message contains the
/// name of this macro:
///
/// ```text
/// undefined symbol: lazy_mmu::set_global_backend!.must_stand_once_in_the_program.context.0_1_0
/// ```
///
/// A shared library links without a registration, but fails when it is loaded. A static library is
/// linked only together with the program that uses it.
#[macro_export]
macro_rules! set_global_backend {
    ($backend:ty) => {
        const _: () = {
            use $crate::__private::registered as __registered;

            #[unsafe(export_name = $crate::__symbol!(constants))]
            static CONSTANTS: __registered::Constants = __registered::Constants::new::<$backend>();

            // The linker may ignore an object that is not used. It would then not see a second
            // registration. This static uses the object. Code does not read it.
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

            #[unsafe(export_name = $crate::__symbol!(invalidate_only))]
            fn invalidate_only(invalidations: &[$crate::Invalidation]) {
                __registered::invalidate_only::<$backend>(invalidations);
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

/// Returns the name of a symbol that `set_global_backend!` defines.
///
/// The linker prints the symbol if the registration is missing or exists twice. Its name therefore
/// contains the instruction. Linker scripts allow the characters.
///
/// The name contains the full version, because the functions differ between versions of the crate.
/// Cargo refuses two copies of the crate in one program, but other build systems do not.
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
    // Miri finds functions of other crates by their names, but not statics.
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
    #[link_name = crate::__symbol!(invalidate_only)]
    safe fn registered_invalidate_only(invalidations: &[Invalidation]);
    #[link_name = crate::__symbol!(invalidate_all)]
    safe fn registered_invalidate_all();
    #[link_name = crate::__symbol!(mode_begins)]
    safe fn registered_mode_begins();
    #[link_name = crate::__symbol!(mode_ends)]
    safe fn registered_mode_ends();
    #[link_name = crate::__symbol!(observe)]
    safe fn registered_observe(event: Event);
}

/// Returns the constants of the registered backend: data that does not contain a pointer.
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

/// The functions to which [`set_global_backend!`](crate::set_global_backend) expands.
pub mod registered {
    use super::{Backend, Event, Invalidation, Machine, Registrable};

    pub use super::{Constants, Place};

    /// Returns the bits of the current thread, and whether the CPU is in interrupt context.
    #[inline]
    pub fn context<B: Backend<Storage: Registrable>>() -> (Place, bool) {
        let (bits, in_interrupt) = B::context();
        (bits.place(), in_interrupt)
    }

    /// Calls [`Machine::barrier`].
    #[inline]
    pub fn barrier<B: Backend>() {
        B::Machine::barrier();
    }

    /// Calls [`Machine::table_barrier`].
    #[inline]
    pub fn table_barrier<B: Backend>() {
        B::Machine::table_barrier();
    }

    /// Calls [`Machine::invalidate`].
    #[inline]
    pub fn invalidate<B: Backend>(invalidations: &[Invalidation]) {
        B::Machine::invalidate(invalidations);
    }

    /// Calls [`Machine::invalidate_only`].
    #[inline]
    pub fn invalidate_only<B: Backend>(invalidations: &[Invalidation]) {
        B::Machine::invalidate_only(invalidations);
    }

    /// Calls [`Machine::invalidate_all`].
    #[inline]
    pub fn invalidate_all<B: Backend>() {
        B::Machine::invalidate_all();
    }

    /// Calls [`Machine::observe`].
    #[inline]
    pub fn observe<B: Backend>(event: Event) {
        B::Machine::observe(event);
    }
}

/// The constants of a registered backend.
#[derive(Debug)]
pub struct Constants {
    layout: Layout,
    has_hooks: bool,
}

impl Constants {
    /// Returns the constants of `B`.
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

/// The place of the registered backend's bits. It is known at link time, so a guard carries only a
/// pointer.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    /// In a [`SharedWord`], from this bit on.
    SharedWord(u32),
    /// In an [`OwnByte`].
    OwnByte,
    /// Nowhere, because the mode is switched off.
    Off,
}

/// The bits of one thread, from the registered backend. Only its `context` makes one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Place(NonNull<()>);

/// A storage that a registered backend may have. Sealed, because code outside the crate cannot name
/// it.
///
/// The crate trusts an implementation's layout, because it accesses a [`Place`] by the layout.
#[diagnostic::on_unimplemented(
    message = "a backend with the storage `{Self}` cannot be registered",
    note = "register a backend whose storage is `SharedWord` or `OwnByte`, or `Eager` of a machine",
    note = "`Global` is the registered backend: neither it nor `Eager<Global>` can be registered",
    note = "to use a backend without registering it, name it: `#[lazy_mmu(backend = ..)]`"
)]
pub trait Registrable: Storage {
    /// The place of the bits.
    const LAYOUT: Layout;
    /// Returns the bits of this thread.
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

    /// The inert place, because the bits of `Off` are the inert ones: `check_idle` recognises them.
    #[inline]
    fn place(self) -> Place {
        Place::inert()
    }
}

/// A [`Place`] in the registered layout.
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
                // SAFETY: with this layout the place was made of a handle to a word, which is valid
                // as long as the handle is used.
                Kept::Word(unsafe { self.0.cast().as_ref() }, first)
            }
            Layout::OwnByte => {
                // SAFETY: with this layout the place was made of a handle to a byte, which is valid
                // as long as the handle is used.
                Kept::Byte(unsafe { OwnByte::from_ptr(self.0.cast::<AtomicU8>()) })
            }
            Layout::Off => Kept::Off,
        }
    }
}

impl Storage for Place {
    /// A word of zeros, for every layout.
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

// SAFETY: it forwards to the registered backend, whose author has made the same promises. The
// storage of the backend is one of three, and `Place` accesses each as the storage does itself.
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

    /// Always true, because the registered backend is not known here. The methods load a constant,
    /// and call only a backend with hooks.
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
    fn invalidate_only(invalidations: &[Invalidation]) {
        registered_invalidate_only(invalidations);
    }

    #[inline]
    fn invalidate_all() {
        registered_invalidate_all();
    }

    #[inline]
    fn observe(event: Event) {
        // This would be one call for each store, and only the recording backend needs it.
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
