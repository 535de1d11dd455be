//! Every legal order of two lineages of sections: the task's handle, whose guard may be dropped
//! late, moved out of scopes or forgotten, and the closures' sections, which may join; with
//! pauses, and with contexts that count as interrupts and end inside a section.
//!
//! Each order is run against the crate from the start. After each step the promises of `soundness`
//! are checked. Orders that lead to the same state have the same future, so only the first of them
//! goes on.

// Under Miri even one scope takes five minutes. (It has passed there so, in both models.)
#![cfg(not(miri))]

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::marker::PhantomData;
use std::mem::forget;
use std::sync::LazyLock;

use lazy_mmu_testing::prelude::*;

/// How deep scopes nest; with a section that may join among them, one less. The states are all that
/// there are at this depth. `cargo xtask verify` goes deeper.
static DEPTH: LazyLock<usize> = LazyLock::new(|| {
    std::env::var("LAZY_MMU_SEARCH_DEPTH").map_or(5, |it| {
        it.parse().expect("LAZY_MMU_SEARCH_DEPTH is a number")
    })
});

/// Whose section is used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Hand {
    /// Code that has none.
    Nothing,
    /// That of a closure, by its number from outside in.
    Section(usize),
    /// The handle's guard.
    Guard,
}

/// A step of an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Op {
    Write(Hand),
    Flush(Hand),
    /// A nested section of it stores, and is left or forgotten.
    Nest(Hand, bool),
    /// The context begins to count as an interrupt, or ceases to.
    Softirqs,
    /// `with(|section| ..`
    With,
    /// `join(|section| ..`
    Join,
    /// `paused(|| ..`, or that of a section.
    Paused(Hand),
    /// The innermost closure returns.
    Close,
    /// `guard = handle.enter()`
    Enter,
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
    Paused(Hand),
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
                Op::Paused(hand) => shape.scopes.push(Scope::Paused(hand)),
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
        // Joins at the full depth would make twice as many states.
        let joins = usize::from(self.scopes.contains(&Scope::Join));
        let has_room = self.scopes.len() + joins < *DEPTH;
        let mut ops = vec![Op::Softirqs];
        let sections = self.scopes.iter().filter(|it| it.is_section()).count();
        let guard = self.guard.then_some(Hand::Guard);
        let hands = (0..sections).map(Hand::Section).chain(guard);
        // While a section is paused it is borrowed.
        let mut free: Vec<Hand> = hands
            .filter(|it| !self.scopes.contains(&Scope::Paused(*it)))
            .collect();
        for hand in &free {
            ops.extend([Op::Nest(*hand, false), Op::Nest(*hand, true)]);
        }
        if free.contains(&Hand::Guard) {
            ops.extend([Op::GuardDrop, Op::GuardForget]);
        }
        free.push(Hand::Nothing);
        for hand in free {
            ops.extend([Op::Write(hand), Op::Flush(hand)]);
            if has_room {
                ops.push(Op::Paused(hand));
            }
        }
        if has_room {
            ops.push(Op::With);
            if self.scopes.len() + 1 < *DEPTH {
                ops.push(Op::Join);
            }
        }
        if !self.scopes.is_empty() {
            ops.push(Op::Close);
        }
        if !self.guard {
            ops.extend([Op::Enter, Op::CheckIdle]);
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
    /// The protocol that is searched.
    static VARIANT: Cell<Variant> = const { Cell::new(Variant::Sound) };
    /// Whether the end of the pause sets ACTIVE, in `PauseClearsActive`.
    static RESUMES: Cell<bool> = const { Cell::new(false) };
}

/// The backend `B`, whose context and hooks the search knows, with the bits as the variant keeps
/// them.
struct Searched<B>(PhantomData<B>);

// SAFETY: everything is `B`'s; the interrupt test is true in more contexts; the hooks touch no
// bits. A flawed variant is what the search is to find.
unsafe impl<B: Backend> Backend for Searched<B> {
    type Storage = Kept<B::Storage>;
    type Machine = Wrapped<Self>;

