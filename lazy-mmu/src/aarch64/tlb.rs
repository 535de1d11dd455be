//! The TLB invalidation instructions, their operands, and the barriers around them.
//!
//! An invalidation is complete when it returns. It executes:
//!
//! 1. `dsb ishst`, after which a walk cannot find the old entry;
//! 2. the TLBI instructions;
//! 3. `dsb ish`, which waits until every CPU of the Inner Shareable domain has executed them. On
//!    many CPUs one more TLBI and `dsb ish` follow ([`errata`](super::errata));
//! 4. `isb`.
//!
//! The sources are Arm ARM DDI 0487, "Ordering and completion of TLB maintenance instructions", and
//! Linux's `flush_tlb_kernel_range` (arm64). The sequence includes the effect of the barrier pair.
//!
//! The instructions for the kernel's own mappings are those "for all ASIDs", because kernel
//! mappings are global. With page-table isolation they have more than one ASID. The instructions
//! for a user's range name its ASID.

use core::fmt;

use aarch64_cpu::asm::barrier;

use super::barriers::{refuse_other_architectures, table_barrier};
use super::granule::Granule;
use crate::protocol::range::{Invalidation, VirtualRange};

/// Executes one instruction, with or without an operand.
macro_rules! tlbi {
    ($instruction:literal $(, $operand:expr)?) => {{
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the instruction does not change memory. The compiler does not move accesses over
        // it, because the options do not contain `nomem`.
        unsafe {
            core::arch::asm!($instruction, $(in(reg) $operand,)? options(nostack, preserves_flags));
        }
        #[cfg(not(target_arch = "aarch64"))]
        {
            $(let _ = $operand;)?
            panic!("`{}` is an aarch64 instruction: tests on the host use `sim::Sim`", $instruction)
        }
    }};
}

/// The translation regime in which the kernel runs.
///
/// ```
/// use lazy_mmu::aarch64::{Granule, Regime, Tlbi, Tlbs};
/// use lazy_mmu::{Invalidation, Scope};
///
/// // More pages of one ASID than `Tlbs::max_ops`.
/// let range = Granule::Kib4.range(0x4000_0000, 1000)?.of_asid(7);
/// let pages = [Invalidation { range, scope: Scope::PAGES }];
///
/// let asid = Tlbi::Asid { operand: 7 << 48, this_cpu: false };
/// assert!(Tlbs::EL1.instructions(&pages).eq([asid]));
///
/// // The regime of EL2 does not have ASIDs.
/// let el2 = Tlbs { regime: Regime::El2, ..Tlbs::EL1 };
/// assert!(el2.instructions(&pages).eq([Tlbi::All { this_cpu: false }]));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Regime {
    /// EL1&0, or EL2&0 on a host with HCR_EL2.{E2H, TGE} = {1, 1}. On such a host the instructions
    /// for EL1&0 act on EL2&0 (Arm ARM DDI 0487, "TLB maintenance instructions"). Linux's
    /// `flush_tlb_*` are the same for both, too.
    El1And0,
    /// EL2 with HCR_EL2.E2H = 0. This regime does not have ASIDs.
    ///
    /// The crate does not support a kernel at EL2 with E2H = 1 and TGE = 0. The instructions for
    /// EL1&0 act on a guest's regime there.
    El2,
}

/// Selects the variant of a TLBI instruction by address or by range: see [`Tlbi::Page`].
///
/// ```
/// use lazy_mmu::aarch64::{Form, Granule, Tlbi, Tlbs};
/// use lazy_mmu::{Invalidation, Scope, VirtualRange};
///
/// fn form(range: VirtualRange, scope: Scope) -> Form {
///     match Tlbs::EL1.instructions(&[Invalidation { range, scope }]).next() {
///         Some(Tlbi::Page { form, .. }) => form,
///         other => panic!("the range does not have exactly one page: {other:?}"),
///     }
/// }
///
/// let page = Granule::Kib4.range(0x4000_0000, 1)?;
/// let vaale1is = Form { all_levels: false, one_asid: false, this_cpu: false };
/// let vaae1is = Form { all_levels: true, ..vaale1is };
/// let vale1is = Form { one_asid: true, ..vaale1is };
/// assert_eq!(form(page, Scope::PAGES), vaale1is);
/// assert_eq!(form(page, Scope::ALL_LEVELS), vaae1is);
/// assert_eq!(form(page.of_asid(7), Scope::PAGES), vale1is);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    /// The instruction also removes table entries that walkers have cached: TLBI VA.. instead of
    /// VAL...
    pub all_levels: bool,
    /// The instruction removes entries of the ASID in the operand instead of all ASIDs: TLBI VA..
    /// instead of VAA...
    pub one_asid: bool,
    /// The instruction acts on this CPU only: TLBI ..1 instead of ..1IS.
    pub this_cpu: bool,
}

