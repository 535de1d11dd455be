//! The three bits of a thread, and the two places where a kernel may keep them.
//!
//! Separate from the state machine because the bits are all that a kernel stores: it chooses where, this module
//! knows how to change them there without losing anybody else's.

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering};

/// A flags word that other CPUs write too. The package `lazy-mmu-loom` puts loom's in its place.
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::AtomicU64 as FlagsWord;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::AtomicU64 as FlagsWord;

/// A set of the three bits that the mode keeps for each thread.
///
/// There is no counter: what a counter would remember is in the tokens ([`State`](crate::raw::State)), so that
/// nothing can overflow, and an interrupt cannot land between two updates.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Bits(u8);

impl Bits {
    /// No bit: the thread is in no section. A new thread starts so.
    pub const EMPTY: Self = Self(0);
    /// A section is open: stores that need the barrier pair are deferred.
    pub const ACTIVE: Self = Self(1 << 0);
    /// A store awaits its barrier pair. Never set without [`ACTIVE`](Self::ACTIVE).
    pub const PENDING: Self = Self(1 << 1);
    /// The mode is paused: sections cannot be entered, and stores are immediate.
    pub const PAUSED: Self = Self(1 << 2);

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
/// A value is a handle, one word at most: it is found once, when a section is entered, and kept in the guard, so that
/// stores need not look for it again. It belongs to the thread for which
/// [`Backend::current`](crate::Backend::current) returned it, and only that thread changes the bits through it.
///
/// The crate has two: [`SharedWord`] and [`OwnByte`]. A kernel whose flags look different (a word of 32 bits, say)
/// implements its own; the `unsafe impl` of its [`Backend`](crate::Backend) answers for it.
///
/// # How to implement
///
/// * Every change of the bits is one that no exception handler, interrupt handler or other CPU can undo, given who
///   else writes that memory.
/// * [`nobodys`](Self::nobodys) can be a handle of a static of the same layout, with all bits clear.
/// * Relaxed atomic accesses suffice: the bits are read by their own thread only, and a context switch orders
///   what it must (see [`Backend`](crate::Backend)). They must be atomic accesses, though, and not those of a
///   [`Cell`](core::cell::Cell): an exception handler on the same thread may change the bits between any two
///   instructions, and the compiler must not move a look at a `Cell` out of a loop of stores.
pub trait Storage: Copy + PartialEq + 'static {
    /// The bits of nobody: always [empty](Bits::EMPTY), changed by nobody, and equal to no thread's.
    ///
    /// A section that has no effect on the thread has these: so its stores look as those do that are made in no section, and are
    /// followed by their pair at once.
    fn nobodys() -> Self;

    /// The bits as they are.
    fn load(self) -> Bits;

    /// Sets `bits`; returns all bits as they were before.
    ///
    /// # Safety
    ///
    /// The bits say which barriers are owed: only the [state machine](crate::raw) changes them, or a storage that passes
    /// its calls on.
    unsafe fn set(self, bits: Bits) -> Bits;

    /// Clears `bits`.
    ///
    /// # Safety
    ///
    /// As for [`set`](Self::set).
    unsafe fn clear(self, bits: Bits);

    /// [`set`](Self::set), for a caller that has just looked, and seen the bits `seen`.
    ///
    /// Whatever came in between, an exception handler on behalf of the thread, has put back what it found, but that it may
    /// have executed the pair and cleared PENDING; to set that again costs a pair, and loses none. So a storage that nobody
    /// else writes need not look again. The default does, for nothing else is known of its memory.
    ///
    /// # Safety
    ///
    /// As for [`set`](Self::set); and `seen` is what the caller's last [`load`](Self::load), or change, left there.
    #[inline]
    unsafe fn set_seen(self, seen: Bits, bits: Bits) {
        let _ = seen;
        // SAFETY: the caller's promise is the same.
        unsafe { self.set(bits) };
    }

