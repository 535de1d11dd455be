//! Every legal order of two lineages of sections: the task's handle, whose guard may be dropped
//! late, moved out of scopes or forgotten, and the closures' sections, which may join; with
//! pauses, and with contexts that count as interrupts and end inside a section.
//!
//! Each order is run against the crate from the start. After each step the promises of `soundness`
//! are checked. Orders that lead to the same state have the same future, so only the first of them
//! goes on.

// Under Miri even one scope takes five minutes. (It has passed there so, in both models.)
#![cfg(not(miri))]

use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::marker::PhantomData;
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::raw::Kind;
use lazy_mmu::sim::{self, Sim, SimOwnByte, is_settled};
use lazy_mmu::{
    Backend, Bits, Dynamic, Event, LazyMmu, Machine as _, Outer, Storage, Task, Wrapped, Wrapper,
    join, paused, with, write,
};

const PAGE: Leaf = Leaf::page(0x4000_0000, KERNEL_DATA);

/// How deep scopes nest; with a section that may join among them, one less. The states are all that
/// there are at this depth. `cargo xtask verify` goes deeper.
static DEPTH: LazyLock<usize> = LazyLock::new(|| {
    std::env::var("LAZY_MMU_SEARCH_DEPTH").map_or(5, |it| {
        it.parse().expect("LAZY_MMU_SEARCH_DEPTH is a number")
    })
});

/// A step of an order. Numbers are those of the closures' sections, from outside in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Op {
    /// A store by code that has no section.
    Write,
    /// A flush by code that has no section.
    Flush,
    /// The context begins to count as an interrupt, or ceases to.
    Softirqs,
    /// `with(|section| ..`
    With,
    /// `join(|section| ..`
    Join,
    /// `paused(|| ..`
    Paused,
    /// `section.paused(|| ..`
    SectionPaused(usize),
    /// `guard.paused(|| ..`
    GuardPaused,
    /// The innermost closure returns.
    Close,
    SectionWrite(usize),
    SectionFlush(usize),
    /// A nested section of it stores, and is left or forgotten.
    SectionNest(usize, bool),
    /// `guard = handle.enter()`
    Enter,
    GuardWrite,
    GuardFlush,
    GuardNest(bool),
    GuardDrop,
    GuardForget,
    CheckIdle,
}

/// A closure that has not returned.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Scope {
    Section,
    /// A section that may have joined the one that was open.
    Join,
    Paused,
    SectionPaused(usize),
    GuardPaused,
}

impl Scope {
    fn is_section(self) -> bool {
        matches!(self, Self::Section | Self::Join)
    }
}

/// The scopes of an order, and whether there is a guard of the handle.
#[derive(Clone, Default)]
struct Shape {
    scopes: Vec<Scope>,
    guard: bool,
}

impl Shape {
    fn after(ops: &[Op]) -> Self {
        let mut shape = Self::default();
        for op in ops {
            match *op {
                Op::With => shape.scopes.push(Scope::Section),
                Op::Join => shape.scopes.push(Scope::Join),
                Op::Paused => shape.scopes.push(Scope::Paused),
                Op::SectionPaused(i) => shape.scopes.push(Scope::SectionPaused(i)),
                Op::GuardPaused => shape.scopes.push(Scope::GuardPaused),
                Op::Close => drop(shape.scopes.pop()),
                Op::Enter => shape.guard = true,
                Op::GuardDrop | Op::GuardForget => shape.guard = false,
                _ => {}
            }
        }
        shape
    }

