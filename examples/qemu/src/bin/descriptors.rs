//! The attributes of `lazy_mmu::aarch64::descriptor` on live tables: the accesses that the MMU
//! permits for each set, and the effect of each bit.
//!
//! The examples of the documentation use these attributes, and readers copy the examples.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aarch64_cpu::registers::{ID_AA64MMFR1_EL1, MAIR_EL1, ReadWriteable, Readable, TCR_EL1};
use aarch64_paging::descriptor::El1Attributes;
use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::contiguous::ContiguousGroup;
use lazy_mmu::aarch64::descriptor::{
    ACCESSED, CONTIGUOUS, DBM, INNER_SHAREABLE, KERNEL_DATA, KERNEL_READ_ONLY, KERNEL_TEXT, Leaf,
    NON_GLOBAL, OUTER_SHAREABLE, PXN, READ_ONLY, TABLE_OR_PAGE, Table, TopLevel, USER, USER_DATA,
    USER_READ_ONLY, USER_TEXT, UXN, VALID, memory_type,
};
use lazy_mmu::flush_tlb_all;
use lazy_mmu_examples::machine::FaultReason;
use lazy_mmu_examples::page::{ENTRIES, PAGE_SIZE, VMALLOC_BASE};
use lazy_mmu_examples::{Error, Frame, Machine, PageRange};
use lazy_mmu_qemu::access;
use lazy_mmu_qemu::thread::Mmu;
use lazy_mmu_qemu::translate::{By, Translation, translate};
use lazy_mmu_qemu::virt::{Virt, entries, pages};
use semihosting::println;

/// Normal memory in the MAIR of these kernels.
const NORMAL: u64 = memory_type(1);
/// The number of entries in a contiguous group.
const GROUP: usize = 16;
/// The size of a block at level 2, in bytes.
const BLOCK: u64 = ENTRIES as u64 * PAGE_SIZE;
/// An address whose entry at level 2 is free.
const GAP: u64 = VMALLOC_BASE + BLOCK;
/// An address whose top-level entry is free.
const TOP_GAP: u64 = 0xffff_ff00_0000_0000;

/// The first word of the frame: `ret` for EL1, then `svc #0` for EL0.
const CODE: u64 = 0xd400_0001_d65f_03c0;
/// The offset of the second instruction, in bytes.
const SVC: u64 = 4;
/// The offset of the data, in bytes.
const DATA: u64 = 8;

lazy_mmu_qemu::program!(|| {
    let memory = Memory::boot()?;
    memory.sets()?;
    memory.memory_types()?;
    memory.bits();
    memory.dirty_state();
    memory.contiguous_group()?;
    memory.block()?;
    memory.tables()?;
    memory.raw_bits();
    Ok::<_, Error>(())
});

/// Live tables, and frames to map.
struct Memory {
    machine: Virt<Mmu>,
    slots: &'static [AtomicU64],
    range: PageRange,
    /// The entry at level 2 for `GAP`.
    level_2: &'static AtomicU64,
    /// The top-level entry for `TOP_GAP`.
    top: &'static AtomicU64,
    /// The first frame of a group. It begins with `CODE`.
    frame: Frame,
    /// Frames for tables.
    tables: [Frame; 3],
}

impl Memory {
    fn boot() -> Result<Self, Error> {
        let mut mm = Virt::<Mmu>::boot(4096, false)?;
        let machine = mm.machine();
        let range = PageRange::new(VMALLOC_BASE, ENTRIES)?;
        mm.build_tables(range)?;
        let slots = entries(&mm, range.start(), 3)?;
        let level_2 = &entries(&mm, GAP, 2)?[0];
        let top = &entries(&mm, TOP_GAP, 0)?[0];
        let first = mm.allocate(2 * GROUP)?;
        let frame = first.address().next_multiple_of(GROUP as u64 * PAGE_SIZE);
        let frame = Frame::containing(frame);
        let tables = mm.allocate(3)?;
        let tables = [0, 1, 2].map(|number| tables.add(number));
        machine.write(frame.linear(), CODE)?;
        access::synchronise_code(frame.linear());
        Ok(Self {
            machine,
            slots,
            range,
            level_2,
            top,
            frame,
            tables,
        })
    }

    /// Maps the frame with `attributes`, calls `check` with its address, and removes the mapping.
    fn page<R>(&self, attributes: u64, check: impl FnOnce(u64) -> R) -> R {
        self.leaf(Leaf::page(self.frame.address(), attributes), check)
    }

