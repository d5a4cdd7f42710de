//! A barrier that fixes the order in which the compiler computes values.
//!
//! A value that passes through an `asm!` block, even an empty one, is computed before the block. Without a barrier, the
//! compiler may delay a result, and on cores with few registers it then spills its operands.
#![allow(unsafe_code)]

/// Returns its argument. The compiler computes all four values before this point.
#[cfg(any(target_arch = "arm", target_arch = "riscv32"))]
#[inline(always)]
pub(crate) fn compiler_barrier([mut a, mut b, mut c, mut d]: [i32; 4]) -> [i32; 4] {
    // SAFETY: the block holds a comment only: it leaves every register as it was and touches no memory. The option
    // `nomem` is missing on purpose, so that loads keep their order, too.
    unsafe {
        core::arch::asm!(
            "/* {0} {1} {2} {3} */",
            inlateout(reg) a, inlateout(reg) b, inlateout(reg) c, inlateout(reg) d,
            options(nostack, preserves_flags)
        );
    }
    [a, b, c, d]
}

/// Returns its argument. Other cores have enough registers and need no barrier.
#[cfg(not(any(target_arch = "arm", target_arch = "riscv32")))]
#[inline(always)]
pub(crate) fn compiler_barrier(values: [i32; 4]) -> [i32; 4] {
    values
}
