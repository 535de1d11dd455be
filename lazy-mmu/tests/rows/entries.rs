//! Behaviour K09: `&mut` gives access to tables of a kernel's own entry type, `u64` or `AtomicU64`.

use lazy_mmu_testing::prelude::*;

/// The entry type of a kernel.
#[derive(Debug)]
#[repr(transparent)]
struct Mine(u64);

// SAFETY: the type is transparent over 64 bits, accepts every value of them, and has no destructor.
unsafe impl Entry for Mine {}

/// An entry type that the tests use.
trait Kept: Entry + Sized {
    fn new(bits: u64) -> Self;
    fn get(&self) -> u64;
}

impl Kept for Mine {
    fn new(bits: u64) -> Self {
        Self(bits)
    }

    fn get(&self) -> u64 {
        self.0
    }
}

impl Kept for u64 {
    fn new(bits: u64) -> Self {
        bits
    }

    fn get(&self) -> u64 {
        *self
    }
}

impl Kept for AtomicU64 {
    fn new(bits: u64) -> Self {
        Self::new(bits)
    }

    fn get(&self) -> u64 {
        self.load(Ordering::Relaxed)
    }
}

fn table<E: Kept, const N: usize>(bits: u64) -> [E; N] {
    std::array::from_fn(|_| E::new(bits))
}

fn values<E: Kept>(table: &[E]) -> Vec<u64> {
    table.iter().map(E::get).collect()
}

fn pages(number: usize) -> Vec<u64> {
    (0..number).map(|i| page(i).0).collect()
}

/// Runs each operation of a section on an entry, an array and a slice.
fn in_a_section<B: lazy_mmu::Backend, E: Kept>() {
    let mut one = E::new(0);
    let mut array: [E; 4] = table(0);
    let mut vec: Vec<E> = (0..4).map(|_| E::new(0)).collect();
    with::<B, _>(|mmu| {
        mmu.write(&mut one, KERNEL);
        assert_eq!(mmu.read(&mut one), KERNEL.0);
        mmu.write(&mut array[3], KERNEL);
    });
    assert_eq!((one.get(), array[3].get()), (KERNEL.0, KERNEL.0));
    assert_eq!(trace(), "(SSDI)");

    with::<B, _>(|mmu| {
        mmu.write_range(&mut array, page);
        mmu.write_range(&mut vec[..3], page);
        mmu.write_range(vec.as_mut_slice(), page);
    });
    assert_eq!((values(&array), values(&vec)), (pages(4), pages(4)));
    assert_eq!(trace(), "(SSSSSSSSSSSDI)");

    let mut parent = E::new(0);
    with::<B, _>(|mmu| mmu.link_table(&mut parent, LINK, &mut array, page));
    with::<B, _>(|mmu| mmu.link_table(&mut parent, LINK, &mut vec[2..], page));
    assert_eq!(parent.get(), LINK.0);
    assert_eq!(values(&vec[2..]), pages(2));
    assert_eq!(trace(), "(SSSSDSDI)(SSDSDI)");

    with::<B, _>(|mmu| {
        mmu.unmap_range(&mut array, range(4)).invalidate(mmu);
        mmu.unmap_range(&mut vec[..2], range(2)).invalidate(mmu);
        let old = mmu.unmap_range_into(&mut vec[2..], range(2), [0; 2]);
        assert_eq!(old.invalidate(mmu), *pages(2));
    });
    assert_eq!((values(&array), values(&vec)), (vec![0; 4], vec![0; 4]));
    assert_eq!(trace(), "(SSSSDTTTTdRdISSDTTdRdISSDTTdRdI)");

    array = table(KERNEL.0 & !VALID);
    with::<B, _>(|mmu| mmu.set_memory_valid(&mut array, range(4), true));
    assert_eq!(values(&array), [KERNEL.0; 4]);
    with::<B, _>(|mmu| mmu.set_memory_valid(&mut array[..1], range(1), false));
    assert_eq!(array[0].get(), KERNEL.0 & !VALID);
    assert_eq!(trace(), "(SSSSDI)(SDTdRdI)");

    parent = E::new(BLOCK);
    with::<B, _>(|mmu| {
        // SAFETY: the simulated machine does not walk tables.
        let old = unsafe { mmu.split_block(&mut parent, &mut array, LINK, |_, i| page(i)) };
        assert_eq!(old, Ok(BLOCK));
    });
    assert_eq!((parent.get(), values(&array)), (LINK.0, pages(4)));
    assert_eq!(trace(), "(SSSSDSDI)");

    with::<B, _>(|mmu| {
        assert_eq!(mmu.unmap(&mut one, range(1)).invalidate(mmu), KERNEL.0);
        assert_eq!(mmu.compare_exchange(&mut one, Leaf::INVALID, KERNEL), Ok(0));
        mmu.break_before_make(&mut one, range(1), |old| Leaf(old ^ 4096));
        mmu.write_sync(&mut one, Leaf::INVALID);
    });
    assert_eq!(one.get(), 0);
    assert_eq!(trace(), "(SDTdRdISSDTdRdISSDI)");
}

