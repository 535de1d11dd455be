//! Every interleaving of a hart that maps pages and a hart that takes a trap, in a model.
//!
//! The model has what the specification permits: the second hart may have cached any entry as
//! invalid, at any time until the store reaches it, and a store may reach it late unless a fence
//! orders it. A fence of the second hart drops its cached entries, and reads the entries that have
//! reached it.

extern crate std;
use std::collections::BTreeSet;
use std::vec::Vec;

use super::*;

/// The steps of the hart that maps two pages, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Map {
    /// Stores the entry of a page. The store reaches the other hart at once, or late.
    Store(usize),
    /// Waits until the earlier stores have reached the other hart: `fence rw, w`.
    Order,
    /// Sets the flag of the other hart.
    Flag,
    /// Hands the page to the other hart, which may access it from now on.
    HandOver(usize),
}

/// The steps of the hart that takes a trap, from the start to the return.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Trap {
    /// Loads the flag, and goes on behind the next `End` if it is 0.
    Test,
    Clear,
    Fence,
    End,
    /// Accesses a page that may be new, such as a stack. If the access faults, a new trap begins
    /// with the steps since the last access.
    Access(usize),
    /// Waits until the page is handed over: the scheduler takes a task with a new stack.
    Await(usize),
    /// Accesses a page where a fault cannot be repaired, because `sepc` is loaded.
    LastAccess(usize),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct State {
    /// The next step of each hart.
    map: usize,
    trap: usize,
    /// Whether a page's entry is stored, and whether the store has reached the other hart.
    stored: [bool; 2],
    reached: [bool; 2],
    handed_over: [bool; 2],
    /// Whether the other hart has cached the page's entry as invalid.
    stale: [bool; 2],
    flag: bool,
}

/// A fault that the kernel cannot repair: the flag is gone, `sepc` is overwritten, or the trap
/// begins with the access that faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Lost;

const MAP: [Map; 8] = [
    Map::Store(0),
    Map::Order,
    Map::Flag,
    Map::HandOver(0),
    Map::Store(1),
    Map::Order,
    Map::Flag,
    Map::HandOver(1),
];

const CHECK: [Trap; 4] = [Trap::Test, Trap::Clear, Trap::Fence, Trap::End];

/// The trap of a thread whose access faulted, and which then runs on a new stack.
fn trap(check: &[Trap], page: usize) -> Vec<Trap> {
    [check, &[Trap::Access(page)]].concat()
}

/// Runs all interleavings. A trap can always go on until its end.
fn run(map: &[Map], traps: &[Vec<Trap>]) -> Result<(), Lost> {
    let start = State {
        map: 0,
        trap: 0,
        stored: [false; 2],
        reached: [false; 2],
        handed_over: [false; 2],
        // The hart has cached both entries before they became valid.
        stale: [true; 2],
        flag: false,
    };
    let steps: Vec<Trap> = traps.concat();
    let (mut seen, mut left) = (BTreeSet::new(), Vec::from([start]));
    let mut is_finished = false;
    while let Some(state) = left.pop() {
        if !seen.insert(state.clone()) {
            continue;
        }
        is_finished |= state.trap == steps.len();
        // A store reaches the other hart at any time. Until then the hart may read the entry.
        for page in (0..2).filter(|page| !state.reached[*page]) {
            let mut next = state.clone();
            next.stale[page] = true;
            left.push(next.clone());
            next.reached[page] = next.stored[page];
            left.push(next);
        }
        if let Some(step) = map.get(state.map) {
            let mut next = state.clone();
            next.map += 1;
            match *step {
                Map::Store(page) => next.stored[page] = true,
                Map::Order => next.reached = next.stored,
                Map::Flag => next.flag = true,
                Map::HandOver(page) => next.handed_over[page] = true,
            }
            left.push(next);
        }
        if let Some(step) = steps.get(state.trap) {
            let mut next = state.clone();
            next.trap += 1;
            match *step {
                Trap::Test if !next.flag => {
                    let rest = &steps[state.trap..];
                    next.trap += rest.iter().position(|it| *it == Trap::End).unwrap();
                }
                Trap::Clear => next.flag = false,
                Trap::Fence => {
                    for page in 0..2 {
                        next.stale[page] &= !next.reached[page];
                    }
                }
                // The access waits until the page is handed over.
                Trap::Await(page) | Trap::Access(page) if !next.handed_over[page] => continue,
                Trap::Access(page) => {
                    if next.stale[page] {
                        let check = since_the_last_access(&steps[..state.trap]);
                        if !next.flag || check == 0 {
                            return Err(Lost);
                        }
                        next.trap = state.trap - check;
                    }
                }
                Trap::LastAccess(page) if next.stale[page] => return Err(Lost),
                Trap::Test | Trap::End | Trap::Await(_) | Trap::LastAccess(_) => {}
            }
            left.push(next);
        }
    }
    assert!(is_finished, "no interleaving gets to the end");
    Ok(())
}

/// Returns the number of steps since the last access.
fn since_the_last_access(before: &[Trap]) -> usize {
    let is_check = |it: &&Trap| !matches!(it, Trap::Access(_));
    before.iter().rev().take_while(is_check).count()
}

#[test]
fn r05_every_interleaving_of_a_new_mapping_and_a_trap_finds_the_mapping() {
    let traps = [trap(&CHECK, 0), trap(&CHECK, 1)];
    assert_eq!(run(&MAP, &traps), Ok(()));
}

