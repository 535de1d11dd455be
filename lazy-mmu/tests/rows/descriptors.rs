//! Rows B04 and B10 to B13: the rule of each kind, in each granule and regime; and what is no
//! descriptor of the kind.

use Granule::{Kib4, Kib4Lpa2, Kib16, Kib16Lpa2, Kib64};
use lazy_mmu::aarch64::PAGE_LEVEL;
use lazy_mmu_testing::prelude::*;

const GRANULES: [Granule; 3] = [Kib4, Kib16, Kib64];
const LPA2: [Granule; 2] = [Kib4Lpa2, Kib16Lpa2];

/// Every level of every granule.
fn levels() -> impl Iterator<Item = (Granule, u8)> {
    GRANULES
        .into_iter()
        .flat_map(|granule| (granule.first_level()..=PAGE_LEVEL).map(move |level| (granule, level)))
}

#[test]
fn the_granules_are_those_of_the_manual() {
    let (kib, mib, gib, tib) = (1 << 10, 1 << 20, 1 << 30, 1 << 40);
    // Entries, and what an entry translates at each level.
    let four = [512 * gib, gib, 2 * mib, 4 * kib].map(Some);
    let sixteen = [128 * tib, 64 * gib, 32 * mib, 16 * kib].map(Some);
    let sixty_four = [0, 4 * tib, 512 * mib, 64 * kib].map(|it| (it != 0).then_some(it));
    let table = [
        (Kib4, 512, four),
        (Kib16, 2048, sixteen),
        (Kib64, 8192, sixty_four),
    ];
    for (granule, entries, sizes) in table {
        assert_eq!(Some(granule.page_size()), sizes[3]);
        assert_eq!(granule.entries(), entries);
        assert_eq!([0, 1, 2, 3].map(|level| granule.entry_size(level)), sizes);
        assert_eq!(granule.entry_size(4), None);
    }
    for (granule, blocks) in [(Kib4, &[1, 2][..]), (Kib16, &[2]), (Kib64, &[2])] {
        let has_blocks = (0..4).filter(|level| granule.has_blocks(*level));
        assert_eq!(has_blocks.collect::<Vec<_>>(), blocks, "{granule:?}");
    }
}

#[test]
fn b04_b11_a_leaf_of_el1_needs_the_pair_iff_it_is_a_valid_kernel_leaf() {
    for (granule, level) in levels() {
        if level != PAGE_LEVEL && !granule.has_blocks(level) {
            continue;
        }
        for (user, uxn) in [(false, false), (false, true), (true, false), (true, true)] {
            let attributes = if user { USER } else { 0 } | if uxn { UXN } else { 0 } | ACCESSED;
            let address = granule.entry_size(level).unwrap();
            let leaf = Leaf::new(granule, level, address, attributes).unwrap();
            assert_eq!(leaf.needs_barrier(), !user, "{granule:?} {level} {leaf:?}");
            assert!(!Leaf(leaf.0 & !VALID).needs_barrier());
            // By Linux's rule UXN must be set too.
            let linuxs = UxnLeaf::new(granule, level, address, attributes).unwrap();
            assert_eq!(linuxs.needs_barrier(), uxn && !user);
            assert!(!UxnLeaf(leaf.0 & !VALID).needs_barrier());
            assert_eq!(leaf.address(granule), address);
            assert_eq!(Leaf::from_bits(granule, level, leaf.0), Ok(leaf));
            // At EL2 all of them are the kernel's.
            let leaf = El2Leaf::new(granule, level, address, attributes).unwrap();
            assert!(leaf.needs_barrier());
            assert!(!El2Leaf(leaf.0 & !VALID).needs_barrier());
        }
    }
    assert!(!Leaf::INVALID.needs_barrier() && !El2Leaf::INVALID.needs_barrier());
}

