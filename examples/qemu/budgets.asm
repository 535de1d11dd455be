# What rustc makes of the functions in src/forms.rs, for the kernel's profile, with LSE.
# `cargo xtask test` compares it; `cargo xtask asm --bless` writes it.

ours_enter_leave_byte:
   0  ldr x1, [x0]
   1  ldrb w8, [x1]
   2  cbnz w8, -> 13
   3  mov w8, #0x1
   4  strb w8, [x1]
   5  strb wzr, [x0, #0x8]
   6  ldrb w8, [x1]
   7  tbz w8, #0x1, -> 10
   8  dsb ishst
   9  isb
  10  and w8, w8, #0xfc
  11  strb w8, [x1]
  12  ret
  13  ldrb w8, [x0, #0x8]
  14  strb wzr, [x0, #0x8]
  15  ands w9, w8, #0x3
  16  b.eq -> 41
  17  tbnz w8, #0x2, -> 46
  18  ldrb w10, [x1]
  19  tbz w10, #0x1, -> 24
  20  and w10, w10, #0xfffffffd
  21  strb w10, [x1]
  22  dsb ishst
  23  isb
  24  cmp w9, #0x1
  25  cset w11, eq
  26  cmp w10, #0x1
  27  csel w11, wzr, w11, ne
  28  cmp w9, #0x1
  29  b.ne -> 34
  30  cmp w10, #0x1
  31  b.eq -> 34
  32  and w9, w10, #0xfe
  33  strb w9, [x1]
  34  tbz w11, #0x0, -> 41
  35  and w9, w8, #0xff
  36  strb wzr, [x0, #0x8]
  37  cmp w9, #0x1
  38  b.eq -> 6
  39  mov w0, w8
  40  b leave_out_of_line
  41  ldrb w8, [x1]
  42  tbnz w8, #0x2, -> 53
  43  tbnz w8, #0x0, -> 57
  44  orr w8, w8, #0x1
  45  b -> 4
  46  ldrb w10, [x1]
  47  and w8, w8, #0xfffffffb
  48  and w10, w10, #0xfffffffb
  49  strb w10, [x1]
  50  ldrb w10, [x1]
  51  tbz w10, #0x1, -> 24
  52  b -> 20
  53  mov w8, #0x3
  54  strb wzr, [x0, #0x8]
  55  mov w0, w8
  56  b leave_out_of_line
  57  mov w8, #0x2
  58  strb wzr, [x0, #0x8]
  59  mov w0, w8
  60  b leave_out_of_line

ours_one_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 33
   3  mov w9, #0x1
   4  strb w9, [x8]
   5  mov w9, #0x1
   6  strb w9, [x0, #0x8]
   7  str x4, [x1]
   8  ldrb w9, [x8]
   9  tbnz w9, #0x1, -> 22
  10  ldrb w9, [x8]
  11  cmp w9, #0x1
  12  b.ne -> 60
  13  mov w9, #0x3
  14  strb w9, [x8]
  15  ldrb w9, [x0, #0x8]
  16  strb wzr, [x0, #0x8]
  17  cmp w9, #0x1
  18  b.eq -> 26
  19  mov w0, w9
  20  mov x1, x8
  21  b leave_out_of_line
  22  ldrb w9, [x0, #0x8]
  23  strb wzr, [x0, #0x8]
  24  cmp w9, #0x1
  25  b.ne -> 19
  26  ldrb w9, [x8]
  27  tbz w9, #0x1, -> 30
  28  dsb ishst
  29  isb
  30  and w9, w9, #0xfc
  31  strb w9, [x8]
  32  ret
  33  ldrb w9, [x0, #0x8]
  34  strb wzr, [x0, #0x8]
  35  ands w10, w9, #0x3
  36  b.eq -> 55
  37  tbnz w9, #0x2, -> 69
  38  ldrb w11, [x8]
  39  tbz w11, #0x1, -> 44
  40  and w11, w11, #0xfffffffd
  41  strb w11, [x8]
  42  dsb ishst
  43  isb
  44  cmp w10, #0x1
  45  cset w12, eq
  46  cmp w11, #0x1
  47  csel w12, wzr, w12, ne
  48  cmp w10, #0x1
  49  b.ne -> 54
  50  cmp w11, #0x1
  51  b.eq -> 54
  52  and w10, w11, #0xfe
  53  strb w10, [x8]
  54  tbnz w12, #0x0, -> 6
  55  ldrb w9, [x8]
  56  tbnz w9, #0x2, -> 67
  57  tbnz w9, #0x0, -> 76
  58  orr w9, w9, #0x1
  59  b -> 4
  60  dsb ishst
  61  isb
  62  ldrb w9, [x0, #0x8]
  63  strb wzr, [x0, #0x8]
  64  cmp w9, #0x1
  65  b.eq -> 26
  66  b -> 19
  67  mov w9, #0x3
  68  b -> 6
  69  ldrb w11, [x8]
  70  and w9, w9, #0xfffffffb
  71  and w11, w11, #0xfffffffb
  72  strb w11, [x8]
  73  ldrb w11, [x8]
  74  tbz w11, #0x1, -> 44
  75  b -> 40
  76  mov w9, #0x2
  77  b -> 6

ours_map_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 40
   3  mov w9, #0x1
   4  strb w9, [x8]
   5  mov w9, #0x1
   6  strb w9, [x0, #0x8]
   7  cbz x3, -> 29
   8  lsl x9, x3, #0x3
   9  and x10, x4, #0x1
  10  mov w11, #0x3
  11  b -> 17
  12  strb w11, [x8]
  13  subs x9, x9, #0x8
  14  add x1, x1, #0x8
  15  add x4, x4, #0x1, lsl #12
  16  b.eq -> 28
  17  bics xzr, x10, x4, lsr #6
  18  str x4, [x1]
  19  b.eq -> 13
  20  ldrb w12, [x8]
  21  tbnz w12, #0x1, -> 13
  22  ldrb w12, [x8]
  23  cmp w12, #0x1
  24  b.eq -> 12
  25  dsb ishst
  26  isb
  27  b -> 13
  28  ldrb w9, [x0, #0x8]
  29  and w10, w9, #0xff
  30  strb wzr, [x0, #0x8]
  31  cmp w10, #0x1
  32  b.ne -> 67
  33  ldrb w9, [x8]
  34  tbz w9, #0x1, -> 37
  35  dsb ishst
  36  isb
  37  and w9, w9, #0xfc
  38  strb w9, [x8]
  39  ret
  40  ldrb w9, [x0, #0x8]
  41  strb wzr, [x0, #0x8]
  42  ands w10, w9, #0x3
  43  b.eq -> 62
  44  tbnz w9, #0x2, -> 72
  45  ldrb w11, [x8]
  46  tbz w11, #0x1, -> 51
  47  and w11, w11, #0xfffffffd
  48  strb w11, [x8]
  49  dsb ishst
  50  isb
  51  cmp w10, #0x1
  52  cset w12, eq
  53  cmp w11, #0x1
  54  csel w12, wzr, w12, ne
  55  cmp w10, #0x1
  56  b.ne -> 61
  57  cmp w11, #0x1
  58  b.eq -> 61
  59  and w10, w11, #0xfe
  60  strb w10, [x8]
  61  tbnz w12, #0x0, -> 6
  62  ldrb w9, [x8]
  63  tbnz w9, #0x2, -> 70
  64  tbnz w9, #0x0, -> 79
  65  orr w9, w9, #0x1
  66  b -> 4
  67  mov w0, w9
  68  mov x1, x8
  69  b leave_out_of_line
  70  mov w9, #0x3
  71  b -> 6
  72  ldrb w11, [x8]
  73  and w9, w9, #0xfffffffb
  74  and w11, w11, #0xfffffffb
  75  strb w11, [x8]
  76  ldrb w11, [x8]
  77  tbz w11, #0x1, -> 51
  78  b -> 47
  79  mov w9, #0x2
  80  b -> 6

ours_map_kernel_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 37
   3  mov w9, #0x1
   4  strb w9, [x8]
   5  mov w9, #0x1
   6  strb w9, [x0, #0x8]
   7  cbz x3, -> 26
   8  lsl x9, x3, #0x3
   9  mov w10, #0x3
  10  b -> 17
  11  dsb ishst
  12  isb
  13  subs x9, x9, #0x8
  14  add x1, x1, #0x8
  15  add x4, x4, #0x1, lsl #12
  16  b.eq -> 25
  17  str x4, [x1]
  18  ldrb w11, [x8]
  19  tbnz w11, #0x1, -> 13
  20  ldrb w11, [x8]
  21  cmp w11, #0x1
  22  b.ne -> 11
  23  strb w10, [x8]
  24  b -> 13
  25  ldrb w9, [x0, #0x8]
  26  and w10, w9, #0xff
  27  strb wzr, [x0, #0x8]
  28  cmp w10, #0x1
  29  b.ne -> 64
  30  ldrb w9, [x8]
  31  tbz w9, #0x1, -> 34
  32  dsb ishst
  33  isb
  34  and w9, w9, #0xfc
  35  strb w9, [x8]
  36  ret
  37  ldrb w9, [x0, #0x8]
  38  strb wzr, [x0, #0x8]
  39  ands w10, w9, #0x3
  40  b.eq -> 59
  41  tbnz w9, #0x2, -> 69
  42  ldrb w11, [x8]
  43  tbz w11, #0x1, -> 48
  44  and w11, w11, #0xfffffffd
  45  strb w11, [x8]
  46  dsb ishst
  47  isb
  48  cmp w10, #0x1
  49  cset w12, eq
  50  cmp w11, #0x1
  51  csel w12, wzr, w12, ne
  52  cmp w10, #0x1
  53  b.ne -> 58
  54  cmp w11, #0x1
  55  b.eq -> 58
  56  and w10, w11, #0xfe
  57  strb w10, [x8]
  58  tbnz w12, #0x0, -> 6
  59  ldrb w9, [x8]
  60  tbnz w9, #0x2, -> 67
  61  tbnz w9, #0x0, -> 76
  62  orr w9, w9, #0x1
  63  b -> 4
  64  mov w0, w9
  65  mov x1, x8
  66  b leave_out_of_line
  67  mov w9, #0x3
  68  b -> 6
  69  ldrb w11, [x8]
  70  and w9, w9, #0xfffffffb
  71  and w11, w11, #0xfffffffb
  72  strb w11, [x8]
  73  ldrb w11, [x8]
  74  tbz w11, #0x1, -> 48
  75  b -> 44
  76  mov w9, #0x2
  77  b -> 6

ours_map_kernel_word:
   0  ldr x8, [x0]
   1  ldr x9, [x8]
   2  tst x9, #0xe0000000
   3  b.ne -> 40
   4  mov w9, #0x20000000
   5  ldset x9, x9, [x8]
   6  mov w9, #0x1
   7  strb w9, [x0, #0x8]
   8  cbz x3, -> 29
   9  lsl x9, x3, #0x3
  10  mov w10, #0x20000000
  11  mov w11, #0x40000000
  12  b -> 19
  13  dsb ishst
  14  isb
  15  subs x9, x9, #0x8
  16  add x1, x1, #0x8
  17  add x4, x4, #0x1, lsl #12
  18  b.eq -> 28
  19  str x4, [x1]
  20  ldr x12, [x8]
  21  tbnz w12, #0x1e, -> 15
  22  ldr x12, [x8]
  23  and x12, x12, #0xe0000000
  24  cmp x12, x10
  25  b.ne -> 13
  26  ldset x11, x12, [x8]
  27  b -> 15
  28  ldrb w9, [x0, #0x8]
  29  and w10, w9, #0xff
  30  strb wzr, [x0, #0x8]
  31  cmp w10, #0x1
  32  b.ne -> 54
  33  ldr x9, [x8]
  34  tbz w9, #0x1e, -> 37
  35  dsb ishst
  36  isb
  37  mov w9, #0x60000000
  38  ldclr x9, x8, [x8]
  39  ret
  40  ldrb w9, [x0, #0x8]
  41  strb wzr, [x0, #0x8]
  42  ands w10, w9, #0x3
  43  b.eq -> 75
  44  tbz w9, #0x2, -> 49
  45  mov w11, #0x80000000
  46  ldr xzr, [x8]
  47  and w9, w9, #0xfffffffb
  48  ldclr x11, x11, [x8]
  49  ldr x11, [x8]
  50  lsr x12, x11, #0x1d
  51  tbnz w12, #0x1, -> 57
  52  lsr w11, w11, #0x1d
  53  b -> 64
  54  mov w0, w9
  55  mov x1, x8
  56  b leave_out_of_line
  57  mov w12, #0x40000000
  58  ubfx x11, x11, #0x1d, #0x8
  59  ldclr x12, x12, [x8]
  60  dsb ishst
  61  mov w12, #0x5
  62  isb
  63  and w11, w11, w12
  64  cmp w10, #0x1
  65  cset w12, eq
  66  cmp w11, #0x1
  67  csel w12, wzr, w12, ne
  68  cmp w10, #0x1
  69  b.ne -> 74
  70  cmp w11, #0x1
  71  b.eq -> 74
  72  mov w10, #0x20000000
  73  ldclr x10, x10, [x8]
  74  tbnz w12, #0x0, -> 7
  75  ldr x9, [x8]
  76  lsr x10, x9, #0x1d
  77  tbnz w10, #0x2, -> 82
  78  ubfx x9, x9, #0x1d, #0x8
  79  tbz w9, #0x0, -> 4
  80  mov w9, #0x2
  81  b -> 7
  82  mov w9, #0x3
  83  b -> 7

ours_range_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 42
   3  mov w9, #0x1
   4  strb w9, [x8]
   5  mov w9, #0x1
   6  lsl x10, x3, #0x3
   7  strb w9, [x0, #0x8]
   8  and x12, x4, #0x1
   9  add x9, x1, x10
  10  cbz x10, -> 31
  11  bic x13, x12, x4, lsr #6
  12  add x11, x1, #0x8
  13  str x4, [x1]
  14  add x4, x4, #0x1, lsl #12
  15  sub x10, x10, #0x8
  16  mov x1, x11
  17  cbz x13, -> 10
  18  cmp x11, x9
  19  b.eq -> 24
  20  subs x10, x10, #0x8
  21  str x4, [x11], #0x8
  22  add x4, x4, #0x1, lsl #12
  23  b.ne -> 20
  24  ldrb w9, [x8]
  25  tbnz w9, #0x1, -> 31
  26  ldrb w9, [x8]
  27  cmp w9, #0x1
  28  b.ne -> 78
  29  mov w9, #0x3
  30  strb w9, [x8]
  31  ldrb w9, [x0, #0x8]
  32  strb wzr, [x0, #0x8]
  33  cmp w9, #0x1
  34  b.ne -> 84
  35  ldrb w9, [x8]
  36  tbz w9, #0x1, -> 39
  37  dsb ishst
  38  isb
  39  and w9, w9, #0xfc
  40  strb w9, [x8]
  41  ret
  42  ldrb w9, [x0, #0x8]
  43  strb wzr, [x0, #0x8]
  44  ands w10, w9, #0x3
  45  b.eq -> 64
  46  tbnz w9, #0x2, -> 71
  47  ldrb w11, [x8]
  48  tbz w11, #0x1, -> 53
  49  and w11, w11, #0xfffffffd
  50  strb w11, [x8]
  51  dsb ishst
  52  isb
  53  cmp w10, #0x1
  54  cset w12, eq
  55  cmp w11, #0x1
  56  csel w12, wzr, w12, ne
  57  cmp w10, #0x1
  58  b.ne -> 63
  59  cmp w11, #0x1
  60  b.eq -> 63
  61  and w10, w11, #0xfe
  62  strb w10, [x8]
  63  tbnz w12, #0x0, -> 6
  64  ldrb w9, [x8]
  65  tbnz w9, #0x2, -> 69
  66  tbnz w9, #0x0, -> 87
  67  orr w9, w9, #0x1
  68  b -> 4
  69  mov w9, #0x3
  70  b -> 6
  71  ldrb w11, [x8]
  72  and w9, w9, #0xfffffffb
  73  and w11, w11, #0xfffffffb
  74  strb w11, [x8]
  75  ldrb w11, [x8]
  76  tbz w11, #0x1, -> 53
  77  b -> 49
  78  dsb ishst
  79  isb
  80  ldrb w9, [x0, #0x8]
  81  strb wzr, [x0, #0x8]
  82  cmp w9, #0x1
  83  b.eq -> 35
  84  mov w0, w9
  85  mov x1, x8
  86  b leave_out_of_line
  87  mov w9, #0x2
  88  b -> 6

ours_nested_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  tbz w9, #0x1, -> 7
   3  and w9, w9, #0xfffffffd
   4  strb w9, [x8]
   5  dsb ishst
   6  isb
   7  ret

ours_nested_store_byte:
   0  cbz x3, -> 32
   1  ldp x8, x9, [x0]
   2  ldrb w10, [x9]
   3  str x4, [x1]
   4  ldrb w11, [x8]
   5  tbnz w11, #0x1, -> 11
   6  ldrb w11, [x8]
   7  cmp w11, #0x1
   8  b.ne -> 23
   9  mov w11, #0x3
  10  strb w11, [x8]
  11  ldrb w11, [x8]
  12  tbnz w11, #0x1, -> 27
  13  tbnz w10, #0x2, -> 22
  14  tbz w11, #0x2, -> 22
  15  ldrb w10, [x9]
  16  tbz w10, #0x2, -> 22
  17  and w10, w10, #0xfffffffb
  18  strb w10, [x9]
  19  ldrb w9, [x8]
  20  and w9, w9, #0xfffffffb
  21  strb w9, [x8]
  22  ret
  23  dsb ishst
  24  isb
  25  ldrb w11, [x8]
  26  tbz w11, #0x1, -> 13
  27  and w9, w11, #0xfffffffd
  28  strb w9, [x8]
  29  dsb ishst
  30  isb
  31  ret
  32  str x30, [sp, #-0x10]!
  33  nop
  34  adr x2, elsewhere
  35  mov x0, xzr
  36  mov x1, xzr
  37  bl _RNvNtCsbcsGJ9IzBgZ_4core9panicking18panic_bounds_check

ours_attribute_byte:
   0  mrs x9, s3_0_c13_c0_4
   1  ldr w10, [x9, #0x8]
   2  ldrb w8, [x9, #0xc]
   3  and w10, w10, #0xffff00
   4  and w11, w8, #0x4
   5  orr w10, w10, w11
   6  cbz w10, -> 12
   7  mov w8, wzr
   8  adrp x0, elsewhere
   9  add x0, x0, #0xa8
  10  cbnz x3, -> 21
  11  b -> 45
  12  add x0, x9, #0xc
  13  tbnz w8, #0x0, -> 19
  14  orr w8, w8, #0x1
  15  strb w8, [x0]
  16  mov w8, #0x1
  17  cbnz x3, -> 21
  18  b -> 45
  19  mov w8, wzr
  20  cbz x3, -> 45
  21  lsl x9, x3, #0x3
  22  and x10, x4, #0x1
  23  mov w11, #0x3
  24  b -> 31
  25  dsb ishst
  26  isb
  27  subs x9, x9, #0x8
  28  add x1, x1, #0x8
  29  add x4, x4, #0x1, lsl #12
  30  b.eq -> 45
  31  bics xzr, x10, x4, lsr #6
  32  str x4, [x1]
  33  b.eq -> 27
  34  mrs x12, s3_0_c13_c0_4
  35  ldr w13, [x12, #0x8]
  36  tst w13, #0xffff00
  37  b.ne -> 25
  38  ldrb w13, [x12, #0xc]
  39  tbnz w13, #0x1, -> 27
  40  ldrb w13, [x12, #0xc]
  41  cmp w13, #0x1
  42  b.ne -> 25
  43  strb w11, [x12, #0xc]
  44  b -> 27
  45  mov w1, w8
  46  mov w2, wzr
  47  b leave_dynamic

ours_attribute_mmu_byte:
   0  mrs x9, s3_0_c13_c0_4
   1  ldr w10, [x9, #0x8]
   2  ldrb w8, [x9, #0xc]
   3  and w10, w10, #0xffff00
   4  and w11, w8, #0x4
   5  orr w10, w10, w11
   6  cbz w10, -> 12
   7  mov w8, wzr
   8  adrp x0, elsewhere
   9  add x0, x0, #0xa8
  10  cbnz x3, -> 21
  11  b -> 41
  12  add x0, x9, #0xc
  13  tbnz w8, #0x0, -> 19
  14  orr w8, w8, #0x1
  15  strb w8, [x0]
  16  mov w8, #0x1
  17  cbnz x3, -> 21
  18  b -> 41
  19  mov w8, wzr
  20  cbz x3, -> 41
  21  lsl x9, x3, #0x3
  22  and x10, x4, #0x1
  23  mov w11, #0x3
  24  b -> 30
  25  strb w11, [x0]
  26  subs x9, x9, #0x8
  27  add x1, x1, #0x8
  28  add x4, x4, #0x1, lsl #12
  29  b.eq -> 41
  30  bics xzr, x10, x4, lsr #6
  31  str x4, [x1]
  32  b.eq -> 26
  33  ldrb w12, [x0]
  34  tbnz w12, #0x1, -> 26
  35  ldrb w12, [x0]
  36  cmp w12, #0x1
  37  b.eq -> 25
  38  dsb ishst
  39  isb
  40  b -> 26
  41  mov w1, w8
  42  mov w2, wzr
  43  b leave_dynamic

leave_out_of_line, of ours_enter_leave_byte:
   0  and w8, w0, #0x3
   1  sub w9, w8, #0x1
   2  cmp w9, #0x2
   3  and w9, w0, #0xff
   4  b.hs -> 11
   5  tbnz w9, #0x2, -> 16
   6  ldrb w9, [x1]
   7  tbnz w9, #0x1, -> 21
   8  cmp w8, #0x1
   9  b.eq -> 29
  10  ret
  11  cbz w8, -> 10
  12  tbnz w9, #0x2, -> 32
  13  ldrb w8, [x1]
  14  tbnz w8, #0x1, -> 37
  15  ret
  16  ldrb w9, [x1]
  17  and w9, w9, #0xfffffffb
  18  strb w9, [x1]
  19  ldrb w9, [x1]
  20  tbz w9, #0x1, -> 8
  21  cmp w8, #0x2
  22  b.ne -> 25
  23  and w9, w9, #0xfffffffd
  24  strb w9, [x1]
  25  dsb ishst
  26  isb
  27  cmp w8, #0x1
  28  b.ne -> 10
  29  and w8, w9, #0xfc
  30  strb w8, [x1]
  31  ret
  32  ldrb w8, [x1]
  33  and w8, w8, #0xfffffffb
  34  strb w8, [x1]
  35  ldrb w8, [x1]
  36  tbz w8, #0x1, -> 15
  37  and w8, w8, #0xfffffffd
  38  strb w8, [x1]
  39  dsb ishst
  40  isb
  41  ret

leave_out_of_line, of ours_map_kernel_word:
   0  and w8, w0, #0x3
   1  sub w9, w8, #0x1
   2  cmp w9, #0x2
   3  and w9, w0, #0xff
   4  b.hs -> 11
   5  tbnz w9, #0x2, -> 16
   6  ldr x9, [x1]
   7  tbnz w9, #0x1e, -> 21
   8  cmp w8, #0x1
   9  b.eq -> 29
  10  ret
  11  cbz w8, -> 10
  12  tbnz w9, #0x2, -> 32
  13  ldr x8, [x1]
  14  tbnz w8, #0x1e, -> 37
  15  ret
  16  mov w9, #0x80000000
  17  ldr xzr, [x1]
  18  ldclr x9, x9, [x1]
  19  ldr x9, [x1]
  20  tbz w9, #0x1e, -> 8
  21  cmp w8, #0x2
  22  b.ne -> 25
  23  mov w9, #0x40000000
  24  ldclr x9, x9, [x1]
  25  dsb ishst
  26  isb
  27  cmp w8, #0x1
  28  b.ne -> 10
  29  mov w8, #0x60000000
  30  ldclr x8, x8, [x1]
  31  ret
  32  mov w8, #0x80000000
  33  ldr xzr, [x1]
  34  ldclr x8, x8, [x1]
  35  ldr x8, [x1]
  36  tbz w8, #0x1e, -> 15
  37  mov w8, #0x40000000
  38  ldclr x8, x8, [x1]
  39  dsb ishst
  40  isb
  41  ret

leave_dynamic, of ours_attribute_byte:
   0  adrp x8, elsewhere
   1  add x8, x8, #0xa8
   2  tbnz w2, #0x2, -> 19
   3  cmp x0, x8
   4  b.eq -> 29
   5  ldrb w8, [x0]
   6  tbz w1, #0x0, -> 13
   7  tbz w8, #0x1, -> 10
   8  dsb ishst
   9  isb
  10  and w8, w8, #0xfc
  11  strb w8, [x0]
  12  ret
  13  tbz w8, #0x1, -> 42
  14  and w8, w8, #0xfffffffd
  15  strb w8, [x0]
  16  dsb ishst
  17  isb
  18  b -> 42
  19  cmp x0, x8
  20  mov x9, x0
  21  b.ne -> 24
  22  mrs x9, s3_0_c13_c0_4
  23  add x9, x9, #0xc
  24  ldrb w10, [x9]
  25  and w10, w10, #0xfffffffb
  26  strb w10, [x9]
  27  cmp x0, x8
  28  b.ne -> 5
  29  mrs x9, s3_0_c13_c0_4
  30  ldr w10, [x9, #0x8]
  31  tst w10, #0xffff00
  32  b.ne -> 42
  33  add x9, x9, #0xc
  34  cmp x9, x8
  35  b.eq -> 42
  36  ldrb w8, [x9]
  37  tbz w8, #0x1, -> 42
  38  and w8, w8, #0xfffffffd
  39  strb w8, [x9]
  40  dsb ishst
  41  isb
  42  ret