    /// [`clear`](Self::clear), in the same way.
    ///
    /// # Safety
    ///
    /// As for [`set_seen`](Self::set_seen).
    #[inline]
    unsafe fn clear_seen(self, seen: Bits, bits: Bits) {
        let _ = seen;
        // SAFETY: the caller's promise is the same.
        unsafe { self.clear(bits) };
    }
}

/// Bits number `ACTIVE`, `PENDING` and `PAUSED` of a 64-bit flags word that others write too.
///
/// This is Linux's arrangement: `thread_info.flags` also holds `TIF_NEED_RESCHED` and its like, which other CPUs set
/// at any time. Every change is one atomic read-modify-write, so that neither their bits nor ours get lost.
///
/// # Panics
///
/// At compile time, when two of the numbers are equal or one is over 63.
#[derive(Clone, Copy, PartialEq)]
pub struct SharedWord<const ACTIVE: u32, const PENDING: u32, const PAUSED: u32>(NonNull<FlagsWord>);

impl<const ACTIVE: u32, const PENDING: u32, const PAUSED: u32> SharedWord<ACTIVE, PENDING, PAUSED> {
    const CHECKED: () = assert!(
        ACTIVE < 64
            && PENDING < 64
            && PAUSED < 64
            && ACTIVE != PENDING
            && PENDING != PAUSED
            && PAUSED != ACTIVE,
        "the bits of a SharedWord are three different numbers below 64"
    );

    /// The bits in the word at `word`.
    ///
    /// # Safety
    ///
    /// * `word` points to an aligned 64-bit word that stays valid as long as the returned handle, or a copy of it, is
    ///   used: as long as the thread whose flags it holds.
    /// * All other accesses to the word are *64-bit* atomic accesses (an access of another width to
    ///   the same memory at the same time is a data race), and nobody else changes these three
    ///   bits.
    #[inline]
    pub const unsafe fn from_ptr(word: NonNull<FlagsWord>) -> Self {
        let () = Self::CHECKED;
        Self(word)
    }

    #[inline]
    const fn to_word(bits: Bits) -> u64 {
        bits_to_word(bits, ACTIVE, PENDING, PAUSED)
    }

    #[inline]
    const fn from_word(word: u64) -> Bits {
        word_to_bits(word, ACTIVE, PENDING, PAUSED)
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

/// The flags word of nobody, for [`Storage::nobodys`].
#[inline]
pub(crate) fn nobodys_word() -> &'static FlagsWord {
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

/// `bits` as a mask, by their numbers.
#[inline]
pub(crate) const fn bits_to_word(bits: Bits, active: u32, pending: u32, paused: u32) -> u64 {
    ((bits.contains(Bits::ACTIVE) as u64) << active)
        | ((bits.contains(Bits::PENDING) as u64) << pending)
        | ((bits.contains(Bits::PAUSED) as u64) << paused)
}

/// The three bits in `word`, by their numbers.
#[inline]
pub(crate) const fn word_to_bits(word: u64, active: u32, pending: u32, paused: u32) -> Bits {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "one bit is kept of each shift"
    )]
    const fn bit(word: u64, number: u32) -> u8 {
        (word >> number) as u8 & 1
    }
    Bits(bit(word, active) | bit(word, pending) << 1 | bit(word, paused) << 2)
}

impl<const ACTIVE: u32, const PENDING: u32, const PAUSED: u32> Storage
    for SharedWord<ACTIVE, PENDING, PAUSED>
{
    #[inline]
    fn nobodys() -> Self {
        Self(NonNull::from(nobodys_word()))
    }

    #[inline]
    fn load(self) -> Bits {
        Self::from_word(self.word().load(Ordering::Relaxed))
    }

    #[inline]
    unsafe fn set(self, bits: Bits) -> Bits {
        Self::from_word(self.word().fetch_or(Self::to_word(bits), Ordering::Relaxed))
    }

    #[inline]
    unsafe fn clear(self, bits: Bits) {
        self.word()
            .fetch_and(!Self::to_word(bits), Ordering::Relaxed);
    }
}

