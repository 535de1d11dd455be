//! Programs run on the crate, through its guards.

use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, USER_DATA};
use lazy_mmu::sim::{self, Event};
use lazy_mmu::{Backend, Bits, LazyMmu, Nesting, Task, flush, join, paused, with, write};

use crate::letters::letters;
use crate::program::{End, Op};

/// Every store that needs the pair goes to this entry.
static SLOT: AtomicU64 = AtomicU64::new(0);
/// The others to this.
static USER_SLOT: AtomicU64 = AtomicU64::new(0);

fn entry(needs_pair: bool) -> (&'static AtomicU64, Leaf) {
    if needs_pair {
        (&SLOT, Leaf::page(0x4000_0000, KERNEL_DATA))
    } else {
        (&USER_SLOT, Leaf::page(0x4000_0000, USER_DATA))
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
    // SAFETY: the only handle of this thread and backend; dropped below.
    let mut task = unsafe { Task::<B>::current() };
    at_top(&mut task, program);
    drop(task);
    let trace = letters(&sim::take_trace());
    if !sim::is_settled(&SLOT) {
        return Err(format!("a pair is lost: {trace}"));
    }
    if sim::bits::<B>() != Bits::EMPTY {
        return Err(format!("{:?} at the end: {trace}", sim::bits::<B>()));
    }
    Ok(trace)
}

/// Runs `body`, which panics at its end if `panics`, and catches that.
fn perhaps_panicking(panics: bool, body: impl FnOnce()) {
    let result = catch_unwind(AssertUnwindSafe(|| {
        body();
        if panics {
            // Without the panic hook and its message.
            resume_unwind(Box::new(()));
        }
    }));
    assert_eq!(result.is_err(), panics, "no other panic");
}

/// Ends an owned guard.
fn end<G>(guard: G, how: End) {
    match how {
        End::Leave => drop(guard),
        End::Forget => forget(guard),
        End::Panic => perhaps_panicking(true, move || {
            let _unwound = guard;
            resume_unwind(Box::new(()));
        }),
    }
}

/// With the handle of the task in hand.
fn at_top<B: Backend>(task: &mut Task<B>, ops: &[Op]) {
    for op in ops {
        match op {
            Op::Section(ops, how) => {
                let mut section = task.enter();
                in_section(&mut section, ops);
                end(section, *how);
            }
            Op::Pause(ops, how) => {
                perhaps_panicking(*how == End::Panic, || {
                    paused::<B, _>(|| {
                        at_top(task, ops);
                        unwind_if(*how == End::Panic);
                    });
                });
            }
            other => without_section::<B>(std::slice::from_ref(other)),
        }
    }
}

fn unwind_if(panics: bool) {
    if panics {
        resume_unwind(Box::new(()));
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
            Op::Flush => {
                mmu.flush();
            }
            Op::Section(ops, how) => {
                let mut nested = mmu.nest();
                in_section(&mut nested, ops);
                end(nested, *how);
            }
            Op::Pause(ops, how) => {
                let panics = *how == End::Panic;
                perhaps_panicking(panics, || {
                    mmu.paused(|| {
                        without_section::<B>(ops);
                        unwind_if(panics);
                    });
                });
            }
            Op::Unknowing(..) | Op::Join(..) | Op::Interrupt(_) => {
                without_section::<B>(std::slice::from_ref(op));
            }
        }
    }
}

/// With nothing in hand.
fn without_section<B: Backend>(ops: &[Op]) {
    for op in ops {
        match op {
            Op::Store(needs_pair) => {
                let (slot, leaf) = entry(*needs_pair);
                write::<B, _>(slot, leaf);
            }
            Op::Flush => flush::<B>(),
            Op::Section(ops, how) => {
                let panics = *how == End::Panic;
                perhaps_panicking(panics, || {
                    with::<B, _>(|mmu| {
                        in_section(mmu, ops);
                        unwind_if(panics);
                    });
                });
            }
            Op::Unknowing(ops, panics) => {
                perhaps_panicking(*panics, || {
                    with::<B, _>(|mmu| {
                        in_section(mmu, ops);
                        unwind_if(*panics);
                    });
                });
            }
            Op::Join(ops, panics) => {
                perhaps_panicking(*panics, || {
                    join::<B, _>(|mmu| {
                        in_section(mmu, ops);
                        unwind_if(*panics);
                    });
                });
            }
            Op::Pause(ops, how) => {
                let panics = *how == End::Panic;
                perhaps_panicking(panics, || {
                    paused::<B, _>(|| {
                        without_section::<B>(ops);
                        unwind_if(panics);
                    });
                });
            }
            Op::Interrupt(ops) => sim::interrupt(|| without_section::<B>(ops)),
        }
    }
}
