//! Helpers for tests on the hosted backend.

use crate::prelude::*;

/// A valid kernel page: needs the pair.
pub const KERNEL: Leaf = Leaf::page(0x4000_0000, KERNEL_DATA);
/// A valid user page: does not.
pub const USERS: Leaf = Leaf::page(0x4000_0000, USER_DATA);
/// A valid kernel block of 2 MiB, or of another size.
pub const BLOCK: u64 = 0x4000_0000 | KERNEL_DATA | VALID;
/// A valid table.
pub const LINK: Table = Table::at(0x4800_0000);

/// Where the kernel's half of the addresses begins.
pub const BASE: u64 = 0xffff_8000_0000_0000;

/// `pages` pages of 4 KiB from [`BASE`] on.
pub fn range(pages: u64) -> VirtualRange {
    range_at(0, pages)
}

/// `pages` pages of 4 KiB, from `offset` bytes above [`BASE`] on.
pub fn range_at(offset: u64, pages: u64) -> VirtualRange {
    let range = Granule::Kib4.range(BASE + offset, pages);
    range.expect("whole pages")
}

/// What the entry at `level` translates, from `offset` bytes above [`BASE`] on.
pub fn entry_at(level: u8, offset: u64) -> VirtualRange {
    let entry = Granule::Kib4.entry(level, BASE + offset);
    entry.expect("a whole entry")
}

/// The kernel leaf of page number `i`.
pub fn page(i: usize) -> Leaf {
    Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA)
}

/// Those of `bits` that have a 1 at their place in `combination`.
pub fn chosen<const N: usize>(combination: u32, bits: [u64; N]) -> u64 {
    let places = bits.iter().zip(0..);
    places.fold(0, |chosen, (bit, i)| {
        chosen | (bit * u64::from(combination >> i & 1))
    })
}

/// `N` entries of a table.
pub fn slots<const N: usize>() -> [AtomicU64; N] {
    holding(0)
}

/// `N` entries that hold `bits`.
pub fn holding<const N: usize>(bits: u64) -> [AtomicU64; N] {
    std::array::from_fn(|_| AtomicU64::new(bits))
}

/// An entry as the hardware, or another CPU, reads and changes it: the trace has no event of it.
pub trait Word {
    /// Its bits.
    fn get(&self) -> u64;
    /// Changes its bits.
    fn put(&self, bits: u64);
}

impl Word for AtomicU64 {
    fn get(&self) -> u64 {
        self.load(Ordering::Relaxed)
    }

    fn put(&self, bits: u64) {
        self.store(bits, Ordering::Relaxed);
    }
}

/// The bits of each entry.
pub fn values(table: &[AtomicU64]) -> Vec<u64> {
    table.iter().map(Word::get).collect()
}

/// Gives each entry these bits.
pub fn fill(table: &[AtomicU64], bits: u64) {
    for slot in table {
        slot.put(bits);
    }
}

/// The trace since the last call, one letter an event.
pub fn trace() -> String {
    letters(&take_trace())
}

/// Whether `f` panics.
pub fn unwinds<R>(f: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// The handle of the current task.
pub fn task<B: Backend>() -> Task<B> {
    // SAFETY: nothing walks the tables of a test; and the hosted backend refuses a second handle.
    unsafe { Task::current() }
}

/// A bare enter. The test passes its state to [`leave`], in order.
pub fn enter<B: Backend>() -> State {
    // SAFETY: nothing walks the tables of a test.
    unsafe { raw::enter::<B>() }
}

/// The bare leave of [`enter`].
pub fn leave<B: Backend>(state: State) {
    // SAFETY: nothing walks the tables of a test.
    unsafe { raw::leave::<B>(state) };
}

/// Runs the body of a test, which leaves no bit set.
pub fn run_with<B: Backend>(body: fn()) {
    body();
    assert_eq!(bits::<B>(), Bits::EMPTY, "the test leaves no bit behind");
    take_trace();
}

/// Runs each test for both storages of the bits: a word shared with others' flags, and a byte of
/// the thread's own. After each, no bit is set.
#[macro_export]
macro_rules! for_both_storages {
    ($($(#[$meta:meta])* fn $name:ident<$backend:ident>() $body:block)+) => {$(
        $(#[$meta])*
        #[test]
        fn $name() {
            fn body<$backend: $crate::prelude::Backend>() $body
            $crate::prelude::run_with::<$crate::prelude::Sim>(body::<$crate::prelude::Sim>);
            $crate::prelude::run_with::<$crate::prelude::SimOwnByte>(
                body::<$crate::prelude::SimOwnByte>,
            );
        }
    )+};
}