    /// What the borrow checker accepts next.
    fn legal(&self) -> Vec<Op> {
        let mut ops = vec![Op::Write, Op::Flush, Op::Softirqs];
        // Joins at the full depth would make twice as many states.
        let joins = usize::from(self.scopes.contains(&Scope::Join));
        let has_room = self.scopes.len() + joins < *DEPTH;
        if has_room {
            ops.extend([Op::With, Op::Paused]);
            if self.scopes.len() + 1 < *DEPTH {
                ops.push(Op::Join);
            }
        }
        if !self.scopes.is_empty() {
            ops.push(Op::Close);
        }
        let sections = self.scopes.iter().filter(|it| it.is_section());
        for i in 0..sections.count() {
            // While it is paused it is borrowed.
            if self.scopes.contains(&Scope::SectionPaused(i)) {
                continue;
            }
            ops.extend([Op::SectionWrite(i), Op::SectionFlush(i)]);
            ops.extend([Op::SectionNest(i, false), Op::SectionNest(i, true)]);
            if has_room {
                ops.push(Op::SectionPaused(i));
            }
        }
        if !self.guard {
            ops.extend([Op::Enter, Op::CheckIdle]);
        } else if !self.scopes.contains(&Scope::GuardPaused) {
            ops.extend([
                Op::GuardWrite,
                Op::GuardFlush,
                Op::GuardDrop,
                Op::GuardForget,
            ]);
            ops.extend([Op::GuardNest(false), Op::GuardNest(true)]);
            if has_room {
                ops.push(Op::GuardPaused);
            }
        }
        ops
    }
}

std::thread_local! {
    /// Whether the context counts as an interrupt.
    static SOFTIRQS_DISABLED: Cell<bool> = const { Cell::new(false) };
    /// How often the mode has begun and not ended, as the hooks tell it.
    static MODE: Cell<i32> = const { Cell::new(0) };
    /// What each open closure's enter or pause did; `None` if it has joined a section.
    static KINDS: RefCell<Vec<Option<Kind>>> = const { RefCell::new(Vec::new()) };
    /// The kind of the last enter or pause.
    static LAST: Cell<Option<Kind>> = const { Cell::new(None) };
    /// What is broken.
    static BROKEN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The backend `B`, whose context and hooks the search knows, with the bits as `V` keeps them.
struct Searched<B, V>(PhantomData<(B, V)>);

// SAFETY: everything is `B`'s; the interrupt test is true in more contexts; the hooks touch no
// bits. A flawed `V` is what the search is to find.
unsafe impl<B: Backend, V: Variant> Backend for Searched<B, V> {
    type Storage = Kept<B::Storage, V>;
    type Machine = Wrapped<Self>;

    fn current() -> Self::Storage {
        Kept(B::current(), PhantomData)
    }

    fn in_interrupt() -> bool {
        SOFTIRQS_DISABLED.get()
    }

    const HAS_HOOKS: bool = true;

    fn mode_begins() {
        MODE.set(MODE.get() + 1);
    }

    fn mode_ends() {
        MODE.set(MODE.get() - 1);
    }
}

// SAFETY: the machine is `B`'s.
unsafe impl<B: Backend, V: Variant> Wrapper for Searched<B, V> {
    type Inner = B;

    fn observe(event: Event) {
        if let Event::Enter(kind) | Event::Pause(kind) = event {
            LAST.set(Some(kind));
        }
        B::Machine::observe(event);
    }
}

/// A way in which the protocol could be wrong, as changes of the bits.
trait Variant: 'static {
    /// The bits that the protocol sees.
    fn seen(bits: Bits) -> Bits {
        bits
    }

    /// What else is set where the protocol sets `bits` of `before`; and what else is cleared.
    fn set(_before: Bits, _bits: Bits) -> (Bits, Bits) {
        (Bits::EMPTY, Bits::EMPTY)
    }

    /// The same where it clears them.
    fn clear(_before: Bits, _bits: Bits) -> (Bits, Bits) {
        (Bits::EMPTY, Bits::EMPTY)
    }
}

/// The crate as it is.
struct Sound;
impl Variant for Sound {}

/// A pause clears ACTIVE, and its end sets it again.
struct PauseClearsActive;
impl Variant for PauseClearsActive {
    fn set(before: Bits, bits: Bits) -> (Bits, Bits) {
        let was_active = bits.contains(Bits::PAUSED) && before.contains(Bits::ACTIVE);
        RESUMES.set(was_active || RESUMES.get());
        (
            Bits::EMPTY,
            if was_active {
                Bits::ACTIVE
            } else {
                Bits::EMPTY
            },
        )
    }