#[test]
fn b04_b08_no_other_bit_of_a_leaf_counts() {
    let rule = |bits: u64| bits & (VALID | USER) == VALID;
    let linuxs = |bits: u64| rule(bits) && bits & UXN != 0;
    for others in [0, !0, 0x5555_5555_5555_5555, 0xaaaa_aaaa_aaaa_aaaa] {
        for number in 0..64 {
            for combination in 0..8 {
                let chosen = chosen(combination, [VALID, USER, UXN]);
                let bits = ((others ^ 1 << number) & !(VALID | USER | UXN)) | chosen;
                assert_eq!(Leaf(bits).needs_barrier(), rule(bits), "{bits:#x}");
                assert_eq!(UxnLeaf(bits).needs_barrier(), linuxs(bits), "{bits:#x}");
                // One whose author knows it for a valid kernel leaf is not looked at.
                assert!(KernelLeaf(bits).needs_barrier());
            }
        }
    }
}

#[test]
fn b10_b12_b13_tables_and_the_top_level() {
    for (granule, level) in levels().filter(|it| it.1 != PAGE_LEVEL) {
        let address = 3 * granule.page_size();
        let table = Table::new(granule, level, address, 0).unwrap();
        assert!(table.needs_barrier(), "B10");
        assert_eq!(table.address(granule), address);
        assert!(!Table::INVALID.needs_barrier(), "B12");
        assert!(!Table(table.0 & !VALID).needs_barrier(), "B12");
        let top = TopLevel::new(granule, level, address, 0).unwrap();
        assert!(top.needs_barrier(), "B13");
        assert!(TopLevel::INVALID.needs_barrier(), "B13");
        assert_eq!(TopLevel::from_bits(granule, level, top.0), Ok(top));
    }
}

#[test]
fn b10_b13_what_is_stored_is_the_descriptor() {
    let [slot] = slots();
    with::<Sim, _>(|mmu| {
        mmu.write(&slot, Table(0x4000_0003));
        assert_eq!(slot.get(), 0x4000_0003);
        mmu.write(&slot, TopLevel(0x8000_0003));
        assert_eq!(slot.get(), 0x8000_0003);
        mmu.write(&slot, Leaf(0x4000_0703));
        assert_eq!(slot.get(), 0x4000_0703);
        mmu.write(&slot, El2Leaf(0x8000_0703));
        assert_eq!(slot.get(), 0x8000_0703);
        mmu.write(&slot, KernelLeaf(0x4000_0783));
        assert_eq!(slot.get(), 0x4000_0783);
    });
}

#[test]
fn only_the_bits_that_are_reserved_are_reported() {
    use BadDescriptor::{NoSuchLevel, Reserved};

    const NT: u64 = 1 << 16;
    for granule in GRANULES {
        let page = Leaf::new(granule, 3, 0, ACCESSED | NT | VALID);
        assert_eq!(page, Err(Reserved { bits: NT | VALID }));
        let block = Leaf::new(granule, 2, 0, ACCESSED | NT | 1 << 17);
        assert_eq!(block, Err(Reserved { bits: 1 << 17 }));
        assert!(Leaf::new(granule, 2, 0, ACCESSED | NT).is_ok());
        // There are no tables at the level of the pages, nor below it, an invalid entry or not.
        for (level, bits) in [(3, 0), (3, 0b11), (4, 0), (4, 0b11)] {
            let table = Table::from_bits(granule, level, bits);
            assert_eq!(table, Err(NoSuchLevel { level }));
        }
    }
    let top = TopLevel::from_bits(Kib64, 0, 0b11);
    assert_eq!(top, Err(NoSuchLevel { level: 0 }));
}

