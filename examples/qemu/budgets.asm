# What rustc makes of the functions in examples/qemu/beside_c/src/forms.rs.
# `cargo xtask test` compares it; `cargo xtask qemu budgets --bless` writes it.

ours_enter_leave_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 13
   3  mov w9, #0x6
   4  strb w9, [x8]
   5  ldrb w9, [x8]
   6  tbz w9, #0x1, -> 21
   7  tbz w9, #0x0, -> 10
   8  dsb ishst
   9  isb
  10  and w9, w9, #0xf8
  11  strb w9, [x8]
  12  ret
  13  tbz w9, #0x1, -> 5
  14  tbz w9, #0x0, -> 17
  15  dsb ishst
  16  isb
  17  and w10, w9, #0xf8
  18  strb w10, [x8]
  19  tbz w9, #0x3, -> 3
  20  b -> 5
  21  ldrb w9, [x8]
  22  tbz w9, #0x0, -> 27
  23  and w9, w9, #0xfe
  24  strb w9, [x8]
  25  dsb ishst
  26  isb
  27  ret

ours_one_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 22
   3  mov w9, #0x6
   4  strb w9, [x8]
   5  str x4, [x1]
   6  ldrb w9, [x8]
   7  tbnz w9, #0x0, -> 14
   8  ldrb w9, [x8]
   9  and w10, w9, #0xc
  10  cmp w10, #0x4
  11  b.ne -> 30
  12  orr w9, w9, #0x1
  13  strb w9, [x8]
  14  ldrb w9, [x8]
  15  tbz w9, #0x1, -> 34
  16  tbz w9, #0x0, -> 19
  17  dsb ishst
  18  isb
  19  and w9, w9, #0xf8
  20  strb w9, [x8]
  21  ret
  22  tbz w9, #0x1, -> 5
  23  tbz w9, #0x0, -> 26
  24  dsb ishst
  25  isb
  26  and w10, w9, #0xf8
  27  strb w10, [x8]
  28  tbz w9, #0x3, -> 3
  29  b -> 5
  30  dsb ishst
  31  isb
  32  ldrb w9, [x8]
  33  tbnz w9, #0x1, -> 16
  34  ldrb w9, [x8]
  35  tbz w9, #0x0, -> 40
  36  and w9, w9, #0xfe
  37  strb w9, [x8]
  38  dsb ishst
  39  isb
  40  ret

ours_map_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 35
   3  mov w9, #0x6
   4  strb w9, [x8]
   5  cbz x3, -> 27
   6  lsl x9, x3, #3
   7  and x10, x4, #0x1
   8  b -> 15
   9  orr w11, w11, #0x1
  10  strb w11, [x8]
  11  subs x9, x9, #0x8
  12  add x1, x1, #0x8
  13  add x4, x4, #0x1, lsl #12
  14  b.eq -> 27
  15  bics xzr, x10, x4, lsr #6
  16  str x4, [x1]
  17  b.eq -> 11
  18  ldrb w11, [x8]
  19  tbnz w11, #0x0, -> 11
  20  ldrb w11, [x8]
  21  and w12, w11, #0xc
  22  cmp w12, #0x4
  23  b.eq -> 9
  24  dsb ishst
  25  isb
  26  b -> 11
  27  ldrb w9, [x8]
  28  tbz w9, #0x1, -> 43
  29  tbz w9, #0x0, -> 32
  30  dsb ishst
  31  isb
  32  and w9, w9, #0xf8
  33  strb w9, [x8]
  34  ret
  35  tbz w9, #0x1, -> 5
  36  tbz w9, #0x0, -> 39
  37  dsb ishst
  38  isb
  39  and w10, w9, #0xf8
  40  strb w10, [x8]
  41  tbz w9, #0x3, -> 3
  42  b -> 5
  43  ldrb w9, [x8]
  44  tbz w9, #0x0, -> 49
  45  and w9, w9, #0xfe
  46  strb w9, [x8]
  47  dsb ishst
  48  isb
  49  ret

ours_map_kernel_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 32
   3  mov w9, #0x6
   4  strb w9, [x8]
   5  cbz x3, -> 24
   6  lsl x9, x3, #3
   7  b -> 14
   8  dsb ishst
   9  isb
  10  subs x9, x9, #0x8
  11  add x1, x1, #0x8
  12  add x4, x4, #0x1, lsl #12
  13  b.eq -> 24
  14  str x4, [x1]
  15  ldrb w10, [x8]
  16  tbnz w10, #0x0, -> 10
  17  ldrb w10, [x8]
  18  and w11, w10, #0xc
  19  cmp w11, #0x4
  20  b.ne -> 8
  21  orr w10, w10, #0x1
  22  strb w10, [x8]
  23  b -> 10
  24  ldrb w9, [x8]
  25  tbz w9, #0x1, -> 40
  26  tbz w9, #0x0, -> 29
  27  dsb ishst
  28  isb
  29  and w9, w9, #0xf8
  30  strb w9, [x8]
  31  ret
  32  tbz w9, #0x1, -> 5
  33  tbz w9, #0x0, -> 36
  34  dsb ishst
  35  isb
  36  and w10, w9, #0xf8
  37  strb w10, [x8]
  38  tbz w9, #0x3, -> 3
  39  b -> 5
  40  ldrb w9, [x8]
  41  tbz w9, #0x0, -> 46
  42  and w9, w9, #0xfe
  43  strb w9, [x8]
  44  dsb ishst
  45  isb
  46  ret