    fn current() -> Self::Storage {
        Kept(B::current())
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
unsafe impl<B: Backend> Wrapper for Searched<B> {
    type Inner = B;

    fn observe(event: lazy_mmu::Event) {
        if let lazy_mmu::Event::Enter(kind) | lazy_mmu::Event::Pause(kind) = event {
            LAST.set(Some(kind));
        }
        B::Machine::observe(event);
    }
}

/// A way in which the protocol could be wrong, as changes of the bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Variant {
    /// The crate as it is.
    Sound,
    /// A pause clears ACTIVE, and its end sets it again.
    PauseClearsActive,
    /// The end of the mode ends a pause too.
    EndEndsPause,
    /// Nothing says that the handle began the mode.
    NotOwned,
    /// A store looks at ACTIVE alone.
    DefersWhilePaused,
    /// PENDING is forgotten when the mode is paused: its pair is left to the end of the pause.
    PauseForgetsPending,
}

/// The bits of the storage `S`, changed as the variant says.
#[derive(Clone, Copy, PartialEq)]
struct Kept<S>(S);

impl<S: Storage> Kept<S> {
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

impl<S: Storage> Storage for Kept<S> {
    fn inert() -> Self {
        Self(S::inert())
    }

    fn load(self) -> Bits {
        let bits = self.0.load();
        match VARIANT.get() {
            Variant::NotOwned => bits.difference(Bits::OWNED),
            Variant::DefersWhilePaused if bits.contains(Bits::ACTIVE) => {
                bits.difference(Bits::PAUSED)
            }
            Variant::PauseForgetsPending if bits.contains(Bits::PAUSED) => {
                bits.difference(Bits::PENDING)
            }
            _ => bits,
        }
    }

    unsafe fn set(self, _: Bits, bits: Bits) {
        let pauses = bits.contains(Bits::PAUSED);
        match VARIANT.get() {
            Variant::PauseClearsActive if pauses && self.0.load().contains(Bits::ACTIVE) => {
                RESUMES.set(true);
                self.change(bits, Bits::ACTIVE);
            }
            Variant::PauseForgetsPending if pauses => {
                self.change(bits.union(Bits::PENDING), Bits::EMPTY);
            }
            _ => self.change(bits, Bits::EMPTY),
        }
    }

    unsafe fn clear(self, _: Bits, bits: Bits) {
        let resumes = bits.contains(Bits::PAUSED) && RESUMES.replace(false);
        match VARIANT.get() {
            Variant::EndEndsPause if bits.contains(Bits::ACTIVE) => {
                self.change(Bits::EMPTY, bits.union(Bits::PAUSED));
            }
            _ if resumes => self.change(Bits::ACTIVE, bits),
            _ => self.change(Bits::EMPTY, bits),
        }
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
        let bits = bits::<B>();
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
        (bits::<B>(), is_settled(self.slot), MODE.get())
    }

    /// Checks that a flush, or a leave, of a section that was entered as `kind` has left no store
    /// without its pair.
    fn check_flushed(&self, kind: Kind) {
        // The token decides; an inert one asks the context.
        if !is_settled(self.slot) && (kind != Kind::Inert || !SOFTIRQS_DISABLED.get()) {
            fails("a section was flushed or left, and a store has no pair");
        }
    }

    /// How the section was entered; what is done without one asks the context.
    fn kind_of(&self, hand: Hand) -> Kind {
        match hand {
            Hand::Nothing => Kind::Inert,
            Hand::Guard => Kind::Outermost,
            Hand::Section(i) => {
                let scopes = self.scopes();
                let mut sections = scopes.iter().filter(|it| it.0.is_section());
                let kind = sections.nth(i).expect("it is open").1;
                // One that has joined another flushes as a nested one.
                kind.unwrap_or(Kind::Nested)
            }
        }
    }

