// SPDX-License-Identifier: Apache-2.0
#ifndef CODESIGN_DEPTHWISE_H_
#define CODESIGN_DEPTHWISE_H_

#include "codesign_rows.h"

// Depthwise convolutions on int8 codes with requantisation, io_stream, and their limited-range deformable forms:
// FIXED: tap (i, j) of output (oy, ox) reads (oy * stride - above + i, ox * stride - pad + j);
// SQUARE: (oy + (i - kh/2) * d, ox + (j - kw/2) * d), one distance d in 0..bound per pixel;
// PAIRS: (oy + i - kh/2 + dy, ox + j - kw/2 + dx), a pair in -bound..bound per tap, dy first, taps in raster order.
// A tap costs the same wherever it lies: one word of the ring. A pixel takes n_chan / parallel * (taps + parallel) cycles.

namespace codesign_nnet {

struct no_offsets {
    code_t operator[](unsigned) const { return 0; }
};

template <class offset_T, typename CONFIG_T> int tap_row(const offset_T &offsets, const int oy, const int i, const int j) {
    #pragma HLS INLINE
    const int centred = i - int(CONFIG_T::kernel_height / 2);
    if (CONFIG_T::form == SQUARE)
        return oy + centred * int(offsets[0]);
    if (CONFIG_T::form == PAIRS)
        return oy + centred + int(offsets[2 * (i * CONFIG_T::kernel_width + j)]);
    return oy * int(CONFIG_T::stride) - int(CONFIG_T::above) + i;
}

template <class offset_T, typename CONFIG_T> int tap_column(const offset_T &offsets, const int ox, const int i, const int j) {
    #pragma HLS INLINE
    const int centred = j - int(CONFIG_T::kernel_width / 2);
    if (CONFIG_T::form == SQUARE)
        return ox + centred * int(offsets[0]);
    if (CONFIG_T::form == PAIRS)
        return ox + centred + int(offsets[2 * (i * CONFIG_T::kernel_width + j) + 1]);
    return ox * int(CONFIG_T::stride) - int(CONFIG_T::pad) + j;
}

template <class offset_T, class res_T, class weight_T, typename CONFIG_T>
void depthwise_pixel(const code_t ring[CONFIG_T::rows * CONFIG_T::in_width][CONFIG_T::n_chan], const int head,
                     const int written, const int oy, const int ox,
                     const offset_T &offsets, res_T &out, const weight_T w[CONFIG_T::taps * CONFIG_T::n_chan],
                     const multiplier_t m[CONFIG_T::n_chan], const shift_t s[CONFIG_T::n_chan],
                     const bias_t b[CONFIG_T::n_chan]) {
    #pragma HLS INLINE
Blocks:
    for (unsigned block = 0; block < CONFIG_T::n_chan; block += CONFIG_T::parallel) {
        typename CONFIG_T::acc_t acc[CONFIG_T::parallel];
        #pragma HLS ARRAY_PARTITION variable=acc complete
    TapRows:
        for (int i = 0; i < int(CONFIG_T::kernel_height); i++) {
        TapColumns:
            for (int j = 0; j < int(CONFIG_T::kernel_width); j++) {
                #pragma HLS LOOP_FLATTEN
                #pragma HLS PIPELINE II=1
                const int y = tap_row<offset_T, CONFIG_T>(offsets, oy, i, j);
                const int x = tap_column<offset_T, CONFIG_T>(offsets, ox, i, j);
                const bool in = inside<CONFIG_T>(y, x);
                const int at = in ? ring_slot<CONFIG_T>(head, written, y) * int(CONFIG_T::in_width) + x : 0;
                const unsigned tap = i * CONFIG_T::kernel_width + j;
            Lanes:
                for (unsigned l = 0; l < CONFIG_T::parallel; l++) {
                    #pragma HLS UNROLL
                    const code_t code = in ? ring[at][block + l] : code_t(CONFIG_T::zero_in);
                    const typename CONFIG_T::acc_t before = tap == 0 ? typename CONFIG_T::acc_t(0) : acc[l];
                    acc[l] = before + code * w[tap * CONFIG_T::n_chan + block + l];
                }
            }
        }
    Requantise:
        for (unsigned l = 0; l < CONFIG_T::parallel; l++) {
            #pragma HLS PIPELINE II=1
            const unsigned c = block + l;
            out[c] = requantise<CONFIG_T>(acc[l], m[c], s[c], b[c]);
        }
    }
}

template <class data_T, class res_T, class weight_T, typename CONFIG_T>
void depthwise(hls::stream<data_T> &data, hls::stream<res_T> &res,
               weight_T w[CONFIG_T::taps * CONFIG_T::n_chan], multiplier_t m[CONFIG_T::n_chan],
               shift_t s[CONFIG_T::n_chan], bias_t b[CONFIG_T::n_chan]) {
    const unsigned parallel = CONFIG_T::parallel;
    #pragma HLS ARRAY_RESHAPE variable=w cyclic factor=parallel
    code_t ring[CONFIG_T::rows * CONFIG_T::in_width][CONFIG_T::n_chan];
    #pragma HLS ARRAY_RESHAPE variable=ring cyclic factor=parallel dim=2
    int head = 0;
    int oy = 0;
Rows:
    for (int row = 0; row < int(CONFIG_T::steps); row++) {
        const bool due = row_due<CONFIG_T>(row, oy);
    Columns:
        for (int x = 0; x < int(CONFIG_T::columns); x++) {
            load_pixel<data_T, CONFIG_T>(data, ring, head, row, x);
            if (due && x < int(CONFIG_T::out_width)) {
                res_T out;
                PRAGMA_DATA_PACK(out)
                depthwise_pixel<no_offsets, res_T, weight_T, CONFIG_T>(ring, head, row, oy, x, no_offsets(), out, w, m, s, b);
                res.write(out);
            }
        }
        oy += due;
        head = next_slot<CONFIG_T>(head);
    }
}

template <class data_T, class offset_T, class res_T, class weight_T, typename CONFIG_T>
void deform_depthwise(hls::stream<data_T> &data, hls::stream<offset_T> &offsets, hls::stream<res_T> &res,
                      weight_T w[CONFIG_T::taps * CONFIG_T::n_chan], multiplier_t m[CONFIG_T::n_chan],
                      shift_t s[CONFIG_T::n_chan], bias_t b[CONFIG_T::n_chan]) {
    const unsigned parallel = CONFIG_T::parallel;
    #pragma HLS ARRAY_RESHAPE variable=w cyclic factor=parallel
    code_t ring[CONFIG_T::rows * CONFIG_T::in_width][CONFIG_T::n_chan];
    #pragma HLS ARRAY_RESHAPE variable=ring cyclic factor=parallel dim=2
    int head = 0;
    int oy = 0;
Rows:
    for (int row = 0; row < int(CONFIG_T::steps); row++) {
        const bool due = row_due<CONFIG_T>(row, oy);
    Columns:
        for (int x = 0; x < int(CONFIG_T::columns); x++) {
            load_pixel<data_T, CONFIG_T>(data, ring, head, row, x);
            if (due && x < int(CONFIG_T::out_width)) {
                const offset_T word = offsets.read();
                res_T out;
                PRAGMA_DATA_PACK(out)
                depthwise_pixel<offset_T, res_T, weight_T, CONFIG_T>(ring, head, row, oy, x, word, out, w, m, s, b);
                res.write(out);
            }
        }
        oy += due;
        head = next_slot<CONFIG_T>(head);
    }
}

} // namespace codesign_nnet
#endif
