//! The four bits of a thread, and the two places where a kernel may keep them.
//!
//! Separate from the state machine because the bits are all that a kernel stores: it chooses where,
//! this module knows how to change them there without losing anybody else's.

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering};

/// A flags word that other CPUs write too. The package `lazy-mmu-loom` puts loom's in its place.
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::AtomicU64 as FlagsWord;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::AtomicU64 as FlagsWord;

/// A set of the four bits that the mode keeps for each thread.
///
/// There is no counter, so nothing can overflow, and an interrupt cannot land between two updates.
/// Whether a section is nested is in its token ([`State`](crate::raw::State)) or its type; whether
/// the task's handle ends the mode is in [`OWNED`](Self::OWNED).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Bits(u8);

impl Bits {
    /// No bit: the thread is in no section. A new thread starts so.
    pub const EMPTY: Self = Self(0);
    /// A store awaits its barrier pair. Never set without [`ACTIVE`](Self::ACTIVE).
    pub const PENDING: Self = Self(1 << 0);
    /// The section that began the mode was entered through the task's handle. Never set without
    /// [`ACTIVE`](Self::ACTIVE).
    pub const OWNED: Self = Self(1 << 1);
    /// A section is open: stores that need the barrier pair are deferred, unless the mode is
    /// paused.
    pub const ACTIVE: Self = Self(1 << 2);
    /// The mode is paused: sections cannot be entered, and stores are immediate.
    pub const PAUSED: Self = Self(1 << 3);

    /// All four.
    pub(crate) const ALL: Self = Self(0b1111);

    /// Whether every bit of `other` is in `self`.
    #[inline]
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[inline]
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits of `self` that are not in `other`.
    #[inline]
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether a store made now would be deferred: active, and not paused.
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
/// A value is a handle, one word at most. A section finds it once, when it is entered, and keeps it
/// in its guard. The handle belongs to the thread for which
/// [`Backend::current`](crate::Backend::current) returned it; only that thread changes the bits.
///
/// The crate has two: [`SharedWord`] and [`OwnByte`]. A kernel whose flags look different (a word
/// of 32 bits, say) implements its own; the `unsafe impl` of its [`Backend`](crate::Backend)
/// answers for it.
///
/// # How to implement
///
/// * Every change of the bits is one that no exception handler, interrupt handler or other CPU can
///   undo, given who else writes that memory.
/// * [`inert`](Self::inert) can be a handle of a static of the same layout, with all bits clear.
/// * Relaxed atomic accesses suffice: the bits are read by their own thread only, and a context
///   switch orders what it must (see [`Backend`](crate::Backend)). They must be atomic accesses,
///   not those of a [`Cell`](core::cell::Cell): an exception handler on the same thread may change
///   the bits between any two instructions, and the compiler must not move a look at a `Cell` out
///   of a loop of stores.
pub trait Storage: Copy + PartialEq + 'static {
    /// The place of a section that has no effect on the thread: always [empty](Bits::EMPTY), never
    /// changed, and equal to no thread's.
    ///
    /// The store of such a section finds no bit set, so its pair follows at once.
    fn inert() -> Self;

    /// The bits as they are.
    fn load(self) -> Bits;

    /// Sets `bits`. The caller has just seen the bits `seen`.
    ///
    /// An exception handler may have run since. It restores the bits, except that it may have
    /// executed the pair and cleared PENDING; to set PENDING again then costs a pair, and loses
    /// none. So a storage that nobody else writes need not look again.
    ///
    /// # Safety
    ///
    /// The bits say which barriers are owed. Only the [state machine](crate::raw) changes them, or
    /// a storage that passes its calls on. `seen` is what the caller's last [`load`](Self::load),
    /// or change, left there.
    unsafe fn set(self, seen: Bits, bits: Bits);

    /// Clears `bits`. The caller has just seen the bits `seen`.
    ///
    /// # Safety
    ///
    /// As for [`set`](Self::set).
    unsafe fn clear(self, seen: Bits, bits: Bits);

    /// Where the bits are, for [`Event::HandleMade`](crate::Event::HandleMade). Null: not told.
    #[doc(hidden)]
    #[inline]
    fn address(self) -> *const () {
        core::ptr::null()
    }
}