    fn leaf<R>(&self, leaf: Leaf, check: impl FnOnce(u64) -> R) -> R {
        // The pair follows at once, for user pages too.
        lazy_mmu::write_sync::<Mmu, _>(&self.slots[0], leaf);
        let result = check(self.range.start());
        let page = pages(self.range.start(), 1);
        lazy_mmu::with::<Mmu, _>(|mmu| mmu.unmap(&self.slots[0], page).invalidate(mmu));
        result
    }

    /// Shows the accesses that each set permits. EL0's reads and writes are only checked by AT.
    fn sets(&self) -> Result<(), Error> {
        let execute_only = USER_TEXT & !USER;
        for (name, set, el1, el0) in [
            ("KERNEL_DATA", KERNEL_DATA, "rw-", "---"),
            ("KERNEL_READ_ONLY", KERNEL_READ_ONLY, "r--", "---"),
            ("KERNEL_TEXT", KERNEL_TEXT, "r-x", "---"),
            ("USER_DATA", USER_DATA, "rw-", "rw-"),
            ("USER_READ_ONLY", USER_READ_ONLY, "r--", "r--"),
            ("USER_TEXT", USER_TEXT, "r--", "r-x"),
            ("USER_TEXT without USER", execute_only, "r--", "--x"),
        ] {
            let granted = self.page(set | NORMAL, |address| self.granted(address))?;
            let [kernel, user] = granted.each_ref().map(|it| str::from_utf8(it));
            assert_eq!((kernel, user), (Ok(el1), Ok(el0)), "{name}");
            println!("{name}: EL1 {el1}, EL0 {el0}");
        }
        for (set, not_global) in [
            (KERNEL_DATA, false),
            (KERNEL_TEXT, false),
            (USER_DATA, true),
            (USER_READ_ONLY, true),
            (USER_TEXT, true),
        ] {
            assert_eq!(set & NON_GLOBAL != 0, not_global, "{set:#x}");
        }
        println!("NON_GLOBAL: in the users' sets, not in the kernel's");
        // In QEMU, accesses do not show these two bits.
        for (bit, by_others) in [
            (NON_GLOBAL, El1Attributes::NON_GLOBAL),
            (CONTIGUOUS, El1Attributes::CONTIGUOUS_OR_PROTECTED),
        ] {
            assert_eq!(bit, by_others.bits() as u64);
        }
        println!("NON_GLOBAL, CONTIGUOUS: the bits are those of aarch64-paging");
        Ok(())
    }

    /// Returns the accesses that EL1 and EL0 may make at `address`, which maps the frame: `rwx`,
    /// with `-` for a refused access.
    fn granted(&self, address: u64) -> Result<[[u8; 3]; 2], Error> {
        let data = self.frame.linear() + DATA;
        self.machine.write(data, 1)?;
        let read = access::read(address + DATA);
        assert_eq!(read, Ok(1), "EL1 reads by every set");
        let write = access::is_permitted(&access::write(address + DATA, 2));
        let written = self.machine.read(data)?;
        assert_eq!(written, if write { 2 } else { 1 });
        // SAFETY: the frame begins with `ret`.
        let execute = access::is_permitted(&unsafe { access::execute(address) });
        // SAFETY: `svc` is behind the `ret`.
        let user_execute = access::is_permitted(&unsafe { access::execute_at_el0(address + SVC) });
        let [kernel_read, kernel_write, user_read, user_write] =
            [By::KernelRead, By::KernelWrite, By::UserRead, By::UserWrite]
                .map(|by| access::is_permitted(&translate(by, address)));
        assert_eq!((kernel_read, kernel_write), (true, write), "by AT");
        Ok([
            letters([true, write, execute]),
            letters([user_read, user_write, user_execute]),
        ])
    }