/// A TLB invalidation instruction with its operand.
///
/// [`Tlbs::instructions`] makes the instructions, and [`Tlbs::execute`] executes one.
///
/// ```
/// use lazy_mmu::aarch64::{Form, Granule, Tlbi, Tlbs};
/// use lazy_mmu::{Invalidation, Scope};
///
/// let range = Granule::Kib4.range(0x4000_0000, 2)?.of_asid(7);
/// let invalidation = Invalidation { range, scope: Scope::PAGES };
///
/// // `tlbi vale1is` for each of the two pages.
/// let form = Form { all_levels: false, one_asid: true, this_cpu: false };
/// let pages = [0x4_0000, 0x4_0001].map(|page| Tlbi::Page { operand: 7 << 48 | page, form });
/// assert!(Tlbs::EL1.instructions(&[invalidation]).eq(pages));
/// assert!(pages.into_iter().all(Tlbi::is_broadcast));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tlbi {
    /// By address: TLBI VAALE1IS and its variants (EL2: VALE2IS).
    Page {
        /// The 64-bit operand: VA\[55:12\] in bits 43:0, the ASID in bits 63:48. The level hint
        /// (TTL, bits 47:44) is 0, which means any level.
        operand: u64,
        /// The variant.
        form: Form,
    },
    /// By range, with FEAT_TLBIRANGE: TLBI RVAALE1IS and its variants (EL2: RVALE2IS).
    Range {
        /// The 64-bit operand: BaseADDR in bits 36:0, TTL (0) in 38:37, NUM in 43:39, SCALE in
        /// 45:44, TG in 47:46, the ASID in 63:48.
        operand: u64,
        /// The variant.
        form: Form,
    },
    /// All entries of one ASID that are not global: TLBI ASIDE1IS (EL2: ALLE2IS).
    Asid {
        /// The 64-bit operand: the ASID in bits 63:48.
        operand: u64,
        /// The instruction acts on this CPU only: TLBI ASIDE1 (EL2: ALLE2).
        this_cpu: bool,
    },
    /// All entries of the regime: TLBI VMALLE1IS (EL2: ALLE2IS).
    All {
        /// The instruction acts on this CPU only: TLBI VMALLE1 (EL2: ALLE2).
        this_cpu: bool,
    },
}

impl Tlbi {
    /// Whether the instruction acts on other CPUs too.
    pub const fn is_broadcast(self) -> bool {
        let this_cpu = match self {
            Self::Page { form, .. } | Self::Range { form, .. } => form.this_cpu,
            Self::Asid { this_cpu, .. } | Self::All { this_cpu } => this_cpu,
        };
        !this_cpu
    }
}

/// Prints the operand in hexadecimal.
impl fmt::Debug for Tlbi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page { operand, form } => write!(f, "Page({operand:#x}, {form:?})"),
            Self::Range { operand, form } => write!(f, "Range({operand:#x}, {form:?})"),
            Self::Asid { operand, this_cpu } => {
                write!(f, "Asid({operand:#x}, this_cpu: {this_cpu})")
            }
            Self::All { this_cpu } => write!(f, "All(this_cpu: {this_cpu})"),
        }
    }
}

/// Describes the TLBs of a kernel's CPUs, and executes invalidations for them.
///
/// [`Aarch64`](super::Aarch64) makes one of a kernel's constants, and [`El1`](super::El1) uses
/// [`Tlbs::EL1`]. A kernel with a [`Machine`](crate::Machine) of its own may choose the fields:
///
/// ```
/// use lazy_mmu::aarch64::{Granule, Tlbs, barrier_pair, table_barrier};
/// use lazy_mmu::{Invalidation, Machine, Scope};
///
/// /// CPUs at EL1 that have the TLB range instructions.
/// const TLBS: Tlbs = Tlbs { has_range: true, ..Tlbs::EL1 };
///
/// struct Modern;
///
/// // SAFETY: the barriers and the invalidations are the architecture's, every CPU has
/// // FEAT_TLBIRANGE, and TCR_EL1.DS is 0.
/// unsafe impl Machine for Modern {
///     fn barrier() {
///         barrier_pair();
///     }
///     fn table_barrier() {
///         table_barrier();
///     }
///     fn invalidate(invalidations: &[Invalidation]) {
///         TLBS.invalidate(invalidations);
///     }
///     fn invalidate_all() {
///         TLBS.invalidate_all();
///     }
/// }
///
/// // 64 pages: one instruction instead of 64.
/// let range = Granule::Kib4.range(0xffff_8000_0000_0000, 64)?;
/// let invalidations = [Invalidation { range, scope: Scope::PAGES }];
/// assert_eq!(Tlbs::EL1.instructions(&invalidations).count(), 64);
/// assert_eq!(TLBS.instructions(&invalidations).count(), 1);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tlbs {
    /// The regime whose entries are removed.
    pub regime: Regime,
    /// Whether every CPU has the TLB range instructions (FEAT_TLBIRANGE) and TCR_ELx.DS is 0. With
    /// FEAT_LPA2 tables (DS is 1) the operands are different.
    pub has_range: bool,
    /// Whether a broadcast invalidation is repeated: see [`errata`](super::errata).
    pub repeat: bool,
    /// The most instructions that one invalidation executes. If it needs more, it invalidates
    /// everything of the ASID or of the regime.
    pub max_ops: u64,
}

