//! The nesting that the arm64 patch replaced: it is tolerated, but the inner leave ends the mode.
//!
//! For comparison only. No barrier is lost that way, because stores after the inner leave are immediate; they are
//! merely no longer batched.

use core::marker::PhantomData;

use lazy_mmu::raw::Kind;
use lazy_mmu::tlb::Tlbi;
use lazy_mmu::{Backend, Bits, Event, Storage};

/// The backend `B` with tolerant nesting: each enter believes itself the outermost.
#[derive(Debug)]
pub struct Tolerant<B>(PhantomData<B>);

// SAFETY: a pair is deferred only while ACTIVE is set, and each leave emits it before ACTIVE is cleared; everything else
// is `B`'s.
unsafe impl<B: Backend> Backend for Tolerant<B> {
    type Storage = B::Storage;

    #[inline]
    fn current() -> Self::Storage {
        B::current()
    }

    #[inline]
    fn in_interrupt() -> bool {
        B::in_interrupt()
    }

    #[inline]
    fn barrier() {
        B::barrier();
    }

    #[inline]
    fn table_barrier() {
        B::table_barrier();
    }

    #[inline]
    fn tlb_invalidate(instruction: Tlbi) {
        B::tlb_invalidate(instruction);
    }

    #[inline]
    fn tlb_barrier() {
        B::tlb_barrier();
    }

    #[inline]
    fn has_tlb_range() -> bool {
        B::has_tlb_range()
    }

    /// A nested section is taken for the outermost, and its leave ends the mode too: the pair has been executed when this is
    /// told of it.
    #[inline]
    fn observe(event: Event) {
        B::observe(match event {
            Event::Enter(Kind::Nested) => Event::Enter(Kind::Outermost),
            Event::Leave(Kind::Nested) => {
                let bits = Self::current();
                // SAFETY: this is what was wrong with the old state machine: more stores are immediate, none less.
                unsafe { bits.clear(bits.load(), Bits::ACTIVE) };
                Event::Leave(Kind::Outermost)
            }
            other => other,
        });
    }
}
