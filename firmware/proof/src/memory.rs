//! Functions that copy, clear and compare memory, written for the fewest bytes of code: those of `compiler_builtins`
//! are written for speed and take 1.4 KB. The image copies a model once and clears a state once for each text, so speed
//! does not matter.

use core::arch::global_asm;

// Each turn of a loop handles one byte: copying and clearing begin with the last byte, comparing with the first. The
// arguments are in r0, r1 and r2. `memcpy` returns its destination, which stays in r0; `memcmp` returns the difference
// of the first two bytes that differ, or 0. Except for r4, which `memcmp` saves, the functions write only registers
// that a call may change.
global_asm!(
    ".syntax unified",
    ".macro function name",
    ".global \\name",
    ".type \\name, %function",
    ".thumb_func",
    "\\name:",
    ".endm",
    ".section .text.memory_copy, \"ax\", %progbits",
    "function memcpy",
    "function __aeabi_memcpy",
    "function __aeabi_memcpy4",
    "function __aeabi_memcpy8",
    "1: subs r2, #1",
    "bmi 2f",
    "ldrb r3, [r1, r2]",
    "strb r3, [r0, r2]",
    "b 1b",
    "2: bx lr",
    ".size memcpy, . - memcpy",
    ".section .text.memory_clear, \"ax\", %progbits",
    "function __aeabi_memclr",
    "function __aeabi_memclr4",
    "function __aeabi_memclr8",
    "movs r2, #0",
    "1: subs r1, #1",
    "bmi 2f",
    "strb r2, [r0, r1]",
    "b 1b",
    "2: bx lr",
    ".size __aeabi_memclr, . - __aeabi_memclr",
    ".section .text.memory_compare, \"ax\", %progbits",
    "function memcmp",
    "push {{r4, lr}}",
    "movs r3, #0",
    "1: subs r2, #1",
    "bmi 2f",
    "ldrb r3, [r0]",
    "ldrb r4, [r1]",
    "adds r0, #1",
    "adds r1, #1",
    "subs r3, r4",
    "beq 1b",
    "2: movs r0, r3",
    "pop {{r4, pc}}",
    ".size memcmp, . - memcmp",
);
