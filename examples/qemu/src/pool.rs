//! Pages in the image, where the identity map has them: for tables, and as something to map.

use core::ptr::from_ref;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// `N` words, from the beginning of a page on. All are 0 at first.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Words<const N: usize>(pub [AtomicU64; N]);

impl<const N: usize> Words<N> {
    /// The value of a static.
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }

    /// The physical address, which is the virtual one too.
    pub fn address(&'static self) -> u64 {
        from_ref(self).expose_provenance() as u64
    }
}

/// How many pages there are for the tables of other crates.
const PAGES: usize = 64;

static POOL: [Words<512>; PAGES] = [const { Words::new() }; PAGES];
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The addresses of all these pages.
pub fn addresses() -> core::ops::Range<u64> {
    let start = POOL[0].address();
    start..start + size_of_val(&POOL) as u64
}

/// A page that nobody else has; `None` if there are no more.
pub fn take() -> Option<&'static Words<512>> {
    POOL.get(TAKEN.fetch_add(1, Relaxed))
}

/// A page with this content in its first word, as something to map; its address.
pub fn page_with(word: u64) -> usize {
    let page = take().expect("there are pages");
    page.0[0].store(word, Relaxed);
    from_ref(page).expose_provenance()
}
