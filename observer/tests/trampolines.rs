//! The trampolines of small programs, which rustc builds from assembly for the bare-metal target.

use std::fs;
use std::path::Path;
use std::process::Command;

use lazy_mmu_observer::trampolines::{Error, Instruction, Observable, SIZE, insert, instructions};
use object::{Object, ObjectSymbol};

/// The address of the programs, in reach of the trampolines.
const TEXT: u64 = 0x4008_0000;
const TRAMPOLINES: u64 = 0x4600_0000;

const NOP: u32 = 0xd503_201f;
const MSR_TTBR1_X3: u32 = 0xd518_2023;
const TLBI_VAE1IS_X0: u32 = 0xd508_8320;

/// A setting of the stack pointer, so that trampolines are possible after it.
const STACK: &str = "mov sp, x0";

/// Builds a program. `name` is that of the test, so that tests can run in parallel.
fn build(name: &str, target: &str, lines: &[&str], options: &[&str]) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join(format!("{name}.rs"));
    let output = folder.join(format!("{name}.elf"));
    let assembly = lines.join("\n");
    let program = format!(
        "#![no_std]\n#![no_main]\n\
         #[panic_handler] fn panic(_: &core::panic::PanicInfo<'_>) -> ! {{ loop {{}} }}\n\
         core::arch::global_asm!(r#\".global _start\n_start:\n{assembly}\"#);\n"
    );
    fs::write(&source, program).expect("the folder is there");
    let result = Command::new("rustc")
        .args(["--edition=2024", "--target", target, "-Cpanic=abort"])
        .arg(format!(
            "-Clink-args=-Ttext={TEXT:#x} {}",
            options.join(" ")
        ))
        .args([Path::new("-o"), &output, &source])
        .output()
        .expect("rustc is there");
    let errors = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success(), "{errors}");
    fs::read(output).expect("rustc has written it")
}

fn aarch64(name: &str, lines: &[&str]) -> Vec<u8> {
    build(name, "aarch64-unknown-none", lines, &[])
}

fn words(bytes: &[u8]) -> Vec<u32> {
    let words = bytes.as_chunks().0.iter();
    words.map(|&it| u32::from_le_bytes(it)).collect()
}

/// Returns the instruction of a program at an address.
fn at(elf: &[u8], address: u64) -> u32 {
    let all = instructions(elf).expect("it is a program");
    let found = all.iter().find(|it| it.address == address);
    found.expect("the address is that of an instruction").word
}

/// Returns the target of the branch at `address`.
fn target(address: u64, branch: u32) -> u64 {
    assert_eq!(branch >> 26, 0b00_0101, "{branch:#x} is not a branch");
    let distance = i64::from(branch << 6) << 32 >> 38 << 2;
    address.wrapping_add_signed(distance)
}

/// Returns the addresses that have a trampoline.
fn replaced(observable: &Observable) -> Vec<u64> {
    let count = observable.len() as u64;
    let starts = (0..count).map(|it| TRAMPOLINES + SIZE * it);
    starts.map(|it| observable.origin(it)).collect()
}

#[test]
fn a_trampoline_stores_the_operand_executes_the_instruction_and_branches_back() {
    let lines = [STACK, "nop", "msr ttbr1_el1, x3", "tlbi vae1is, x0", "ret"];
    let elf = aarch64("stores", &lines);
    let observable = insert(&elf, TRAMPOLINES, &[]).expect("all is in reach");
    let [msr, tlbi] = [TEXT + 8, TEXT + 12];
    let code = words(&observable.code);
    assert_eq!(code[..2], [0xf81f_03e3, MSR_TTBR1_X3]);
    assert_eq!(code[8..10], [0xf81f_03e0, TLBI_VAE1IS_X0]);
    assert_eq!(code.len(), 16);
    for (number, site) in (0..).zip([msr, tlbi]) {
        let start = TRAMPOLINES + SIZE * number;
        assert_eq!(target(site, at(&observable.elf, site)), start);
        let back = code[8 * usize::try_from(number).expect("it is small") + 2];
        assert_eq!(target(start + 8, back), site + 4);
        for address in [start, start + 4, start + 8, site] {
            assert_eq!(observable.origin(address), site);
        }
    }
    assert_eq!(
        observable.origin(TRAMPOLINES + 2 * SIZE),
        TRAMPOLINES + 2 * SIZE
    );
    // Nothing else has changed.
    let mut expected = elf.clone();
    let offset = find(&elf, MSR_TTBR1_X3);
    expected[offset..offset + 8].copy_from_slice(&observable.elf[offset..offset + 8]);
    assert_eq!(observable.elf, expected);
}

