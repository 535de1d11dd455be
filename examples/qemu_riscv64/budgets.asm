# What rustc makes of the functions in examples/qemu/beside_c/src/forms.rs.
# `cargo xtask test` compares it; `cargo xtask qemu budgets --bless` writes it.

ours_enter_leave_byte:
   0  ld a0, 0x0(a0)
   1  lb a1, 0x0(a0)
   2  bnez a1, -> 14
   3  li a1, 0x6
   4  sb a1, 0x0(a0)
   5  lbu a1, 0x0(a0)
   6  andi a2, a1, 0x2
   7  beqz a2, -> 25
   8  andi a2, a1, 0x1
   9  beqz a2, -> 11
  10  sfence.vma
  11  andi a1, a1, 0xf8
  12  sb a1, 0x0(a0)
  13  ret
  14  zext.b a1, a1
  15  andi a2, a1, 0x2
  16  beqz a2, -> 5
  17  andi a2, a1, 0x1
  18  beqz a2, -> 20
  19  sfence.vma
  20  andi a2, a1, 0xf8
  21  andi a1, a1, 0x8
  22  sb a2, 0x0(a0)
  23  beqz a1, -> 3
  24  j -> 5
  25  lbu a1, 0x0(a0)
  26  andi a2, a1, 0x1
  27  beqz a2, -> 31
  28  andi a1, a1, 0xfe
  29  sb a1, 0x0(a0)
  30  sfence.vma
  31  ret

ours_one_byte:
   0  ld a0, 0x0(a0)
   1  lb a2, 0x0(a0)
   2  bnez a2, -> 24
   3  li a2, 0x6
   4  sb a2, 0x0(a0)
   5  sd a4, 0x0(a1)
   6  lb a1, 0x0(a0)
   7  andi a1, a1, 0x1
   8  bnez a1, -> 15
   9  lbu a1, 0x0(a0)
  10  andi a2, a1, 0xc
  11  li a3, 0x4
  12  bne a2, a3, -> 35
  13  ori a1, a1, 0x1
  14  sb a1, 0x0(a0)
  15  lbu a1, 0x0(a0)
  16  andi a2, a1, 0x2
  17  beqz a2, -> 39
  18  andi a2, a1, 0x1
  19  beqz a2, -> 21
  20  sfence.vma
  21  andi a1, a1, 0xf8
  22  sb a1, 0x0(a0)
  23  ret
  24  zext.b a2, a2
  25  andi a3, a2, 0x2
  26  beqz a3, -> 5
  27  andi a3, a2, 0x1
  28  beqz a3, -> 30
  29  sfence.vma
  30  andi a3, a2, 0xf8
  31  andi a2, a2, 0x8
  32  sb a3, 0x0(a0)
  33  beqz a2, -> 3
  34  j -> 5
  35  sfence.vma
  36  lbu a1, 0x0(a0)
  37  andi a2, a1, 0x2
  38  bnez a2, -> 18
  39  lbu a1, 0x0(a0)
  40  andi a2, a1, 0x1
  41  beqz a2, -> 45
  42  andi a1, a1, 0xfe
  43  sb a1, 0x0(a0)
  44  sfence.vma
  45  ret

ours_map_byte:
   0  ld a0, 0x0(a0)
   1  lb a2, 0x0(a0)
   2  bnez a2, -> 36
   3  li a2, 0x6
   4  sb a2, 0x0(a0)
   5  beqz a3, -> 27
   6  slli a3, a3, 0x3
   7  li a7, 0x1
   8  li a6, 0x4
   9  j -> 15
  10  sfence.vma
  11  addi a1, a1, 0x8
  12  addi a3, a3, -0x8
  13  addi a4, a4, 0x400
  14  beqz a3, -> 27
  15  andi a5, a4, 0x11
  16  sd a4, 0x0(a1)
  17  bne a5, a7, -> 11
  18  lb a5, 0x0(a0)
  19  andi a5, a5, 0x1
  20  bnez a5, -> 11
  21  lbu a2, 0x0(a0)
  22  andi a5, a2, 0xc
  23  bne a5, a6, -> 10
  24  ori a2, a2, 0x1
  25  sb a2, 0x0(a0)
  26  j -> 11
  27  lbu a1, 0x0(a0)
  28  andi a2, a1, 0x2
  29  beqz a2, -> 47
  30  andi a2, a1, 0x1
  31  beqz a2, -> 33
  32  sfence.vma
  33  andi a1, a1, 0xf8
  34  sb a1, 0x0(a0)
  35  ret
  36  zext.b a2, a2
  37  andi a5, a2, 0x2
  38  beqz a5, -> 5
  39  andi a5, a2, 0x1
  40  beqz a5, -> 42
  41  sfence.vma
  42  andi a5, a2, 0xf8
  43  andi a2, a2, 0x8
  44  sb a5, 0x0(a0)
  45  beqz a2, -> 3
  46  j -> 5
  47  lbu a1, 0x0(a0)
  48  andi a2, a1, 0x1
  49  beqz a2, -> 53
  50  andi a1, a1, 0xfe
  51  sb a1, 0x0(a0)
  52  sfence.vma
  53  ret