    /// Whether a store is deferred.
    fn defers(&self, hand: Hand) -> bool {
        let inert = match hand {
            Hand::Nothing => SOFTIRQS_DISABLED.get(),
            _ => self.kind_of(hand) == Kind::Inert,
        };
        !inert && bits::<B>().defers()
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

    fn step(&mut self, op: Op) {
        let slot = self.slot;
        match op {
            Op::Write(hand) | Op::Flush(hand) | Op::Nest(hand, _) => {
                let deferred = self.defers(hand);
                match hand {
                    Hand::Nothing if op == Op::Flush(hand) => flush::<B>(),
                    Hand::Nothing => write::<B, _>(slot, KERNEL),
                    // SAFETY: it is open, and legal orders do not use it while it is paused.
                    Hand::Section(i) => use_section(unsafe { &mut *self.sections[i] }, op, slot),
                    Hand::Guard => use_section(self.guard(), op, slot),
                }
                match op {
                    Op::Write(_) if is_settled(slot) == deferred => {
                        fails("a store is deferred where it should not, or not where it should");
                    }
                    Op::Write(_) | Op::Nest(_, true) => {}
                    _ => self.check_flushed(self.kind_of(hand)),
                }
            }
            Op::Softirqs => SOFTIRQS_DISABLED.set(!SOFTIRQS_DISABLED.get()),
            Op::With => self.open(Scope::Section, |inside| {
                with::<B, _>(|mmu| inside(Some(std::ptr::from_mut(mmu).cast())));
            }),
            Op::Join => self.open(Scope::Join, |inside| {
                join::<B, _>(|mmu| inside(Some(std::ptr::from_mut(mmu).cast())));
            }),
            Op::Paused(Hand::Nothing) => {
                self.open(Scope::Paused(Hand::Nothing), |inside| {
                    paused::<B, _>(|| inside(None));
                });
            }
            Op::Paused(hand @ Hand::Section(i)) => {
                let section = self.sections[i];
                self.open(Scope::Paused(hand), |inside| {
                    // SAFETY: it is open, and legal orders do not use it while it is paused.
                    unsafe { &mut *section }.paused(|| inside(None));
                });
            }
            Op::Paused(Hand::Guard) => {
                let mut guard = self.guard.take().expect("there is one");
                self.open(Scope::Paused(Hand::Guard), |inside| {
                    guard.paused(|| inside(None));
                });
                self.guard = Some(guard);
            }
            Op::Close => unreachable!("`scope` returns"),
            Op::Enter => {
                // SAFETY: no guard of it lives, as the borrow checker demands of each order in a
                // program of its own.
                self.guard = Some(unsafe { &mut *self.handle }.enter());
                self.shape.guard = true;
            }
            Op::GuardDrop => {
                self.shape.guard = false;
                drop(self.guard.take());
                self.check_flushed(Kind::Outermost);
            }
            Op::GuardForget => {
                self.shape.guard = false;
                forget(self.guard.take());
            }
            Op::CheckIdle => {
                // SAFETY: no guard of it lives.
                let _ = unsafe { &mut *self.handle }.check_idle();
                if bits::<B>().contains(Bits::OWNED) {
                    fails("a forgotten guard was not left");
                }
            }
        }
    }

    fn guard(&mut self) -> &mut LazyMmu<'static, Outer, B> {
        self.guard.as_mut().expect("there is one")
    }
}

fn use_section<L: Nesting, B: Backend>(mmu: &mut LazyMmu<'_, L, B>, op: Op, slot: &AtomicU64) {
    match op {
        Op::Write(_) => mmu.write(slot, KERNEL),
        Op::Nest(_, forgets) => {
            let mut nested = mmu.nest();
            nested.write(slot, KERNEL);
            if forgets {
                forget(nested);
            }
        }
        _ => drop(mmu.flush()),
    }
}

/// Runs `ops` from the start, leaves everything, and tells the state after the last of them.
fn run<B: Backend>(ops: &[Op]) -> Result<State, String> {
    switch_to(spawn());
    SOFTIRQS_DISABLED.set(false);
    MODE.set(0);
    RESUMES.set(false);
    KINDS.take();
    BROKEN.take();
    let slot = AtomicU64::new(0);
    let mut handle = task::<B>();
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
    if bits::<B>() != Bits::EMPTY || !is_settled(&slot) || MODE.get() != 0 {
        fails("everything is left, and bits are set or a store has no pair");
    }
    take_trace();
    BROKEN.take().map_or(Ok(end), Err)
}

/// All states, or the shortest order that breaks a promise.
fn search<B: Backend>(variant: Variant) -> Result<usize, String> {
    VARIANT.set(variant);
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
    for search in [search::<Searched<Sim>>, search::<Searched<SimOwnByte>>] {
        let states = search(Variant::Sound).unwrap();
        let depth = *DEPTH;
        println!("{states} states, {depth} scopes deep, and every legal step from each");
        assert!(states > 1000, "{states}");
    }
}

#[test]
fn every_flawed_variant_breaks_a_promise() {
    for variant in [
        Variant::PauseClearsActive,
        Variant::EndEndsPause,
        Variant::NotOwned,
        Variant::DefersWhilePaused,
        Variant::PauseForgetsPending,
    ] {
        let broken = search::<Searched<Sim>>(variant).expect_err("a promise");
        println!("{variant:?}: {broken}");
    }
}
