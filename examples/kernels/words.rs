//! Pages of the image, for tables and as memory to map. The identity map has them.

use core::ptr::from_ref;
use core::sync::atomic::AtomicU64;

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