impl Tlbs {
    /// The values that are right on every CPU, for a kernel at EL1.
    pub const EL1: Self = Self {
        regime: Regime::El1And0,
        has_range: false,
        repeat: true,
        max_ops: MAX_TLBI_OPS,
    };

    /// Removes translations from the TLBs, and returns when the invalidation is complete.
    ///
    /// The function executes `dsb ishst`, the [instructions](Self::instructions), `dsb ish` and
    /// `isb`. If all ranges are for this CPU only, it executes `dsb nsh` instead of `dsb ish`. The
    /// sequence includes the effect of the [barrier pair](super::barrier_pair).
    ///
    /// On the CPUs that [`errata`](super::errata) lists, the `dsb ish` may end too early: before
    /// writes of other CPUs through the old translation are observed (CVE-2025-10263). If `repeat`
    /// is set, a second broadcast TLBI, with any operand, and its `dsb ish` wait for these writes.
    ///
    /// # Panics
    ///
    /// On an architecture other than aarch64. Tests on the host use [`sim::Sim`](crate#features)
    /// instead.
    #[inline]
    pub fn invalidate(self, invalidations: &[Invalidation]) {
        // After this, walkers cannot find the old entries. The barrier is for the walkers of all
        // CPUs, even if the TLBI is for this CPU only, because the sequence includes the effect of
        // the barrier pair.
        table_barrier();
        let mut broadcast = false;
        if self.are_too_many(invalidations) {
            let everything = self.everything(invalidations);
            broadcast = everything.is_broadcast();
            self.execute(everything);
        } else {
            for invalidation in invalidations {
                broadcast |= !invalidation.range.this_cpu();
                OneByOne::new(invalidation, self).for_each(|it| self.execute(it));
            }
        }
        if broadcast {
            self.complete();
        } else {
            barrier::dsb(barrier::NSH);
            barrier::isb(barrier::SY);
        }
    }

    /// Removes all translations of the regime from the TLBs of all CPUs, and returns when the
    /// invalidation is complete.
    ///
    /// # Panics
    ///
    /// As [`invalidate`](Self::invalidate).
    #[inline]
    pub fn invalidate_all(self) {
        table_barrier();
        self.execute(Tlbi::All { this_cpu: false });
        self.complete();
    }

    /// Waits for the broadcast instructions before it: `dsb ish`, again if `repeat` is set, and
    /// `isb`.
    ///
    /// It is for code that [executes](Self::execute) the instructions itself.
    ///
    /// # Panics
    ///
    /// On an architecture other than aarch64.
    #[inline]
    pub fn complete(self) {
        refuse_other_architectures();
        // Waits until the CPUs of the domain no longer use the translations that were removed.
        barrier::dsb(barrier::ISH);
        if self.repeat {
            self.repeat_tlbi();
            barrier::dsb(barrier::ISH);
        }
        // Makes this CPU fetch again the instructions that it fetched through the old translations.
        barrier::isb(barrier::SY);
    }

    /// Returns the instructions for `invalidations`. If they are together more than `max_ops`, the
    /// result is one instruction: for the ASID if all ranges have the same one, otherwise for the
    /// regime.
    ///
    /// One instruction by address removes one leaf, for example one block. If `Scope` has all
    /// levels, it removes one page, because the range may have contained a table.
    ///
    /// With `has_range`, a range of more than one leaf takes instructions by range, and at most one
    /// by address. A range of more than 2 Mi pages takes instructions by address, because one range
    /// instruction reaches at most 2 Mi pages.
    pub fn instructions(self, invalidations: &[Invalidation]) -> impl Iterator<Item = Tlbi> {
        let too_many = self.are_too_many(invalidations);
        let (all, each) = if too_many {
            (Some(self.everything(invalidations)), &[][..])
        } else {
            (None, invalidations)
        };
        let each = each.iter().flat_map(move |it| OneByOne::new(it, self));
        all.into_iter().chain(each)
    }

    #[inline]
    fn are_too_many(self, invalidations: &[Invalidation]) -> bool {
        let mut left = self.max_ops;
        for invalidation in invalidations {
            let Some(rest) = left.checked_sub(OneByOne::new(invalidation, self).most()) else {
                return true;
            };
            left = rest;
        }
        false
    }