ours_map_kernel_byte:
   0  ld a0, 0x0(a0)
   1  lb a2, 0x0(a0)
   2  bnez a2, -> 33
   3  li a2, 0x6
   4  sb a2, 0x0(a0)
   5  beqz a3, -> 24
   6  slli a3, a3, 0x3
   7  li a6, 0x4
   8  j -> 14
   9  sfence.vma
  10  addi a1, a1, 0x8
  11  addi a3, a3, -0x8
  12  addi a4, a4, 0x400
  13  beqz a3, -> 24
  14  sd a4, 0x0(a1)
  15  lb a5, 0x0(a0)
  16  andi a5, a5, 0x1
  17  bnez a5, -> 10
  18  lbu a2, 0x0(a0)
  19  andi a5, a2, 0xc
  20  bne a5, a6, -> 9
  21  ori a2, a2, 0x1
  22  sb a2, 0x0(a0)
  23  j -> 10
  24  lbu a1, 0x0(a0)
  25  andi a2, a1, 0x2
  26  beqz a2, -> 44
  27  andi a2, a1, 0x1
  28  beqz a2, -> 30
  29  sfence.vma
  30  andi a1, a1, 0xf8
  31  sb a1, 0x0(a0)
  32  ret
  33  zext.b a2, a2
  34  andi a5, a2, 0x2
  35  beqz a5, -> 5
  36  andi a5, a2, 0x1
  37  beqz a5, -> 39
  38  sfence.vma
  39  andi a5, a2, 0xf8
  40  andi a2, a2, 0x8
  41  sb a5, 0x0(a0)
  42  beqz a2, -> 3
  43  j -> 5
  44  lbu a1, 0x0(a0)
  45  andi a2, a1, 0x1
  46  beqz a2, -> 50
  47  andi a1, a1, 0xfe
  48  sb a1, 0x0(a0)
  49  sfence.vma
  50  ret

ours_map_kernel_word:
   0  ld a0, 0x0(a0)
   1  ld a5, 0x0(a0)
   2  srliw a2, a5, 0x1c
   3  bnez a2, -> 38
   4  lui a2, 0x60000
   5  amoor.d zero, a2, (a0)
   6  beqz a3, -> 26
   7  slli a3, a3, 0x3
   8  lui a6, 0x40000
   9  lui a5, 0x10000
  10  j -> 16
  11  sfence.vma
  12  addi a1, a1, 0x8
  13  addi a3, a3, -0x8
  14  addi a4, a4, 0x400
  15  beqz a3, -> 26
  16  sd a4, 0x0(a1)
  17  ld a2, 0x0(a0)
  18  slli a2, a2, 0x23
  19  bltz a2, -> 12
  20  ld a2, 0x0(a0)
  21  srliw a2, a2, 0x1e
  22  slli a2, a2, 0x1e
  23  bne a2, a6, -> 11
  24  amoor.d zero, a5, (a0)
  25  j -> 12
  26  ld a1, 0x0(a0)
  27  srli a1, a1, 0x1c
  28  andi a2, a1, 0x2
  29  beqz a2, -> 51
  30  zext.b a1, a1
  31  andi a1, a1, 0x1
  32  beqz a1, -> 34
  33  sfence.vma
  34  lui a1, 0x90000
  35  addi a1, a1, -0x1
  36  amoand.d zero, a1, (a0)
  37  ret
  38  srli a5, a5, 0x1c
  39  zext.b a6, a5
  40  andi a5, a6, 0x2
  41  beqz a5, -> 6
  42  andi a5, a6, 0x1
  43  beqz a5, -> 45
  44  sfence.vma
  45  lui a5, 0x90000
  46  addi a5, a5, -0x1
  47  amoand.d zero, a5, (a0)
  48  li a5, 0x8
  49  bltu a2, a5, -> 4
  50  j -> 6
  51  ld a1, 0x0(a0)
  52  slli a1, a1, 0x23
  53  bgez a1, -> 58
  54  lui a1, 0xf0000
  55  addi a1, a1, -0x1
  56  amoand.d zero, a1, (a0)
  57  sfence.vma
  58  ret

