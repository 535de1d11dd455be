//! Runs every legal order of two independent sources of sections: the task handle and closures.
//!
//! The guard of the handle may be dropped late, moved out of scopes, or forgotten. The sections of
//! closures may join. The orders also have pauses, and an interrupt context that begins and ends
//! anywhere.
//!
//! Each order runs on the crate from the start. The search checks the promises of `soundness` after
//! each step. Orders that lead to the same state have the same future, so the search continues only
//! the first of them.

// Under Miri, even a depth of one scope takes five minutes. (It has passed in both models.)
#![cfg(not(miri))]

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::marker::PhantomData;
use std::mem::forget;
use std::sync::LazyLock;

use lazy_mmu_testing::prelude::*;

/// The number of scopes that may nest. With a joining section, it is one less.
///
/// The search finds all states up to this depth. `cargo xtask verify` sets a larger depth.
static DEPTH: LazyLock<usize> = LazyLock::new(|| {
    std::env::var("LAZY_MMU_SEARCH_DEPTH").map_or(5, |it| {
        it.parse().expect("LAZY_MMU_SEARCH_DEPTH must be a number")
    })
});

/// The section that a step uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Hand {
    /// The step runs in code that does not hold a guard.
    Nothing,
    /// The section of a closure. Number 0 is the outermost.
    Section(usize),
    /// The guard of the handle.
    Guard,
}

/// A step of an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Op {
    Write(Hand),
    Flush(Hand),
    /// A nested section stores. Then it is left, or forgotten if the flag is set.
    Nest(Hand, bool),
    /// Disables softirqs, which is an interrupt context, or enables them.
    Softirqs,
    /// `with(|section| ..`
    With,
    /// `join(|section| ..`
    Join,
    /// `paused(|| ..`, or `section.paused(|| ..`
    Paused(Hand),
    /// The innermost closure returns.
    Close,
    /// `guard = handle.enter()`
    Enter,
    GuardDrop,
    GuardForget,
    CheckIdle,
}

/// A closure that has not returned yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Scope {
    Section,
    /// A section that joins, if it can.
    Join,
    Paused(Hand),
}

impl Scope {
    fn is_section(self) -> bool {
        matches!(self, Self::Section | Self::Join)
    }
}

/// The open scopes of an order, and whether the handle has a guard.
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

    /// Returns the steps that the borrow checker accepts next.
    fn legal(&self) -> Vec<Op> {
        // Joins at the full depth would double the number of states.
        let joins = usize::from(self.scopes.contains(&Scope::Join));
        let has_room = self.scopes.len() + joins < *DEPTH;
        let mut ops = vec![Op::Softirqs];
        let sections = self.scopes.iter().filter(|it| it.is_section()).count();
        let guard = self.guard.then_some(Hand::Guard);
        let hands = (0..sections).map(Hand::Section).chain(guard);
        // Its pause borrows a section.
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
    /// Whether this is an interrupt context.
    static SOFTIRQS_DISABLED: Cell<bool> = const { Cell::new(false) };
    /// The calls of the hook `mode_begins`, minus those of `mode_ends`.
    static MODE: Cell<i32> = const { Cell::new(0) };
    /// The kind of enter or pause of each open closure, or `None` for a closure that has joined.
    static KINDS: RefCell<Vec<Option<Kind>>> = const { RefCell::new(Vec::new()) };
    /// The kind of the last enter or pause.
    static LAST: Cell<Option<Kind>> = const { Cell::new(None) };
    /// The first promise that was broken.
    static BROKEN: RefCell<Option<String>> = const { RefCell::new(None) };
    /// The variant of the protocol that the search runs.
    static VARIANT: Cell<Variant> = const { Cell::new(Variant::Sound) };
    /// Whether the end of the pause must set ACTIVE, in `PauseClearsActive`.
    static RESUMES: Cell<bool> = const { Cell::new(false) };
}

/// The backend `B` with a context and hooks of the search, and with the bits of the variant.
struct Searched<B>(PhantomData<B>);

// SAFETY: the machine and the bits are from `B`. The interrupt test is true in more contexts, and
// the hooks do not change the bits. The search must find the flaws of the other variants.
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

