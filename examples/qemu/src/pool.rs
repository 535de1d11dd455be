//! Pages of the image for the programs with other crates, which take them one by one.

use core::ptr::from_ref;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::words::Words;

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
