//! Pages of the image, for tables and as memory to map. The identity map has them.

use core::ptr::from_ref;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// `N` words that begin a page. All are 0 at first.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Words<const N: usize>(pub [AtomicU64; N]);

impl<const N: usize> Words<N> {
    /// Returns the words, as the value of a static.
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }

    /// Returns the physical address, which is also the virtual one.
    pub fn address(&'static self) -> u64 {
        from_ref(self).expose_provenance() as u64
    }
}

/// The number of pages for the tables of other crates.
const PAGES: usize = 64;

static POOL: [Words<512>; PAGES] = [const { Words::new() }; PAGES];
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Returns the addresses of all pages.
pub fn addresses() -> core::ops::Range<u64> {
    let start = POOL[0].address();
    start..start + size_of_val(&POOL) as u64
}

/// Takes a page that has no other user, or returns `None` if all are taken.
pub fn take() -> Option<&'static Words<512>> {
    POOL.get(TAKEN.fetch_add(1, Relaxed))
}

/// Takes a page, stores `word` in its first word, and returns its address.
pub fn page_with(word: u64) -> usize {
    let page = take().expect("there are pages");
    page.0[0].store(word, Relaxed);
    from_ref(page).expose_provenance()
}