    fn clear(_: Bits, bits: Bits) -> (Bits, Bits) {
        let resumes = bits.contains(Bits::PAUSED) && RESUMES.replace(false);
        (
            if resumes { Bits::ACTIVE } else { Bits::EMPTY },
            Bits::EMPTY,
        )
    }
}
std::thread_local! {
    static RESUMES: Cell<bool> = const { Cell::new(false) };
}

/// The end of the mode ends a pause too.
struct EndEndsPause;
impl Variant for EndEndsPause {
    fn clear(_: Bits, bits: Bits) -> (Bits, Bits) {
        let ends = bits.contains(Bits::ACTIVE);
        (Bits::EMPTY, if ends { Bits::PAUSED } else { Bits::EMPTY })
    }
}

/// Nothing says that the handle began the mode.
struct NotOwned;
impl Variant for NotOwned {
    fn seen(bits: Bits) -> Bits {
        bits.difference(Bits::OWNED)
    }
}

/// A store looks at ACTIVE alone.
struct DefersWhilePaused;
impl Variant for DefersWhilePaused {
    fn seen(bits: Bits) -> Bits {
        if bits.contains(Bits::ACTIVE) {
            bits.difference(Bits::PAUSED)
        } else {
            bits
        }
    }
}

/// PENDING is forgotten when the mode is paused.
struct PauseForgetsPending;
impl Variant for PauseForgetsPending {
    fn seen(bits: Bits) -> Bits {
        if bits.contains(Bits::PAUSED) {
            bits.difference(Bits::PENDING)
        } else {
            bits
        }
    }

    fn set(_: Bits, bits: Bits) -> (Bits, Bits) {
        // The pair of what was stored before is left to the end of the pause.
        let pauses = bits.contains(Bits::PAUSED);
        (
            if pauses { Bits::PENDING } else { Bits::EMPTY },
            Bits::EMPTY,
        )
    }
}

/// The bits of the storage `S`, changed as `V` says.
struct Kept<S, V>(S, PhantomData<V>);

impl<S: Copy, V> Clone for Kept<S, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S: Copy, V> Copy for Kept<S, V> {}
impl<S: PartialEq, V> PartialEq for Kept<S, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<S: Storage, V: Variant> Kept<S, V> {
    /// Sets and clears, whatever the protocol has seen: a variant may have changed more.
    fn change(self, set: Bits, clear: Bits) {
        let seen = self.0.load();
        // SAFETY: the protocol's own change, or the variant's, which the search judges.
        unsafe { self.0.set(seen, set) };
        let seen = self.0.load();
        // SAFETY: as above.
        unsafe { self.0.clear(seen, clear) };
    }
}

impl<S: Storage, V: Variant> Storage for Kept<S, V> {
    fn inert() -> Self {
        Self(S::inert(), PhantomData)
    }

    fn load(self) -> Bits {
        V::seen(self.0.load())
    }

    unsafe fn set(self, _: Bits, bits: Bits) {
        let (set, clear) = V::set(self.0.load(), bits);
        self.change(set.union(bits), clear);
    }

    unsafe fn clear(self, _: Bits, bits: Bits) {
        let (set, clear) = V::clear(self.0.load(), bits);
        self.change(set, clear.union(bits));
    }
}

/// What the future of an order depends on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    bits: [bool; 4],
    settled: bool,
    softirqs_disabled: bool,
    mode: i32,
    scopes: Vec<(Scope, Option<Kind>)>,
    guard: bool,
}

/// What a closure does, given its section.
type Inside<'i, B> = dyn FnMut(Option<*mut LazyMmu<'static, Dynamic, B>>) + 'i;

/// An order that is being run.
struct Run<'o, B: Backend> {
    ops: &'o [Op],
    /// How many have been run.
    at: usize,
    handle: *mut Task<B>,
    /// The handle's guard. It lives outside all scopes, so it may outlive any of them.
    guard: Option<LazyMmu<'static, Outer, B>>,
    /// The closures' sections.
    sections: Vec<*mut LazyMmu<'static, Dynamic, B>>,
    slot: &'o AtomicU64,
    shape: Shape,
    /// The state after the last step, before the scopes are left.
    end: Option<State>,
}