/// Returns the place of a word in a file.
fn find(elf: &[u8], word: u32) -> usize {
    let place = elf.windows(4).position(|it| it == word.to_le_bytes());
    place.expect("the file has the word")
}

#[test]
fn each_register_and_each_tlbi_with_an_operand_has_a_trampoline() {
    let with = [
        "msr ttbr1_el1, x30",
        "msr tcr_el1, x1",
        "msr vbar_el1, x2",
        "msr ttbr1_el1, xzr",
        "tlbi vae1, x4",
        "tlbi vaale1is, x5",
        "tlbi aside1is, x6",
        "tlbi rvae1is, x7",
        "tlbi vae2is, x8",
    ];
    let without = [
        "mrs x1, ttbr1_el1",
        "msr ttbr0_el1, x1",
        "msr mair_el1, x1",
        "msr tcr_el2, x1",
        "tlbi vmalle1is",
        "tlbi alle2",
        "dsb ish",
        "isb",
        "ic ialluis",
        "dc civac, x1",
        "at s1e1r, x1",
    ];
    let mut lines = vec![".arch armv8.4-a", STACK];
    lines.extend(with.iter().chain(&without));
    let elf = aarch64("each", &lines);
    let observable = insert(&elf, TRAMPOLINES, &[]).expect("all is in reach");
    let sites: Vec<u64> = (1..=with.len() as u64).map(|it| TEXT + 4 * it).collect();
    assert_eq!(replaced(&observable), sites);
}

#[test]
fn code_before_the_first_use_of_the_stack_is_left_alone() {
    // The order of `aarch64-rt`: a function without a stack turns the MMU on.
    let lines = [
        "mrs x9, CurrentEL",
        "cbz x9, 1f",
        "msr vbar_el1, x9",
        "1: bl enable_mmu",
        "tlbi vae1, x2",
        "mov sp, x3",
        "tlbi vae1, x4",
        "bl change",
        "b 1b",
        "enable_mmu:",
        "msr tcr_el1, x10",
        "tbnz x0, #63, 2f",
        "b 3f",
        "2: msr ttbr1_el1, x1",
        "3: ret",
        "change:",
        "tlbi vae1, x5",
        "ret",
    ];
    let elf = aarch64("stack", &lines);
    let observable = insert(&elf, TRAMPOLINES, &[]).expect("all is in reach");
    let registers: Vec<u32> = words(&observable.code)
        .chunks(8)
        .map(|it| it[1] & 0x1f)
        .collect();
    assert_eq!(registers, [4, 5]);
}

#[test]
fn each_branch_is_followed_to_its_target_and_past_it_if_it_may_continue() {
    for (number, (branch, taken, continues)) in (0..).zip([
        ("b 1f", true, false),
        ("bl 1f", true, true),
        ("b.eq 1f", true, true),
        ("b.al 1f", true, true),
        ("cbz x0, 1f", true, true),
        ("cbnz w0, 1f", true, true),
        ("tbz w0, #3, 1f", true, true),
        ("tbnz x0, #63, 1f", true, true),
        ("blr x1", false, true),
        ("br x1", false, false),
        ("ret", false, false),
        ("eret", false, false),
        ("svc #0", false, true),
    ]) {
        // The branch is backward, behind the one to it.
        let lines = [
            "b 2f",
            "1: tlbi vae1, x1",
            "mov sp, x0",
            &format!("2: {}", branch.replace("1f", "1b")),
            "tlbi vae1, x2",
            "mov sp, x0",
        ];
        let elf = aarch64(&format!("branch-{number}"), &lines);
        let observable = insert(&elf, TRAMPOLINES, &[]).expect("all is in reach");
        let [target, next] = [TEXT + 4, TEXT + 16];
        let left_alone = |site| !replaced(&observable).contains(&site);
        assert_eq!(
            (left_alone(target), left_alone(next)),
            (taken, continues),
            "{branch}"
        );
    }
}

