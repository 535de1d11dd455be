//! The nesting that the arm64 patch replaced: it is tolerated, but the inner leave ends the mode.
//!
//! For comparison only. No barrier is lost that way, because stores after the inner leave are immediate; they are
//! merely no longer batched.

use core::marker::PhantomData;

use lazy_mmu::raw::Kind;
use lazy_mmu::{Backend, Bits, Event, Machine as _, Storage as _, Wrapped, Wrapper};

/// The backend `B` with tolerant nesting: each enter believes itself the outermost.
pub type Tolerant<B> = Wrapped<TolerantMachine<B>>;

/// What differs from `B`.
#[derive(Debug)]
pub struct TolerantMachine<B>(PhantomData<B>);

// SAFETY: a pair is deferred only while ACTIVE is set, and each leave emits it before ACTIVE is
// cleared.
unsafe impl<B: Backend> Wrapper for TolerantMachine<B> {
    type Inner = B;

    /// A nested section is taken for the outermost, and its leave ends the mode too: the pair has
    /// been executed when this is told of it.
    #[inline]
    fn observe(event: Event) {
        B::Machine::observe(match event {
            Event::Enter(Kind::Nested) => Event::Enter(Kind::Outermost),
            Event::Leave(Kind::Nested) => {
                let bits = B::current();
                // SAFETY: more stores are immediate, none less. That was wrong with the old state
                // machine.
                unsafe { bits.clear(bits.load(), Bits::ACTIVE) };
                Event::Leave(Kind::Outermost)
            }
            other => other,
        });
    }
}