#[test]
fn bad_descriptors_are_refused() {
    use BadDescriptor::{IsLeaf, IsTable, NoSuchLevel, Reserved, TooLarge, Unaligned};

    fn unaligned(address: u64, align: u64) -> BadDescriptor {
        Unaligned { address, align }
    }
    fn leaf(granule: Granule, level: u8, address: u64, attributes: u64) -> BadDescriptor {
        Leaf::new(granule, level, address, attributes).unwrap_err()
    }
    fn table(granule: Granule, level: u8, address: u64, attributes: u64) -> BadDescriptor {
        Table::new(granule, level, address, attributes).unwrap_err()
    }
    fn leaf_of(granule: Granule, level: u8, bits: u64) -> BadDescriptor {
        Leaf::from_bits(granule, level, bits).unwrap_err()
    }

    for granule in GRANULES {
        let page = granule.page_size();
        let block = granule.entry_size(2).unwrap();
        let table_of = |bits| Table::from_bits(granule, 2, bits).unwrap_err();
        for (number, (error, expected)) in [
            (leaf(granule, 3, 0x800, 0), unaligned(0x800, page)),
            (leaf(granule, 2, page, 0), unaligned(page, block)),
            (table(granule, 2, page / 2, 0), unaligned(page / 2, page)),
            (leaf(granule, 3, 1 << 48, 0), TooLarge { address: 1 << 48 }),
            (leaf(granule, 4, 0, 0), NoSuchLevel { level: 4 }),
            (table(granule, 3, 0, 0), NoSuchLevel { level: 3 }),
            // The type is not an attribute, nor is an address.
            (leaf(granule, 3, 0, VALID), Reserved { bits: VALID }),
            (leaf(granule, 3, 0, 1 << 20), Reserved { bits: 1 << 20 }),
            (table(granule, 2, 0, 2), Reserved { bits: 2 }),
            // Somebody else's bits.
            (leaf_of(granule, 2, 0b11), IsTable { bits: 0b11 }),
            (table_of(0b01), IsLeaf { bits: 0b01 }),
            (leaf_of(granule, 3, 0b01), Reserved { bits: VALID }),
            (
                leaf_of(granule, 3, 0b11 | 3 << 48),
                Reserved { bits: 3 << 48 },
            ),
            (
                leaf_of(granule, 2, 0b01 | 1 << 17),
                Reserved { bits: 1 << 17 },
            ),
            (table_of(0b11 | 1 << 48), Reserved { bits: 1 << 48 }),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(error, expected, "{granule:?}, case {number}");
        }
        let of_el2 = El2Leaf::new(granule, 3, 0, 1 << 20);
        assert_eq!(of_el2, Err(Reserved { bits: 1 << 20 }));
        // nT, in a block only.
        assert!(Leaf::from_bits(granule, 2, 0b01 | 1 << 16).is_ok());
        assert_eq!(Leaf(0b01 | 1 << 16).address(granule), 0);
        // An invalid entry is of every kind, whatever else software keeps in it.
        assert!(Leaf::from_bits(granule, 2, 0xdead_beef_0000_0002).is_ok());
        assert!(TopLevel::from_bits(granule, 1, 0xdead_beef_0000_0000).is_ok());
    }
    // No blocks there.
    assert_eq!(leaf(Kib16, 1, 0, 0), NoSuchLevel { level: 1 });
    assert_eq!(leaf_of(Kib4, 0, 0b01), NoSuchLevel { level: 0 });
    assert_eq!(table(Kib64, 0, 0, 0), NoSuchLevel { level: 0 });
    let text = "the output address 0x1000 is not a multiple of 0x200000";
    assert_eq!(leaf(Kib4, 2, 0x1000, 0).to_string(), text);
}

/// With LPA2 bits 51:50 of an address stand where SH stands otherwise, and 49:48 where nothing may.
#[test]
fn lpa2_has_other_addresses_and_no_shareability() {
    use BadDescriptor::{Reserved, TooLarge};

    for granule in LPA2 {
        let page = granule.page_size();
        for (address, field) in [
            (page, page),
            (1 << 48, 1 << 48),
            (1 << 49, 1 << 49),
            (1 << 50, 1 << 8),
            (1 << 51, 1 << 9),
            ((1 << 52) - page, ((1 << 50) - page) | 0b11 << 8),
        ] {
            let leaf = Leaf::new(granule, 3, address, ACCESSED).unwrap();
            assert_eq!(leaf.0, field | ACCESSED | 0b11);
            assert_eq!(leaf.address(granule), address);
            assert_eq!(Leaf::from_bits(granule, 3, leaf.0), Ok(leaf));
            let table = Table::new(granule, 2, address, 0).unwrap();
            assert_eq!((table.0, table.address(granule)), (field | 0b11, address));
            assert_eq!(Table::from_bits(granule, 2, table.0), Ok(table));
        }
        let nt = Leaf::new(granule, 2, 0, ACCESSED | 1 << 16).unwrap();
        assert_eq!(nt.address(granule), 0);
        let address = 1 << 52;
        assert_eq!(Leaf::new(granule, 3, address, 0), Err(TooLarge { address }));
        let bits = INNER_SHAREABLE;
        let shareable = Leaf::new(granule, 3, 0, KERNEL_DATA);
        assert_eq!(shareable, Err(Reserved { bits }), "TCR_ELx.SH says it");
        // The levels that only LPA2 has blocks at.
        assert!(Leaf::new(granule, u8::from(page != 4096), 0, ACCESSED).is_ok());
    }
    // Without it such an address is refused.
    for granule in GRANULES {
        let leaf = Leaf::from_bits(granule, 3, 1 << 48 | 0b11);
        assert_eq!(leaf, Err(Reserved { bits: 1 << 48 }));
    }
}