fn fails(promise: &str) {
    BROKEN.with_borrow_mut(|it| {
        it.get_or_insert_with(|| promise.to_owned());
    });
}

impl<B: Backend> Run<'_, B> {
    /// A section that has joined nothing is as any other.
    fn scopes(&self) -> Vec<(Scope, Option<Kind>)> {
        KINDS.with_borrow(|kinds| {
            self.shape
                .scopes
                .iter()
                .copied()
                .zip(kinds.clone())
                .map(|it| match it {
                    (Scope::Join, kind @ Some(_)) => (Scope::Section, kind),
                    it => it,
                })
                .collect()
        })
    }

    /// The promises that hold after every step.
    fn check(&mut self) {
        let bits = sim::bits::<B>();
        let settled = is_settled(self.slot);
        let scopes = self.scopes();
        let began = |it: &(Scope, Option<Kind>)| *it == (Scope::Section, Some(Kind::Outermost));
        if !settled && !bits.contains(Bits::PENDING) {
            fails("a store has no pair, and nothing is pending");
        }
        if bits.contains(Bits::PENDING) && !bits.contains(Bits::ACTIVE) {
            fails("something is pending outside the mode");
        }
        if bits.contains(Bits::ACTIVE) && !bits.contains(Bits::OWNED) && !scopes.iter().any(began) {
            fails("the mode is on, and nobody ends it");
        }
        if scopes
            .iter()
            .any(|it| !it.0.is_section() && it.1 != Some(Kind::Inert))
            && (bits.defers() || !settled)
        {
            fails("inside a pause a store is not immediate");
        }
        if MODE.get() != i32::from(bits.defers()) {
            fails("the hooks are not balanced");
        }
        if scopes.is_empty()
            && !self.shape.guard
            && !bits.contains(Bits::OWNED)
            && bits != Bits::EMPTY
        {
            fails("nothing is open, and bits are set");
        }
        if self.at == self.ops.len() && self.end.is_none() {
            self.end = Some(State {
                bits: [Bits::ACTIVE, Bits::PENDING, Bits::PAUSED, Bits::OWNED]
                    .map(|it| bits.contains(it)),
                settled,
                softirqs_disabled: SOFTIRQS_DISABLED.get(),
                mode: MODE.get(),
                scopes,
                guard: self.shape.guard,
            });
        }
    }

    /// What a section changes.
    fn now(&self) -> (Bits, bool, i32) {
        (sim::bits::<B>(), is_settled(self.slot), MODE.get())
    }

    /// Checks that a flush, or a leave, of a section that was entered as `kind` has left no store
    /// without its pair.
    fn check_flushed(&self, kind: Kind) {
        // The token decides; an inert one asks the context.
        if !is_settled(self.slot) && (kind != Kind::Inert || !SOFTIRQS_DISABLED.get()) {
            fails("a section was flushed or left, and a store has no pair");
        }
    }

    /// The kind of the closures' section number `i`. One that has joined another flushes as a
    /// nested one.
    fn kind_of(&self, i: usize) -> Kind {
        let scopes = self.scopes();
        let mut sections = scopes.iter().filter(|it| it.0.is_section());
        let kind = sections.nth(i).expect("it is open").1;
        kind.unwrap_or(Kind::Nested)
    }

    /// Runs steps until the present closure returns, or the order ends.
    fn scope(&mut self) {
        while let Some(&op) = self.ops.get(self.at) {
            self.at += 1;
            if op == Op::Close {
                return;
            }
            self.step(op);
            self.check();
        }
    }

    /// Runs a closure: `open` calls its argument inside, with the closure's section if it has one.
    fn open(&mut self, scope: Scope, open: impl FnOnce(&mut Inside<'_, B>)) {
        self.shape.scopes.push(scope);
        let before = self.now();
        let joins = scope == Scope::Join && !SOFTIRQS_DISABLED.get() && before.0.defers();
        let mut at_end = before;
        LAST.set(None);
        open(&mut |section| {
            let kind = LAST.take();
            if kind.is_none() != joins {
                fails("a section joins where it should not, or not where it should");
            }
            if joins && self.now() != before {
                fails("a section that joins another has changed something");
            }
            KINDS.with_borrow_mut(|kinds| kinds.push(kind));
            // It is used as long as its closure runs: then it is taken off the list.
            let open = self.sections.len();
            self.sections.extend(section);
            self.check();
            self.scope();
            self.sections.truncate(open);
            at_end = self.now();
        });
        let kind = KINDS.with_borrow_mut(Vec::pop).expect("it was opened");
        self.shape.scopes.pop();
        if joins && self.now() != at_end {
            fails("the end of a section that has joined another has changed something");
        }
        if let (true, Some(kind)) = (scope.is_section(), kind) {
            self.check_flushed(kind);
        }
    }

    #[expect(clippy::too_many_lines, reason = "one line for each operation")]
    fn step(&mut self, op: Op) {
        let slot = self.slot;
        match op {
            Op::Write => {
                let deferred = !SOFTIRQS_DISABLED.get() && sim::bits::<B>().defers();
                write::<B, _>(slot, PAGE);
                if is_settled(slot) == deferred {
                    fails("a store is deferred where it should not, or not where it should");
                }
            }
            Op::Flush => {
                lazy_mmu::flush::<B>();
                self.check_flushed(Kind::Inert);
            }
            Op::Softirqs => SOFTIRQS_DISABLED.set(!SOFTIRQS_DISABLED.get()),
            Op::With => {
                self.open(Scope::Section, |inside| {
                    with::<B, _>(|mmu| {
                        let section: *mut LazyMmu<'_, Dynamic, B> = mmu;
                        inside(Some(section.cast()));
                    });
                });
            }
            Op::Join => {
                self.open(Scope::Join, |inside| {
                    join::<B, _>(|mmu| {
                        let section: *mut LazyMmu<'_, Dynamic, B> = mmu;
                        inside(Some(section.cast()));
                    });
                });
            }
            Op::Paused => self.open(Scope::Paused, |inside| paused::<B, _>(|| inside(None))),
            Op::SectionPaused(i) => {
                let section = self.sections[i];
                self.open(Scope::SectionPaused(i), |inside| {
                    // SAFETY: it is open, and legal orders do not use it while it is paused.
                    unsafe { &mut *section }.paused(|| inside(None));
                });
            }
            Op::GuardPaused => {
                let mut guard = self.guard.take().expect("there is one");
                self.open(Scope::GuardPaused, |inside| guard.paused(|| inside(None)));
                self.guard = Some(guard);
            }
            Op::Close => unreachable!("`scope` returns"),
            Op::SectionWrite(i) => {
                let deferred = self.kind_of(i) != Kind::Inert && sim::bits::<B>().defers();
                // SAFETY: it is open, and not borrowed.
                unsafe { &mut *self.sections[i] }.write(slot, PAGE);
                if is_settled(slot) == deferred {
                    fails(
                        "a section's store is deferred where it should not, or not where it should",
                    );
                }
            }
            Op::SectionFlush(i) => {
                // SAFETY: as above.
                unsafe { &mut *self.sections[i] }.flush();
                self.check_flushed(self.kind_of(i));
            }
            Op::SectionNest(i, forget) => {
                // SAFETY: as above.
                let mut nested = unsafe { &mut *self.sections[i] }.nest();
                nested.write(slot, PAGE);
                if forget {
                    std::mem::forget(nested);
                } else {
                    drop(nested);
                    self.check_flushed(self.kind_of(i));
                }
            }
            Op::Enter => {
                // SAFETY: no guard of it lives, as the borrow checker demands of each order in a
                // program of its own.
                self.guard = Some(unsafe { &mut *self.handle }.enter());
                self.shape.guard = true;
            }
            Op::GuardWrite => {
                let deferred = sim::bits::<B>().defers();
                self.guard.as_mut().expect("there is one").write(slot, PAGE);
                if is_settled(slot) == deferred {
                    fails(
                        "the guard's store is deferred where it should not, or not where it should",
                    );
                }
            }
            Op::GuardFlush => {
                self.guard.as_mut().expect("there is one").flush();
                self.check_flushed(Kind::Outermost);
            }
            Op::GuardNest(forget) => {
                let mut nested = self.guard.as_mut().expect("there is one").nest();
                nested.write(slot, PAGE);
                if forget {
                    std::mem::forget(nested);
                } else {
                    drop(nested);
                    self.check_flushed(Kind::Nested);
                }
            }
            Op::GuardDrop => {
                self.shape.guard = false;
                drop(self.guard.take());
                self.check_flushed(Kind::Outermost);
            }
            Op::GuardForget => {
                self.shape.guard = false;
                std::mem::forget(self.guard.take());
            }
            Op::CheckIdle => {
                // SAFETY: no guard of it lives.
                let _ = unsafe { &mut *self.handle }.check_idle();
                if sim::bits::<B>().contains(Bits::OWNED) {
                    fails("a forgotten guard was not left");
                }
            }
        }
    }
}

