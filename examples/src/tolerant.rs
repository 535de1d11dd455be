//! The nesting that the arm64 patch replaced: it is tolerated, but the inner leave ends the mode.
//!
//! For comparison only. No barrier is lost that way, because stores after the inner leave are immediate; they are
//! merely no longer batched.

use core::marker::PhantomData;

use lazy_mmu::{Backend, Bits, Storage};

/// The backend `B` with tolerant nesting: each enter believes itself the outermost.
#[derive(Debug)]
pub struct Tolerant<B>(PhantomData<B>);

/// The bits of `S`, but an enter does not learn that a section was open.
#[derive(Clone, Copy, Debug)]
pub struct Forgetful<S>(S);

impl<S: Storage> Storage for Forgetful<S> {
    #[inline]
    fn load(self) -> Bits {
        self.0.load()
    }

    #[inline]
    unsafe fn set(self, bits: Bits) -> Bits {
        // SAFETY: passed on.
        unsafe { self.0.set(bits) }.difference(Bits::ACTIVE)
    }

    #[inline]
    unsafe fn clear(self, bits: Bits) {
        // SAFETY: passed on.
        unsafe { self.0.clear(bits) };
    }
}

// SAFETY: a pair is deferred only while ACTIVE is set, and each leave emits it before it clears ACTIVE; everything else
// is `B`'s.
unsafe impl<B: Backend> Backend for Tolerant<B> {
    type Storage = Forgetful<B::Storage>;

    #[inline]
    fn current() -> Self::Storage {
        Forgetful(B::current())
    }

    #[inline]
    fn in_interrupt() -> bool {
        B::in_interrupt()
    }

    lazy_mmu::forward_machine!(B);
}
