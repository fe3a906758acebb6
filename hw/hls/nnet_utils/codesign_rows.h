// SPDX-License-Identifier: Apache-2.0
#ifndef CODESIGN_ROWS_H_
#define CODESIGN_ROWS_H_

#include "codesign_requantise.h"
#include "hls_stream.h"

// Rows of an image in a ring. A layer reads at most `above` rows over and `below` rows under row oy * stride; while
// row w is being written, the output row whose last row is w - 1 is computed. It needs rows oy * stride - above to
// w - 1, all of them besides row w: above + below + 2 rows, and with fewer the row being written overwrites one that a
// tap at the bound still reads (hw/hls/rows.py has the proof by exhaustion). An image of fewer rows is held whole.

namespace codesign_nnet {

enum offset_form { FIXED, SQUARE, PAIRS }; // how a layer's taps are placed

template <typename CONFIG_T> int ring_slot(const int head, const int written, const int y) {
    #pragma HLS INLINE
    if (CONFIG_T::rows >= CONFIG_T::in_height)
        return y;
    const int slot = head - (written - y);
    return slot < 0 ? slot + int(CONFIG_T::rows) : slot;
}

template <typename CONFIG_T> bool inside(const int y, const int x) {
    #pragma HLS INLINE
    return y >= 0 && y < int(CONFIG_T::in_height) && x >= 0 && x < int(CONFIG_T::in_width);
}

// Whether the output row oy is computed while row w is written: its last row is w - 1, or below the image.
template <typename CONFIG_T> bool row_due(const int w, const int oy) {
    #pragma HLS INLINE
    return oy < int(CONFIG_T::out_height) && w - 1 >= oy * int(CONFIG_T::stride) + int(CONFIG_T::below);
}

// Reads pixel x of row w, where the image has one, into slot `head`.
template <class data_T, typename CONFIG_T>
void load_pixel(hls::stream<data_T> &data, code_t ring[CONFIG_T::rows * CONFIG_T::in_width][CONFIG_T::n_chan],
                const int head, const int w, const int x) {
    #pragma HLS INLINE
    if (w < int(CONFIG_T::in_height) && x < int(CONFIG_T::in_width)) {
        const data_T word = data.read();
    LoadChannels:
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            #pragma HLS UNROLL
            ring[head * CONFIG_T::in_width + x][c] = word[c];
        }
    }
}

template <typename CONFIG_T> int next_slot(const int head) {
    #pragma HLS INLINE
    return head + 1 == int(CONFIG_T::rows) ? 0 : head + 1;
}

} // namespace codesign_nnet
#endif
