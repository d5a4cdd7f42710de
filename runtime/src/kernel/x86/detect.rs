//! The detection of AVX2. `is_x86_feature_detected!` is in the standard library, which this crate does not use.

use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// Returns true if the processor has AVX2 and the operating system saves its registers: Intel 64 and IA-32
/// Architectures Software Developer's Manual, volume 1, 14.7.1, "Detection of Intel AVX2".
#[allow(unused_unsafe)] // `cpuid` is unsafe to call for older compilers.
pub(super) fn has_avx2() -> bool {
    // Bits of ECX of leaf 1, of EBX of leaf 7, and of the register XCR0, which XGETBV reads.
    const XSAVE_AND_AVX: u32 = 1 << 27 | 1 << 28;
    const AVX2: u32 = 1 << 5;
    const XMM_AND_YMM: u64 = 0b110;
    if cfg!(any(miri, target_feature = "avx2")) {
        // A build for AVX2 runs only where there is AVX2; and Miri, which executes no `cpuid`, has what the build has.
        return cfg!(target_feature = "avx2");
    }
    // SAFETY: every x86-64 processor has `cpuid`. Beyond the largest leaf it returns numbers without meaning, which are
    // not used.
    let (largest_leaf, features, extended_features) =
        unsafe { (__cpuid(0).eax, __cpuid(1).ecx, __cpuid_count(7, 0).ebx) };
    if largest_leaf < 7 || features & XSAVE_AND_AVX != XSAVE_AND_AVX {
        return false;
    }
    // SAFETY: bit 27 shows that the operating system has enabled XSAVE, and with it XGETBV.
    let enabled = unsafe { _xgetbv(0) };
    enabled & XMM_AND_YMM == XMM_AND_YMM && extended_features & AVX2 != 0
}