// SAFETY: the machine is from `B`.
unsafe impl<B: Backend> Wrapper for Searched<B> {
    type Inner = B;

    fn observe(event: lazy_mmu::Event) {
        if let lazy_mmu::Event::Enter(kind) | lazy_mmu::Event::Pause(kind) = event {
            LAST.set(Some(kind));
        }
        B::Machine::observe(event);
    }
}

/// A variant of the protocol. All except `Sound` change the bits in a wrong way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Variant {
    /// The crate without a change.
    Sound,
    /// A pause clears ACTIVE, and its end sets it again.
    PauseClearsActive,
    /// The end of the mode ends a pause too.
    EndEndsPause,
    /// OWNED does not record that the handle began the mode.
    NotOwned,
    /// A store is deferred if ACTIVE is set, also while PAUSED is set.
    DefersWhilePaused,
    /// A pause does not emit the pair, and leaves it to the end of the pause.
    PauseForgetsPending,
}

/// The storage `S`, with the changes of the variant.
#[derive(Clone, Copy, PartialEq)]
struct Kept<S>(S);

impl<S: Storage> Kept<S> {
    /// Reads the bits, and sets and clears some. A variant may have changed more than the protocol
    /// has seen.
    fn change(self, set: Bits, clear: Bits) {
        let seen = self.0.load();
        // SAFETY: this is a change of the protocol, or a flaw that the search must find.
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

/// The state that decides the future of an order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    bits: [bool; 4],
    settled: bool,
    softirqs_disabled: bool,
    mode: i32,
    scopes: Vec<(Scope, Option<Kind>)>,
    guard: bool,
}

/// The body of a closure. It receives the section of the closure, if there is one.
type Inside<'i, B> = dyn FnMut(Option<*mut LazyMmu<'static, Dynamic, B>>) + 'i;

/// An order while it runs.
struct Run<'o, B: Backend> {
    ops: &'o [Op],
    /// The number of steps that have begun.
    at: usize,
    handle: *mut Task<B>,
    /// The guard of the handle. It lives outside the scopes, so it may outlive any of them.
    guard: Option<LazyMmu<'static, Outer, B>>,
    /// The sections of the open closures.
    sections: Vec<*mut LazyMmu<'static, Dynamic, B>>,
    slot: &'o AtomicU64,
    shape: Shape,
    /// The state after the last step, before the run leaves its scopes.
    end: Option<State>,
}

fn fails(promise: &str) {
    BROKEN.with_borrow_mut(|it| {
        it.get_or_insert_with(|| promise.to_owned());
    });
}

