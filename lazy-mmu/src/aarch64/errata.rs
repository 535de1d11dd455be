//! Lists the CPUs that need a broadcast TLB invalidation to be repeated.
//!
//! On these CPUs `TLBI; DSB` removes the TLB entries, as it must. The DSB may complete too early:
//! before other CPUs observe a store that one of these CPUs made through a removed entry. The store
//! may then arrive when the frame has another use. The mitigation is one more TLBI and DSB after
//! the sequence:
//!
//! ```text
//! TLBI ..             one or more, of the range
//! DSB ISH
//! TLBI VALE1IS, XZR   any TLBI that is broadcast to the affected CPUs, with any operand
//! DSB ISH
//! ```
//!
//! One repetition is enough after any number of TLBIs. A TLBI that is not broadcast does not need
//! it.
//!
//! Sources, as of August 2026:
//!
//! - The record of CVE-2025-10263, which refers to Arm's bulletin (documentation 112137): the CPUs.
//! - Linux, commits `cfd391e74134`, `ec7216f92e4e` and `1940e70a8144`: the CPUs, with revisions and
//!   errata numbers.
//! - Linux, `arm64_repeat_tlbi_list` in `arch/arm64/kernel/cpu_errata.c`: older errata that the
//!   same sequence mitigates.
//! - Linux, commit `a8f78680ee6b`: the sequence.
//! - Xen's advisory XSA-493 and Trusted Firmware-A's TFV-17: the conditions.
//!
//! Erratum 4193714 of C1-Pro (CVE-2026-0995) is a different one. It concerns accesses of the
//! Scalable Matrix Extension, and a repeated TLBI does not mitigate it.

/// CPUs of one design.
struct Affected {
    /// MIDR_EL1.Implementer.
    implementer: u8,
    /// The first and the last MIDR_EL1.PartNum.
    parts: [u16; 2],
    /// The first and the last revision, as `0xXY` for rXpY: MIDR_EL1.{Variant, Revision}.
    revisions: [u8; 2],
}

impl Affected {
    /// All revisions, also future ones, because the sources do not name a repaired revision.
    const fn all(implementer: u8, part: u16) -> Self {
        Self::some(implementer, part, [0x00, 0xff])
    }

    /// The revisions from the first to the last.
    const fn some(implementer: u8, part: u16, revisions: [u8; 2]) -> Self {
        Self {
            implementer,
            parts: [part, part],
            revisions,
        }
    }

    /// All revisions of the parts from the first to the last.
    const fn parts(implementer: u8, parts: [u16; 2]) -> Self {
        Self {
            implementer,
            parts,
            revisions: [0x00, 0xff],
        }
    }

    const fn has(&self, midr_el1: u64) -> bool {
        let part = midr_el1 >> 4 & 0xfff;
        let revision = midr_el1 >> 16 & 0xf0 | midr_el1 & 0xf;
        midr_el1 >> 24 & 0xff == self.implementer as u64
            && self.parts[0] as u64 <= part
            && part <= self.parts[1] as u64
            && self.revisions[0] as u64 <= revision
            && revision <= self.revisions[1] as u64
    }
}

const ARM: u8 = 0x41;
const NVIDIA: u8 = 0x4e;
const QUALCOMM: u8 = 0x51;
const MICROSOFT: u8 = 0x6d;

/// The affected CPUs. The comments have their names and errata numbers.
const AFFECTED: &[Affected] = &[
    // CVE-2025-10263.
    Affected::all(ARM, 0xd0b), // Cortex-A76: 4193800; up to r3p0 also 1286807
    Affected::all(ARM, 0xd0e), // Cortex-A76AE: 4193801
    Affected::all(ARM, 0xd0d), // Cortex-A77: 4193798
    Affected::all(ARM, 0xd41), // Cortex-A78: 4193791
    Affected::all(ARM, 0xd42), // Cortex-A78AE: 4193793
    Affected::all(ARM, 0xd4b), // Cortex-A78C: 4193794
    Affected::all(ARM, 0xd47), // Cortex-A710: 4193788
    Affected::all(ARM, 0xd44), // Cortex-X1: 4193791
    Affected::all(ARM, 0xd4c), // Cortex-X1C: 4193792
    Affected::all(ARM, 0xd48), // Cortex-X2: 4193788
    Affected::all(ARM, 0xd4e), // Cortex-X3: 4193786
    Affected::all(ARM, 0xd82), // Cortex-X4: 4118414
    Affected::all(ARM, 0xd85), // Cortex-X925: 4193781
    Affected::all(ARM, 0xd90), // C1-Premium: 4193780
    Affected::all(ARM, 0xd8c), // C1-Ultra: 4193780
    Affected::all(ARM, 0xd0c), // Neoverse N1: 4193800
    Affected::all(ARM, 0xd49), // Neoverse N2: 4193789
    Affected::all(ARM, 0xd40), // Neoverse V1: 4193790
    Affected::all(ARM, 0xd4f), // Neoverse V2: 4193787
    Affected::all(ARM, 0xd84), // Neoverse V3: 4193784
    Affected::all(ARM, 0xd83), // Neoverse V3AE: 4193784
    Affected::all(MICROSOFT, 0xd49), // Azure Cobalt 100: 4193789
    Affected::all(NVIDIA, 0x010), // Olympus: T410-OLY-1029
    // Older errata.
    Affected::all(ARM, 0xd05),                     // Cortex-A55: 2441007
    Affected::some(ARM, 0xd46, [0x00, 0x11]),      // Cortex-A510: 2441009
    Affected::some(QUALCOMM, 0x800, [0x00, 0x00]), // Falkor v1: 1009
    Affected::some(QUALCOMM, 0x804, [0xce, 0xfe]), // Kryo 4xx Gold: 1286807
    Affected::parts(QUALCOMM, [0x200, 0x2ff]),     // Kryo: 1009
];

