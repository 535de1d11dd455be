//! The forms of sections that the threads take in turns.
//!
//! Each form maps pages, and uses them directly after the barrier that makes them visible. The
//! thread is disturbed in between.

use core::slice;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use lazy_mmu::{Backend, Task, is_active, lazy_mmu};
use lazy_mmu_examples::format::{Leaf, Table, break_before_make};
use lazy_mmu_examples::page::VMALLOC_BASE;
use lazy_mmu_examples::{Error, MemoryManager, PageRange};
use spin::Once;

use super::own::{Own, Page};
use super::{THREADS, disturb};
use crate::kernel::scheduler::current;
use crate::kernel::virt::{Virt, entries};
use crate::kernel::words::Words;

/// One softirq in the preempt count of a thread.
const SOFTIRQ: u32 = 1 << 8;

/// Maps pages of `own` in one form, and uses them. `turn` counts the sections of this form.
pub(crate) type Form<B> = fn(task: &mut Task<B>, own: &mut Own, turn: usize);

/// Returns all forms.
pub(crate) fn all<B: Backend>() -> [Form<B>; 19] {
    [
        attribute,
        nested_sections,
        joined_sections,
        closure_with_proofs,
        closure_with_flush,
        handle,
        nested_handle,
        paused_section,
        paused_attribute,
        inert_section,
        interrupt_context_that_ends,
        forgotten_section,
        forgotten_before_another,
        without_section,
        noted_stores,
        section_of_a_caller,
        invalidations,
        change_of_frame,
        table,
    ]
}

fn attribute<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    #[lazy_mmu(backend = B, mmu)]
    fn map<B: Backend>(pages: [Page; 2], turn: usize) {
        assert!(is_active::<B>());
        for page in pages {
            mmu.write(page.slot, page.leaf);
        }
        disturb(turn);
    }

    let [one, two] = own.pages();
    map::<B>([one, two], turn);
    disturb(turn + 1);
    one.check();
    two.check();
}

fn nested_sections<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        lazy_mmu::with::<B, _>(|inner| {
            inner.write(two.slot, two.leaf);
            disturb(turn);
        });
        one.check();
        two.check();
        mmu.write(three.slot, three.leaf);
        disturb(turn + 1);
    });
    three.check();
}

fn joined_sections<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    #[lazy_mmu(backend = B, mmu, join)]
    fn map<B: Backend>(page: Page, turn: usize) {
        mmu.write(page.slot, page.leaf);
        disturb(turn);
    }

    let [one, two, three, four] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        lazy_mmu::join::<B, _>(|mmu| mmu.write(two.slot, two.leaf));
        map::<B>(three, turn);
    });
    one.check();
    two.check();
    three.check();
    map::<B>(four, turn + 1);
    four.check();
}

fn closure_with_proofs<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three, four] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        let pending = mmu.write_pending(one.slot, one.leaf, one);
        disturb(turn);
        pending.get(&mmu.flush()).check();
        let pending = mmu.write_pending(two.slot, two.leaf, two);
        let visible = mmu.write_sync(two.slot, two.leaf);
        pending.get(&visible).check();
        // Other code stores after the proof was made.
        let pending = mmu.pending(three);
        let visible = mmu.flush();
        three.write::<B>();
        pending.get(&visible).check();
    });
    let page = lazy_mmu::visible::<B, _>(|mmu| {
        let pending = mmu.write_pending(four.slot, four.leaf, four);
        disturb(turn + 1);
        pending
    });
    page.check();
}

fn closure_with_flush<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        disturb(turn);
        mmu.write_range(slice::from_ref(one.slot), |_| one.leaf);
        disturb(turn + 1);
        mmu.flush();
        one.check();
        // The rest does not use the guard of the section.
        two.write::<B>();
        lazy_mmu::flush::<B>();
        two.check();
        three.write::<B>();
    });
    three.check();
}

fn handle<B: Backend>(task: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two] = own.pages();
    let mut section = task.enter();
    section.write(one.slot, one.leaf);
    disturb(turn);
    section.leave();
    one.check();
    let mut section = task.enter();
    section.write(two.slot, two.leaf);
    disturb(turn + 1);
    drop(section);
    disturb(turn + 2);
    two.check();
}