#[test]
fn r05_the_model_finds_each_order_that_loses_a_mapping() {
    let traps = |check: &[Trap]| [trap(check, 0), trap(check, 1)];
    // The flag is cleared after the fence: a flag that is set in between is lost.
    let cleared_late = [Trap::Test, Trap::Fence, Trap::Clear, Trap::End];
    assert_eq!(run(&MAP, &traps(&cleared_late)), Err(Lost));
    // The fence is left out, as with Svvptc in Linux before 1b2c6b56a9fa.
    let without_fence = [Trap::Test, Trap::Clear, Trap::End];
    assert_eq!(run(&MAP, &traps(&without_fence)), Err(Lost));
    // The fence comes before the test, and does not see what the flag says.
    let fence_first = [Trap::Fence, Trap::Test, Trap::Clear, Trap::End];
    assert_eq!(run(&MAP, &traps(&fence_first)), Err(Lost));
    // The mapping hart sets the flag before its store reaches the other hart, or before it stores.
    let mut unordered = MAP.to_vec();
    unordered.retain(|it| *it != Map::Order);
    assert_eq!(run(&unordered, &traps(&CHECK)), Err(Lost));
    let mut flag_first = MAP.to_vec();
    flag_first[..3].rotate_right(1);
    flag_first[4..7].rotate_right(1);
    assert_eq!(run(&flag_first, &traps(&CHECK)), Err(Lost));
    // A page is made valid without a flag, as in Linux's kfence before 8d6c8c40e733.
    let mut without_flag = MAP.to_vec();
    without_flag.remove(2);
    assert_eq!(run(&without_flag, &traps(&CHECK)), Err(Lost));
}

#[test]
fn r06_the_check_comes_before_the_first_access_to_a_stack_and_on_the_return_path() {
    // The first page is the stack of the trap. The second one is that of the task to which the
    // scheduler switches, and the exit code restores registers from it.
    let way_out = [Trap::LastAccess(1)];
    let with_check = [
        trap(&CHECK, 0),
        [&[Trap::Await(1)], &CHECK[..], &way_out].concat(),
    ];
    assert_eq!(run(&MAP, &with_check), Ok(()));
    let without = [trap(&CHECK, 0), [&[Trap::Await(1)], &way_out[..]].concat()];
    assert_eq!(run(&MAP, &without), Err(Lost));
    // An interrupt between the clear and the fence accesses its stack, and finds the flag clear.
    let [test, clear, fence, end] = CHECK;
    let interrupted = [[test, clear, Trap::Access(0), fence, end].to_vec()];
    assert_eq!(run(&MAP, &interrupted), Err(Lost));
    // The entry code accesses the stack before it checks: the fault repeats itself.
    let late = [[&[Trap::Access(0)], &CHECK[..]].concat()];
    assert_eq!(run(&MAP, &late), Err(Lost));
}

/// The flags of two harts, of which the test is the first.
static FLAGS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

struct Flags;

// SAFETY: only one test uses the flags.
unsafe impl HartFlags for Flags {
    fn for_each(set: impl FnMut(&AtomicU32)) {
        FLAGS.iter().for_each(set);
    }

    fn this_hart() -> &'static AtomicU32 {
        &FLAGS[0]
    }
}

#[test]
fn r05_a_new_mapping_sets_the_flag_of_each_hart_and_a_hart_takes_its_own() {
    let flags = || [&FLAGS[0], &FLAGS[1]].map(|it| it.load(Ordering::Relaxed));
    // SAFETY: no interrupt comes on a host.
    assert!(!unsafe { OnFault::<Flags, crate::riscv64::OneHart>::check() });
    OnFault::<Flags, crate::riscv64::OneHart>::fence();
    assert_eq!(flags(), [1, 1]);
    assert!(take(Flags::this_hart()));
    assert_eq!(flags(), [0, 1]);
    assert!(!take(Flags::this_hart()));
}

#[test]
fn r06_the_assembly_clears_the_flag_before_the_fence() {
    let lines = crate::riscv64::check_new_mappings!("t0", "16(tp)");
    let expected = [
        "lw t0, 16(tp)",
        "beqz t0, 9f",
        "sw zero, 16(tp)",
        "fence rw, rw",
        "sfence.vma x0, x0",
        "9:",
    ];
    assert!(lines.lines().eq(expected));
}

#[cfg(not(target_arch = "riscv64"))]
#[test]
fn r05_the_flag_is_cleared_before_the_fence() {
    static FLAG: AtomicU32 = AtomicU32::new(0);

    struct One;
    // SAFETY: only this test uses the flag.
    unsafe impl HartFlags for One {
        fn for_each(mut set: impl FnMut(&AtomicU32)) {
            set(&FLAG);
        }

        fn this_hart() -> &'static AtomicU32 {
            &FLAG
        }
    }

    OnFault::<One, crate::riscv64::OneHart>::fence();
    // SAFETY: no interrupt comes on a host.
    let check = || unsafe { OnFault::<One, crate::riscv64::OneHart>::check() };
    // The fence panics on this architecture.
    assert!(std::panic::catch_unwind(check).is_err());
    assert_eq!(FLAG.load(Ordering::Relaxed), 0);
}
