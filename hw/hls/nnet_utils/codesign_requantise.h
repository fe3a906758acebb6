// SPDX-License-Identifier: Apache-2.0
#ifndef CODESIGN_REQUANTISE_H_
#define CODESIGN_REQUANTISE_H_

#include "ap_int.h"
#include "nnet_common.h" // PRAGMA_DATA_PACK: Vivado HLS streams a word as one

namespace codesign_nnet {

typedef ap_int<8> code_t;
typedef ap_uint<16> multiplier_t;
typedef ap_uint<5> shift_t;
typedef ap_int<48> bias_t;

// clamp(rne((acc * m + b) / 2**s) + zero_out, lo, hi), rne = round half to even: codesign.numeric.requantise.
// Lowering has proven |acc * m + b| < 2**47; s is 8..31. Sums of up to 25 bits: one DSP48E1.
template <typename CONFIG_T>
code_t requantise(const typename CONFIG_T::acc_t acc, const multiplier_t m, const shift_t s, const bias_t b) {
    #pragma HLS INLINE
    const ap_int<48> value = acc * m + b;
    const ap_int<48> quotient = value >> s;
    const ap_int<48> rest = value - (quotient << s); // 0 .. 2**s - 1
    const ap_int<48> half = ap_int<48>(1) << (s - 1);
    const bool up = rest > half || (rest == half && quotient[0]);
    const ap_int<49> code = quotient + int(up) + CONFIG_T::zero_out;
    if (code < CONFIG_T::lo)
        return CONFIG_T::lo;
    return code > CONFIG_T::hi ? code_t(CONFIG_T::hi) : code_t(code);
}

} // namespace codesign_nnet
#endif