#[test]
fn pages_and_tables_of_4_kib() {
    let attributes = KERNEL_DATA | memory_type(1);
    let leaf = Leaf::page(0x4000_0000, attributes);
    assert_eq!(Ok(leaf), Leaf::new(Kib4, 3, 0x4000_0000, attributes));
    assert_eq!(leaf.0, 0x0060_0000_4000_0707);
    assert_eq!(Table::at(0x4000_0000), Table(0x4000_0003));
    assert_eq!(TopLevel::at(0x4000_0000), TopLevel(0x4000_0003));
    for refused in [
        || Leaf::page(0x4000_0800, KERNEL_DATA).0,
        || Leaf::page(1 << 48, KERNEL_DATA).0,
        || Leaf::page(0x4000_0000, VALID).0,
        || Leaf::page(0x4000_0000, memory_type(8)).0,
        || Table::at(0x800).0,
        || TopLevel::at(1 << 48).0,
    ] {
        assert!(unwinds(refused));
    }
}

/// Each entry of a granule that can be contiguous, and how many of them are (Arm ARM DDI 0487, "The
/// Contiguous bit").
#[test]
fn b32_the_sizes_of_contiguous_groups_are_those_of_the_manual() {
    for (granule, expected) in [
        (Kib4, [None, Some(16 << 30), Some(32 << 20), Some(64 << 10)]),
        (Kib16, [None, None, Some(1 << 30), Some(2 << 20)]),
        (Kib64, [None, None, Some(16 << 30), Some(2 << 20)]),
    ] {
        let sizes = [0, 1, 2, 3].map(|level| {
            let entries = granule.contiguous_entries(level)? as u64;
            Some(entries * granule.entry_size(level)?)
        });
        assert_eq!(sizes, expected, "{granule:?}");
    }
}

/// The bits by their numbers in the manual's figures. (That each does what its name says is shown
/// on live tables, by the program `descriptors` in QEMU.)
#[test]
fn the_attributes_are_the_manuals_bits() {
    for (attribute, bits) in [
        (VALID, 0x1),
        (TABLE_OR_PAGE, 0x2),
        (USER, 0x40),
        (READ_ONLY, 0x80),
        (OUTER_SHAREABLE, 0x200),
        (INNER_SHAREABLE, 0x300),
        (ACCESSED, 0x400),
        (NON_GLOBAL, 0x800),
        (DBM, 1 << 51),
        (CONTIGUOUS, 1 << 52),
        (PXN, 1 << 53),
        (UXN, 1 << 54),
        (KERNEL_DATA, 0x0060_0000_0000_0700),
        (KERNEL_READ_ONLY, 0x0060_0000_0000_0780),
        (KERNEL_TEXT, 0x0040_0000_0000_0780),
        (USER_DATA, 0x0060_0000_0000_0f40),
        (USER_READ_ONLY, 0x0060_0000_0000_0fc0),
        (USER_TEXT, 0x0020_0000_0000_0fc0),
        (EL2_DATA, 0x0040_0000_0000_0740),
        (EL2_TEXT, 0x07c0),
    ] {
        assert_eq!(attribute, bits, "{attribute:#x}");
    }
}
