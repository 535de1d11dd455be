// If an executor's attribute above `#[lazy_mmu]` removes `async`, the section is open at `.await`.
// The crate cannot refuse it, because an ordinary function, such as `later`, may have async blocks.
#![deny(warnings)]

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use lazy_mmu::sim::{Sim, pairs, take_trace};
use lazy_mmu::{is_active, lazy_mmu, note_store};

/// Rewrites an `async fn` as an executor's attribute does.
macro_rules! executor {
    ($(#[$attribute:meta])* async fn $name:ident() $body:block) => {
        $(#[$attribute])*
        fn $name() {
            block_on(async $body)
        }
    };
}

executor! {
    #[lazy_mmu(backend = Sim)]
    async fn annotated() {
        assert!(is_active::<Sim>());
        wait().await;
        assert!(is_active::<Sim>());
        assert_eq!(pairs(&take_trace()), 0, "the other store is deferred");
    }
}

#[lazy_mmu(backend = Sim)]
fn later() -> impl Future<Output = ()> {
    async {
        assert!(!is_active::<Sim>());
        wait().await;
        assert_eq!(pairs(&take_trace()), 1, "the other store is immediate");
    }
}

/// Returns `Pending` once, and is ready at the second poll.
async fn wait() {
    let mut results = [Poll::Pending, Poll::Ready(())].into_iter();
    poll_fn(|_| results.next().expect("two polls")).await;
}

/// Runs another task, which makes a store, whenever the future is pending.
fn block_on(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    while future.as_mut().poll(&mut context).is_pending() {
        note_store::<Sim>();
    }
}

fn main() {
    annotated();
    assert_eq!(
        pairs(&take_trace()),
        1,
        "the section ends after `block_on`"
    );
    block_on(later());
}