    /// Returns the instruction that replaces too many of them.
    fn everything(self, invalidations: &[Invalidation]) -> Tlbi {
        let (mut same_asid, mut this_cpu) = (None, true);
        for (number, Invalidation { range, .. }) in invalidations.iter().enumerate() {
            let asid = self.asid(*range);
            this_cpu &= range.this_cpu();
            if number == 0 {
                same_asid = asid;
            } else if same_asid != asid {
                same_asid = None;
            }
        }
        match same_asid {
            Some(asid) => Tlbi::Asid {
                operand: u64::from(asid) << 48,
                this_cpu,
            },
            None => Tlbi::All { this_cpu },
        }
    }

    /// Returns the ASID that the instructions for `range` name. The EL2 regime does not have ASIDs.
    #[inline]
    fn asid(self, range: VirtualRange) -> Option<u16> {
        match self.regime {
            Regime::El1And0 => range.asid(),
            Regime::El2 => None,
        }
    }

    /// Executes one instruction, in the variant of the regime. [`complete`](Self::complete) waits
    /// for it.
    ///
    /// ```
    /// use lazy_mmu::Invalidation;
    /// use lazy_mmu::aarch64::{Tlbs, table_barrier};
    ///
    /// /// Removes ranges from the TLBs of all CPUs. `poll` runs after each instruction.
    /// fn invalidate_and_poll(tlbs: Tlbs, invalidations: &[Invalidation], poll: fn()) {
    ///     table_barrier();
    ///     for instruction in tlbs.instructions(invalidations) {
    ///         tlbs.execute(instruction);
    ///         poll();
    ///     }
    ///     tlbs.complete();
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// On an architecture other than aarch64.
    #[inline]
    pub fn execute(self, instruction: Tlbi) {
        match self.regime {
            Regime::El1And0 => el1(instruction),
            Regime::El2 => el2(instruction),
        }
    }

    /// Executes a broadcast TLBI that removes almost nothing: the leaf of address 0 and ASID 0.
    #[inline]
    fn repeat_tlbi(self) {
        match self.regime {
            Regime::El1And0 => tlbi!("tlbi vale1is, xzr"),
            Regime::El2 => tlbi!("tlbi vale2is, xzr"),
        }
    }
}

/// The default for the most instructions that one invalidation executes: see
/// [`Kernel::MAX_TLBI_OPS`](super::Kernel::MAX_TLBI_OPS).
///
/// Linux (arm64) has such a limit too, `MAX_DVM_OPS`. It is the number of entries in a table, which
/// is 512 with pages of 4 KiB.
///
/// ```
/// use lazy_mmu::aarch64::{Granule, MAX_TLBI_OPS, Tlbi, Tlbs};
/// use lazy_mmu::{Invalidation, Scope};
///
/// let pages = |number| {
///     let range = Granule::Kib4.range(0xffff_8000_0000_0000, number)?;
///     Ok::<_, lazy_mmu::BadRange>([Invalidation { range, scope: Scope::PAGES }])
/// };
/// assert_eq!(Tlbs::EL1.instructions(&pages(MAX_TLBI_OPS)?).count(), 512);
/// let everything = Tlbi::All { this_cpu: false };
/// assert!(Tlbs::EL1.instructions(&pages(MAX_TLBI_OPS + 1)?).eq([everything]));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
pub const MAX_TLBI_OPS: u64 = 512;

/// Executes the variant of an instruction with this operand: for all CPUs, or for this CPU only.
macro_rules! forms {
    (
        $operand:ident, $form:ident,
        $($all_levels:literal $one_asid:literal: $all:literal, $this:literal;)*
    ) => {
        match ($form.all_levels, $form.one_asid, $form.this_cpu) {
            $(
                ($all_levels, $one_asid, false) => tlbi!($all, $operand),
                ($all_levels, $one_asid, true) => tlbi!($this, $operand),
            )*
        }
    };
}

// The range instructions are written as SYS #op1, C8, CRm, #op2, because an assembler does not know
// their names unless FEAT_TLBIRANGE is enabled.

#[inline]
fn el1(instruction: Tlbi) {
    match instruction {
        Tlbi::Page { operand, form } => forms! { operand, form,
            false false: "tlbi vaale1is, {}", "tlbi vaale1, {}";
            false true: "tlbi vale1is, {}", "tlbi vale1, {}";
            true false: "tlbi vaae1is, {}", "tlbi vaae1, {}";
            true true: "tlbi vae1is, {}", "tlbi vae1, {}";
        },
        Tlbi::Range { operand, form } => forms! { operand, form,
            false false: "sys #0, c8, c2, #7, {}", "sys #0, c8, c6, #7, {}";
            false true: "sys #0, c8, c2, #5, {}", "sys #0, c8, c6, #5, {}";
            true false: "sys #0, c8, c2, #3, {}", "sys #0, c8, c6, #3, {}";
            true true: "sys #0, c8, c2, #1, {}", "sys #0, c8, c6, #1, {}";
        },
        Tlbi::Asid { operand, this_cpu } => {
            if this_cpu {
                tlbi!("tlbi aside1, {}", operand);
            } else {
                tlbi!("tlbi aside1is, {}", operand);
            }
        }
        Tlbi::All { this_cpu: false } => tlbi!("tlbi vmalle1is"),
        Tlbi::All { this_cpu: true } => tlbi!("tlbi vmalle1"),
    }
}