ours_range_byte:
   0  ld a0, 0x0(a0)
   1  lb a2, 0x0(a0)
   2  bnez a2, -> 49
   3  li a2, 0x6
   4  sb a2, 0x0(a0)
   5  andi a5, a4, 0x11
   6  li a6, 0x1
   7  slli a2, a3, 0x3
   8  bne a5, a6, -> 34
   9  beqz a3, -> 40
  10  li a5, 0x1
  11  sd a4, 0x0(a1)
  12  beq a3, a5, -> 21
  13  addi a3, a1, 0x8
  14  addi a2, a2, -0x8
  15  addi a1, a4, 0x400
  16  sd a1, 0x0(a3)
  17  addi a3, a3, 0x8
  18  addi a2, a2, -0x8
  19  addi a1, a1, 0x400
  20  bnez a2, -> 16
  21  lb a1, 0x0(a0)
  22  andi a1, a1, 0x1
  23  bnez a1, -> 40
  24  lbu a1, 0x0(a0)
  25  andi a2, a1, 0xc
  26  li a3, 0x4
  27  bne a2, a3, -> 60
  28  ori a1, a1, 0x1
  29  sb a1, 0x0(a0)
  30  lbu a1, 0x0(a0)
  31  andi a2, a1, 0x2
  32  bnez a2, -> 43
  33  j -> 64
  34  beqz a3, -> 40
  35  sd a4, 0x0(a1)
  36  addi a1, a1, 0x8
  37  addi a2, a2, -0x8
  38  addi a4, a4, 0x400
  39  bnez a2, -> 35
  40  lbu a1, 0x0(a0)
  41  andi a2, a1, 0x2
  42  beqz a2, -> 64
  43  andi a2, a1, 0x1
  44  beqz a2, -> 46
  45  sfence.vma
  46  andi a1, a1, 0xf8
  47  sb a1, 0x0(a0)
  48  ret
  49  zext.b a2, a2
  50  andi a5, a2, 0x2
  51  beqz a5, -> 5
  52  andi a5, a2, 0x1
  53  beqz a5, -> 55
  54  sfence.vma
  55  andi a5, a2, 0xf8
  56  andi a2, a2, 0x8
  57  sb a5, 0x0(a0)
  58  beqz a2, -> 3
  59  j -> 5
  60  sfence.vma
  61  lbu a1, 0x0(a0)
  62  andi a2, a1, 0x2
  63  bnez a2, -> 43
  64  lbu a1, 0x0(a0)
  65  andi a2, a1, 0x1
  66  beqz a2, -> 70
  67  andi a1, a1, 0xfe
  68  sb a1, 0x0(a0)
  69  sfence.vma
  70  ret

ours_nested_byte:
   0  ld a0, 0x0(a0)
   1  lbu a1, 0x0(a0)
   2  andi a2, a1, 0x1
   3  beqz a2, -> 7
   4  andi a1, a1, 0xfe
   5  sb a1, 0x0(a0)
   6  sfence.vma
   7  ret

ours_nested_store_byte:
   0  beqz a3, -> 28
   1  ld a0, 0x0(a0)
   2  sd a4, 0x0(a1)
   3  lb a1, 0x0(a0)
   4  andi a1, a1, 0x1
   5  beqz a1, -> 10
   6  lbu a1, 0x0(a0)
   7  andi a2, a1, 0x1
   8  bnez a2, -> 19
   9  ret
  10  lbu a1, 0x0(a0)
  11  andi a2, a1, 0xc
  12  li a3, 0x4
  13  bne a2, a3, -> 23
  14  ori a1, a1, 0x1
  15  sb a1, 0x0(a0)
  16  lbu a1, 0x0(a0)
  17  andi a2, a1, 0x1
  18  beqz a2, -> 9
  19  andi a1, a1, 0xfe
  20  sb a1, 0x0(a0)
  21  sfence.vma
  22  ret
  23  sfence.vma
  24  lbu a1, 0x0(a0)
  25  andi a2, a1, 0x1
  26  beqz a2, -> 9
  27  j -> 19
  28  auipc a2, elsewhere
  29  addi a2, a2, elsewhere
  30  li a0, 0x0
  31  li a1, 0x0
  32  auipc ra, elsewhere
  33  jalr panic_bounds_check(ra)

