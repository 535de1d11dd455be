//! Tests of the memory manager: its errors, the state after an error, and the use of its mappings.

use std::cell::Cell;

use lazy_mmu::sim::{self, Sim};
use lazy_mmu::{Backend, Bits, Invalidation, Wrapped, Wrapper};
use lazy_mmu_examples::host::{Host, Memory};
use lazy_mmu_examples::machine::FaultReason;
use lazy_mmu_examples::page::{USER_BASE, VMALLOC_BASE};
use lazy_mmu_examples::populate::RESERVE;
use lazy_mmu_examples::witness::{Filled, Witness};
use lazy_mmu_examples::{Error, Fault, Frame, Machine, MemoryManager, PageRange};

fn boot<B: Backend>(memory: &Memory, debug_pagealloc: bool) -> MemoryManager<'_, Host<'_, B>> {
    MemoryManager::boot(memory.machine(), memory.map(), debug_pagealloc).expect("room for tables")
}

fn range(start: u64, pages: usize) -> PageRange {
    PageRange::new(start, pages).expect("a good range")
}

/// Returns the number of free frames, and the frame of each page in the range.
fn state<M: Machine>(mm: &MemoryManager<'_, M>, range: PageRange) -> (usize, Vec<Option<Frame>>) {
    let mapped = range.addresses().map(|it| mm.mapped(it)).collect();
    (mm.frames().free(), mapped)
}

/// Allocates frames until `free` are left.
fn allocate_until<M: Machine>(mm: &mut MemoryManager<'_, M>, free: usize) {
    while mm.frames().free() > free {
        mm.allocate(1).expect("one is free");
    }
}

#[test]
fn a_range_must_be_aligned_and_in_the_upper_half() {
    let address = VMALLOC_BASE + 8;
    assert_eq!(
        PageRange::new(address, 1),
        Err(Error::Unaligned { address })
    );
    let last_page = 0u64.wrapping_sub(4096);
    assert!(PageRange::new(last_page, 1).is_ok());
    for (address, pages) in [
        (0, 1),
        (0x4000_0000, 1),
        (0xfffe_ffff_ffff_f000, 1),
        (last_page, 2),
        (last_page, usize::MAX),
    ] {
        assert_eq!(
            PageRange::new(address, pages),
            Err(Error::OutOfArea { address })
        );
    }
}

#[test]
fn what_is_refused_leaves_the_tables_as_they_were() {
    let memory = Memory::new(256);
    let mut mm = boot::<Sim>(&memory, true);
    let area = range(VMALLOC_BASE, 16);
    let middle = range(area.page(4), 4);
    mm.populate_range(middle).expect("there is room");
    let frames = [mm.allocate(1).expect("there is room"); 16];
    let before = state(&mm, area);
    sim::take_trace();

    let first_mapped = Error::AlreadyMapped {
        address: middle.start(),
    };
    assert_eq!(mm.vmap(area, &frames).map(drop), Err(first_mapped));
    assert_eq!(mm.populate_range(area), Err(first_mapped));
    assert_eq!(mm.populate_user_range(area), Err(first_mapped));
    let first_unmapped = Error::NotMapped {
        address: area.start(),
    };
    assert_eq!(mm.vunmap_range(area), Err(first_unmapped));
    assert_eq!(mm.zap_range(area), Err(first_unmapped));
    let (few, pages, count) = (&frames[..3], 16, 3);
    let wrong = Error::WrongCount {
        pages,
        frames: count,
    };
    assert_eq!(mm.vmap(area, few).map(drop), Err(wrong));
    // A range that does not have tables.
    let (elsewhere, address) = (range(USER_BASE, 1), USER_BASE);
    assert_eq!(mm.zap_range(elsewhere), Err(Error::NotMapped { address }));
    let stray = Frame::containing(0x1000);
    assert_eq!(mm.release(stray), Err(Error::NotAllocated { frame: stray }));
    mm.release(frames[0]).expect("it is allocated");
    // The frame is freed twice.
    let frame = frames[0];
    assert_eq!(mm.release(frame), Err(Error::NotAllocated { frame }));

    let (free, mapped) = state(&mm, area);
    assert_eq!((free - 1, mapped), before);
}

#[test]
fn out_of_frames_says_how_far_it_came() {
    let memory = Memory::new(64);
    let mut mm = boot::<Sim>(&memory, true);
    let area = range(VMALLOC_BASE, 1000);
    let free = mm.frames().free();
    let error = mm.populate_range(area).expect_err("64 frames are too few");
    let Error::OutOfFrames { done } = error else {
        panic!("{error}");
    };
    assert!(done > 0);
    // The first `done` pages are mapped and usable, and the other pages are not mapped.
    for (page, address) in area.addresses().enumerate() {
        assert_eq!(mm.mapped(address).is_some(), page < done);
    }
    mm.machine()
        .write(area.page(done - 1), 1)
        .expect("mapped and visible");
    // Three frames are tables.
    assert_eq!(mm.frames().free(), free - done - 3);
    assert!(mm.frames().free() < RESERVE);
    // The error return has left the section.
    assert_eq!(sim::bits::<Sim>(), Bits::EMPTY);

    // The mapped pages can be unmapped, although there is hardly a free frame.
    mm.zap_range(range(VMALLOC_BASE, done))
        .expect("all are mapped");
    assert_eq!(mm.frames().free(), free - 3);
}

