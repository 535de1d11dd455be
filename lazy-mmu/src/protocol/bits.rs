//! The four bits of a thread, and the two kinds of place where a kernel can keep them.
//!
//! Separate from the state machine because the kernel stores the bits. The kernel chooses the
//! place, and this module changes the bits there without losing the changes of other code.

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering};

/// The type of a flags word that other CPUs write too. The package `lazy-mmu-loom` uses the type of
/// loom instead.
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::AtomicU64 as FlagsWord;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::AtomicU64 as FlagsWord;

/// A set of the four bits that are the state of a thread: *active*, *pending*, *paused*, *owned*.
///
/// The state has no counter, so nothing can overflow. Each change is one access, so a handler finds
/// the bits before the change or after it. A section records in its token
/// ([`State`](crate::raw::State)) or in its type whether it is nested. The bit
/// [`OWNED`](Self::OWNED) records that a section of the task handle ends the mode.
/// [`raw`](crate::raw) describes the state machine.
///
/// ```
/// use lazy_mmu::Bits;
///
/// let bits = Bits::ACTIVE.union(Bits::PENDING);
/// assert!(bits.contains(Bits::ACTIVE) && bits.defers());
/// assert_eq!(bits.difference(Bits::PENDING), Bits::ACTIVE);
/// assert!(!bits.union(Bits::PAUSED).defers());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Bits(u8);

impl Bits {
    /// The empty set: the thread is not in a section. A new thread starts with it.
    pub const EMPTY: Self = Self(0);
    /// Pending: a deferred store awaits its barrier pair. Never set without
    /// [`ACTIVE`](Self::ACTIVE).
    pub const PENDING: Self = Self(1 << 0);
    /// Owned: a section of the [task handle](crate::Task) began the mode. Never set without
    /// [`ACTIVE`](Self::ACTIVE).
    pub const OWNED: Self = Self(1 << 1);
    /// Active: the mode is on, because a section is open. Stores that need the barrier pair are
    /// deferred, unless the mode is paused.
    pub const ACTIVE: Self = Self(1 << 2);
    /// Paused: stores are immediate, and a section that is opened is inert.
    pub const PAUSED: Self = Self(1 << 3);

    /// The set of all four bits.
    pub(crate) const ALL: Self = Self(0b1111);

    /// Returns whether every bit of `other` is in `self`.
    #[inline]
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the bits that are in `self` or in `other`.
    #[inline]
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the bits of `self` that are not in `other`.
    #[inline]
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether a store made now would be deferred: active, and not paused.
    #[inline]
    #[must_use]
    pub const fn defers(self) -> bool {
        self.0 & (Self::ACTIVE.0 | Self::PAUSED.0) == Self::ACTIVE.0
    }
}

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = f.debug_set();
        for (bit, name) in [
            (Self::ACTIVE, "ACTIVE"),
            (Self::PENDING, "PENDING"),
            (Self::PAUSED, "PAUSED"),
            (Self::OWNED, "OWNED"),
        ] {
            if self.contains(bit) {
                names.entry(&format_args!("{name}"));
            }
        }
        names.finish()
    }
}

