// SPDX-License-Identifier: Apache-2.0
#ifndef CODESIGN_MOVES_H_
#define CODESIGN_MOVES_H_

#include "codesign_rows.h"

// Layers that move codes and never change them, io_stream, a pixel a cycle.

namespace codesign_nnet {

// Channels start .. start + n_filt - 1.
template <class data_T, class res_T, typename CONFIG_T> void slice(hls::stream<data_T> &data, hls::stream<res_T> &res) {
Pixels:
    for (unsigned i = 0; i < CONFIG_T::in_height * CONFIG_T::in_width; i++) {
        #pragma HLS PIPELINE II=1
        const data_T word = data.read();
        res_T out;
        PRAGMA_DATA_PACK(out)
        for (unsigned c = 0; c < CONFIG_T::n_filt; c++) {
            #pragma HLS UNROLL
            out[c] = word[CONFIG_T::start + c];
        }
        res.write(out);
    }
}

// out[i * groups + g] = in[g * (n_chan / groups) + i].
template <class data_T, class res_T, typename CONFIG_T> void shuffle(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    const unsigned each = CONFIG_T::n_chan / CONFIG_T::groups;
Pixels:
    for (unsigned i = 0; i < CONFIG_T::in_height * CONFIG_T::in_width; i++) {
        #pragma HLS PIPELINE II=1
        const data_T word = data.read();
        res_T out;
        PRAGMA_DATA_PACK(out)
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            #pragma HLS UNROLL
            out[c] = word[(c % CONFIG_T::groups) * each + c / CONFIG_T::groups];
        }
        res.write(out);
    }
}

// Nearest x2: every pixel twice, every row twice. One row is kept; an output pixel a cycle.
template <class data_T, class res_T, typename CONFIG_T> void upsample(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    data_T row[CONFIG_T::in_width];
Rows:
    for (unsigned y = 0; y < 2 * CONFIG_T::in_height; y++) {
    Columns:
        for (unsigned x = 0; x < 2 * CONFIG_T::in_width; x++) {
            #pragma HLS LOOP_FLATTEN
            #pragma HLS PIPELINE II=1
            if (y % 2 == 0 && x % 2 == 0)
                row[x / 2] = data.read();
            const data_T word = row[x / 2];
            res_T out;
            PRAGMA_DATA_PACK(out)
            for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
                #pragma HLS UNROLL
                out[c] = word[c];
            }
            res.write(out);
        }
    }
}

template <class res_T, typename CONFIG_T>
void max_pixel(const code_t ring[CONFIG_T::rows * CONFIG_T::in_width][CONFIG_T::n_chan], const int head, const int written,
               const int oy, const int ox, res_T &out) {
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
        TapChannels:
            for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
                #pragma HLS UNROLL
                const code_t best = i + j == 0 ? code_t(-128) : code_t(out[c]);
                const code_t code = in ? ring[at][c] : code_t(-128);
                out[c] = code > best ? code : best;
            }
        }
    }
}

// The greatest code of a window; positions outside the image never win.
template <class data_T, class res_T, typename CONFIG_T> void max_pool(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    code_t ring[CONFIG_T::rows * CONFIG_T::in_width][CONFIG_T::n_chan];
    #pragma HLS ARRAY_RESHAPE variable=ring complete dim=2
    int head = 0;
    int oy = 0;
Rows:
    for (int w = 0; w < int(CONFIG_T::steps); w++) {
        const bool due = row_due<CONFIG_T>(w, oy);
    Columns:
        for (int x = 0; x < int(CONFIG_T::columns); x++) {
            load_pixel<data_T, CONFIG_T>(data, ring, head, w, x);
            if (due && x < int(CONFIG_T::out_width)) {
                res_T out;
                PRAGMA_DATA_PACK(out)
                max_pixel<res_T, CONFIG_T>(ring, head, w, oy, x, out);
                res.write(out);
            }
        }
        oy += due;
        head = next_slot<CONFIG_T>(head);
    }
}

} // namespace codesign_nnet
#endif