/// Runs each function for code without the guard.
fn without_a_section<B: lazy_mmu::Backend, E: Kept>() {
    let mut one = E::new(0);
    let mut array: [E; 2] = table(0);
    write::<B, _>(&mut one, KERNEL);
    write_range::<B, _>(&mut array, page);
    write_range::<B, _>(&mut array[..], page);
    assert_eq!((one.get(), values(&array)), (KERNEL.0, pages(2)));
    assert_eq!(trace(), "SDISSDISSDI");
    link_table::<B, _>(&mut one, LINK, &mut array, page);
    assert_eq!(one.get(), LINK.0);
    assert_eq!(trace(), "SSDSDI");
    write_sync::<B, _>(&mut one, KERNEL);
    // SAFETY: the simulated machine does not walk tables.
    unsafe { write_nosync::<B, _>(&mut one, KERNEL) };
    assert_eq!(trace(), "SDIS");
    drop(aarch64::unmap_range::<B>(&mut array, range(2)));
    let old = aarch64::unmap::<B>(&mut one, range(1)).invalidate_now();
    assert_eq!((old, one.get(), values(&array)), (KERNEL.0, 0, vec![0; 2]));
    assert_eq!(trace(), "SSDTTdRdISDTdRdI");
    one = E::new(KERNEL.0);
    assert_eq!(update::get_and_clear::<B>(&mut one), KERNEL.0);
    one = E::new(KERNEL.0);
    let mut storage = [None; 1];
    gather::<B, _, _>(&mut storage, |gather| {
        gather.unmap(&mut one, range(1), |old| old).unwrap();
    });
    assert_eq!((storage, one.get()), ([Some(KERNEL.0)], 0));
    let mut group: [E; 16] = std::array::from_fn(|i| E::new(page(i).0 | CONTIGUOUS));
    let group = ContiguousGroup::new(Granule::Kib4, 3, &mut group).unwrap();
    assert_eq!(group.get_and_clear::<B>(), page(0).0 | CONTIGUOUS);
    trace();
}

for_both_storages! {
    fn k09_a_section_writes_tables_of_any_entry_type<B>() {
        in_a_section::<B, Mine>();
        in_a_section::<B, u64>();
        in_a_section::<B, AtomicU64>();
    }

    fn k09_code_without_a_section_writes_tables_of_any_entry_type<B>() {
        without_a_section::<B, Mine>();
        without_a_section::<B, u64>();
        without_a_section::<B, AtomicU64>();
    }
}

/// Each store goes to its own entry, at the address of the entry.
#[test]
fn k09_the_stores_are_at_the_entries_addresses() {
    let mut entries: [Mine; 3] = table(0);
    let first = entries.as_ptr() as usize;
    with::<Sim, _>(|mmu| mmu.write_range(&mut entries, page));
    let stores = take_trace().into_iter().filter_map(|it| match it {
        Event::Store { slot, value } => Some((slot, value)),
        _ => None,
    });
    let expected = (0..3).map(|i| (first + 8 * i, page(i).0));
    assert!(stores.eq(expected));
}

/// A kernel borrows the entries of its own table structure, and changes them in place.
#[test]
fn k09_a_kernels_own_table() {
    #[repr(C, align(4096))]
    struct PageTable {
        entries: [Mine; 512],
    }

    let mut table = Box::new(PageTable { entries: table(0) });
    let PageTable { entries } = &mut *table;
    with::<Sim, _>(|mmu| {
        for (entry, i) in entries.iter_mut().zip(0..) {
            mmu.write(entry, page(i));
        }
    });
    assert_eq!(trace(), format!("({}DI)", "S".repeat(512)));
    assert_eq!(values(&table.entries), pages(512));
}