/// The place of one thread's bits.
///
/// A value is a pointer to the place, of one word at most. A section gets it once, when it is
/// entered, and keeps it in its guard. Only the thread for which
/// [`Backend::current`](crate::Backend::current) returned the place changes the bits there.
///
/// The crate has two places: [`OwnByte`] and [`SharedWord`]. A kernel that has another one
/// implements this trait. The `unsafe impl` of its [`Backend`](crate::Backend) promises that the
/// implementation is correct. Here it is a flags word of 32 bits:
///
/// ```
/// use core::sync::atomic::{AtomicU32, Ordering};
/// use lazy_mmu::{Bits, Storage};
///
/// /// The place of each bit in the word.
/// const PLACES: [(Bits, u32); 4] = [
///     (Bits::PENDING, 1 << 28),
///     (Bits::OWNED, 1 << 29),
///     (Bits::ACTIVE, 1 << 30),
///     (Bits::PAUSED, 1 << 31),
/// ];
///
/// fn to_word(bits: Bits) -> u32 {
///     PLACES.iter().filter(|(bit, _)| bits.contains(*bit)).map(|(_, mask)| mask).sum()
/// }
///
/// #[derive(Clone, Copy)]
/// struct FlagsOf(&'static AtomicU32);
///
/// impl PartialEq for FlagsOf {
///     fn eq(&self, other: &Self) -> bool {
///         core::ptr::eq(self.0, other.0)
///     }
/// }
///
/// impl Storage for FlagsOf {
///     fn inert() -> Self {
///         static INERT: AtomicU32 = AtomicU32::new(0);
///         Self(&INERT)
///     }
///
///     fn load(self) -> Bits {
///         let word = self.0.load(Ordering::Relaxed);
///         let set = PLACES.iter().filter(|(_, mask)| word & mask != 0);
///         set.fold(Bits::EMPTY, |bits, (bit, _)| bits.union(*bit))
///     }
///
///     unsafe fn set(self, _: Bits, bits: Bits) {
///         self.0.fetch_or(to_word(bits), Ordering::Relaxed); // other CPUs write the word too
///     }
///
///     unsafe fn clear(self, _: Bits, bits: Bits) {
///         self.0.fetch_and(!to_word(bits), Ordering::Relaxed);
///     }
/// }
/// # static WORD: AtomicU32 = AtomicU32::new(0);
/// # struct Kernel;
/// # // SAFETY: for this example, which has one thread.
/// # unsafe impl lazy_mmu::Backend for Kernel {
/// #     type Storage = FlagsOf;
/// #     type Machine = lazy_mmu::sim::Sim;
/// #     fn current() -> FlagsOf { FlagsOf(&WORD) }
/// #     fn in_interrupt() -> bool { false }
/// # }
/// # lazy_mmu::with::<Kernel, _>(|mmu| {
/// #     mmu.note_store();
/// #     assert_eq!(WORD.load(Ordering::Relaxed), 0b101 << 28);
/// # });
/// # assert_eq!(WORD.load(Ordering::Relaxed), 0);
/// ```
///
/// # How to implement
///
/// * Consider who else writes the memory of the bits. No exception handler, interrupt handler or
///   other CPU may be able to undo a change of the bits.
/// * [`inert`](Self::inert) can point to a static of the same layout, with all bits clear.
/// * Relaxed atomic accesses are enough, because only the thread itself reads its bits, and a
///   context switch has barriers of its own (see [`Backend`](crate::Backend)).
/// * Accesses through a [`Cell`](core::cell::Cell) are wrong. An exception handler on the same
///   thread can change the bits between any two instructions, and the compiler could move the read
///   of a `Cell` out of a loop of stores.
pub trait Storage: Copy + PartialEq + 'static {
    /// Returns the place of an inert section: always [empty](Bits::EMPTY), never changed, and
    /// different from the place of every thread.
    ///
    /// A store through an inert section finds all bits clear there, so its pair follows at once.
    fn inert() -> Self;

    /// Returns the bits.
    fn load(self) -> Bits;

    /// Sets `bits`. The caller has just read the bits `seen`.
    ///
    /// An exception handler may have run since `seen` was read. It restores the bits, except that
    /// it may have flushed [`PENDING`](Bits::PENDING). If the storage sets PENDING again, an
    /// unneeded pair executes later, but no pair is lost. A storage that no other code writes can
    /// therefore write `seen` and `bits` without a second read.
    ///
    /// # Safety
    ///
    /// * The caller is the [state machine](crate::raw), or a storage that forwards its calls,
    ///   because the bits record which barriers are pending.
    /// * `seen` is the result of the caller's last [`load`](Self::load) or change.
    unsafe fn set(self, seen: Bits, bits: Bits);

    /// Clears `bits`. The caller has just read the bits `seen`, as for [`set`](Self::set).
    ///
    /// # Safety
    ///
    /// The duties are those of [`set`](Self::set).
    unsafe fn clear(self, seen: Bits, bits: Bits);

    /// Returns the address of the bits, for [`Event::HandleMade`](crate::Event::HandleMade), or
    /// null.
    #[doc(hidden)]
    #[inline]
    fn address(self) -> *const () {
        core::ptr::null()
    }
}

/// The bits `FIRST` to `FIRST + 3` of a 64-bit flags word that other code writes too.
///
/// Linux has such a word: `thread_info.flags` also holds `TIF_NEED_RESCHED` and other flags, which
/// other CPUs set at any time. Every change is one atomic read-modify-write, so no change of either
/// side is lost. The four bits are adjacent, because one mask then tests all of them.
///
/// An aarch64 kernel uses [`FlagsAt`](crate::aarch64::FlagsAt) instead.
///
/// ```
/// use core::ptr::NonNull;
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::{Bits, SharedWord, Storage};
///
/// static FLAGS: AtomicU64 = AtomicU64::new(0);
///
/// // SAFETY: a static is always valid, and all code accesses it by 64-bit atomic accesses. No
/// // other code changes the bits 28 to 31.
/// let bits = unsafe { SharedWord::<28>::from_ptr(NonNull::from(&FLAGS)) };
/// assert_eq!(bits.load(), Bits::EMPTY);
/// ```
///
/// # Panics
///
/// The program does not compile if `FIRST` is greater than 60.
#[derive(Clone, Copy, PartialEq)]
pub struct SharedWord<const FIRST: u32>(NonNull<FlagsWord>);