/// Runs `ops` from the start, leaves everything, and tells the state after the last of them.
fn run<B: Backend>(ops: &[Op]) -> Result<State, String> {
    sim::switch_to(sim::spawn());
    SOFTIRQS_DISABLED.set(false);
    MODE.set(0);
    RESUMES.set(false);
    KINDS.take();
    BROKEN.take();
    let slot = AtomicU64::new(0);
    // SAFETY: the only handle of this task.
    let mut handle = unsafe { Task::<B>::current() };
    let mut run = Run {
        ops,
        at: 0,
        handle: &raw mut handle,
        guard: None,
        sections: Vec::new(),
        slot: &slot,
        shape: Shape::default(),
        end: None,
    };
    run.check();
    run.scope();
    SOFTIRQS_DISABLED.set(false);
    drop(run.guard.take());
    let end = run.end.take().expect("the last step was checked");
    drop(handle);
    if sim::bits::<B>() != Bits::EMPTY || !is_settled(&slot) || MODE.get() != 0 {
        fails("everything is left, and bits are set or a store has no pair");
    }
    sim::take_trace();
    BROKEN.take().map_or(Ok(end), Err)
}

/// All states, or the shortest order that breaks a promise.
fn search<B: Backend>() -> Result<usize, String> {
    let mut seen = HashSet::new();
    let mut orders = VecDeque::from([Vec::new()]);
    while let Some(order) = orders.pop_front() {
        for op in Shape::after(&order).legal() {
            let mut order = order.clone();
            order.push(op);
            let state = run::<B>(&order).map_err(|promise| format!("{promise}: {order:?}"))?;
            if seen.insert(state) {
                orders.push_back(order);
            }
        }
    }
    Ok(seen.len())
}