ours_map_kernel_word:
   0  ldr x8, [x0]
   1  ldr x10, [x8]
   2  lsr w9, w10, #28
   3  cbnz w9, -> 36
   4  mov w9, #0x60000000
   5  ldset x9, x9, [x8]
   6  cbz x3, -> 26
   7  lsl x9, x3, #3
   8  mov w10, #0x40000000
   9  mov w11, #0x10000000
  10  b -> 17
  11  dsb ishst
  12  isb
  13  subs x9, x9, #0x8
  14  add x1, x1, #0x8
  15  add x4, x4, #0x1, lsl #12
  16  b.eq -> 26
  17  str x4, [x1]
  18  ldr x12, [x8]
  19  tbnz w12, #0x1c, -> 13
  20  ldr x12, [x8]
  21  and x12, x12, #0xc0000000
  22  cmp x12, x10
  23  b.ne -> 11
  24  ldset x11, x12, [x8]
  25  b -> 13
  26  ldr x9, [x8]
  27  lsr x10, x9, #28
  28  tbz w10, #0x1, -> 46
  29  ubfx x9, x9, #28, #8
  30  tbz w9, #0x0, -> 33
  31  dsb ishst
  32  isb
  33  mov w9, #0x70000000
  34  ldclr x9, x8, [x8]
  35  ret
  36  ubfx x10, x10, #28, #8
  37  tbz w10, #0x1, -> 6
  38  tbz w10, #0x0, -> 41
  39  dsb ishst
  40  isb
  41  mov w10, #0x70000000
  42  cmp w9, #0x8
  43  ldclr x10, x10, [x8]
  44  b.lo -> 4
  45  b -> 6
  46  ldr x9, [x8]
  47  tbz w9, #0x1c, -> 52
  48  mov w9, #0x10000000
  49  ldclr x9, x8, [x8]
  50  dsb ishst
  51  isb
  52  ret

ours_range_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 38
   3  mov w9, #0x6
   4  strb w9, [x8]
   5  lsl x9, x3, #3
   6  and x12, x4, #0x1
   7  add x11, x1, x9
   8  cbz x9, -> 30
   9  bic x13, x12, x4, lsr #6
  10  add x10, x1, #0x8
  11  str x4, [x1]
  12  add x4, x4, #0x1, lsl #12
  13  sub x9, x9, #0x8
  14  mov x1, x10
  15  cbz x13, -> 8
  16  cmp x10, x11
  17  b.eq -> 22
  18  subs x9, x9, #0x8
  19  str x4, [x10], #0x8
  20  add x4, x4, #0x1, lsl #12
  21  b.ne -> 18
  22  ldrb w9, [x8]
  23  tbnz w9, #0x0, -> 30
  24  ldrb w9, [x8]
  25  and w10, w9, #0xc
  26  cmp w10, #0x4
  27  b.ne -> 46
  28  orr w9, w9, #0x1
  29  strb w9, [x8]
  30  ldrb w9, [x8]
  31  tbz w9, #0x1, -> 50
  32  tbz w9, #0x0, -> 35
  33  dsb ishst
  34  isb
  35  and w9, w9, #0xf8
  36  strb w9, [x8]
  37  ret
  38  tbz w9, #0x1, -> 5
  39  tbz w9, #0x0, -> 42
  40  dsb ishst
  41  isb
  42  and w10, w9, #0xf8
  43  strb w10, [x8]
  44  tbz w9, #0x3, -> 3
  45  b -> 5
  46  dsb ishst
  47  isb
  48  ldrb w9, [x8]
  49  tbnz w9, #0x1, -> 32
  50  ldrb w9, [x8]
  51  tbz w9, #0x0, -> 56
  52  and w9, w9, #0xfe
  53  strb w9, [x8]
  54  dsb ishst
  55  isb
  56  ret

ours_nested_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  tbz w9, #0x0, -> 7
   3  and w9, w9, #0xfe
   4  strb w9, [x8]
   5  dsb ishst
   6  isb
   7  ret