/// Whether the CPU with this MIDR_EL1 needs each broadcast TLB invalidation to be repeated.
///
/// The argument is the register's value: Implementer in bits 31:24, Variant in 23:20, PartNum in
/// 15:4, Revision in 3:0. The function ignores the other bits, because they are the same on every
/// AArch64 CPU.
///
/// A system needs the repetition if one of its CPUs does. The affected CPU is the one whose store
/// is late, and any CPU may execute the TLBI. Call the function for every CPU, also for one that
/// comes up later. In a virtual machine the hypervisor chooses MIDR_EL1, and may move the machine
/// to other CPUs.
///
/// `false` means that the sources do not name the CPU. It does not mean that the vendor declares
/// the CPU free of such errata. For example, the sources do not name Qualcomm's Kryo 4xx Silver,
/// which derives from the affected Cortex-A55.
///
/// ```
/// use lazy_mmu::aarch64::errata::needs_repeated_tlbi;
///
/// const CORTEX_A53_R0P4: u64 = 0x410f_d034;
/// const CORTEX_A76_R4P1: u64 = 0x414f_d0b1;
///
/// // In a system with both, every CPU repeats its invalidations.
/// assert!([CORTEX_A53_R0P4, CORTEX_A76_R4P1].into_iter().any(needs_repeated_tlbi));
///
/// assert!(!needs_repeated_tlbi(CORTEX_A53_R0P4));
/// ```
pub const fn needs_repeated_tlbi(midr_el1: u64) -> bool {
    let mut row = 0;
    while row < AFFECTED.len() {
        if AFFECTED[row].has(midr_el1) {
            return true;
        }
        row += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::needs_repeated_tlbi;

    /// The register's first and last affected value, from the sources' own lists. A next revision, if
    /// there is one, is not affected.
    const PUBLISHED: [(&str, u64, u64); 27] = [
        ("Cortex-A55 r0p0 on", 0x410f_d050, 0x41ff_d05f),
        ("Cortex-A510 r0p0 to r1p1", 0x410f_d460, 0x411f_d461),
        ("Cortex-A76 r0p0 on", 0x410f_d0b0, 0x41ff_d0bf),
        ("Cortex-A76AE r0p0 on", 0x410f_d0e0, 0x41ff_d0ef),
        ("Cortex-A77 r0p0 on", 0x410f_d0d0, 0x41ff_d0df),
        ("Cortex-A78 r0p0 on", 0x410f_d410, 0x41ff_d41f),
        ("Cortex-A78AE r0p0 on", 0x410f_d420, 0x41ff_d42f),
        ("Cortex-A78C r0p0 on", 0x410f_d4b0, 0x41ff_d4bf),
        ("Cortex-A710 r0p0 on", 0x410f_d470, 0x41ff_d47f),
        ("Cortex-X1 r0p0 on", 0x410f_d440, 0x41ff_d44f),
        ("Cortex-X1C r0p0 on", 0x410f_d4c0, 0x41ff_d4cf),
        ("Cortex-X2 r0p0 on", 0x410f_d480, 0x41ff_d48f),
        ("Cortex-X3 r0p0 on", 0x410f_d4e0, 0x41ff_d4ef),
        ("Cortex-X4 r0p0 on", 0x410f_d820, 0x41ff_d82f),
        ("Cortex-X925 r0p0 on", 0x410f_d850, 0x41ff_d85f),
        ("C1-Ultra r0p0 on", 0x410f_d8c0, 0x41ff_d8cf),
        ("C1-Premium r0p0 on", 0x410f_d900, 0x41ff_d90f),
        ("Neoverse N1 r0p0 on", 0x410f_d0c0, 0x41ff_d0cf),
        ("Neoverse N2 r0p0 on", 0x410f_d490, 0x41ff_d49f),
        ("Neoverse V1 r0p0 on", 0x410f_d400, 0x41ff_d40f),
        ("Neoverse V2 r0p0 on", 0x410f_d4f0, 0x41ff_d4ff),
        ("Neoverse V3 r0p0 on", 0x410f_d840, 0x41ff_d84f),
        ("Neoverse V3AE r0p0 on", 0x410f_d830, 0x41ff_d83f),
        ("NVIDIA Olympus r0p0 on", 0x4e0f_0100, 0x4eff_010f),
        ("Azure Cobalt 100 r0p0 on", 0x6d0f_d490, 0x6dff_d49f),
        ("Falkor v1 r0p0", 0x510f_8000, 0x510f_8000),
        ("Kryo 4xx Gold rCpE to rFpE", 0x51cf_804e, 0x51ff_804e),
    ];

    /// Miri is slow, and looks for something else.
    const STEP: usize = if cfg!(miri) { 17 } else { 1 };

    /// The register with every Variant and Revision, from r0p0 to rFpF.
    fn revisions(midr_el1: u64) -> impl Iterator<Item = u64> {
        (0..0x100)
            .step_by(STEP)
            .map(move |it| midr_el1 & !0x00f0_000f | (it & 0xf0) << 16 | it & 0xf)
    }

    #[test]
    fn b31_the_published_cpus_need_a_repeated_tlbi() {
        for (name, first, last) in PUBLISHED {
            // Inside these the registers are in the order of the revisions.
            let next = (last & 0xf != 0xf).then_some(last + 1);
            for midr_el1 in revisions(first).chain([first, last]).chain(next) {
                let published = (first..=last).contains(&midr_el1);
                let needs = needs_repeated_tlbi(midr_el1);
                assert_eq!(needs, published, "{name}: {midr_el1:#x}");
            }
        }
        // All parts 0x2xx of Qualcomm, all revisions.
        for part in 0x200..0x300 {
            let kryo = 0x510f_0000 | part << 4;
            assert!(needs_repeated_tlbi(kryo), "{kryo:#x}, r0p0");
            assert!(needs_repeated_tlbi(kryo | 0x00f0_000f), "{kryo:#x}, rFpF");
        }
    }

    #[test]
    fn b31_no_other_design_needs_a_repeated_tlbi() {
        let midr_el1 = |implementer: u64, part: u64| implementer << 24 | 0x000f_0000 | part << 4;
        let implementers = if cfg!(miri) { 0x51..0x52 } else { 0..0x100 };
        for implementer in implementers {
            for part in (0..0x1000).step_by(STEP) {
                let cpu = midr_el1(implementer, part);
                let kryo = implementer == 0x51 && part >> 8 == 2;
                let design = |it: u64| it & !0x00f0_000f;
                let published = PUBLISHED.iter().any(|row| design(row.1) == design(cpu));
                // r0p0, rCpE, rFpE: one of them is in every range.
                let needs = [0, 0x00c0_000e, 0x00f0_000e].map(|it| needs_repeated_tlbi(cpu | it));
                assert_eq!(needs.contains(&true), kryo || published, "{cpu:#x}");
            }
        }
    }

    #[test]
    fn b31_cpus_that_no_source_names_need_no_repeated_tlbi() {
        for (name, midr_el1) in [
            ("Cortex-A35 r0p2", 0x410f_d042),
            ("Cortex-A53 r0p4", 0x410f_d034),
            ("Cortex-A57 r1p0, QEMU's", 0x411f_d070),
            ("Cortex-A65 r1p1", 0x411f_d061),
            ("Cortex-A72 r0p3, QEMU's", 0x410f_d083),
            ("Cortex-A73 r0p2", 0x410f_d092),
            ("Cortex-A75 r3p1", 0x413f_d0a1),
            ("Cortex-A510 r1p2", 0x411f_d462),
            ("Cortex-A520 r0p1", 0x410f_d801),
            ("Cortex-A715 r1p2", 0x411f_d4d2),
            ("Cortex-A720 r0p2", 0x410f_d812),
            ("Cortex-A725 r0p1", 0x410f_d871),
            ("C1-Nano r1p0", 0x411f_d8a0),
            ("C1-Pro r1p2", 0x411f_d8b2),
            ("Neoverse E1 r1p2", 0x411f_d4a2),
            ("Neoverse N3 r0p1", 0x410f_d8e1),
            ("AmpereOne r0p0", 0xc00f_ac30),
            ("Apple M1, Firestorm", 0x611f_0231),
            ("Cavium ThunderX2", 0x431f_0af1),
            ("Fujitsu A64FX, QEMU's", 0x461f_0010),
            ("HiSilicon TSV110", 0x481f_d010),
            ("NVIDIA Carmel", 0x4e0f_0040),
            ("Qualcomm Falkor", 0x510f_c000),
            ("Qualcomm Kryo 2xx Gold", 0x51af_8001),
            ("Qualcomm Kryo 4xx Silver", 0x51df_805e),
            ("QEMU's max", 0x000f_0510),
        ] {
            assert!(!needs_repeated_tlbi(midr_el1), "{name}");
        }
    }

    #[test]
    fn b31_the_other_bits_of_the_register_do_not_matter() {
        let neoverse_n1 = 0x413f_d0c1;
        assert!(needs_repeated_tlbi(neoverse_n1 | 0xffff_ffff << 32));
        assert!(needs_repeated_tlbi(neoverse_n1 & !0x000f_0000));
        assert!(!needs_repeated_tlbi(0x410f_d034 | 0xffff_ffff << 32));
        const { assert!(needs_repeated_tlbi(0x413f_d0c1)) };
    }
}
