// An executor's attribute above `#[lazy_mmu]` removes `async`: the section is open at an `.await`.
// Nothing stops it, because an ordinary function may have an async block too, as `later` has.
#![deny(warnings)]

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use lazy_mmu::sim::{Sim, pairs, take_trace};
use lazy_mmu::{is_active, lazy_mmu, note_store};

/// What an executor's attribute makes of `async fn`.
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

/// Is pending once.
async fn wait() {
    let mut results = [Poll::Pending, Poll::Ready(())].into_iter();
    poll_fn(|_| results.next().expect("two polls")).await;
}

/// Runs another task, which stores, whenever the future is pending.
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
        "the section ends behind `block_on`"
    );
    block_on(later());
}