    /// Shows the memory types and the shareability, as PAR_EL1 has them. The page is not accessed,
    /// because the linear map has its frame as inner shareable normal memory.
    fn memory_types(&self) -> Result<(), Error> {
        let translated =
            |attributes| self.page(attributes, |address| translate(By::KernelRead, address));
        let mair = MAIR_EL1.get().to_le_bytes();
        for (index, byte) in (0..).zip(mair) {
            let Translation { page, memory, .. } = translated(KERNEL_DATA | memory_type(index))?;
            assert_eq!((page, memory), (self.frame.address(), byte), "type {index}");
        }
        println!(
            "memory_type: 0 is {:#04x}, Device-nGnRE memory; 1 is {:#04x}, normal memory, \
             write-back",
            mair[0], mair[1]
        );
        let neither = KERNEL_DATA & !INNER_SHAREABLE | NORMAL;
        for (bits, field) in [(0, 0b00), (OUTER_SHAREABLE, 0b10), (INNER_SHAREABLE, 0b11)] {
            let Translation { shareability, .. } = translated(neither | bits)?;
            assert_eq!(shareability, field);
        }
        println!("OUTER_SHAREABLE and INNER_SHAREABLE: SH of PAR_EL1 is 0b10 and 0b11");
        Ok(())
    }

    /// Shows the effect of each bit, by a mapping with the bit and one without it.
    fn bits(&self) {
        /// Returns whether its access at the address is permitted.
        type Attempt = fn(u64) -> bool;

        let data = KERNEL_DATA | NORMAL;
        let page = Leaf::page(self.frame.address(), data).0;
        for (name, bits, reason) in [
            ("VALID", page & !VALID, FaultReason::NotMapped),
            (
                "TABLE_OR_PAGE",
                page & !TABLE_OR_PAGE,
                FaultReason::NotMapped,
            ),
            ("ACCESSED", page & !ACCESSED, FaultReason::NotAccessed),
        ] {
            let fault = self.leaf(Leaf(bits), access::read);
            let fault = fault.expect_err("it is not mapped as it must be");
            assert_eq!(fault.reason, reason, "{name}");
            println!("{name}: without it a read is refused, {fault}");
        }
        let by_user: Attempt = |address| access::is_permitted(&translate(By::UserRead, address));
        let write: Attempt = |address| access::is_permitted(&access::write(address + DATA, 3));
        // SAFETY: the frame begins with `ret`, and `svc` is behind it.
        let execute: Attempt = |address| access::is_permitted(&unsafe { access::execute(address) });
        // SAFETY: as above.
        let execute_by_user: Attempt =
            |address| access::is_permitted(&unsafe { access::execute_at_el0(address + SVC) });
        let user_text = USER_TEXT | NORMAL;
        for (name, bit, others, access, effect) in [
            ("USER", USER, data, by_user, true),
            ("READ_ONLY", READ_ONLY, data, write, false),
            ("PXN", PXN, data, execute, false),
            ("UXN", UXN, user_text, execute_by_user, false),
        ] {
            let [without, with] = [others & !bit, others | bit].map(|it| self.page(it, access));
            assert_eq!((without, with), (!effect, effect), "{name}");
        }
        println!("USER: EL0 reads the page only if the bit is set");
        println!("READ_ONLY: EL1 writes the page only if the bit is clear");
        println!("PXN: EL1 executes the page only if the bit is clear");
        println!("UXN: EL0 executes the page only if the bit is clear");
    }

    /// Shows a page that only the hardware's management of the dirty state makes writable.
    fn dirty_state(&self) {
        let clean = KERNEL_READ_ONLY | DBM | NORMAL;
        let write = |address| access::is_permitted(&access::write(address + DATA, 4));
        assert!(!self.page(clean, write));
        if ID_AA64MMFR1_EL1.read(ID_AA64MMFR1_EL1::HAFDBS) >= 2 {
            TCR_EL1.modify(TCR_EL1::HA::Enable + TCR_EL1::HD::Enable);
            flush_tlb_all::<Mmu>();
            let (written, entry) = self.page(clean & !ACCESSED, |address| {
                (write(address), self.slots[0].load(Relaxed))
            });
            assert!(written);
            assert_eq!(entry & (ACCESSED | READ_ONLY), ACCESSED, "{entry:#x}");
            TCR_EL1.modify(TCR_EL1::HA::Disable + TCR_EL1::HD::Disable);
            flush_tlb_all::<Mmu>();
        }
        println!(
            "DBM: a read-only page stays so; where the hardware manages the dirty state, a \
             write makes it writable"
        );
    }