ours_attribute_byte:
   0  lui a6, 0x1000
   1  mv a2, tp
   2  lw a5, 0x8(a2)
   3  auipc a0, elsewhere
   4  addi t0, a6, -0x100
   5  lbu a7, 0xc(a2)
   6  and a5, a5, t0
   7  addi a0, a0, elsewhere
   8  li a6, 0x3
   9  bnez a5, -> 18
  10  andi a5, a7, 0x8
  11  bnez a5, -> 18
  12  andi a5, a7, 0x4
  13  addi a0, a2, 0xc
  14  bnez a5, -> 44
  15  ori a2, a7, 0x4
  16  sb a2, 0x0(a0)
  17  li a6, 0x1
  18  beqz a3, -> 46
  19  slli a3, a3, 0x3
  20  li t1, 0x1
  21  li a7, 0x4
  22  j -> 28
  23  sfence.vma
  24  addi a1, a1, 0x8
  25  addi a3, a3, -0x8
  26  addi a4, a4, 0x400
  27  beqz a3, -> 46
  28  andi a2, a4, 0x11
  29  sd a4, 0x0(a1)
  30  bne a2, t1, -> 24
  31  mv a5, tp
  32  lw a2, 0x8(a5)
  33  and a2, a2, t0
  34  bnez a2, -> 23
  35  lb a2, 0xc(a5)
  36  andi a2, a2, 0x1
  37  bnez a2, -> 24
  38  lbu t2, 0xc(a5)
  39  andi a2, t2, 0xc
  40  bne a2, a7, -> 23
  41  ori a2, t2, 0x1
  42  sb a2, 0xc(a5)
  43  j -> 24
  44  li a6, 0x2
  45  bnez a3, -> 19
  46  mv a1, a6
  47  auipc t1, elsewhere
  48  jr leave_dynamic(t1)

ours_attribute_mmu_byte:
   0  mv a2, tp
   1  lui a6, 0x1000
   2  lw t0, 0x8(a2)
   3  auipc t1, elsewhere
   4  addi a0, a6, -0x100
   5  lbu a7, 0xc(a2)
   6  and a5, t0, a0
   7  addi a0, t1, elsewhere
   8  li a6, 0x3
   9  bnez a5, -> 18
  10  andi a5, a7, 0x8
  11  bnez a5, -> 18
  12  andi a5, a7, 0x4
  13  addi a0, a2, 0xc
  14  bnez a5, -> 23
  15  ori a2, a7, 0x4
  16  sb a2, 0x0(a0)
  17  li a6, 0x1
  18  beqz a3, -> 25
  19  slli a3, a3, 0x3
  20  li t0, 0x1
  21  li a7, 0x4
  22  j -> 33
  23  li a6, 0x2
  24  bnez a3, -> 19
  25  mv a1, a6
  26  auipc t1, elsewhere
  27  jr leave_dynamic(t1)
  28  sfence.vma
  29  addi a1, a1, 0x8
  30  addi a3, a3, -0x8
  31  addi a4, a4, 0x400
  32  beqz a3, -> 25
  33  andi a2, a4, 0x11
  34  sd a4, 0x0(a1)
  35  bne a2, t0, -> 29
  36  lb a2, 0x0(a0)
  37  andi a2, a2, 0x1
  38  bnez a2, -> 29
  39  lbu a5, 0x0(a0)
  40  andi a2, a5, 0xc
  41  bne a2, a7, -> 28
  42  ori a2, a5, 0x1
  43  sb a2, 0x0(a0)
  44  j -> 29

leave_dynamic, of ours_attribute_byte:
   0  li a2, 0x1
   1  beq a1, a2, -> 11
   2  li a2, 0x2
   3  bne a1, a2, -> 18
   4  lbu a1, 0x0(a0)
   5  andi a2, a1, 0x1
   6  beqz a2, -> 34
   7  andi a1, a1, 0xfe
   8  sb a1, 0x0(a0)
   9  sfence.vma
  10  j -> 34
  11  lbu a1, 0x0(a0)
  12  andi a2, a1, 0x1
  13  beqz a2, -> 15
  14  sfence.vma
  15  andi a1, a1, 0xf8
  16  sb a1, 0x0(a0)
  17  ret
  18  mv a0, tp
  19  lw a1, 0x8(a0)
  20  lui a2, 0x1000
  21  addi a2, a2, -0x100
  22  and a1, a1, a2
  23  bnez a1, -> 34
  24  addi a0, a0, 0xc
  25  auipc a1, elsewhere
  26  addi a1, a1, elsewhere
  27  beq a0, a1, -> 34
  28  lbu a1, 0x0(a0)
  29  andi a2, a1, 0x1
  30  beqz a2, -> 34
  31  andi a1, a1, 0xfe
  32  sb a1, 0x0(a0)
  33  sfence.vma
  34  ret