impl<const FIRST: u32> SharedWord<FIRST> {
    const CHECKED: () = assert!(
        FIRST <= 60,
        "`FIRST` must be at most 60: the four bits of a `SharedWord` must fit in 64 bits"
    );

    /// Returns the place of the bits in the word at `word`.
    ///
    /// # Safety
    ///
    /// * `word` points to an aligned 64-bit word that stays valid as long as the result, or a copy
    ///   of it, is used: as long as the thread whose flags it holds.
    /// * All other accesses to the word are *64-bit* atomic accesses, because an access of another
    ///   width to the same memory at the same time is a data race.
    /// * No other code changes these four bits.
    #[inline]
    pub const unsafe fn from_ptr(word: NonNull<FlagsWord>) -> Self {
        let () = Self::CHECKED;
        Self(word)
    }

    #[inline]
    fn word(&self) -> &FlagsWord {
        // SAFETY: the caller of `from_ptr` promises that the word is valid while `self` is used.
        unsafe { self.0.as_ref() }
    }

    pub(crate) const fn as_ptr(self) -> NonNull<()> {
        self.0.cast()
    }
}

/// Returns the flags word of inert sections, for [`Storage::inert`].
#[inline]
pub(crate) fn inert_word() -> &'static FlagsWord {
    #[cfg(not(loom))]
    {
        static WORD: FlagsWord = FlagsWord::new(0);
        &WORD
    }
    #[cfg(loom)]
    {
        loom::lazy_static! {
            static ref WORD: FlagsWord = FlagsWord::new(0);
        }
        &WORD
    }
}

/// Returns the flags word that has only `bits`, of which the first is bit `first`.
#[inline]
pub(crate) const fn to_word(bits: Bits, first: u32) -> u64 {
    (bits.0 as u64) << first
}

/// Returns the four bits of `word` that begin at bit `first`.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the other bits are masked")]
pub(crate) const fn from_word(word: u64, first: u32) -> Bits {
    Bits((word >> first) as u8 & Bits::ALL.0)
}

impl<const FIRST: u32> Storage for SharedWord<FIRST> {
    #[inline]
    fn inert() -> Self {
        let () = Self::CHECKED;
        Self(NonNull::from(inert_word()))
    }

    #[inline]
    fn load(self) -> Bits {
        from_word(self.word().load(Ordering::Relaxed), FIRST)
    }

    #[inline]
    unsafe fn set(self, _: Bits, bits: Bits) {
        self.word()
            .fetch_or(to_word(bits, FIRST), Ordering::Relaxed);
    }

    #[inline]
    unsafe fn clear(self, _: Bits, bits: Bits) {
        self.word()
            .fetch_and(!to_word(bits, FIRST), Ordering::Relaxed);
    }

    #[inline]
    fn address(self) -> *const () {
        self.as_ptr().as_ptr()
    }
}

/// A byte that only its own thread writes.
///
/// The changes are plain load and store instructions, not atomic read-modify-writes. Other CPUs do
/// not access the byte. An interrupt handler does not change it, because its sections are inert. A
/// synchronous exception handler can change it between any two instructions, but restores the value
/// that it found, except for [`PENDING`](Bits::PENDING) (see
/// [`raw`](crate::raw#exception-handlers)).
///
/// [`Backend`](crate::Backend) has a whole backend with a byte. An aarch64 kernel uses
/// [`ByteAt`](crate::aarch64::ByteAt) instead.
///
/// ```
/// use core::ptr::NonNull;
/// use core::sync::atomic::AtomicU8;
/// use lazy_mmu::{Bits, OwnByte, Storage};
///
/// /// The structure of a task.
/// struct Task {
///     mmu_bits: AtomicU8, // zero in a new task
/// }
///
/// /// # Safety
/// ///
/// /// `task` lives as long as the result is used.
/// unsafe fn bits_of(task: &Task) -> OwnByte {
///     // SAFETY: the caller promises that the byte stays valid. Other code does not use it.
///     unsafe { OwnByte::from_ptr(NonNull::from(&task.mmu_bits)) }
/// }
///
/// let task = Task { mmu_bits: AtomicU8::new(0) };
/// // SAFETY: the task lives until the end of this function.
/// let bits = unsafe { bits_of(&task) };
/// assert_eq!(bits.load(), Bits::EMPTY);
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct OwnByte(NonNull<AtomicU8>);