#[test]
fn s18_every_order_of_two_lineages_keeps_the_promises() {
    for states in [
        search::<Searched<Sim, Sound>>(),
        search::<Searched<SimOwnByte, Sound>>(),
    ] {
        let states = states.unwrap();
        let depth = *DEPTH;
        println!("{states} states, {depth} scopes deep, and every legal step from each");
        assert!(states > 1000, "{states}");
    }
}

#[test]
fn every_flawed_variant_breaks_a_promise() {
    type Search = fn() -> Result<usize, String>;
    let variants: [(&str, Search); 5] = [
        (
            "a pause clears ACTIVE",
            search::<Searched<Sim, PauseClearsActive>>,
        ),
        (
            "the end of the mode ends a pause",
            search::<Searched<Sim, EndEndsPause>>,
        ),
        (
            "nothing says that the handle began the mode",
            search::<Searched<Sim, NotOwned>>,
        ),
        (
            "a store looks at ACTIVE alone",
            search::<Searched<Sim, DefersWhilePaused>>,
        ),
        (
            "a pause keeps what is pending",
            search::<Searched<Sim, PauseForgetsPending>>,
        ),
    ];
    for (variant, search) in variants {
        let broken = search().expect_err(variant);
        println!("{variant}: {broken}");
    }
}