#[test]
fn each_use_of_the_stack_ends_the_code_without_one() {
    for (number, (line, uses)) in (0..).zip([
        ("mov sp, x1", true),
        ("sub sp, sp, #16", true),
        ("add x1, sp, #16", true),
        ("stp x29, x30, [sp, #-16]!", true),
        ("ldr x1, [sp]", true),
        ("str q0, [sp, #32]", true),
        ("ldxr x1, [sp]", true),
        ("cmp sp, #1", true),
        ("cmp x1, #1", false),
        ("add x1, x2, x3", false),
        ("add x1, x31, x3", false),
        ("ldr x1, [x2]", false),
        // The distance has the bits of the stack pointer in the place of a base.
        ("ldr x1, . + 124", false),
        ("stp xzr, xzr, [x29], #16", false),
        ("msr vbar_el1, x0", false),
    ]) {
        let line = line.replace("x31", "xzr");
        let lines = [&line, "nop", "1: msr ttbr1_el1, x3", "b .", ".quad 0"];
        let elf = aarch64(&format!("uses-{number}"), &lines);
        let observable = insert(&elf, TRAMPOLINES, &[]).expect("all is in reach");
        assert_eq!(!observable.is_empty(), uses, "{line}");
    }
}

#[test]
fn data_in_the_text_is_left_alone() {
    let data = format!(".word {MSR_TTBR1_X3:#x}");
    let lines = [STACK, "ldr w1, 1f", "ret", "1:", &data, "msr ttbr1_el1, x3"];
    let elf = aarch64("data", &lines);
    let observable = insert(&elf, TRAMPOLINES, &[]).expect("all is in reach");
    assert_eq!(replaced(&observable), [TEXT + 16]);
    assert_eq!(
        insert(&elf, TRAMPOLINES, &[TEXT + 12]).err(),
        Some(Error::NotAnInstruction(TEXT + 12))
    );
    // Without symbols, the constant cannot be told from an instruction.
    let stripped = build("stripped", "aarch64-unknown-none", &lines, &["--strip-all"]);
    let observable = insert(&stripped, TRAMPOLINES, &[]).expect("all is in reach");
    assert_eq!(replaced(&observable), [TEXT + 12, TEXT + 16]);
}

#[test]
fn a_removed_instruction_becomes_a_nop() {
    let lines = [STACK, "dsb ishst", "isb", "tlbi vae1is, x0", "ret"];
    let elf = aarch64("removed", &lines);
    let barriers = [TEXT + 4, TEXT + 12];
    let observable = insert(&elf, TRAMPOLINES, &barriers).expect("all is in reach");
    assert!(observable.is_empty());
    let changed: Vec<_> = instructions(&elf)
        .expect("it is a program")
        .into_iter()
        .zip(instructions(&observable.elf).expect("it is a program"))
        .filter_map(|(before, after)| (before != after).then_some(after))
        .collect();
    let nop = |address| Instruction { address, word: NOP };
    assert_eq!(changed, barriers.map(nop));
    assert_eq!(
        insert(&elf, TRAMPOLINES, &[0x1000])
            .expect_err("the program is not there")
            .to_string(),
        "there is not an instruction at 0x1000, so it cannot be removed"
    );
}

#[test]
fn the_farthest_trampolines_are_in_reach_and_the_next_are_not() {
    let elf = aarch64(
        "reach",
        &[STACK, ".rept 7", "nop", ".endr", "tlbi vae1, x3"],
    );
    let site = TEXT + 32;
    let [first, last] = [site - (1 << 27), site + (1 << 27) - SIZE];
    for address in [first, last] {
        let observable = insert(&elf, address, &[]).expect("it is in reach");
        assert_eq!(target(site, at(&observable.elf, site)), address);
        let back = words(&observable.code)[2];
        assert_eq!(target(address + 8, back), site + 4);
    }
    for to in [first - SIZE, last + SIZE] {
        let error = insert(&elf, to, &[]).expect_err("it is out of reach");
        assert_eq!(error, Error::OutOfReach { from: site, to });
    }
    assert_eq!(
        insert(&elf, TRAMPOLINES + 4, &[]).err(),
        Some(Error::Unaligned(TRAMPOLINES + 4))
    );
}

#[test]
fn trampolines_are_loaded_where_the_kernel_is() {
    let lines = [STACK, "msr ttbr1_el1, x3", "ret"];
    let elf = aarch64("load", &lines);
    let observable = insert(&elf, TRAMPOLINES, &[]).expect("all is in reach");
    assert_eq!(observable.load, TRAMPOLINES);
    // A kernel in the high half, whose segments have lower physical addresses.
    let mut high = elf;
    let header = usize::from(high[32]);
    let headers = high[56].into();
    for segment in high[header..].chunks_mut(56).take(headers) {
        let address = u64::from_le_bytes(segment[24..32].try_into().expect("8 bytes"));
        let physical = address.wrapping_sub(0x3000_0000);
        segment[24..32].copy_from_slice(&physical.to_le_bytes());
    }
    let observable = insert(&high, TRAMPOLINES, &[]).expect("all is in reach");
    assert_eq!(observable.load, TRAMPOLINES - 0x3000_0000);
}

