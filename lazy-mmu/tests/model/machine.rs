//! Runs programs on the crate, through its guards and closures.

use std::mem::forget;
use std::panic::resume_unwind;

use lazy_mmu_testing::prelude::*;
use lazy_mmu_testing::program::{End, Op, Scope};

/// The entry of the stores that need the pair.
static SLOT: AtomicU64 = AtomicU64::new(0);
/// The entry of the other stores.
static USER_SLOT: AtomicU64 = AtomicU64::new(0);

fn entry(needs_pair: bool) -> (&'static AtomicU64, Leaf) {
    if needs_pair {
        (&SLOT, KERNEL)
    } else {
        (&USER_SLOT, USERS)
    }
}

/// Runs `program` as a task with its handle. Returns the trace, with a letter for each event, or an
/// error if a store does not have its pair at the end, or a bit is set.
pub(crate) fn run<B: Backend>(program: &[Op]) -> Result<String, String> {
    if sim::bits::<B>() != Bits::EMPTY || !sim::is_settled(&SLOT) {
        // An earlier program has failed, so this one gets a new task.
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

/// Panics without a message if `how` is a panic, or returns.
fn unwind_if(how: End) {
    if how == End::Panic {
        resume_unwind(Box::new(()));
    }
}

/// Runs `scope`, and checks that it panics exactly if `how` is a panic.
fn caught(how: End, scope: impl FnOnce()) {
    assert_eq!(unwinds(scope), how == End::Panic, "an unexpected panic");
}

/// Ends a guard.
fn end<G>(guard: G, how: End) {
    if how == End::Forget {
        return forget(guard);
    }
    caught(how, || {
        let _guard = guard;
        unwind_if(how);
    });
}

/// Runs `ops` in code that has the handle of the task.
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

/// Runs `ops` in code that holds a guard.
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

/// Runs `ops` in code that has neither a handle nor a section.
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
