//! Helpers for tests on the hosted backend.

use crate::prelude::*;

/// A valid kernel page, which needs the barrier pair.
pub const KERNEL: Leaf = Leaf::page(0x4000_0000, KERNEL_DATA);
/// A valid user page, which does not need the barrier pair.
pub const USERS: Leaf = Leaf::page(0x4000_0000, USER_DATA);
/// A valid kernel block of 2 MiB, or of another size.
pub const BLOCK: u64 = 0x4000_0000 | KERNEL_DATA | VALID;
/// A valid table.
pub const LINK: Table = Table::at(0x4800_0000);

/// The first address of the kernel's mappings in the tests.
pub const BASE: u64 = 0xffff_8000_0000_0000;

/// Returns the range of `pages` pages of 4 KiB at [`BASE`].
pub fn range(pages: u64) -> VirtualRange {
    range_at(0, pages)
}

/// Returns the range of `pages` pages of 4 KiB at `offset` bytes above [`BASE`].
pub fn range_at(offset: u64, pages: u64) -> VirtualRange {
    let range = Granule::Kib4.range(BASE + offset, pages);
    range.expect("whole pages")
}

/// Returns the range that an entry at `level` translates, at `offset` bytes above [`BASE`].
pub fn entry_at(level: u8, offset: u64) -> VirtualRange {
    let entry = Granule::Kib4.entry(level, BASE + offset);
    entry.expect("a whole entry")
}

/// Returns the kernel leaf of page number `i`.
pub fn page(i: usize) -> Leaf {
    Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA)
}

/// Returns the union of those `bits` whose place in `combination` has a 1.
pub fn chosen<const N: usize>(combination: u32, bits: [u64; N]) -> u64 {
    let places = bits.iter().zip(0..);
    places.fold(0, |chosen, (bit, i)| {
        chosen | (bit * u64::from(combination >> i & 1))
    })
}

/// Returns `N` invalid entries of a table.
pub fn slots<const N: usize>() -> [AtomicU64; N] {
    holding(0)
}

/// Returns `N` entries that hold `bits`.
pub fn holding<const N: usize>(bits: u64) -> [AtomicU64; N] {
    std::array::from_fn(|_| AtomicU64::new(bits))
}

/// An entry as the hardware or another CPU accesses it. The trace does not record these accesses.
pub trait Word {
    /// Returns the bits of the entry.
    fn get(&self) -> u64;
    /// Changes the bits of the entry.
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

/// Returns the bits of each entry.
pub fn values(table: &[AtomicU64]) -> Vec<u64> {
    table.iter().map(Word::get).collect()
}

/// Stores `bits` to each entry.
pub fn fill(table: &[AtomicU64], bits: u64) {
    for slot in table {
        slot.put(bits);
    }
}

/// Returns the trace since the last call, with one letter for each event.
pub fn trace() -> String {
    letters(&take_trace())
}

/// Runs `f`, and returns whether it panics.
pub fn unwinds<R>(f: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// Returns the handle of the current task.
pub fn task<B: Backend>() -> Task<B> {
    // SAFETY: a walker does not read the tables of a test. The hosted backend refuses a second
    // handle.
    unsafe { Task::current() }
}

/// Enters a section without a guard. The test passes the state to [`leave`], in order.
pub fn enter<B: Backend>() -> State {
    // SAFETY: a walker does not read the tables of a test.
    unsafe { raw::enter::<B>() }
}

/// Leaves the section of [`enter`].
pub fn leave<B: Backend>(state: State) {
    // SAFETY: a walker does not read the tables of a test.
    unsafe { raw::leave::<B>(state) };
}

/// Runs the body of a test, and checks that all bits are clear after it.
pub fn run_with<B: Backend>(body: fn()) {
    body();
    assert_eq!(
        bits::<B>(),
        Bits::EMPTY,
        "the test must leave all bits clear"
    );
    take_trace();
}

/// Defines tests that run for both storages of the bits.
///
/// The storages are a word that is shared with other flags, and the thread's own byte. After each
/// run, all bits must be clear.
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