#[test]
fn what_the_reserve_has_over_goes_back() {
    let memory = Memory::new(64);
    let mut mm = boot::<Sim>(&memory, true);
    // Four pages are in one leaf table, and the others in a second one.
    let area = range(VMALLOC_BASE + 508 * 4096, RESERVE);
    // Three tables and the reserve. A frame for the second leaf table is missing.
    allocate_until(&mut mm, 3 + RESERVE);
    assert_eq!(mm.populate_range(area), Err(Error::OutOfFrames { done: 4 }));
    assert_eq!(mm.frames().free(), RESERVE - 4);
}

#[test]
fn out_of_frames_for_a_table_says_how_far_vmap_came() {
    let memory = Memory::new(40);
    let mut mm = boot::<Sim>(&memory, true);
    // The second half of the range is in another leaf table.
    let area = range(VMALLOC_BASE + 508 * 4096, 8);
    let frames = [mm.allocate(1).expect("there is room"); 8];
    // Three frames remain, for the tables of the first half.
    allocate_until(&mut mm, 3);
    let error = Error::OutOfFrames { done: 4 };
    assert_eq!(mm.vmap(area, &frames).map(drop), Err(error));
    let mapped: Vec<bool> = area.addresses().map(|it| mm.mapped(it).is_some()).collect();
    assert_eq!(mapped, [true, true, true, true, false, false, false, false]);
}

#[test]
fn zap_needs_no_free_frame() {
    let memory = Memory::new(64);
    let mut mm = boot::<Sim>(&memory, true);
    let area = range(USER_BASE, 30);
    mm.populate_user_range(area).expect("there is room");
    allocate_until(&mut mm, 0);
    mm.zap_range(area).expect("all are mapped");
    assert_eq!(mm.frames().free(), 30);
    assert!(area.addresses().all(|it| mm.mapped(it).is_none()));
}

#[test]
fn a_freed_frame_faults_with_debug_pagealloc_only() {
    for debug_pagealloc in [true, false] {
        let memory = Memory::new(64);
        let mut mm = boot::<Sim>(&memory, debug_pagealloc);
        let machine = mm.machine();
        let frame = mm.allocate(1).expect("there is room");
        machine.write(frame.linear(), 7).expect("allocated");
        mm.release(frame).expect("allocated");
        let (address, reason) = (frame.linear(), FaultReason::NotMapped);
        let fault = Err(Fault { address, reason });
        let expected = if debug_pagealloc { fault } else { Ok(7) };
        assert_eq!(machine.read(address), expected);
    }
}

#[test]
fn b19_tables_are_filled_before_the_outer_leave() {
    let memory = Memory::new(2048);
    let filled = Cell::new(Filled::default());
    let machine = Witness::new(memory.machine::<Sim>(), &filled);
    let mut mm = MemoryManager::boot(machine, memory.map(), true).expect("room for tables");
    filled.set(Filled::default());
    mm.populate_user_range(range(USER_BASE, 1100))
        .expect("there is room");
    // There are one table at each of the levels 1 and 2, and three tables at level 3.
    let (in_section, outside) = (5, 0);
    assert_eq!(
        filled.get(),
        Filled {
            in_section,
            outside
        }
    );
}

#[test]
fn b19_the_hosted_machine_sees_a_nested_leave_without_its_pair() {
    /// A backend without barriers.
    struct NoBarrier;

    // SAFETY: this backend is unsound, and the machine detects that. The tables are only memory of
    // this test, so a missing barrier does not affect other memory.
    unsafe impl Wrapper for NoBarrier {
        type Inner = Sim;
        fn barrier() {}
        fn table_barrier() {}
        fn invalidate(_: &[Invalidation]) {}
        fn invalidate_all() {}
    }

    let memory = Memory::new(256);
    let mut mm = boot::<Wrapped<NoBarrier>>(&memory, true);
    // The new tables are not visible, so they cannot be filled.
    match mm.populate_range(range(VMALLOC_BASE, 1)) {
        Err(Error::Fault(fault)) => assert_eq!(fault.reason, FaultReason::NotYetVisible),
        other => panic!("{other:?}"),
    }
}

#[test]
fn b28_vmap_in_the_callers_section_is_pending_until_it_is_flushed() {
    let memory = Memory::new(256);
    let mut mm = boot::<Sim>(&memory, true);
    let machine = mm.machine();
    let frames = [0; 4].map(|_| mm.allocate(1).expect("there is room"));
    let (one, two) = (range(VMALLOC_BASE, 2), range(VMALLOC_BASE + 8 * 4096, 2));
    mm.build_tables(range(VMALLOC_BASE, 16))
        .expect("there is room");
    sim::take_trace();
    lazy_mmu::with::<Sim, _>(|mmu| {
        let first = mm.vmap_pages_range(mmu, one, &frames[..2]).unwrap();
        let second = mm.vmap_pages_range(mmu, two, &frames[2..]).unwrap();
        // An access before the pair faults. The type `Pending` prevents it.
        let fault = machine.write(two.start(), 1).expect_err("not yet");
        assert_eq!(fault.reason, FaultReason::NotYetVisible);
        let proof = mmu.flush();
        let (first, second) = (first.get(&proof), second.get(&proof));
        first.write(machine, 3, 7).expect("visible");
        second.write(machine, 3, 8).expect("visible");
        assert_eq!(machine.read(frames[0].linear() + 24), Ok(7));
        assert_eq!(second.read(machine, 3), Ok(8));
    });
    assert_eq!(sim::pairs(&sim::take_trace()), 1, "one pair for both");
}