impl OwnByte {
    /// Returns the place of the bits in the byte at `byte`, which is zero in a new thread.
    ///
    /// # Safety
    ///
    /// * `byte` points to a byte that stays valid as long as the result, or a copy of it, is used:
    ///   as long as the thread to which it belongs.
    /// * Only the crate writes the byte, except a scheduler that swaps it at a context switch.
    ///   Other code reads it by one-byte atomic loads only.
    #[inline]
    pub const unsafe fn from_ptr(byte: NonNull<AtomicU8>) -> Self {
        Self(byte)
    }

    #[inline]
    fn byte(&self) -> &AtomicU8 {
        // SAFETY: the caller of `from_ptr` promises that the byte is valid while `self` is used.
        unsafe { self.0.as_ref() }
    }

    pub(crate) const fn as_ptr(self) -> NonNull<()> {
        self.0.cast()
    }
}

impl Storage for OwnByte {
    #[inline]
    fn inert() -> Self {
        // The first byte of the word, so that both kinds of place have the same inert address.
        #[cfg(not(loom))]
        return Self(NonNull::from(inert_word()).cast());
        #[cfg(loom)]
        {
            static BYTE: AtomicU8 = AtomicU8::new(0);
            Self(NonNull::from(&BYTE))
        }
    }

    #[inline]
    fn load(self) -> Bits {
        Bits(self.byte().load(Ordering::Relaxed))
    }

    #[inline]
    unsafe fn set(self, seen: Bits, bits: Bits) {
        self.byte().store(seen.union(bits).0, Ordering::Relaxed);
    }

    #[inline]
    unsafe fn clear(self, seen: Bits, bits: Bits) {
        self.byte()
            .store(seen.difference(bits).0, Ordering::Relaxed);
    }

    #[inline]
    fn address(self) -> *const () {
        self.as_ptr().as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(bits: impl Storage, which: Bits) {
        // SAFETY: a section does not use these bits.
        unsafe { bits.set(bits.load(), which) };
    }

    fn clear(bits: impl Storage, which: Bits) {
        // SAFETY: a section does not use these bits.
        unsafe { bits.clear(bits.load(), which) };
    }

    const FOREIGN: u64 = 0x8000_0000_0000_0401;

    #[test]
    fn k02_shared_word_changes_only_its_four_bits() {
        let word = FlagsWord::new(FOREIGN);
        // SAFETY: the word outlives the handle, and other code does not write it.
        let bits = unsafe { SharedWord::<5>::from_ptr(NonNull::from(&word)) };
        exercise(bits);
        for (bit, number) in [
            (Bits::PENDING, 5),
            (Bits::OWNED, 6),
            (Bits::ACTIVE, 7),
            (Bits::PAUSED, 8),
        ] {
            set(bits, bit);
            assert_eq!(word.load(Ordering::Relaxed), FOREIGN | 1 << number);
            clear(bits, bit);
            assert_eq!(word.load(Ordering::Relaxed), FOREIGN);
        }
        set(bits, Bits::ALL);
        assert_eq!(word.load(Ordering::Relaxed), FOREIGN | 0b1111 << 5);
        clear(bits, Bits::ALL);
        assert_eq!(word.load(Ordering::Relaxed), FOREIGN);
    }

    #[test]
    fn k02_own_byte_holds_the_four_bits() {
        let byte = AtomicU8::new(0);
        // SAFETY: the byte outlives the handle, and other code does not write it.
        exercise(unsafe { OwnByte::from_ptr(NonNull::from(&byte)) });
        assert_eq!(byte.load(Ordering::Relaxed), 0);
    }

    fn exercise(bits: impl Storage) {
        assert_eq!(bits.load(), Bits::EMPTY);
        set(bits, Bits::ACTIVE);
        set(bits, Bits::ACTIVE);
        assert!(bits.load().defers());
        set(bits, Bits::PENDING);
        assert_eq!(bits.load(), Bits::ACTIVE.union(Bits::PENDING));
        clear(bits, Bits::ACTIVE);
        assert_eq!(bits.load(), Bits::PENDING);
        set(bits, Bits::PAUSED.union(Bits::ACTIVE));
        assert!(!bits.load().defers());
        clear(bits, Bits::PENDING);
        assert_eq!(bits.load(), Bits::PAUSED.union(Bits::ACTIVE));
        clear(bits, Bits::PAUSED.union(Bits::ACTIVE));
        assert_eq!(bits.load(), Bits::EMPTY);
    }
}
