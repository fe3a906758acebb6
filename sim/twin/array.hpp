// SPDX-License-Identifier: Apache-2.0
// The pointwise array, cycle by cycle as hw/array.py states it. sim/twin/array.py calls it from the Verilog.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

namespace twin {

// One number for each of 16 outputs, in whatever vector registers the processor has.
using Row = int16_t __attribute__((vector_size(32)));
constexpr unsigned ROW = 16;
constexpr unsigned GROUP = 8;  // weights that a beat of 8-bit weights holds

class DotArray {
    const unsigned lanes, outputs, chunks, width, words;
    std::vector<Row> low, high, active;    // [chunk][lane]: nibbles of the tile that loads, and the weights
    std::vector<uint32_t> pipeline;        // packed sums of the last cycles
    unsigned stages, oldest = 0;

    void put(std::vector<Row>& nibbles, unsigned weight, unsigned nibble) {
        const unsigned output = weight / lanes, lane = weight % lanes;
        nibbles[output / ROW * lanes + lane][output % ROW] = int16_t(int(nibble ^ 8) - 8);
    }

    // Eight weights: their low nibbles lie `step` apart from `from` on; the high ones are always the odd ones.
    void load_group(unsigned group, uint64_t data, unsigned from, unsigned step) {
        if (group >= lanes * outputs / GROUP) return;
        for (unsigned i = 0; i < GROUP; i++) {
            put(low, group * GROUP + i, data >> 4 * (from + i * step) & 15);
            put(high, group * GROUP + i, data >> 4 * (2 * i + 1) & 15);
        }
    }

    void take(bool upper) {
        for (size_t i = 0; i < active.size(); i++) active[i] = upper ? high[i] + (low[i] >> 15 & 1) : low[i];
    }

    // Sums as one bit vector, output 0 lowest.
    void multiply(const int8_t* x, uint32_t* packed) const {
        uint64_t bits = 0;
        unsigned filled = 0;
        const uint32_t mask = (1u << width) - 1;
        for (unsigned chunk = 0; chunk < chunks; chunk++) {
            const Row* weights = &active[chunk * lanes];
            Row first{}, second{};  // 16 products of -8..8 with int8 fit 16 bits, 32 may not
            for (unsigned lane = 0; lane < 16; lane++) first += weights[lane] * int16_t(x[lane]);
            for (unsigned lane = 16; lane < lanes; lane++) second += weights[lane] * int16_t(x[lane]);
            for (unsigned o = 0; o < ROW && chunk * ROW + o < outputs; o++) {
                bits |= uint64_t(uint32_t(first[o] + second[o]) & mask) << filled;
                filled += width;
                if (filled < 32) continue;
                *packed++ = uint32_t(bits);
                bits >>= 32;
                filled -= 32;
            }
        }
        if (filled) *packed = uint32_t(bits);
    }

  public:
    DotArray(unsigned lane_count, unsigned output_count, unsigned latency)
        : lanes(lane_count), outputs(output_count), chunks((output_count + ROW - 1) / ROW), width(lanes == 32 ? 17 : 16),
          words((outputs * width + 31) / 32), low(chunks * lanes), high(low.size()), active(low.size()),
          pipeline((latency - 1) * words), stages(latency - 1) {}

    // One clock edge; `sums` is what the outputs show after it.
    void clock(bool load, bool wide, unsigned index, uint64_t data, bool swap, bool upper, const void* x, void* sums) {
        if (swap) take(upper);
        uint32_t* slot = &pipeline[oldest * words];
        if (stages > 0) std::memcpy(sums, slot, 4 * words);
        multiply(static_cast<const int8_t*>(x), slot);
        oldest = oldest + 1 == stages ? 0 : oldest + 1;
        if (!load) return;
        if (wide) {
            load_group(index, data, 0, 2);
        } else {
            load_group(2 * index, data, 0, 1);
            load_group(2 * index + 1, data, GROUP, 1);
        }
    }
};

}  // namespace twin

extern "C" {
void* twin_array_new(int lanes, int outputs, int latency) {
    return new twin::DotArray(unsigned(lanes), unsigned(outputs), unsigned(latency));
}
void twin_array_delete(void* state) { delete static_cast<twin::DotArray*>(state); }
void twin_array_clock(void* state, uint32_t load, uint32_t index, unsigned long long data, uint32_t swap,
                      const uint32_t* x, uint32_t* sums) {
    static_cast<twin::DotArray*>(state)->clock(load & 1, load >> 1 & 1, index, data, swap & 1, swap >> 1 & 1, x, sums);
}
}