/// Executes an instruction for EL2. The regime does not have ASIDs: the operand's field is RES0,
/// and `Tlbs::asid` leaves it 0.
#[inline]
fn el2(instruction: Tlbi) {
    match instruction {
        Tlbi::Page { operand, form } => match (form.all_levels, form.this_cpu) {
            (false, false) => tlbi!("tlbi vale2is, {}", operand),
            (false, true) => tlbi!("tlbi vale2, {}", operand),
            (true, false) => tlbi!("tlbi vae2is, {}", operand),
            (true, true) => tlbi!("tlbi vae2, {}", operand),
        },
        Tlbi::Range { operand, form } => match (form.all_levels, form.this_cpu) {
            (false, false) => tlbi!("sys #4, c8, c2, #5, {}", operand),
            (false, true) => tlbi!("sys #4, c8, c6, #5, {}", operand),
            (true, false) => tlbi!("sys #4, c8, c2, #1, {}", operand),
            (true, true) => tlbi!("sys #4, c8, c6, #1, {}", operand),
        },
        Tlbi::Asid {
            this_cpu: false, ..
        }
        | Tlbi::All { this_cpu: false } => tlbi!("tlbi alle2is"),
        Tlbi::Asid { this_cpu: true, .. } | Tlbi::All { this_cpu: true } => tlbi!("tlbi alle2"),
    }
}

/// Iterates over the instructions for one range.
#[derive(Clone)]
struct OneByOne {
    address: u64,
    /// The number of pages for which the instructions are still due.
    left: u64,
    /// log2 of the pages that one instruction by address removes.
    unit_shift: u32,
    page_shift: u32,
    by_range: bool,
    asid: u64,
    form: Form,
}

impl OneByOne {
    #[inline]
    fn new(invalidation: &Invalidation, tlbs: Tlbs) -> Self {
        /// The most pages that one range instruction reaches.
        const MOST: u64 = 32 << 16;

        let range = invalidation.range;
        let page_shift = range.page_shift();
        let unit_shift = invalidation.entry_shift() - page_shift;
        let asid = tlbs.asid(range);
        // A range may begin inside a leaf.
        let before = range.start() & ((1 << invalidation.entry_shift()) - 1);
        let pages = if range.pages() == 0 {
            0
        } else {
            range.pages() + (before >> page_shift)
        };
        Self {
            address: range.start() - before,
            left: pages,
            unit_shift,
            page_shift,
            by_range: tlbs.has_range && pages > 1 << unit_shift && pages <= MOST,
            asid: u64::from(asid.unwrap_or(0)) << 48,
            form: Form {
                all_levels: invalidation.scope.all_levels(),
                one_asid: asid.is_some(),
                this_cpu: range.this_cpu(),
            },
        }
    }

    /// Returns an upper bound of the number of instructions: by range, one for each of the four
    /// scales, and one by address.
    #[inline]
    fn most(&self) -> u64 {
        if self.by_range {
            5
        } else {
            self.left.div_ceil(1 << self.unit_shift)
        }
    }
}

impl Iterator for OneByOne {
    type Item = Tlbi;

