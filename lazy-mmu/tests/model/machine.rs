//! Programs run on the crate, through its guards.

use std::mem::forget;
use std::panic::resume_unwind;

use lazy_mmu_testing::prelude::*;
use lazy_mmu_testing::program::{End, Op, Scope};

/// Every store that needs the pair goes to this entry.
static SLOT: AtomicU64 = AtomicU64::new(0);
/// The others to this.
static USER_SLOT: AtomicU64 = AtomicU64::new(0);

fn entry(needs_pair: bool) -> (&'static AtomicU64, Leaf) {
    if needs_pair {
        (&SLOT, KERNEL)
    } else {
        (&USER_SLOT, USERS)
    }
}

/// Runs `program` as a task that has its handle; returns the trace, a letter an event.
///
/// Errors if at the end a store lacks its pair, or a bit is set.
pub(crate) fn run<B: Backend>(program: &[Op]) -> Result<String, String> {
    if sim::bits::<B>() != Bits::EMPTY || !sim::is_settled(&SLOT) {
        // A program before has failed: this one gets a task of its own.
        sim::switch_to(sim::spawn());
        sim::execute(Event::DsbIshst);
        sim::execute(Event::Isb);
    }
    sim::take_trace();
    at_top(&mut task::<B>(), program);
    let trace = trace();
    if !sim::is_settled(&SLOT) {
        return Err(format!("a pair is lost: {trace}"));
    }
    if sim::bits::<B>() != Bits::EMPTY {
        return Err(format!("{:?} at the end: {trace}", sim::bits::<B>()));
    }
    Ok(trace)
}

/// Ends a closure as `how` says: with a panic that has no message, or by returning.
fn unwind_if(how: End) {
    if how == End::Panic {
        resume_unwind(Box::new(()));
    }
}

/// Runs `scope`, which panics if `how` says so, and no other way.
fn caught(how: End, scope: impl FnOnce()) {
    assert_eq!(unwinds(scope), how == End::Panic, "no other panic");
}

/// Ends an owned guard.
fn end<G>(guard: G, how: End) {
    if how == End::Forget {
        return forget(guard);
    }
    caught(how, || {
        let _guard = guard;
        unwind_if(how);
    });
}

/// With the handle of the task in hand.
fn at_top<B: Backend>(task: &mut Task<B>, ops: &[Op]) {
    for op in ops {
        match op {
            Op::Scope(Scope::Section, ops, how) => {
                let mut section = task.enter();
                in_section(&mut section, ops);
                end(section, *how);
            }
            Op::Scope(Scope::Pause, ops, how) => caught(*how, || {
                paused::<B, _>(|| {
                    at_top(task, ops);
                    unwind_if(*how);
                });
            }),
            other => without_section::<B>(std::slice::from_ref(other)),
        }
    }
}

/// With a section in hand.
fn in_section<L: Nesting, B: Backend>(mmu: &mut LazyMmu<'_, L, B>, ops: &[Op]) {
    for op in ops {
        match op {
            Op::Store(needs_pair) => {
                let (slot, leaf) = entry(*needs_pair);
                mmu.write(slot, leaf);
            }
            Op::Flush => drop(mmu.flush()),
            Op::Scope(Scope::Section, ops, how) => {
                let mut nested = mmu.nest();
                in_section(&mut nested, ops);
                end(nested, *how);
            }
            Op::Scope(Scope::Pause, ops, how) => caught(*how, || {
                mmu.paused(|| {
                    without_section::<B>(ops);
                    unwind_if(*how);
                });
            }),
            other @ Op::Scope(..) => without_section::<B>(std::slice::from_ref(other)),
        }
    }
}

/// With nothing in hand.
fn without_section<B: Backend>(ops: &[Op]) {
    for op in ops {
        let (scope, ops, how) = match op {
            Op::Store(needs_pair) => {
                let (slot, leaf) = entry(*needs_pair);
                write::<B, _>(slot, leaf);
                continue;
            }
            Op::Flush => {
                flush::<B>();
                continue;
            }
            Op::Scope(scope, ops, how) => (scope, ops, *how),
        };
        let in_section = |mmu: &mut LazyMmu<'_, Dynamic, B>| {
            in_section(mmu, ops);
            unwind_if(how);
        };
        let in_pause = || {
            without_section::<B>(ops);
            unwind_if(how);
        };
        caught(how, || match scope {
            Scope::Section | Scope::Unknowing => with::<B, _>(in_section),
            Scope::Join => join::<B, _>(in_section),
            Scope::Pause => paused::<B, _>(in_pause),
            Scope::Interrupt => sim::interrupt(in_pause),
        });
    }
}