impl<B: Backend> Run<'_, B> {
    /// Returns the scopes. A section of `join` that has not joined counts as any other section.
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

    /// Checks the promises that hold after every step.
    fn check(&mut self) {
        let bits = bits::<B>();
        let settled = is_settled(self.slot);
        let scopes = self.scopes();
        let began = |it: &(Scope, Option<Kind>)| *it == (Scope::Section, Some(Kind::Outermost));
        if !settled && !bits.contains(Bits::PENDING) {
            fails("a store does not have its pair, and PENDING is not set");
        }
        if bits.contains(Bits::PENDING) && !bits.contains(Bits::ACTIVE) {
            fails("a pair is pending outside the mode");
        }
        if bits.contains(Bits::ACTIVE) && !bits.contains(Bits::OWNED) && !scopes.iter().any(began) {
            fails("the mode is on, but a section or handle that ends it does not exist");
        }
        if scopes
            .iter()
            .any(|it| !it.0.is_section() && it.1 != Some(Kind::Inert))
            && (bits.defers() || !settled)
        {
            fails("a store inside a pause is not immediate");
        }
        if MODE.get() != i32::from(bits.defers()) {
            fails("the hooks are not balanced");
        }
        if scopes.is_empty()
            && !self.shape.guard
            && !bits.contains(Bits::OWNED)
            && bits != Bits::EMPTY
        {
            fails("bits are set, but a scope is not open");
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

    /// Returns the parts of the state that a section changes.
    fn now(&self) -> (Bits, bool, i32) {
        (bits::<B>(), is_settled(self.slot), MODE.get())
    }

    /// Checks that all stores have their pair, after a flush or leave of a section of this kind.
    fn check_flushed(&self, kind: Kind) {
        // An inert section asks the context. All others decide without it.
        if !is_settled(self.slot) && (kind != Kind::Inert || !SOFTIRQS_DISABLED.get()) {
            fails("a store does not have its pair after a flush or leave");
        }
    }

    /// Returns the kind of the section. Code without the guard acts as an inert section does.
    fn kind_of(&self, hand: Hand) -> Kind {
        match hand {
            Hand::Nothing => Kind::Inert,
            Hand::Guard => Kind::Outermost,
            Hand::Section(i) => {
                let scopes = self.scopes();
                let mut sections = scopes.iter().filter(|it| it.0.is_section());
                let kind = sections.nth(i).expect("the section is open").1;
                // A section that has joined flushes as a nested one does.
                kind.unwrap_or(Kind::Nested)
            }
        }
    }

    /// Returns whether a store must be deferred.
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

    /// Runs a closure. Inside it, `open` calls its argument with the section, if there is one.
    fn open(&mut self, scope: Scope, open: impl FnOnce(&mut Inside<'_, B>)) {
        self.shape.scopes.push(scope);
        let before = self.now();
        let joins = scope == Scope::Join && !SOFTIRQS_DISABLED.get() && before.0.defers();
        let mut at_end = before;
        LAST.set(None);
        open(&mut |section| {
            let kind = LAST.take();
            if kind.is_none() != joins {
                fails("a section joins where it must not, or does not join where it must");
            }
            if joins && self.now() != before {
                fails("the beginning of a section that joins another has changed the state");
            }
            KINDS.with_borrow_mut(|kinds| kinds.push(kind));
            // The section is in the list only while its closure runs.
            let open = self.sections.len();
            self.sections.extend(section);
            self.check();
            self.scope();
            self.sections.truncate(open);
            at_end = self.now();
        });
        let kind = KINDS.with_borrow_mut(Vec::pop).expect("the scope is open");
        self.shape.scopes.pop();
        if joins && self.now() != at_end {
            fails("the end of a section that has joined another has changed the state");
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
                    // SAFETY: the section is open, and a legal order does not use it in its pause.
                    Hand::Section(i) => use_section(unsafe { &mut *self.sections[i] }, op, slot),
                    Hand::Guard => use_section(self.guard(), op, slot),
                }
                match op {
                    Op::Write(_) if is_settled(slot) == deferred => {
                        fails("a store is deferred where it must not, or is immediate");
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
                    // SAFETY: the section is open, and a legal order does not use it in its pause.
                    unsafe { &mut *section }.paused(|| inside(None));
                });
            }
            Op::Paused(Hand::Guard) => {
                let mut guard = self.guard.take().expect("the handle has a guard");
                self.open(Scope::Paused(Hand::Guard), |inside| {
                    guard.paused(|| inside(None));
                });
                self.guard = Some(guard);
            }
            Op::Close => unreachable!("`scope` handles this step"),
            Op::Enter => {
                // SAFETY: a guard of the handle does not live, because the order is legal.
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
                // SAFETY: as for `Enter`.
                let _ = unsafe { &mut *self.handle }.check_idle();
                if bits::<B>().contains(Bits::OWNED) {
                    fails("the section of a forgotten guard was not left");
                }
            }
        }
    }

    fn guard(&mut self) -> &mut LazyMmu<'static, Outer, B> {
        self.guard.as_mut().expect("the handle has a guard")
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

/// Runs `ops` from the start, and leaves all scopes. Returns the state after the last step, or the
/// promise that was broken.
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
    let end = run.end.take().expect("the last step records the state");
    drop(handle);
    if bits::<B>() != Bits::EMPTY || !is_settled(&slot) || MODE.get() != 0 {
        fails("all scopes have ended, but bits are set or a store does not have its pair");
    }
    take_trace();
    BROKEN.take().map_or(Ok(end), Err)
}

/// Returns the number of states, or the shortest order that breaks a promise.
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
        let broken = search::<Searched<Sim>>(variant).expect_err("a broken promise");
        println!("{variant:?}: {broken}");
    }
}