/// The four bits number `FIRST` to `FIRST + 3` of a 64-bit flags word that others write too.
///
/// This is Linux's arrangement: `thread_info.flags` also holds `TIF_NEED_RESCHED` and its like,
/// which other CPUs set at any time. Every change is one atomic read-modify-write, so neither their
/// bits nor ours get lost. The four bits are adjacent, because then one mask tests them all.
///
/// # Panics
///
/// At compile time, when `FIRST` is over 60.
#[derive(Clone, Copy, PartialEq)]
pub struct SharedWord<const FIRST: u32>(NonNull<FlagsWord>);

impl<const FIRST: u32> SharedWord<FIRST> {
    const CHECKED: () = assert!(
        FIRST <= 60,
        "the four bits of a SharedWord begin at bit 60 at most"
    );

    /// The bits in the word at `word`.
    ///
    /// # Safety
    ///
    /// * `word` points to an aligned 64-bit word that stays valid as long as the returned handle,
    ///   or a copy of it, is used: as long as the thread whose flags it holds.
    /// * All other accesses to the word are *64-bit* atomic accesses (an access of another width to
    ///   the same memory at the same time is a data race), and nobody else changes these four bits.
    #[inline]
    pub const unsafe fn from_ptr(word: NonNull<FlagsWord>) -> Self {
        let () = Self::CHECKED;
        Self(word)
    }

    #[inline]
    fn word(&self) -> &FlagsWord {
        // SAFETY: `from_ptr` demands a word that is valid as long as this handle is used.
        unsafe { self.0.as_ref() }
    }

    pub(crate) const fn as_ptr(self) -> NonNull<()> {
        self.0.cast()
    }
}

/// The flags word of inert sections, for [`Storage::inert`].
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

/// `bits` in a flags word, where they begin at bit `first`.
#[inline]
pub(crate) const fn to_word(bits: Bits, first: u32) -> u64 {
    (bits.0 as u64) << first
}

/// The four bits that begin at bit `first` of `word`.
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

/// A byte of the thread's own, which nobody else writes.
///
/// No atomic read-modify-write is needed, only plain load and store instructions: other CPUs do not
/// know the byte, and an interrupt handler leaves it alone, because its sections are inert. A
/// synchronous exception handler does write it, between any two instructions, but puts back what it
/// found; see [`raw`](crate::raw) for its duty.
#[derive(Clone, Copy, PartialEq)]
pub struct OwnByte(NonNull<AtomicU8>);

impl OwnByte {
    /// The bits in the byte at `byte`. A new thread's byte is zero.
    ///
    /// # Safety
    ///
    /// * `byte` points to a byte that stays valid as long as the returned handle, or a copy of it,
    ///   is used: as long as the thread to which it belongs.
    /// * Nobody else writes it, and others read it by one-byte atomic loads only.
    #[inline]
    pub const unsafe fn from_ptr(byte: NonNull<AtomicU8>) -> Self {
        Self(byte)
    }

    #[inline]
    fn byte(&self) -> &AtomicU8 {
        // SAFETY: `from_ptr` demands a byte that is valid as long as this handle is used.
        unsafe { self.0.as_ref() }
    }

    pub(crate) const fn as_ptr(self) -> NonNull<()> {
        self.0.cast()
    }
}

impl Storage for OwnByte {
    #[inline]
    fn inert() -> Self {
        // The first byte of the word, so that a place of either kind is the inert one by its
        // address.
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
        // SAFETY: no section depends on these bits.
        unsafe { bits.set(bits.load(), which) };
    }

    fn clear(bits: impl Storage, which: Bits) {
        // SAFETY: no section depends on these bits.
        unsafe { bits.clear(bits.load(), which) };
    }

    const FOREIGN: u64 = 0x8000_0000_0000_0401;

    #[test]
    fn k02_shared_word_changes_only_its_four_bits() {
        let word = FlagsWord::new(FOREIGN);
        // SAFETY: the word outlives the handle, and nobody else writes it.
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
        // SAFETY: the byte outlives the handle, and nobody else writes it.
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