#[test]
fn the_vectors_are_found_by_their_symbol() {
    let lines = [STACK, ".balign 2048", "vector_table_el1:", "b ."];
    let elf = aarch64("vectors", &lines);
    let file = object::File::parse(&*elf).expect("it is a program");
    let symbol = file.symbol_by_name("vector_table_el1").expect("it has one");
    let observable = insert(&elf, TRAMPOLINES, &[]).expect("all is in reach");
    assert_eq!(observable.vectors, Some(symbol.address()));
    let elf = aarch64("no-vectors", &[STACK]);
    let observable = insert(&elf, TRAMPOLINES, &[]).expect("all is in reach");
    assert_eq!(observable.vectors, None);
}

#[test]
fn another_file_is_refused() {
    let error = |bytes: &[u8]| insert(bytes, TRAMPOLINES, &[]).expect_err("it is refused");
    let text = error(b"a kernel").to_string();
    assert!(
        text.starts_with("the kernel is not a little-endian ELF file of 64 bits: "),
        "{text}"
    );
    let mut elf = aarch64("other", &[STACK]);
    // e_machine, which becomes EM_X86_64.
    elf[18] = 62;
    assert_eq!(
        error(&elf).to_string(),
        "the kernel is an ELF file for X86_64: expected one for aarch64 or riscv64"
    );
}

#[test]
fn riscv64_has_trampolines_too() {
    let lines = [
        "csrw satp, a0",
        "la sp, _start",
        "c.nop",
        "csrw satp, a0",
        "sfence.vma a1, zero",
        "sfence.vma",
        "sfence.vma zero, a2",
        ".insn 4, 0x16058073", // sinval.vma a1, zero
        "ecall",
    ];
    let target = "riscv64gc-unknown-none-elf";
    let elf = build("riscv64", target, &lines, &[]);
    let trampolines = TEXT - 0x1_0000;
    let observable = insert(&elf, trampolines, &[]).expect("all is in reach");
    // `la` has two instructions, and `c.nop` has two bytes.
    let [satp, sfence, sinval] = [TEXT + 14, TEXT + 18, TEXT + 30];
    let code = words(&observable.code);
    assert_eq!(code.len(), 32);
    // sd a0, -16(sp); csrw satp, a0
    assert_eq!(code[..2], [0xfea1_3823, 0x1805_1073]);
    // sd a1, -16(sp); sfence.vma a1, zero
    assert_eq!(code[8..10], [0xfeb1_3823, 0x1205_8073]);
    assert_eq!(code[17], 0x1605_8073);
    // sd a7, -16(sp); sd a2, -16(sp); sd a3, -16(sp); ecall
    let ecall = [0xff11_3823, 0xfec1_3823, 0xfed1_3823, 0x0000_0073];
    assert_eq!(code[24..28], ecall);
    assert_eq!(observable.origin(trampolines + 3 * SIZE + 12), TEXT + 34);
    for (number, site) in (0..).zip([satp, sfence, sinval]) {
        let start = trampolines + SIZE * number;
        assert_eq!(observable.origin(start + 4), site);
        let distance = u32::try_from(site - start).expect("it is small");
        let back = code[8 * usize::try_from(number).expect("it is small") + 2];
        assert_eq!(back, jump(distance + 4 - 8));
        let there = at(&observable.elf, site);
        assert_eq!(there & 0xfff, 0x6f, "{there:#x} is not a jump");
        assert_eq!(there >> 31, 1, "it is backward");
    }
    let far = insert(&elf, TEXT + (1 << 20), &[]);
    assert!(matches!(far, Err(Error::OutOfReach { .. })));
}

/// Encodes `j` with a short distance forward, as the specification draws it.
fn jump(distance: u32) -> u32 {
    let bit = |from: u32, to: u32| (distance >> from & 1) << to;
    let low = (1..=10).map(|it| bit(it, 20 + it));
    let high = (12..=19).map(|it| bit(it, it));
    low.chain(high)
        .fold(bit(11, 20) | 0x6f, |word, it| word | it)
}