fn nested_handle<B: Backend>(task: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    let mut outer = task.enter();
    outer.write(one.slot, one.leaf);
    let mut inner = outer.nest();
    inner.write(two.slot, two.leaf);
    disturb(turn);
    inner.leave();
    one.check();
    two.check();
    outer.write(three.slot, three.leaf);
    outer.flush();
    three.check();
    drop(outer);
}

fn paused_section<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three, four] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        disturb(turn);
        mmu.paused(|| {
            one.check();
            two.write::<B>();
            two.check();
            lazy_mmu::with::<B, _>(|inert| {
                inert.write(three.slot, three.leaf);
                three.check();
            });
        });
        mmu.write(four.slot, four.leaf);
        disturb(turn + 1);
    });
    four.check();
}

fn paused_attribute<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    #[lazy_mmu(backend = B, paused)]
    fn map<B: Backend>(before: Page, page: Page) {
        before.check();
        page.write::<B>();
        page.check();
    }

    let [one, two, three, four] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        disturb(turn);
        map::<B>(one, two);
        mmu.write(three.slot, three.leaf);
        lazy_mmu::paused::<B, _>(|| three.check());
        mmu.write(four.slot, four.leaf);
    });
    four.check();
}

/// A section in a pause: each store has its pair at once.
fn inert_section<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three, four] = own.pages();
    let other_three = own.page_at(own.mapped - 2, own.round + 1);
    lazy_mmu::paused::<B, _>(|| {
        lazy_mmu::with::<B, _>(|mmu| {
            mmu.write_range(slice::from_ref(one.slot), |_| one.leaf);
            one.check();
            disturb(turn);
            let pending = mmu.write_pending(two.slot, two.leaf, two);
            pending.get(&mmu.flush()).check();
            mmu.note_stores(|| store(three));
            three.check();
            mmu.break_before_make(three.slot, three.range(), |_| other_three.leaf);
            other_three.check();
            mmu.write(four.slot, four.leaf);
            four.check();
        });
    });
}

/// A section and a pause begin in interrupt context, which ends inside them. Later stores are
/// deferred into the section around them, but not beyond their end.
fn interrupt_context_that_ends<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let disable_softirqs = || {
        for info in &current().infos {
            info.preempt_count.fetch_add(SOFTIRQ, Relaxed);
        }
    };
    let enable_softirqs = || {
        for info in &current().infos {
            info.preempt_count.fetch_sub(SOFTIRQ, Relaxed);
        }
    };
    let [one, two] = own.pages();
    lazy_mmu::with::<B, _>(|_| {
        disable_softirqs();
        lazy_mmu::with::<B, _>(|_| {
            enable_softirqs();
            one.write::<B>();
            disturb(turn);
        });
        one.check();
        disable_softirqs();
        lazy_mmu::paused::<B, _>(|| {
            enable_softirqs();
            two.write::<B>();
            disturb(turn + 1);
        });
        two.check();
    });
}

fn forgotten_section<B: Backend>(task: &mut Task<B>, own: &mut Own, turn: usize) {
    let page = own.page();
    let mut section = task.enter();
    section.write(page.slot, page.leaf);
    core::mem::forget(section);
    disturb(turn);
    task.check_idle().expect("its forgotten section is left");
    page.check();
}

fn forgotten_before_another<B: Backend>(task: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two] = own.pages();
    let mut section = task.enter();
    section.write(one.slot, one.leaf);
    core::mem::forget(section);
    disturb(turn);
    let mut section = task.enter();
    one.check();
    section.write(two.slot, two.leaf);
    disturb(turn + 1);
    drop(section);
    two.check();
}

fn without_section<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    one.write::<B>();
    one.check();
    lazy_mmu::write_range::<B, _>(slice::from_ref(two.slot), |_| two.leaf);
    disturb(turn);
    two.check();
    lazy_mmu::write_sync::<B, _>(three.slot, three.leaf);
    three.check();
}

