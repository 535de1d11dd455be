//! Tolerant nesting, in which an inner leave ends the mode.
//!
//! Linux had it on arm64 before its sections nested.
//!
//! It is only for comparison. It does not lose a barrier, because the stores after the inner leave
//! are immediate. Their pairs are just not deferred.

use core::marker::PhantomData;

use lazy_mmu::raw::Kind;
use lazy_mmu::{Backend, Bits, Event, Invalidation, Machine as _, Storage as _, Wrapped, Wrapper};

/// The backend `B` with tolerant nesting, in which every section is outermost.
pub type Tolerant<B> = Wrapped<TolerantMachine<B>>;

/// The difference between [`Tolerant`] and `B`.
#[derive(Debug)]
pub struct TolerantMachine<B>(PhantomData<B>);

// SAFETY: a pair is deferred only while ACTIVE is set, and each leave emits the pending pair before
// this wrapper clears ACTIVE.
unsafe impl<B: Backend> Wrapper for TolerantMachine<B> {
    type Inner = B;

    #[inline]
    fn invalidate_only(invalidations: &[Invalidation]) {
        B::Machine::invalidate_only(invalidations);
    }

    /// Reports a nested section as outermost, and lets its leave end the mode.
    ///
    /// The crate calls this function after the leave has emitted the pair.
    #[inline]
    fn observe(event: Event) {
        B::Machine::observe(match event {
            Event::Enter(Kind::Nested) => Event::Enter(Kind::Outermost),
            Event::Leave(Kind::Nested) => {
                let bits = B::current();
                // SAFETY: clearing ACTIVE only makes more stores immediate. The leave has emitted
                // the pending pair already.
                unsafe { bits.clear(bits.load(), Bits::ACTIVE) };
                Event::Leave(Kind::Outermost)
            }
            other => other,
        });
    }
}