ours_nested_store_byte:
   0  cbz x3, -> 26
   1  ldr x8, [x0]
   2  str x4, [x1]
   3  ldrb w9, [x8]
   4  tbz w9, #0x0, -> 8
   5  ldrb w9, [x8]
   6  tbnz w9, #0x0, -> 16
   7  ret
   8  ldrb w9, [x8]
   9  and w10, w9, #0xc
  10  cmp w10, #0x4
  11  b.ne -> 21
  12  orr w9, w9, #0x1
  13  strb w9, [x8]
  14  ldrb w9, [x8]
  15  tbz w9, #0x0, -> 7
  16  and w9, w9, #0xfe
  17  strb w9, [x8]
  18  dsb ishst
  19  isb
  20  ret
  21  dsb ishst
  22  isb
  23  ldrb w9, [x8]
  24  tbz w9, #0x0, -> 7
  25  b -> 16
  26  str x30, [sp, #-0x10]!
  27  nop
  28  adr x2, elsewhere
  29  mov x0, xzr
  30  mov x1, xzr
  31  bl panic_bounds_check

ours_attribute_byte:
   0  mrs x9, TPIDR_EL1
   1  ldr w10, [x9, #0x8]
   2  ldrb w8, [x9, #0xc]
   3  and w10, w10, #0xffff00
   4  and w11, w8, #0x8
   5  orr w10, w10, w11
   6  cbz w10, -> 12
   7  adrp x0, elsewhere
   8  add x0, x0, elsewhere
   9  mov w8, #0x3
  10  cbnz x3, -> 21
  11  b -> 46
  12  add x0, x9, #0xc
  13  tbnz w8, #0x2, -> 19
  14  orr w8, w8, #0x4
  15  strb w8, [x0]
  16  mov w8, #0x1
  17  cbnz x3, -> 21
  18  b -> 46
  19  mov w8, #0x2
  20  cbz x3, -> 46
  21  lsl x9, x3, #3
  22  and x10, x4, #0x1
  23  b -> 30
  24  dsb ishst
  25  isb
  26  subs x9, x9, #0x8
  27  add x1, x1, #0x8
  28  add x4, x4, #0x1, lsl #12
  29  b.eq -> 46
  30  bics xzr, x10, x4, lsr #6
  31  str x4, [x1]
  32  b.eq -> 26
  33  mrs x11, TPIDR_EL1
  34  ldr w12, [x11, #0x8]
  35  tst w12, #0xffff00
  36  b.ne -> 24
  37  ldrb w12, [x11, #0xc]
  38  tbnz w12, #0x0, -> 26
  39  ldrb w12, [x11, #0xc]
  40  and w13, w12, #0xc
  41  cmp w13, #0x4
  42  b.ne -> 24
  43  orr w12, w12, #0x1
  44  strb w12, [x11, #0xc]
  45  b -> 26
  46  mov w1, w8
  47  b leave_dynamic

ours_attribute_mmu_byte:
   0  mrs x9, TPIDR_EL1
   1  ldr w10, [x9, #0x8]
   2  ldrb w8, [x9, #0xc]
   3  and w10, w10, #0xffff00
   4  and w11, w8, #0x8
   5  orr w10, w10, w11
   6  cbz w10, -> 12
   7  adrp x0, elsewhere
   8  add x0, x0, elsewhere
   9  mov w8, #0x3
  10  cbnz x3, -> 21
  11  b -> 42
  12  add x0, x9, #0xc
  13  tbnz w8, #0x2, -> 19
  14  orr w8, w8, #0x4
  15  strb w8, [x0]
  16  mov w8, #0x1
  17  cbnz x3, -> 21
  18  b -> 42
  19  mov w8, #0x2
  20  cbz x3, -> 42
  21  lsl x9, x3, #3
  22  and x10, x4, #0x1
  23  b -> 30
  24  orr w11, w11, #0x1
  25  strb w11, [x0]
  26  subs x9, x9, #0x8
  27  add x1, x1, #0x8
  28  add x4, x4, #0x1, lsl #12
  29  b.eq -> 42
  30  bics xzr, x10, x4, lsr #6
  31  str x4, [x1]
  32  b.eq -> 26
  33  ldrb w11, [x0]
  34  tbnz w11, #0x0, -> 26
  35  ldrb w11, [x0]
  36  and w12, w11, #0xc
  37  cmp w12, #0x4
  38  b.eq -> 24
  39  dsb ishst
  40  isb
  41  b -> 26
  42  mov w1, w8
  43  b leave_dynamic

leave_dynamic, of ours_attribute_byte:
   0  and w8, w1, #0xff
   1  cmp w8, #0x1
   2  b.eq -> 12
   3  cmp w8, #0x2
   4  b.ne -> 19
   5  ldrb w8, [x0]
   6  tbz w8, #0x0, -> 34
   7  and w8, w8, #0xfe
   8  strb w8, [x0]
   9  dsb ishst
  10  isb
  11  b -> 34
  12  ldrb w8, [x0]
  13  tbz w8, #0x0, -> 16
  14  dsb ishst
  15  isb
  16  and w8, w8, #0xf8
  17  strb w8, [x0]
  18  ret
  19  mrs x8, TPIDR_EL1
  20  ldr w9, [x8, #0x8]
  21  tst w9, #0xffff00
  22  b.ne -> 34
  23  add x8, x8, #0xc
  24  adrp x9, elsewhere
  25  add x9, x9, elsewhere
  26  cmp x8, x9
  27  b.eq -> 34
  28  ldrb w9, [x8]
  29  tbz w9, #0x0, -> 34
  30  and w9, w9, #0xfe
  31  strb w9, [x8]
  32  dsb ishst
  33  isb
  34  ret
