// Async code changes mappings too, between its suspension points.
// `with` enters and leaves its section without an `.await` in between.
#![deny(warnings)]

use std::future::ready;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use lazy_mmu::sim::{Sim, pairs, take_trace};

async fn maps() {
    for _ in 0..3 {
        lazy_mmu::with::<Sim, _>(|mmu| mmu.note_store());
        ready(()).await;
    }
}

fn spawn(future: impl Future<Output = ()> + Send) -> impl Future<Output = ()> {
    future
}

fn main() {
    let mut future = pin!(spawn(maps()));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(future.as_mut().poll(&mut context), Poll::Ready(()));
    assert_eq!(pairs(&take_trace()), 3);
}
