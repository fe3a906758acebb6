// SPDX-License-Identifier: Apache-2.0
#ifndef CODESIGN_CONV_H_
#define CODESIGN_CONV_H_

#include "codesign_rows.h"

// Full convolutions on int8 codes with requantisation, io_stream: one word is a pixel of all channels.
// A pixel takes n_filt * products / parallel cycles, `parallel` products each; products = kernel area * n_chan.

namespace codesign_nnet {

template <class res_T, class weight_T, typename CONFIG_T>
void matrix_vector(const code_t window[CONFIG_T::products], res_T &out,
                   const weight_T w[CONFIG_T::n_filt * CONFIG_T::products], const multiplier_t m[CONFIG_T::n_filt],
                   const shift_t s[CONFIG_T::n_filt], const bias_t b[CONFIG_T::n_filt]) {
    #pragma HLS INLINE
    typename CONFIG_T::acc_t acc = 0;
Filters:
    for (unsigned o = 0; o < CONFIG_T::n_filt; o++) {
    Products:
        for (unsigned k = 0; k < CONFIG_T::products; k += CONFIG_T::parallel) {
            #pragma HLS LOOP_FLATTEN
            #pragma HLS PIPELINE II=1
            typename CONFIG_T::acc_t sum = k == 0 ? typename CONFIG_T::acc_t(0) : acc;
        Parallel:
            for (unsigned p = 0; p < CONFIG_T::parallel; p++) {
                #pragma HLS UNROLL
                sum += window[k + p] * w[o * CONFIG_T::products + k + p];
            }
            acc = sum;
            if (k + CONFIG_T::parallel >= CONFIG_T::products)
                out[o] = requantise<CONFIG_T>(acc, m[o], s[o], b[o]);
        }
    }
}

template <class data_T, class res_T, class weight_T, typename CONFIG_T>
void conv_1x1(hls::stream<data_T> &data, hls::stream<res_T> &res, weight_T w[CONFIG_T::n_filt * CONFIG_T::products],
              multiplier_t m[CONFIG_T::n_filt], shift_t s[CONFIG_T::n_filt], bias_t b[CONFIG_T::n_filt]) {
    const unsigned parallel = CONFIG_T::parallel;
    #pragma HLS ARRAY_RESHAPE variable=w cyclic factor=parallel
Pixels:
    for (unsigned i = 0; i < CONFIG_T::in_height * CONFIG_T::in_width; i++) {
        const data_T word = data.read();
        code_t window[CONFIG_T::products];
        #pragma HLS ARRAY_RESHAPE variable=window cyclic factor=parallel
    Copy:
        for (unsigned c = 0; c < CONFIG_T::products; c++) {
            #pragma HLS UNROLL
            window[c] = word[c];
        }
        res_T out;
        PRAGMA_DATA_PACK(out)
        matrix_vector<res_T, weight_T, CONFIG_T>(window, out, w, m, s, b);
        res.write(out);
    }
}

// The taps of output pixel (oy, ox), tap by tap, all channels of each.
template <typename CONFIG_T>
void gather_window(const code_t ring[CONFIG_T::rows * CONFIG_T::in_width][CONFIG_T::n_chan],
                   code_t window[CONFIG_T::products], const int head, const int written, const int oy, const int ox) {
    #pragma HLS INLINE
TapRows:
    for (int i = 0; i < int(CONFIG_T::kernel_height); i++) {
    TapColumns:
        for (int j = 0; j < int(CONFIG_T::kernel_width); j++) {
            #pragma HLS LOOP_FLATTEN
            #pragma HLS PIPELINE II=1
            const int y = oy * int(CONFIG_T::stride) - int(CONFIG_T::above) + i;
            const int x = ox * int(CONFIG_T::stride) - int(CONFIG_T::pad) + j;
            const bool in = inside<CONFIG_T>(y, x);
            const int at = in ? ring_slot<CONFIG_T>(head, written, y) * int(CONFIG_T::in_width) + x : 0;
            const int tap = i * int(CONFIG_T::kernel_width) + j;
        TapChannels:
            for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
                #pragma HLS UNROLL
                window[tap * CONFIG_T::n_chan + c] = in ? ring[at][c] : code_t(CONFIG_T::zero_in);
            }
        }
    }
}

template <class data_T, class res_T, class weight_T, typename CONFIG_T>
void conv(hls::stream<data_T> &data, hls::stream<res_T> &res, weight_T w[CONFIG_T::n_filt * CONFIG_T::products],
          multiplier_t m[CONFIG_T::n_filt], shift_t s[CONFIG_T::n_filt], bias_t b[CONFIG_T::n_filt]) {
    const unsigned parallel = CONFIG_T::parallel;
    #pragma HLS ARRAY_RESHAPE variable=w cyclic factor=parallel
    code_t ring[CONFIG_T::rows * CONFIG_T::in_width][CONFIG_T::n_chan];
    #pragma HLS ARRAY_RESHAPE variable=ring complete dim=2
    int head = 0;
    int oy = 0;
Rows:
    for (int row = 0; row < int(CONFIG_T::steps); row++) {
        const bool due = row_due<CONFIG_T>(row, oy);
    Columns:
        for (int x = 0; x < int(CONFIG_T::columns); x++) {
            load_pixel<data_T, CONFIG_T>(data, ring, head, row, x);
            if (due && x < int(CONFIG_T::out_width)) {
                code_t window[CONFIG_T::products];
                #pragma HLS ARRAY_RESHAPE variable=window cyclic factor=parallel
                gather_window<CONFIG_T>(ring, window, head, row, oy, x);
                res_T out;
                PRAGMA_DATA_PACK(out)
                matrix_vector<res_T, weight_T, CONFIG_T>(window, out, w, m, s, b);
                res.write(out);
            }
        }
        oy += due;
        head = next_slot<CONFIG_T>(head);
    }
}

} // namespace codesign_nnet
#endif
