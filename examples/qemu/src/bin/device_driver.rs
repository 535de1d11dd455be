//! A driver in its own library maps its device. This program registers the backend for it.
//!
//! The device is the real-time clock of the `virt` board, a PL031. The program reads its
//! identification registers through the mapping.

#![no_std]
#![no_main]

use lazy_mmu_example_driver::{Area, Registers, ioremap, ioremap_in, iounmap};
use lazy_mmu_examples::page::VMALLOC_BASE;
use lazy_mmu_examples::{Error, PageRange};
use lazy_mmu_qemu::thread::Mmu;
use lazy_mmu_qemu::virt::{Virt, entries};
use lazy_mmu_qemu::{access, step, thread_info};
use semihosting::println;

// This line gives the libraries their backend.
lazy_mmu::set_global_backend!(Mmu);

/// The board's PL011 and its PL031. Each has one page of registers.
const UART: u64 = 0x0900_0000;
const RTC: u64 = 0x0901_0000;
/// The last four registers of every PrimeCell. Each holds one byte of its class.
const CELL_ID: u64 = 0xff0;

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    let mut mm = Virt::<Mmu>::boot(4096, false)?;
    let range = PageRange::new(VMALLOC_BASE, 8)?;
    mm.build_tables(range)?;
    let entries = entries(&mm, range.start(), 3)?;
    let area = |page: usize, pages| {
        Area::new(range.page(page), &entries[page..][..pages]).expect("it is an area of pages")
    };

    let (rtc, _) = step::expect("S D I", || ioremap(&area(0, 1), RTC, 1));
    let rtc = rtc.expect("the clock is mapped");
    println!("K06 a library maps a device: S D I");
    println!(
        "    its PrimeCell identification reads {:#x}",
        cell_id(&rtc)
    );
    assert_eq!(cell_id(&rtc), 0xb105_f00d);

    // One section of the kernel maps both devices, and is flushed once.
    let (both, _) = step::expect("S*5 D I", || {
        lazy_mmu::with::<lazy_mmu::Global, _>(|mmu| {
            let uart = ioremap_in(mmu, &area(1, 1), UART, 1);
            let clock = ioremap_in(mmu, &area(2, 4), RTC, 4);
            let proof = mmu.flush();
            Ok::<_, lazy_mmu_example_driver::Error>((uart?.get(&proof), clock?.get(&proof)))
        })
    });
    let (uart, clock) = both.expect("they are mapped");
    println!("K06 two devices, five pages, in one section of their caller's: S*5 D I");
    assert_eq!(
        (cell_id(&uart), cell_id(&clock)),
        (0xb105_f00d, 0xb105_f00d)
    );

    let address = rtc.address();
    step::expect("S D T d R d I", || iounmap(&area(0, 1), rtc));
    println!("K06 the mapping is taken away: S D T d R d I");
    let fault = access::read_register(address).expect_err("it is unmapped");
    println!("    and touched: {fault}");

    for (physical, pages) in [(RTC + 4, 1), (RTC, 5), (0xffff_ffff_f000, 2)] {
        let error = ioremap(&area(2, 4), physical, pages).expect_err("it cannot be mapped");
        println!("refused: {error}");
    }
    thread_info::check_clear();
    Ok(())
}

fn cell_id(registers: &Registers) -> u32 {
    (0..4).fold(0, |id, byte| {
        let register = access::read_register(registers.address() + CELL_ID + 4 * byte);
        id | (register.expect("it is mapped") & 0xff) << (8 * byte)
    })
}
