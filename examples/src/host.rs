//! The hosted machine: memory of the host, and an MMU in software.
//!
//! The MMU uses an entry only after its barrier pair, `dsb ishst; isb`.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use lazy_mmu::Descriptor;
use lazy_mmu::sim::{self, Event};
use lazy_mmu::{Backend, Eager};

use crate::format::Leaf;
use crate::frames::MemoryMap;
use crate::machine::{Fault, FaultReason, Machine, Table};
use crate::mm::MemoryManager;
use crate::page::{ENTRIES, Error, Frame, LEAF_LEVEL, PAGE_SIZE, index};
use crate::scenario::{self, Recorder, WAYS};
use crate::tolerant::Tolerant;
use crate::trace::{Counts, Step};

pub use crate::scenario::MEMORY_BASE;

/// The memory of a hosted machine. It outlives the machine's handles, [`Host`].
pub struct Memory {
    frames: Vec<Table>,
    uses: Vec<AtomicU8>,
    root: Cell<Option<Frame>>,
}

impl Memory {
    /// Creates `frames` free frames, which are filled with zeros.
    pub fn new(frames: usize) -> Self {
        let zeros = |_| [const { AtomicU64::new(0) }; ENTRIES];
        Self {
            frames: (0..frames).map(zeros).collect(),
            uses: (0..frames).map(|_| AtomicU8::new(0)).collect(),
            root: Cell::new(None),
        }
    }

    /// Returns the map of the free frames.
    pub fn map(&self) -> MemoryMap<'_> {
        MemoryMap::new(MEMORY_BASE, &self.uses)
    }

    /// Returns the machine with this memory and the backend `B`.
    pub fn machine<B: Backend>(&self) -> Host<'_, B> {
        Host {
            memory: self,
            backend: PhantomData,
        }
    }

    /// Returns the simulated physical address of the word at the host's `address`.
    fn physical(&self, address: usize) -> usize {
        let base = usize::try_from(MEMORY_BASE.address()).expect("a host of 64 bits");
        base + (address - self.frames.as_ptr() as usize)
    }

    fn frame(&self, frame: Frame) -> &Table {
        let offset = frame.address() - MEMORY_BASE.address();
        let number = usize::try_from(offset / PAGE_SIZE).expect("a host of 64 bits");
        &self.frames[number]
    }
}

/// A hosted machine. [`sim`] traces the barriers of its backend.
pub struct Host<'m, B> {
    memory: &'m Memory,
    backend: PhantomData<B>,
}

impl<B> Clone for Host<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Host<'_, B> {}

impl<B> Host<'_, B> {
    /// Returns the word at the virtual address `address`.
    ///
    /// The walk uses an entry only if every hardware walker must already see it.
    fn translate(&self, address: u64) -> Result<&AtomicU64, Fault> {
        let fault = |reason| Fault { address, reason };
        let mut frame = self
            .memory
            .root
            .get()
            .ok_or(fault(FaultReason::NotMapped))?;
        for level in 0..=LEAF_LEVEL {
            let slot = &self.memory.frame(frame)[index(address, level)];
            let entry = slot.load(Ordering::Relaxed);
            let next = Frame::of_descriptor(entry).ok_or(fault(FaultReason::NotMapped))?;
            // An early walk to a user's page is allowed: it faults, and the access is repeated.
            let must_be_visible = level < LEAF_LEVEL || Leaf(entry).needs_barrier();
            if must_be_visible && !sim::is_settled(slot) {
                return Err(fault(FaultReason::NotYetVisible));
            }
            frame = next;
        }
        let word = usize::try_from(address % PAGE_SIZE / 8).expect("less than 512");
        Ok(&self.memory.frame(frame)[word])
    }
}

impl<B: Backend> Machine for Host<'_, B> {
    type Backend = B;

    fn table(&self, frame: Frame) -> &Table {
        self.memory.frame(frame)
    }

    fn activate(&self, root: Frame) {
        self.memory.root.set(Some(root));
    }

    fn read(&self, address: u64) -> Result<u64, Fault> {
        Ok(self.translate(address)?.load(Ordering::Relaxed))
    }

    fn write(&self, address: u64, value: u64) -> Result<(), Fault> {
        self.translate(address)?.store(value, Ordering::Relaxed);
        Ok(())
    }

    fn zero(&self, frame: Frame) -> Result<(), Fault> {
        if self.memory.root.get().is_some() {
            self.translate(frame.linear())?;
        }
        for word in self.memory.frame(frame) {
            word.store(0, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The record of one operation, in one of the three ways.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The name of the operation.
    pub name: &'static str,
    /// All events. A store has the simulated physical address of its entry.
    pub events: Vec<Event>,
    /// The steps that an instruction trace of the operation would show.
    pub steps: Vec<Step>,
}

impl Operation {
    fn new(name: &'static str, events: Vec<Event>) -> Self {
        let steps = events
            .iter()
            .filter_map(|event| match event {
                Event::Store { .. } => Some(Step::Store),
                Event::DsbIshst => Some(Step::DsbIshst),
                Event::DsbIsh => Some(Step::DsbIsh),
                Event::Isb => Some(Step::Isb),
                Event::Tlbi(_) | Event::TlbiAll => Some(Step::Tlbi),
                Event::TlbiTable(_) => Some(Step::TlbiTable),
                Event::TlbiRepeated => Some(Step::TlbiRepeated),
                _ => None,
            })
            .collect();
        Self {
            name,
            events,
            steps,
        }
    }

    /// Returns the counts of the steps.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.steps)
    }
}

/// A recorder that takes the trace of each operation.
struct Tracer<'m> {
    memory: &'m Memory,
    operations: Vec<Operation>,
}

impl Recorder for Tracer<'_> {
    fn start(&mut self, _: &'static str) {
        sim::take_trace();
    }

    fn stop(&mut self, operation: &'static str) {
        let mut events = sim::take_trace();
        for event in &mut events {
            if let Event::Store { slot, .. } = event {
                *slot = self.memory.physical(*slot);
            }
        }
        self.operations.push(Operation::new(operation, events));
    }
}

/// Runs the scenario on `pages` pages, in one of the three [`WAYS`].
///
/// `way` is the index of the way. The backend `B` provides the bits.
///
/// # Errors
///
/// The errors of the memory manager.
///
/// # Panics
///
/// Panics if `way` is not an index of [`WAYS`].
pub fn run_scenario<B: Backend>(
    way: usize,
    pages: usize,
    debug_pagealloc: bool,
) -> Result<Vec<Operation>, Error> {
    match WAYS[way] {
        "per-store" => run_with::<Eager<B::Machine>>(pages, debug_pagealloc),
        "tolerant" => run_with::<Tolerant<B>>(pages, debug_pagealloc),
        _ => run_with::<B>(pages, debug_pagealloc),
    }
}

fn run_with<B: Backend>(pages: usize, debug_pagealloc: bool) -> Result<Vec<Operation>, Error> {
    let memory = Memory::new(scenario::memory_frames(pages));
    let mut mm = MemoryManager::boot(memory.machine::<B>(), memory.map(), debug_pagealloc)?;
    let mut tracer = Tracer {
        memory: &memory,
        operations: Vec::new(),
    };
    let mut scratch = vec![MEMORY_BASE; pages];
    scenario::run(&mut mm, &mut scratch, &mut tracer)?;
    Ok(tracer.operations)
}
