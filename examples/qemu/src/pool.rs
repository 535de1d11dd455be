//! Pages for the tables of other crates: a few, in the image, where the identity map has them.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

/// How many there are.
const PAGES: usize = 64;

#[repr(C, align(4096))]
struct Page([u64; 512]);

struct Pool(UnsafeCell<[Page; PAGES]>);

// SAFETY: each page is given out once, and belongs to who took it.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool(UnsafeCell::new([const { Page([0; 512]) }; PAGES]));
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The virtual addresses of all pages, which are the physical ones too.
pub fn addresses() -> core::ops::Range<u64> {
    let start = POOL.0.get().expose_provenance() as u64;
    start..start + (PAGES * size_of::<Page>()) as u64
}

/// A page, filled with zeros; `None` if there are no more.
pub fn take() -> Option<*mut u64> {
    let number = TAKEN.fetch_add(1, Ordering::Relaxed);
    (number < PAGES).then(|| {
        // SAFETY: in bounds.
        let page = unsafe { POOL.0.get().cast::<Page>().add(number) };
        page.cast()
    })
}

/// A page with this content in its first word, as something to map; its address.
///
/// # Panics
///
/// If there are no more pages.
pub fn page_with(word: u64) -> usize {
    let page = take().expect("there are pages");
    // SAFETY: it was just taken.
    unsafe { page.write(word) };
    page.expose_provenance()
}