/// Stores the descriptor as other code does.
fn store(page: Page) {
    page.slot.store(page.leaf.0, Relaxed);
}

/// The stores of other code, of which the section learns afterwards.
fn noted_stores<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.note_stores(|| store(one));
        disturb(turn);
    });
    one.check();
    lazy_mmu::note_stores::<B, _>(|| store(two));
    two.check();
    store(three);
    lazy_mmu::note_store::<B>();
    three.check();
}

/// A section of the handle inside the section of a caller that has none.
fn section_of_a_caller<B: Backend>(task: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        let mut section = task.enter();
        section.write(two.slot, two.leaf);
        disturb(turn);
        section.leave();
        one.check();
        two.check();
    });
}

/// Invalidations, which do what the pending pair does.
fn invalidations<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    // The frame of a page must not be mapped elsewhere before the invalidation.
    let [other_one, other_two, other_three] =
        [3, 2, 1].map(|it| own.page_at(own.mapped - it, own.round + 1));
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        mmu.flush();
        one.check();
        let old = mmu.unmap(one.slot, one.range());
        mmu.write(two.slot, other_two.leaf);
        disturb(turn);
        old.invalidate(mmu);
        other_two.check();
        mmu.write(two.slot, Leaf::INVALID);
        mmu.write(three.slot, three.leaf);
        mmu.flush_tlb_all();
        three.check();
        mmu.write(three.slot, Leaf::INVALID);
        mmu.write(one.slot, other_one.leaf);
        disturb(turn + 1);
        lazy_mmu::flush_tlb_all::<B>();
        other_one.check();
        mmu.write(two.slot, two.leaf);
        mmu.write(three.slot, other_three.leaf);
    });
    two.check();
    other_three.check();
}

/// The same page maps one frame and then the other one.
fn change_of_frame<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let page = own.page();
    let other = own.page_at(own.mapped - 1, own.round + 1);
    page.write::<B>();
    page.check();
    break_before_make::<B, _>(page.slot, page.range(), |_| other.leaf);
    other.check();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.break_before_make(page.slot, page.range(), |_| page.leaf);
        disturb(turn);
    });
    page.check();
}

/// The address that the first thread's own table translates, and the size of such a table's range.
const TABLES_BASE: u64 = VMALLOC_BASE + (1 << 30);
const TABLE_SIZE: u64 = 512 * 4096;

/// The entries that link the threads' tables.
static LINKS: Once<&'static [AtomicU64]> = Once::new();
/// The tables of the threads, which are linked only while they are used.
static TABLES: [Words<512>; THREADS] = [const { Words::new() }; THREADS];

/// Builds the tables above those of the threads.
pub(crate) fn init<B: Backend>(mm: &mut MemoryManager<'static, Virt<B>>) -> Result<(), Error> {
    mm.build_tables(PageRange::new(TABLES_BASE, 1)?)?;
    let links = entries(mm, TABLES_BASE, 2)?;
    LINKS.call_once(|| &links[1..]);
    Ok(())
}

/// A table of the thread's own is filled, linked, used, unlinked and emptied.
fn table<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let link = &LINKS.get().expect("it is set")[own.number];
    let table = &TABLES[own.number];
    let children = &table.0[..1];
    let page = Page {
        address: TABLES_BASE + (1 + own.number as u64) * TABLE_SIZE,
        ..own.page_at(0, turn)
    };
    let fill_and_link = || {
        lazy_mmu::with::<B, _>(|mmu| {
            mmu.link_table(link, Table::at(table.address()), children, |_| page.leaf);
            if !is_active::<B>() {
                page.check();
            }
            disturb(turn);
        });
        page.check();
    };
    if turn.is_multiple_of(2) {
        fill_and_link();
    } else {
        lazy_mmu::paused::<B, _>(fill_and_link);
    }
    lazy_mmu::write::<B, _>(link, Table::INVALID);
    disturb(turn + 1);
    lazy_mmu::flush_tlb_kernel_pgtable::<B>(page.range());
    children[0].store(0, Relaxed);
}
