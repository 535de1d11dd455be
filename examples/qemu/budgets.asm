# What rustc makes of the functions in src/forms.rs, for the kernel's profile, with LSE.
# `cargo xtask test` compares it; `cargo xtask asm --bless` writes it.

ours_enter_leave_byte:
   0  ldr x1, [x0]
   1  ldrb w8, [x1]
   2  cbnz w8, -> 15
   3  mov w8, #0x1
   4  strb w8, [x1]
   5  strb wzr, [x0, #0x8]
   6  ldrb w8, [x1]
   7  tbz w8, #0x1, -> 12
   8  and w8, w8, #0xfffffffd
   9  strb w8, [x1]
  10  dsb ishst
  11  isb
  12  and w8, w8, #0xfe
  13  strb w8, [x1]
  14  ret
  15  ldrb w9, [x0, #0x8]
  16  strb wzr, [x0, #0x8]
  17  and w8, w9, #0x3
  18  sub w10, w8, #0x1
  19  cmp w10, #0x2
  20  b.hs -> 27
  21  tbnz w9, #0x2, -> 39
  22  ldrb w9, [x1]
  23  tbnz w9, #0x1, -> 44
  24  cmp w8, #0x1
  25  b.eq -> 50
  26  b -> 52
  27  cbz w8, -> 52
  28  tbz w9, #0x2, -> 32
  29  ldrb w8, [x1]
  30  and w8, w8, #0xfffffffb
  31  strb w8, [x1]
  32  ldrb w8, [x1]
  33  tbz w8, #0x1, -> 38
  34  and w8, w8, #0xfffffffd
  35  strb w8, [x1]
  36  dsb ishst
  37  isb
  38  b -> 52
  39  ldrb w9, [x1]
  40  and w9, w9, #0xfffffffb
  41  strb w9, [x1]
  42  ldrb w9, [x1]
  43  tbz w9, #0x1, -> 24
  44  and w9, w9, #0xfffffffd
  45  strb w9, [x1]
  46  dsb ishst
  47  isb
  48  cmp w8, #0x1
  49  b.ne -> 52
  50  and w8, w9, #0xfe
  51  strb w8, [x1]
  52  ldrb w8, [x1]
  53  tbnz w8, #0x2, -> 61
  54  tbnz w8, #0x0, -> 65
  55  orr w8, w8, #0x1
  56  strb w8, [x1]
  57  strb wzr, [x0, #0x8]
  58  ldrb w8, [x1]
  59  tbnz w8, #0x1, -> 8
  60  b -> 12
  61  mov x8, x0
  62  mov w0, #0x3
  63  strb wzr, [x8, #0x8]
  64  b leave_out_of_line
  65  mov x8, x0
  66  mov w0, #0x2
  67  strb wzr, [x8, #0x8]
  68  b leave_out_of_line

ours_one_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 31
   3  mov w9, #0x1
   4  strb w9, [x8]
   5  mov w9, #0x1
   6  strb w9, [x0, #0x8]
   7  str x4, [x1]
   8  ldrb w9, [x8]
   9  tbnz w9, #0x1, -> 18
  10  ldrb w9, [x8]
  11  cmp w9, #0x1
  12  b.ne -> 16
  13  mov w9, #0x3
  14  strb w9, [x8]
  15  b -> 18
  16  dsb ishst
  17  isb
  18  ldrb w9, [x0, #0x8]
  19  strb wzr, [x0, #0x8]
  20  cmp w9, #0x1
  21  b.ne -> 43
  22  ldrb w9, [x8]
  23  tbz w9, #0x1, -> 28
  24  and w9, w9, #0xfffffffd
  25  strb w9, [x8]
  26  dsb ishst
  27  isb
  28  and w9, w9, #0xfe
  29  strb w9, [x8]
  30  ret
  31  ldrb w10, [x0, #0x8]
  32  strb wzr, [x0, #0x8]
  33  and w9, w10, #0x3
  34  sub w11, w9, #0x1
  35  cmp w11, #0x2
  36  b.hs -> 46
  37  tbnz w10, #0x2, -> 58
  38  ldrb w10, [x8]
  39  tbnz w10, #0x1, -> 63
  40  cmp w9, #0x1
  41  b.eq -> 69
  42  b -> 71
  43  mov w0, w9
  44  mov x1, x8
  45  b leave_out_of_line
  46  cbz w9, -> 71
  47  tbz w10, #0x2, -> 51
  48  ldrb w9, [x8]
  49  and w9, w9, #0xfffffffb
  50  strb w9, [x8]
  51  ldrb w9, [x8]
  52  tbz w9, #0x1, -> 57
  53  and w9, w9, #0xfffffffd
  54  strb w9, [x8]
  55  dsb ishst
  56  isb
  57  b -> 71
  58  ldrb w10, [x8]
  59  and w10, w10, #0xfffffffb
  60  strb w10, [x8]
  61  ldrb w10, [x8]
  62  tbz w10, #0x1, -> 40
  63  and w10, w10, #0xfffffffd
  64  strb w10, [x8]
  65  dsb ishst
  66  isb
  67  cmp w9, #0x1
  68  b.ne -> 71
  69  and w9, w10, #0xfe
  70  strb w9, [x8]
  71  ldrb w9, [x8]
  72  tbnz w9, #0x2, -> 76
  73  tbnz w9, #0x0, -> 78
  74  orr w9, w9, #0x1
  75  b -> 4
  76  mov w9, #0x3
  77  b -> 6
  78  mov w9, #0x2
  79  b -> 6

ours_map_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 42
   3  mov w9, #0x1
   4  strb w9, [x8]
   5  mov w9, #0x1
   6  strb w9, [x0, #0x8]
   7  cbz x3, -> 30
   8  lsl x9, x3, #0x3
   9  and x10, x4, #0x1
  10  mov w11, #0x3
  11  b -> 18
  12  dsb ishst
  13  isb
  14  subs x9, x9, #0x8
  15  add x1, x1, #0x8
  16  add x4, x4, #0x1, lsl #12
  17  b.eq -> 29
  18  bic w12, w10, w4, lsr #6
  19  str x4, [x1]
  20  tst x12, x4, lsr #54
  21  b.eq -> 14
  22  ldrb w12, [x8]
  23  tbnz w12, #0x1, -> 14
  24  ldrb w12, [x8]
  25  cmp w12, #0x1
  26  b.ne -> 12
  27  strb w11, [x8]
  28  b -> 14
  29  ldrb w9, [x0, #0x8]
  30  cmp w9, #0x1
  31  strb wzr, [x0, #0x8]
  32  b.ne -> 54
  33  ldrb w9, [x8]
  34  tbz w9, #0x1, -> 39
  35  and w9, w9, #0xfffffffd
  36  strb w9, [x8]
  37  dsb ishst
  38  isb
  39  and w9, w9, #0xfe
  40  strb w9, [x8]
  41  ret
  42  ldrb w10, [x0, #0x8]
  43  strb wzr, [x0, #0x8]
  44  and w9, w10, #0x3
  45  sub w11, w9, #0x1
  46  cmp w11, #0x2
  47  b.hs -> 57
  48  tbnz w10, #0x2, -> 69
  49  ldrb w10, [x8]
  50  tbnz w10, #0x1, -> 74
  51  cmp w9, #0x1
  52  b.eq -> 80
  53  b -> 82
  54  mov w0, w9
  55  mov x1, x8
  56  b leave_out_of_line
  57  cbz w9, -> 82
  58  tbz w10, #0x2, -> 62
  59  ldrb w9, [x8]
  60  and w9, w9, #0xfffffffb
  61  strb w9, [x8]
  62  ldrb w9, [x8]
  63  tbz w9, #0x1, -> 68
  64  and w9, w9, #0xfffffffd
  65  strb w9, [x8]
  66  dsb ishst
  67  isb
  68  b -> 82
  69  ldrb w10, [x8]
  70  and w10, w10, #0xfffffffb
  71  strb w10, [x8]
  72  ldrb w10, [x8]
  73  tbz w10, #0x1, -> 51
  74  and w10, w10, #0xfffffffd
  75  strb w10, [x8]
  76  dsb ishst
  77  isb
  78  cmp w9, #0x1
  79  b.ne -> 82
  80  and w9, w10, #0xfe
  81  strb w9, [x8]
  82  ldrb w9, [x8]
  83  tbnz w9, #0x2, -> 87
  84  tbnz w9, #0x0, -> 89
  85  orr w9, w9, #0x1
  86  b -> 4
  87  mov w9, #0x3
  88  b -> 6
  89  mov w9, #0x2
  90  b -> 6

ours_map_kernel_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 38
   3  mov w9, #0x1
   4  strb w9, [x8]
   5  mov w9, #0x1
   6  strb w9, [x0, #0x8]
   7  cbz x3, -> 26
   8  lsl x9, x3, #0x3
   9  mov w10, #0x3
  10  b -> 16
  11  strb w10, [x8]
  12  subs x9, x9, #0x8
  13  add x1, x1, #0x8
  14  add x4, x4, #0x1, lsl #12
  15  b.eq -> 25
  16  str x4, [x1]
  17  ldrb w11, [x8]
  18  tbnz w11, #0x1, -> 12
  19  ldrb w11, [x8]
  20  cmp w11, #0x1
  21  b.eq -> 11
  22  dsb ishst
  23  isb
  24  b -> 12
  25  ldrb w9, [x0, #0x8]
  26  cmp w9, #0x1
  27  strb wzr, [x0, #0x8]
  28  b.ne -> 50
  29  ldrb w9, [x8]
  30  tbz w9, #0x1, -> 35
  31  and w9, w9, #0xfffffffd
  32  strb w9, [x8]
  33  dsb ishst
  34  isb
  35  and w9, w9, #0xfe
  36  strb w9, [x8]
  37  ret
  38  ldrb w10, [x0, #0x8]
  39  strb wzr, [x0, #0x8]
  40  and w9, w10, #0x3
  41  sub w11, w9, #0x1
  42  cmp w11, #0x2
  43  b.hs -> 53
  44  tbnz w10, #0x2, -> 65
  45  ldrb w10, [x8]
  46  tbnz w10, #0x1, -> 70
  47  cmp w9, #0x1
  48  b.eq -> 76
  49  b -> 78
  50  mov w0, w9
  51  mov x1, x8
  52  b leave_out_of_line
  53  cbz w9, -> 78
  54  tbz w10, #0x2, -> 58
  55  ldrb w9, [x8]
  56  and w9, w9, #0xfffffffb
  57  strb w9, [x8]
  58  ldrb w9, [x8]
  59  tbz w9, #0x1, -> 64
  60  and w9, w9, #0xfffffffd
  61  strb w9, [x8]
  62  dsb ishst
  63  isb
  64  b -> 78
  65  ldrb w10, [x8]
  66  and w10, w10, #0xfffffffb
  67  strb w10, [x8]
  68  ldrb w10, [x8]
  69  tbz w10, #0x1, -> 47
  70  and w10, w10, #0xfffffffd
  71  strb w10, [x8]
  72  dsb ishst
  73  isb
  74  cmp w9, #0x1
  75  b.ne -> 78
  76  and w9, w10, #0xfe
  77  strb w9, [x8]
  78  ldrb w9, [x8]
  79  tbnz w9, #0x2, -> 83
  80  tbnz w9, #0x0, -> 85
  81  orr w9, w9, #0x1
  82  b -> 4
  83  mov w9, #0x3
  84  b -> 6
  85  mov w9, #0x2
  86  b -> 6

ours_map_kernel_word:
   0  ldr x8, [x0]
   1  ldr x9, [x8]
   2  tst x9, #0xe0000000
   3  b.ne -> 41
   4  mov w9, #0x20000000
   5  ldset x9, x9, [x8]
   6  mov w9, #0x1
   7  strb w9, [x0, #0x8]
   8  cbz x3, -> 29
   9  lsl x9, x3, #0x3
  10  mov w10, #0x20000000
  11  mov w11, #0x40000000
  12  b -> 18
  13  ldset x11, x12, [x8]
  14  subs x9, x9, #0x8
  15  add x1, x1, #0x8
  16  add x4, x4, #0x1, lsl #12
  17  b.eq -> 28
  18  str x4, [x1]
  19  ldr x12, [x8]
  20  tbnz w12, #0x1e, -> 14
  21  ldr x12, [x8]
  22  and x12, x12, #0xe0000000
  23  cmp x12, x10
  24  b.eq -> 13
  25  dsb ishst
  26  isb
  27  b -> 14
  28  ldrb w9, [x0, #0x8]
  29  cmp w9, #0x1
  30  strb wzr, [x0, #0x8]
  31  b.ne -> 53
  32  ldr x9, [x8]
  33  tbz w9, #0x1e, -> 38
  34  mov w9, #0x40000000
  35  ldclr x9, x9, [x8]
  36  dsb ishst
  37  isb
  38  mov w9, #0x20000000
  39  ldclr x9, x8, [x8]
  40  ret
  41  ldrb w10, [x0, #0x8]
  42  strb wzr, [x0, #0x8]
  43  and w9, w10, #0x3
  44  sub w11, w9, #0x1
  45  cmp w11, #0x2
  46  b.hs -> 56
  47  tbnz w10, #0x2, -> 68
  48  ldr x10, [x8]
  49  tbnz w10, #0x1e, -> 73
  50  cmp w9, #0x1
  51  b.eq -> 79
  52  b -> 81
  53  mov w0, w9
  54  mov x1, x8
  55  b leave_out_of_line
  56  cbz w9, -> 81
  57  tbz w10, #0x2, -> 61
  58  mov w9, #0x80000000
  59  ldr xzr, [x8]
  60  ldclr x9, x9, [x8]
  61  ldr x9, [x8]
  62  tbz w9, #0x1e, -> 67
  63  mov w9, #0x40000000
  64  ldclr x9, x9, [x8]
  65  dsb ishst
  66  isb
  67  b -> 81
  68  mov w10, #0x80000000
  69  ldr xzr, [x8]
  70  ldclr x10, x10, [x8]
  71  ldr x10, [x8]
  72  tbz w10, #0x1e, -> 50
  73  mov w10, #0x40000000
  74  ldclr x10, x10, [x8]
  75  dsb ishst
  76  isb
  77  cmp w9, #0x1
  78  b.ne -> 81
  79  mov w9, #0x20000000
  80  ldclr x9, x9, [x8]
  81  ldr x9, [x8]
  82  lsr x10, x9, #0x1d
  83  tbnz w10, #0x2, -> 88
  84  ubfx x9, x9, #0x1d, #0x8
  85  tbz w9, #0x0, -> 4
  86  mov w9, #0x2
  87  b -> 7
  88  mov w9, #0x3
  89  b -> 7

ours_range_byte:
   0  ldr x8, [x0]
   1  ldrb w9, [x8]
   2  cbnz w9, -> 48
   3  mov w9, #0x1
   4  mov w10, #0x1
   5  strb w9, [x8]
   6  lsl x9, x3, #0x3
   7  strb w10, [x0, #0x8]
   8  and x11, x4, #0x1
   9  add x10, x1, x9
  10  cbz x9, -> 35
  11  bic w12, w11, w4, lsr #6
  12  str x4, [x1]
  13  sub x9, x9, #0x8
  14  and x13, x12, x4, lsr #54
  15  add x12, x1, #0x8
  16  add x4, x4, #0x1, lsl #12
  17  mov x1, x12
  18  cbz x13, -> 10
  19  cmp x12, x10
  20  b.eq -> 25
  21  subs x9, x9, #0x8
  22  str x4, [x12], #0x8
  23  add x4, x4, #0x1, lsl #12
  24  b.ne -> 21
  25  ldrb w9, [x8]
  26  tbnz w9, #0x1, -> 35
  27  ldrb w9, [x8]
  28  cmp w9, #0x1
  29  b.ne -> 33
  30  mov w9, #0x3
  31  strb w9, [x8]
  32  b -> 35
  33  dsb ishst
  34  isb
  35  ldrb w9, [x0, #0x8]
  36  strb wzr, [x0, #0x8]
  37  cmp w9, #0x1
  38  b.ne -> 60
  39  ldrb w9, [x8]
  40  tbz w9, #0x1, -> 45
  41  and w9, w9, #0xfffffffd
  42  strb w9, [x8]
  43  dsb ishst
  44  isb
  45  and w9, w9, #0xfe
  46  strb w9, [x8]
  47  ret
  48  ldrb w10, [x0, #0x8]
  49  strb wzr, [x0, #0x8]
  50  and w9, w10, #0x3
  51  sub w11, w9, #0x1
  52  cmp w11, #0x2
  53  b.hs -> 63
  54  tbnz w10, #0x2, -> 75
  55  ldrb w10, [x8]
  56  tbnz w10, #0x1, -> 80
  57  cmp w9, #0x1
  58  b.eq -> 86
  59  b -> 88
  60  mov w0, w9
  61  mov x1, x8
  62  b leave_out_of_line
  63  cbz w9, -> 88
  64  tbz w10, #0x2, -> 68
  65  ldrb w9, [x8]
  66  and w9, w9, #0xfffffffb
  67  strb w9, [x8]
  68  ldrb w9, [x8]
  69  tbz w9, #0x1, -> 74
  70  and w9, w9, #0xfffffffd
  71  strb w9, [x8]
  72  dsb ishst
  73  isb
  74  b -> 88
  75  ldrb w10, [x8]
  76  and w10, w10, #0xfffffffb
  77  strb w10, [x8]
  78  ldrb w10, [x8]
  79  tbz w10, #0x1, -> 57
  80  and w10, w10, #0xfffffffd
  81  strb w10, [x8]
  82  dsb ishst
  83  isb
  84  cmp w9, #0x1
  85  b.ne -> 88
  86  and w9, w10, #0xfe
  87  strb w9, [x8]
  88  ldrb w9, [x8]
  89  tbnz w9, #0x2, -> 93
  90  tbnz w9, #0x0, -> 95
  91  orr w9, w9, #0x1
  92  b -> 4
  93  mov w10, #0x3
  94  b -> 6
  95  mov w10, #0x2
  96  b -> 6

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
   0  cbz x3, -> 30
   1  ldp x8, x9, [x0]
   2  ldrb w10, [x9]
   3  str x4, [x1]
   4  ldrb w11, [x8]
   5  tbnz w11, #0x1, -> 11
   6  ldrb w11, [x8]
   7  cmp w11, #0x1
   8  b.ne -> 20
   9  mov w11, #0x3
  10  strb w11, [x8]
  11  tbnz w10, #0x2, -> 23
  12  ldrb w10, [x9]
  13  tbz w10, #0x2, -> 23
  14  and w10, w10, #0xfffffffb
  15  strb w10, [x9]
  16  ldrb w9, [x8]
  17  and w9, w9, #0xfffffffb
  18  strb w9, [x8]
  19  b -> 23
  20  dsb ishst
  21  isb
  22  tbz w10, #0x2, -> 12
  23  ldrb w9, [x8]
  24  tbz w9, #0x1, -> 29
  25  and w9, w9, #0xfffffffd
  26  strb w9, [x8]
  27  dsb ishst
  28  isb
  29  ret
  30  str x30, [sp, #-0x10]!
  31  nop
  32  adr x2, elsewhere
  33  mov x0, xzr
  34  mov x1, xzr
  35  bl _RNvNtCsbcsGJ9IzBgZ_4core9panicking18panic_bounds_check

ours_attribute_byte:
   0  mrs x8, s3_0_c13_c0_4
   1  ldr w9, [x8, #0x8]
   2  ldrb w11, [x8, #0xc]
   3  and w9, w9, #0xffff00
   4  and w10, w11, #0x4
   5  orr w12, w9, w10
   6  cmp w12, #0x0
   7  bfxil w12, w11, #0x0, #0x1
   8  cset w10, eq
   9  cmp w12, #0x0
  10  cset w9, eq
  11  cbnz w12, -> 14
  12  orr w11, w11, #0x1
  13  strb w11, [x8, #0xc]
  14  cbz x3, -> 43
  15  lsl x11, x3, #0x3
  16  and x12, x4, #0x1
  17  mov w13, #0x3
  18  b -> 25
  19  dsb ishst
  20  isb
  21  subs x11, x11, #0x8
  22  add x1, x1, #0x8
  23  add x4, x4, #0x1, lsl #12
  24  b.eq -> 43
  25  bic w14, w12, w4, lsr #6
  26  str x4, [x1]
  27  tst x14, x4, lsr #54
  28  b.eq -> 21
  29  mrs x14, s3_0_c13_c0_4
  30  ldr w15, [x14, #0x8]
  31  tst w15, #0xffff00
  32  b.ne -> 19
  33  ldrb w15, [x14, #0xc]
  34  tbnz w15, #0x1, -> 21
  35  ldrb w15, [x14, #0xc]
  36  cmp w15, #0x1
  37  b.ne -> 40
  38  strb w13, [x14, #0xc]
  39  b -> 21
  40  dsb ishst
  41  isb
  42  b -> 21
  43  cbz w10, -> 53
  44  ldrb w10, [x8, #0xc]
  45  tbz w10, #0x1, -> 50
  46  and w10, w10, #0xfffffffd
  47  strb w10, [x8, #0xc]
  48  dsb ishst
  49  isb
  50  cbz w9, -> 53
  51  and w9, w10, #0xfe
  52  strb w9, [x8, #0xc]
  53  ret

ours_attribute_mmu_byte:
   0  mrs x8, s3_0_c13_c0_4
   1  ldr w9, [x8, #0x8]
   2  ldrb w11, [x8, #0xc]
   3  and w9, w9, #0xffff00
   4  and w10, w11, #0x4
   5  orr w9, w9, w10
   6  cmp w9, #0x0
   7  cset w10, ne
   8  orr w9, w11, w10
   9  tbnz w9, #0x0, -> 12
  10  orr w11, w11, #0x1
  11  strb w11, [x8, #0xc]
  12  cbz x3, -> 48
  13  lsl x11, x3, #0x3
  14  and x12, x4, #0x1
  15  tbnz w10, #0x0, -> 22
  16  mov w13, #0x3
  17  b -> 35
  18  subs x11, x11, #0x8
  19  add x1, x1, #0x8
  20  add x4, x4, #0x1, lsl #12
  21  b.eq -> 48
  22  lsr x13, x4, #0x36
  23  str x4, [x1]
  24  bic w13, w13, w4, lsr #6
  25  tst x13, x12
  26  b.eq -> 18
  27  dsb ishst
  28  isb
  29  b -> 18
  30  strb w13, [x8, #0xc]
  31  subs x11, x11, #0x8
  32  add x1, x1, #0x8
  33  add x4, x4, #0x1, lsl #12
  34  b.eq -> 48
  35  lsr x14, x4, #0x36
  36  str x4, [x1]
  37  bic w14, w14, w4, lsr #6
  38  tst x14, x12
  39  b.eq -> 31
  40  ldrb w14, [x8, #0xc]
  41  tbnz w14, #0x1, -> 31
  42  ldrb w14, [x8, #0xc]
  43  cmp w14, #0x1
  44  b.eq -> 30
  45  dsb ishst
  46  isb
  47  b -> 31
  48  tbnz w10, #0x0, -> 58
  49  ldrb w10, [x8, #0xc]
  50  tbz w10, #0x1, -> 55
  51  and w10, w10, #0xfffffffd
  52  strb w10, [x8, #0xc]
  53  dsb ishst
  54  isb
  55  tbnz w9, #0x0, -> 58
  56  and w9, w10, #0xfe
  57  strb w9, [x8, #0xc]
  58  ret