/// A byte of the thread's own, which nobody else writes.
///
/// No atomic read-modify-write is needed, only plain load and store instructions: other CPUs do not know the byte,
/// and an interrupt handler leaves it alone, because its sections are inert. A synchronous exception handler does
/// write it, between any two instructions, but puts back what it found; see [`raw`](crate::raw) for its duty.
#[derive(Clone, Copy, PartialEq)]
pub struct OwnByte(NonNull<AtomicU8>);

impl OwnByte {
    /// The bits in the byte at `byte`. A new thread's byte is zero.
    ///
    /// # Safety
    ///
    /// * `byte` points to a byte that stays valid as long as the returned handle, or a copy of it, is used: as long as
    ///   the thread to which it belongs.
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
    fn nobodys() -> Self {
        // The first byte of the word, so that a place of either kind is nobody's by its address.
        #[cfg(not(loom))]
        return Self(NonNull::from(nobodys_word()).cast());
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
    unsafe fn set(self, bits: Bits) -> Bits {
        let before = self.load();
        self.byte().store(before.union(bits).0, Ordering::Relaxed);
        before
    }

    #[inline]
    unsafe fn clear(self, bits: Bits) {
        let before = self.load();
        self.byte()
            .store(before.difference(bits).0, Ordering::Relaxed);
    }

    #[inline]
    unsafe fn set_seen(self, seen: Bits, bits: Bits) {
        self.byte().store(seen.union(bits).0, Ordering::Relaxed);
    }

    #[inline]
    unsafe fn clear_seen(self, seen: Bits, bits: Bits) {
        self.byte()
            .store(seen.difference(bits).0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(bits: impl Storage, which: Bits) -> Bits {
        // SAFETY: no section depends on these bits.
        unsafe { bits.set(which) }
    }

    fn clear(bits: impl Storage, which: Bits) {
        // SAFETY: no section depends on these bits.
        unsafe { bits.clear(which) };
    }

    const FOREIGN: u64 = 0x8000_0000_0000_0401;

    #[test]
    fn k02_shared_word_changes_only_its_three_bits() {
        let word = FlagsWord::new(FOREIGN);
        // SAFETY: the word outlives the handle, and nobody else writes it.
        let bits = unsafe { SharedWord::<5, 41, 7>::from_ptr(NonNull::from(&word)) };
        exercise(bits);
        set(bits, Bits::ACTIVE);
        set(bits, Bits::PENDING);
        set(bits, Bits::PAUSED);
        assert_eq!(
            word.load(Ordering::Relaxed),
            FOREIGN | 1 << 5 | 1 << 41 | 1 << 7
        );
        clear(bits, Bits::ACTIVE.union(Bits::PENDING).union(Bits::PAUSED));
        assert_eq!(word.load(Ordering::Relaxed), FOREIGN);
    }

    #[test]
    fn k02_own_byte_holds_the_three_bits() {
        let byte = AtomicU8::new(0);
        // SAFETY: the byte outlives the handle, and nobody else writes it.
        exercise(unsafe { OwnByte::from_ptr(NonNull::from(&byte)) });
        assert_eq!(byte.load(Ordering::Relaxed), 0);
    }

    fn exercise(bits: impl Storage) {
        assert_eq!(bits.load(), Bits::EMPTY);
        assert_eq!(set(bits, Bits::ACTIVE), Bits::EMPTY);
        assert_eq!(set(bits, Bits::ACTIVE), Bits::ACTIVE);
        assert!(bits.load().defers());
        assert_eq!(set(bits, Bits::PENDING), Bits::ACTIVE);
        clear(bits, Bits::ACTIVE);
        assert_eq!(bits.load(), Bits::PENDING);
        assert_eq!(set(bits, Bits::PAUSED.union(Bits::ACTIVE)), Bits::PENDING);
        assert!(!bits.load().defers());
        clear(bits, Bits::PENDING);
        assert_eq!(bits.load(), Bits::PAUSED.union(Bits::ACTIVE));
        clear(bits, Bits::PAUSED.union(Bits::ACTIVE));
        assert_eq!(bits.load(), Bits::EMPTY);
    }
}
