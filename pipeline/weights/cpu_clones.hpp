#pragma once

// Scalar code that the compiler vectorises when it is inlined into a loop of a function with REELFARM_CPU_CLONES: one
// machine-code version per processor generation, chosen at load, so that one binary uses AVX2 or AVX-512 where they
// are.
#define REELFARM_INLINE inline __attribute__((always_inline))

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define REELFARM_CPU_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define REELFARM_CPU_CLONES
#endif