    /// Shows that each page of a contiguous group of 16 pages maps its own frame.
    fn contiguous_group(&self) -> Result<(), Error> {
        let slots = &self.slots[..GROUP];
        let first = self.frame.address();
        lazy_mmu::with::<Mmu, _>(|mmu| {
            mmu.write_range(slots, |i| {
                Leaf::page(
                    first + PAGE_SIZE * i as u64,
                    KERNEL_DATA | NORMAL | CONTIGUOUS,
                )
            });
        });
        for number in 0..GROUP {
            let word = 0xb32 + number as u64;
            let address = self.range.page(number) + DATA;
            access::write(address, word)?;
            assert_eq!(access::read(address)?, word);
            assert_eq!(
                self.machine.read(self.frame.add(number).linear() + DATA)?,
                word
            );
        }
        let group = ContiguousGroup::new(Granule::Kib4, 3, slots).expect("it is a group");
        let range = pages(self.range.start(), GROUP as u64);
        let old = group.set_wrprotect::<Mmu>(0);
        assert_eq!(old & READ_ONLY, 0);
        lazy_mmu::with::<Mmu, _>(|mmu| {
            mmu.flush_tlb_kernel_range(range);
        });
        for number in 0..GROUP {
            let address = self.range.page(number) + DATA;
            assert!(!access::is_permitted(&access::write(address, 0)));
            assert_eq!(access::read(address)?, 0xb32 + number as u64);
        }
        lazy_mmu::with::<Mmu, _>(|mmu| mmu.unmap_range(slots, range).invalidate(mmu));
        println!(
            "B32 CONTIGUOUS: a group of {GROUP} pages, each written and read; read-only, each \
             refuses a write"
        );
        Ok(())
    }

    fn block(&self) -> Result<(), Error> {
        let start = self.frame.address() & !(BLOCK - 1);
        let leaf = Leaf::new(Granule::Kib4, 2, start, KERNEL_DATA | NORMAL);
        let leaf = leaf.expect("it is the address of a block");
        lazy_mmu::with::<Mmu, _>(|mmu| mmu.write(self.level_2, leaf));
        let address = GAP + (self.frame.address() - start);
        access::write(address + DATA, 0xb10c)?;
        assert_eq!(self.machine.read(self.frame.linear() + DATA)?, 0xb10c);
        let range = Granule::Kib4.entry(2, GAP).expect("a block's address");
        lazy_mmu::with::<Mmu, _>(|mmu| mmu.unmap(self.level_2, range).invalidate(mmu));
        println!("Leaf::new: a block of 2 MiB at level 2 is written and read");
        Ok(())
    }

    /// Shows a page below three new tables, by a top-level entry and two table descriptors.
    fn tables(&self) -> Result<(), Error> {
        let [level_1, level_2, level_3] = self.tables;
        for table in self.tables {
            self.machine.zero(table)?;
        }
        let [in_level_1, in_level_2] = [level_1, level_2].map(|it| &self.machine.table(it)[0]);
        let pages = &self.machine.table(level_3)[..1];
        lazy_mmu::with::<Mmu, _>(|mmu| {
            mmu.link_table(in_level_2, Table::at(level_3.address()), pages, |_| {
                Leaf::page(self.frame.address(), KERNEL_DATA | NORMAL)
            });
            mmu.write(in_level_1, Table::at(level_2.address()));
            mmu.write(self.top, TopLevel::at(level_1.address()));
        });
        access::write(TOP_GAP + DATA, 0x7ab1e)?;
        assert_eq!(self.machine.read(self.frame.linear() + DATA)?, 0x7ab1e);
        lazy_mmu::write_sync::<Mmu, _>(self.top, TopLevel::INVALID);
        flush_tlb_all::<Mmu>();
        access::read(TOP_GAP).expect_err("the tables are taken away");
        println!(
            "TopLevel::at, Table::at: a walk passes them to a page, which is written and read"
        );
        Ok(())
    }

    /// Shows descriptors of earlier examples, which compile but fault.
    fn raw_bits(&self) {
        for (name, bits) in [
            ("page | UXN | VALID", UXN | VALID),
            (
                "page | UXN | TABLE_OR_PAGE | VALID",
                UXN | TABLE_OR_PAGE | VALID,
            ),
        ] {
            let leaf = Leaf(self.frame.address() | NORMAL | bits);
            let fault = self.leaf(leaf, access::read).expect_err("it must fault");
            println!("Leaf({name}): {fault}");
        }
    }
}

fn letters(granted: [bool; 3]) -> [u8; 3] {
    let mut letters = *b"rwx";
    for (letter, granted) in letters.iter_mut().zip(granted) {
        if !granted {
            *letter = b'-';
        }
    }
    letters
}