    #[inline]
    fn next(&mut self) -> Option<Tlbi> {
        if self.left == 0 {
            return None;
        }
        let form = self.form;
        let (instruction, done) = if self.by_range && self.left > 1 {
            // The largest unit of 2, 64, 2048 or 65536 pages that fits, as many times as it fits.
            let scale = u64::from((self.left.ilog2() - 1) / 5).min(3);
            let log2 = 5 * scale + 1;
            let num = (self.left >> log2).min(32) - 1;
            let base = (self.address >> self.page_shift) & ((1 << 37) - 1);
            let tg = Granule::tlbi_tg(self.page_shift);
            let operand = base | num << 39 | scale << 44 | tg << 46 | self.asid;
            (Tlbi::Range { operand, form }, (num + 1) << log2)
        } else {
            let operand = (self.address >> 12) & ((1 << 44) - 1) | self.asid;
            (Tlbi::Page { operand, form }, 1 << self.unit_shift)
        };
        // There may be no address after the last page.
        self.address = self.address.wrapping_add(done << self.page_shift);
        self.left = self.left.saturating_sub(done);
        Some(instruction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::range::Scope;
    extern crate std;
    use std::vec::Vec;

    const KERNEL: u64 = 0xffff_8000_0000_0000;
    const LAST_LEVEL: Form = Form {
        all_levels: false,
        one_asid: false,
        this_cpu: false,
    };
    const ALL_LEVELS: Form = Form {
        all_levels: true,
        ..LAST_LEVEL
    };
    const ALL: Tlbi = Tlbi::All { this_cpu: false };
    const WITH_RANGE: Tlbs = Tlbs {
        has_range: true,
        ..Tlbs::EL1
    };

    fn range(granule: Granule, start: u64, pages: u64) -> VirtualRange {
        granule.range(start, pages).unwrap()
    }

    /// Returns the instructions for one range.
    fn instructions(tlbs: Tlbs, range: VirtualRange, scope: Scope) -> Vec<Tlbi> {
        sequence(tlbs, &[Invalidation { range, scope }])
    }

    /// Returns the instructions. An iterator that does not end fails the test.
    fn sequence(tlbs: Tlbs, invalidations: &[Invalidation]) -> Vec<Tlbi> {
        let limit = usize::try_from(MAX_TLBI_OPS).unwrap();
        let instructions: Vec<_> = tlbs.instructions(invalidations).take(limit + 1).collect();
        assert!(instructions.len() <= limit, "too many: {instructions:?}");
        instructions
    }

    #[test]
    fn b20_operands_by_address() {
        // The operands are derived by hand from the manual: they have VA[55:12], and nothing else.
        for (address, operand) in [
            (0x0000_0000_0000_0000, 0x000_0000_0000),
            (0x0000_0000_4000_1000, 0x000_0004_0001),
            (0xffff_8000_0000_0000, 0xff8_0000_0000),
            (0xffff_ffff_ffff_f000, 0xfff_ffff_ffff),
            (0x00ff_0000_0000_3000, 0xff0_0000_0003),
        ] {
            let page = range(Granule::Kib4, address, 1);
            let form = LAST_LEVEL;
            let found = instructions(Tlbs::EL1, page, Scope::PAGES);
            assert_eq!(found, [Tlbi::Page { operand, form }]);
        }
    }

    #[test]
    fn b36_an_asid_is_in_its_field_and_nothing_of_the_address_is() {
        let form = |all_levels| Form {
            all_levels,
            one_asid: true,
            this_cpu: false,
        };
        // The bits of the address above 55 must not change the other fields.
        for address in [0x1000, 0x00ff_ffff_ffff_f000, 0xffff_ffff_ffff_f000] {
            let page = range(Granule::Kib4, address, 1).of_asid(0xa5c3);
            let va = address >> 12 & 0xfff_ffff_ffff;
            for (scope, all_levels) in [(Scope::PAGES, false), (Scope::ALL_LEVELS, true)] {
                let found = instructions(WITH_RANGE, page, scope);
                let operand = 0xa5c3 << 48 | va;
                let form = form(all_levels);
                assert_eq!(found, [Tlbi::Page { operand, form }]);
                assert_eq!(operand >> 44 & 0xf, 0, "TTL");
            }
        }
        let pages = range(Granule::Kib4, 0x4000_0000, 2).of_asid(0xa5c3);
        let (operand, form) = (0xa5c3 << 48 | 0x4000_0004_0000, form(false));
        let found = instructions(WITH_RANGE, pages, Scope::PAGES);
        assert_eq!(found, [Tlbi::Range { operand, form }]);
        // Too many pages become everything of the ASID.
        let many = range(Granule::Kib4, 0, MAX_TLBI_OPS + 1).of_asid(0xa5c3);
        let operand = 0xa5c3 << 48;
        // SAFETY: the test does not invalidate the range.
        let here = unsafe { many.on_this_cpu() };
        for (many, this_cpu) in [(many, false), (here, true)] {
            let found = instructions(Tlbs::EL1, many, Scope::PAGES);
            assert_eq!(found, [Tlbi::Asid { operand, this_cpu }]);
        }
    }

    #[test]
    fn b36_at_el2_there_are_no_asids() {
        let tlbs = Tlbs {
            regime: Regime::El2,
            ..WITH_RANGE
        };
        let range = |pages| range(Granule::Kib4, 0x1000, pages).of_asid(0xa5c3);
        let of = |pages| instructions(tlbs, range(pages), Scope::PAGES);
        let form = LAST_LEVEL;
        assert_eq!(of(1), [Tlbi::Page { operand: 1, form }]);
        let operand = 0x4000_0000_0001;
        assert_eq!(of(2), [Tlbi::Range { operand, form }]);
        assert_eq!(of((32 << 16) + 1), [ALL]);
    }

    #[test]
    fn b36_on_one_cpu_only_if_each_range_is() {
        let one = range(Granule::Kib4, 0, 300);
        // SAFETY: the test does not invalidate the range.
        let here = unsafe { one.on_this_cpu() };
        let scope = Scope::PAGES;
        let of = |ranges: [VirtualRange; 2]| {
            sequence(
                Tlbs::EL1,
                &ranges.map(|range| Invalidation { range, scope }),
            )
        };
        // Together, the ranges have more pages than the limit.
        assert_eq!(of([here, here]), [Tlbi::All { this_cpu: true }]);
        assert_eq!(of([here, one]), [ALL]);
        for (range, is_broadcast) in [(here, false), (one, true)] {
            let mut found = instructions(Tlbs::EL1, range, scope).into_iter();
            assert!(found.all(|it| it.is_broadcast() == is_broadcast));
        }
    }

    #[test]
    fn b20_operands_by_range() {
        let operands = |granule, start, pages| -> Vec<u64> {
            instructions(WITH_RANGE, range(granule, start, pages), Scope::ALL_LEVELS)
                .into_iter()
                .map(|it| match it {
                    Tlbi::Range { operand, form } if form == ALL_LEVELS => operand,
                    Tlbi::Page { operand, form } if form == ALL_LEVELS => operand | 1 << 63,
                    ALL => u64::MAX,
                    other => panic!("{other:?}"),
                })
                .collect()
        };
        // The operands are derived by hand: TG << 46 | SCALE << 44 | NUM << 39 | VA >> shift.
        assert_eq!(operands(Granule::Kib4, 0x4000_0000, 2), [0x4000_0004_0000]);
        assert_eq!(operands(Granule::Kib16, 0x4000_0000, 2), [0x8000_0001_0000]);
        assert_eq!(operands(Granule::Kib64, 0x4000_0000, 2), [0xc000_0000_4000]);
        let four = |start, pages| operands(Granule::Kib4, start, pages);
        let tg = 0x4000_0000_0000;
        // 512 = 8 * 64: SCALE 1, NUM 7.
        assert_eq!(four(0, 512), [tg | 1 << 44 | 7 << 39]);
        // 67 = 64 + 2 + 1.
        assert_eq!(four(0, 67), [tg | 1 << 44, tg | 0x40, 0x42 | 1 << 63]);
        // The upper half: VA[48:12].
        assert_eq!(four(KERNEL, 2), [tg | 0x18_0000_0000]);
        // The largest range of one instruction, and a range with one more page.
        assert_eq!(four(0, 32 << 16), [tg | 3 << 44 | 31 << 39]);
        assert_eq!(four(0, (32 << 16) + 1), [u64::MAX]);
    }

    #[test]
    fn b20_every_page_is_invalidated_once() {
        for granule in [Granule::Kib4, Granule::Kib16, Granule::Kib64] {
            let shift = granule.page_shift();
            // Miri is slow, and does not check these numbers.
            let most = if cfg!(miri) { 100 } else { 3000 };
            for pages in (0..most).chain([65_535, 65_536, 65_537, 100_000, 32 << 16]) {
                let mut next = 0;
                let range = range(granule, 0, pages);
                for instruction in instructions(WITH_RANGE, range, Scope::PAGES) {
                    match instruction {
                        Tlbi::Page { operand, .. } => {
                            assert_eq!(operand << 12 >> shift, next);
                            next += 1;
                        }
                        Tlbi::Range { operand, .. } => {
                            assert_eq!(operand & ((1 << 37) - 1), next);
                            let (num, scale) = (operand >> 39 & 31, operand >> 44 & 3);
                            assert_eq!(operand >> 46, Granule::tlbi_tg(shift));
                            next += (num + 1) << (5 * scale + 1);
                        }
                        other => panic!("unexpected instruction {other:?}"),
                    }
                }
                assert_eq!(next, pages, "{granule:?}");
            }
        }
    }

    #[test]
    fn b20_too_many_pages_are_everything() {
        let all = |max_ops, pages| -> Vec<Tlbi> {
            let tlbs = Tlbs {
                max_ops,
                ..Tlbs::EL1
            };
            instructions(tlbs, range(Granule::Kib4, 0, pages), Scope::PAGES)
        };
        assert_eq!(all(MAX_TLBI_OPS, 0), []);
        assert_eq!(all(MAX_TLBI_OPS, MAX_TLBI_OPS).len(), 512);
        assert_eq!(all(MAX_TLBI_OPS, MAX_TLBI_OPS + 1), [ALL]);
        // A kernel can set its own limit.
        assert_eq!(all(3, 3).len(), 3);
        assert_eq!(all(3, 4), [ALL]);
    }

    #[test]
    fn b30_the_unit_is_the_entry() {
        use Granule::{Kib4, Kib4Lpa2, Kib16, Kib64};
        let leaf = |granule: Granule, level| granule.entry_size(level).unwrap().ilog2();
        let many = |granule: Granule, level, blocks: u64, tlbs| -> Vec<Tlbi> {
            let pages = blocks << (leaf(granule, level) - granule.page_shift());
            let scope = Scope::leaves(leaf(granule, level));
            instructions(tlbs, range(granule, 0, pages), scope)
        };
        let form = LAST_LEVEL;
        let page = |address: u64| Tlbi::Page {
            operand: address >> 12,
            form,
        };
        for (granule, level) in [(Kib4, 1), (Kib4, 2), (Kib4Lpa2, 0), (Kib16, 2), (Kib64, 2)] {
            let size = granule.entry_size(level).unwrap();
            for tlbs in [Tlbs::EL1, WITH_RANGE] {
                // A block costs one instruction, by its address.
                assert_eq!(many(granule, level, 1, tlbs), [page(0)]);
            }
            let three = [0, size, 2 * size].map(page);
            assert_eq!(many(granule, level, 3, Tlbs::EL1), three);
            // The limit counts instructions.
            assert_eq!(many(granule, level, MAX_TLBI_OPS, Tlbs::EL1).len(), 512);
            assert_eq!(many(granule, level, MAX_TLBI_OPS + 1, Tlbs::EL1), [ALL]);
        }
        // 3 * 512 pages are 24 * 64: SCALE 1, NUM 23.
        let operand = 0x4000_0000_0000 | 1 << 44 | 23 << 39;
        let found = many(Kib4, 2, 3, WITH_RANGE);
        assert_eq!(found, [Tlbi::Range { operand, form }]);
        // 9 blocks of 1 GiB are too large for a range instruction, so each costs one instruction.
        assert_eq!(many(Kib4, 1, 9, WITH_RANGE).len(), 9);
        // An entry that may have been a table costs one instruction for every page below it.
        let table = |level| {
            let range = Kib4.entry(level, 0).unwrap();
            instructions(Tlbs::EL1, range, Scope::ALL_LEVELS)
        };
        assert_eq!(table(2).len(), 512);
        assert_eq!(table(1), [ALL]);
    }

    #[test]
    fn b30_a_range_that_begins_inside_a_leaf_loses_none() {
        let scope = Scope::leaves(21);
        for (start, pages, blocks) in [
            (0x10_0000, 512, &[0, 0x20_0000][..]),
            (0x1f_f000, 2, &[0, 0x20_0000]),
            (0x1f_f000, 1, &[0]),
            (0x20_0000, 512, &[0x20_0000]),
            (0xffff_ffff_fff0_0000, 256, &[0xffff_ffff_ffe0_0000]),
        ] {
            let range = range(Granule::Kib4, start, pages);
            let form = LAST_LEVEL;
            let operands = blocks.iter().map(|it| it >> 12 & 0xfff_ffff_ffff);
            let expected: Vec<_> = operands
                .map(|operand| Tlbi::Page { operand, form })
                .collect();
            assert_eq!(
                instructions(Tlbs::EL1, range, scope),
                expected,
                "{start:#x}"
            );
            // Range instructions cover the same pages, from the first leaf on.
            let by_range = instructions(WITH_RANGE, range, scope);
            let covered = by_range.iter().map(|it| match it {
                Tlbi::Range { operand, .. } => {
                    ((operand >> 39 & 31) + 1) << (5 * (operand >> 44 & 3) + 1)
                }
                _ => 512,
            });
            let pages = (start & 0x1f_ffff) / 4096 + pages;
            assert!(covered.sum::<u64>() >= pages, "{start:#x}");
        }
    }

    #[test]
    fn b30_two_page_sizes_are_everything() {
        let [small, large] =
            [(12, 0x10_0000), (16, 0x20_0000)].map(|(shift, start)| Invalidation {
                range: VirtualRange::new(shift, start, 1).unwrap(),
                scope: Scope::PAGES,
            });
        // The field TG has one granule, and would miss the entries of another granule.
        let both = [small.union(large)];
        assert_eq!(sequence(WITH_RANGE, &both), [ALL]);
        assert_eq!(sequence(Tlbs::EL1, &both), [ALL]);
    }

    #[test]
    fn b34_several_ranges_are_one_sequence_up_to_the_limit() {
        let far = |pages| {
            [0x1000, 0x10_1000].map(|start| Invalidation {
                range: range(Granule::Kib4, start, pages),
                scope: Scope::PAGES,
            })
        };
        assert_eq!(sequence(Tlbs::EL1, &far(1)).len(), 2);
        assert_eq!(sequence(Tlbs::EL1, &far(256)).len(), 512);
        assert_eq!(sequence(Tlbs::EL1, &far(257)), [ALL]);
        assert_eq!(sequence(Tlbs::EL1, &[]), []);
    }
}
